package query

import (
	"archive/zip"
	"database/sql"
	"encoding/xml"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"
)

// What a worksheet holds (ECMA-376, and Excel's specification).
const (
	sheetRows = 1 << 20
	cellText  = 32767 // UTF-16 units
)

// A Workbook writes an Excel file as it goes: its sheets are streams in a ZIP, with texts in their cells. It
// is ours because it is short, and because the libraries for it keep rows in memory or in files and link a
// network stack.
//
// Numbers, booleans and dates keep their kind; numbers and times that Excel would change are texts. Texts
// that begin like formulas are marked as texts, so that editing the cell does not run them either. Rows
// beyond what a sheet holds go on in further sheets. A text that is too long for a cell is cut, and says so
// at its end.
type Workbook struct {
	z      *zip.Writer
	taken  map[string]bool // names of sheets, lower case
	sheets []string        // by number
	front  int             // the number of the sheet that comes first, if not 0
}

// NewWorkbook returns a Workbook that is written to w. Close ends it.
func NewWorkbook(w io.Writer) *Workbook {
	// Excel keeps that name to itself
	return &Workbook{z: zip.NewWriter(w), taken: map[string]bool{"history": true}}
}

// AddSheet writes rows, at most limit where that is not 0, into a sheet. Its name is made to fit Excel's
// rules.
func (b *Workbook) AddSheet(name string, r *Rows, limit int64) (Written, error) {
	var done Written
	err := copyRows(&sheetOutput{book: b, name: name, done: &done}, r, limit, &done)
	return done, err
}

// AddFront writes a sheet of texts that comes before the others, whenever it is written.
func (b *Workbook) AddFront(name string, headings []string, rows [][]string) error {
	o := &sheetOutput{book: b, name: name, done: new(Written)}
	width := len(headings)
	for _, row := range rows {
		width = max(width, len(row))
	}
	if err := o.begin(headings, make([]string, width)); err != nil {
		return err
	}
	b.front = len(b.sheets)
	for _, row := range rows {
		cells := make([]sql.NullString, len(row))
		for i, cell := range row {
			cells[i] = sql.NullString{String: cell, Valid: true}
		}
		if err := o.row(cells); err != nil {
			return err
		}
	}
	return o.end()
}

// sheetName makes a name that Excel takes: at most 31 characters, without []:*?/\, and not one that is there
// already.
func (b *Workbook) sheetName(name string) string {
	name = strings.Trim(strings.Map(func(r rune) rune {
		if strings.ContainsRune(`[]:*?/\`, r) || r < 0x20 {
			return '-'
		}
		return r
	}, name), "' ")
	if name == "" {
		name = "Sheet"
	}
	letters := []rune(name)
	free := string(letters[:min(len(letters), 31)])
	for i := 2; b.taken[strings.ToLower(free)]; i++ {
		number := fmt.Sprintf(" %d", i)
		free = string(letters[:min(len(letters), 31-len(number))]) + number
	}
	b.taken[strings.ToLower(free)] = true
	return free
}

// A sheetOutput writes one result into a sheet, and into further ones where it is long.
type sheetOutput struct {
	book    *Workbook
	name    string
	done    *Written
	sheet   io.Writer
	rows    int // in this sheet
	columns []string
	types   []string
	line    []byte
}

func (o *sheetOutput) begin(columns, types []string) error {
	if len(columns) > 16384 {
		return fmt.Errorf("%d columns do not fit into a sheet; use csv", len(columns))
	}
	o.columns, o.types = columns, types
	return o.newSheet()
}

func (o *sheetOutput) newSheet() (err error) {
	if err := o.end(); err != nil {
		return err
	}
	o.book.sheets = append(o.book.sheets, o.book.sheetName(o.name))
	o.done.Sheets++
	o.rows = 0
	if o.sheet, err = o.book.z.Create(fmt.Sprintf(
		"xl/worksheets/sheet%d.xml", len(o.book.sheets),
	)); err != nil {
		return err
	}
	if _, err := io.WriteString(o.sheet, xml.Header+sheetHead); err != nil {
		return err
	}
	head := make([]sql.NullString, len(o.columns))
	for i, c := range o.columns {
		head[i] = sql.NullString{String: c, Valid: true}
	}
	return o.write(head, make([]string, len(head)))
}

const sheetHead = `<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">` +
	`<sheetViews><sheetView workbookViewId="0">` +
	`<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" ` +
	`state="frozen"/></sheetView></sheetViews><sheetData>`

func (o *sheetOutput) end() error {
	if o.sheet == nil {
		return nil
	}
	_, err := io.WriteString(o.sheet, `</sheetData></worksheet>`)
	return err
}

func (o *sheetOutput) row(row []sql.NullString) error {
	if o.rows == sheetRows {
		if err := o.newSheet(); err != nil {
			return err
		}
	}
	return o.write(row, o.types)
}

func (o *sheetOutput) write(row []sql.NullString, types []string) error {
	o.rows++
	o.line = append(o.line[:0], "<row>"...)
	for i, v := range row {
		o.line = appendXLSXCell(o.line, v, types[i], o.done)
	}
	o.line = append(o.line, "</row>"...)
	_, err := o.sheet.Write(o.line)
	return err
}

// The styles in xlsxStyles by their number.
const (
	styleDate = 1
	styleTime = 2
	styleText = 3 // with an apostrophe in front, as typed by a user who wants no formula
)

func appendXLSXCell(b []byte, v sql.NullString, typ string, done *Written) []byte {
	switch {
	case !v.Valid:
		return append(b, "<c/>"...)
	case isNumber(typ) && fitsExcel(v.String, typ):
		return fmt.Appendf(b, "<c><v>%s</v></c>", v.String)
	case typ == "BOOLEAN":
		return fmt.Appendf(b, `<c t="b"><v>%d</v></c>`, map[bool]int{true: 1}[v.String == "true"])
	case typ == "DATE":
		if days, ok := excelDays("2006-01-02", v.String); ok {
			return fmt.Appendf(b, `<c s="%d"><v>%s</v></c>`, styleDate, days)
		}
	case typ == "TIMESTAMP":
		if days, ok := excelDays("2006-01-02 15:04:05", v.String); ok {
			return fmt.Appendf(b, `<c s="%d"><v>%s</v></c>`, styleTime, days)
		}
	}
	if isFormula(v.String) && !isNumber(typ) {
		done.Formulas++
		b = fmt.Appendf(b, `<c s="%d" t="inlineStr"><is><t xml:space="preserve">`, styleText)
	} else {
		b = append(b, `<c t="inlineStr"><is><t xml:space="preserve">`...)
	}
	fits, cut := cutForExcel(v.String)
	if cut {
		done.CutCells++
	}
	b = appendXMLText(b, fits)
	return append(b, "</t></is></c>"...)
}

// fitsExcel reports whether Excel keeps a number as it is: it has floating-point numbers of 64 bits up to
// 9.99e307, without the very small ones, and of other numbers 15 digits.
func fitsExcel(s, typ string) bool {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(f) || math.Abs(f) > 9.99e307 || f != 0 && math.Abs(f) < 0x1p-1022 {
		return false
	}
	if typ == "DOUBLE" || typ == "FLOAT" {
		return true
	}
	digits := 0
	for _, r := range s {
		if r >= '0' && r <= '9' {
			digits++
		}
	}
	return digits <= 15
}

// excelDays turns a time into days since the end of 1899. Before March 1900 Excel's calendar is wrong; such
// dates are texts.
func excelDays(layout, s string) (string, bool) {
	t, err := time.Parse(layout, s)
	if err != nil || t.Year() < 1901 || t.Year() > 9999 {
		return "", false
	}
	days := float64(t.Unix()-time.Date(1899, 12, 30, 0, 0, 0, 0, time.UTC).Unix()) / 86400
	return strconv.FormatFloat(days, 'f', -1, 64), t.Nanosecond() == 0
}

// cutForExcel cuts a text that no cell can hold, and says so in it.
func cutForExcel(s string) (fits string, cut bool) {
	if len(s) <= cellText {
		return s, false
	}
	units := 0
	for _, r := range s {
		units += max(1, utf16.RuneLen(r))
	}
	if units <= cellText {
		return s, false
	}
	note := fmt.Sprintf(" … [cut: %d characters do not fit into a cell]", utf8.RuneCountInString(s))
	units = len(note)
	for i, r := range s {
		if units += max(1, utf16.RuneLen(r)); units > cellText {
			return s[:i] + note, true
		}
	}
	return s, false
}

// appendXMLText escapes text. Characters that XML cannot hold are written as Excel does, _x0000_, and so is
// what looks like it.
func appendXMLText(b []byte, s string) []byte {
	for i, r := range s {
		switch {
		case r == '&':
			b = append(b, "&amp;"...)
		case r == '<':
			b = append(b, "&lt;"...)
		case r == '>':
			b = append(b, "&gt;"...)
		case r < 0x20 && r != '\t' && r != '\n' || r == 0xFFFE || r == 0xFFFF:
			b = fmt.Appendf(b, "_x%04X_", r)
		case r == '_' && looksEscaped(s[i:]):
			b = append(b, "_x005F_"...)
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return b
}

func looksEscaped(s string) bool {
	if len(s) < 7 || s[1] != 'x' || s[6] != '_' {
		return false
	}
	_, err := strconv.ParseUint(s[2:6], 16, 16)
	return err == nil
}

// Close writes what names the sheets, and ends the file. Without a sheet it is no file that Excel opens.
func (b *Workbook) Close() error {
	var types, rels, sheets strings.Builder
	for _, i := range b.order() {
		fmt.Fprintf(
			&types,
			`<Override PartName="/xl/worksheets/sheet%d.xml" `+
				`ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/>`,
			i,
		)
		fmt.Fprintf(
			&rels,
			`<Relationship Id="rId%d" Type="`+officeRels+`/worksheet" Target="worksheets/sheet%[1]d.xml"/>`,
			i,
		)
		fmt.Fprintf(&sheets, `<sheet name="%s" sheetId="%d" r:id="rId%[2]d"/>`, attribute(b.sheets[i-1]), i)
	}
	fmt.Fprintf(
		&rels, `<Relationship Id="rId%d" Type="`+officeRels+`/styles" Target="styles.xml"/>`, len(b.sheets)+1,
	)
	for _, part := range [][2]string{
		{"[Content_Types].xml",
			`<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">` +
				`<Default Extension="rels" ` +
				`ContentType="application/vnd.openxmlformats-package.relationships+xml"/>` +
				`<Default Extension="xml" ContentType="application/xml"/>` +
				`<Override PartName="/xl/workbook.xml" ` +
				`ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>` +
				`<Override PartName="/xl/styles.xml" ` +
				`ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.styles+xml"/>` +
				types.String() + `</Types>`},
		{
			"_rels/.rels",
			`<Relationships xmlns="` + packageRels + `"><Relationship Id="rId1" Type="` + officeRels +
				`/officeDocument" Target="xl/workbook.xml"/></Relationships>`,
		},
		{
			"xl/workbook.xml",
			`<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="` +
				officeRels + `"><sheets>` + sheets.String() + `</sheets></workbook>`,
		},
		{
			"xl/_rels/workbook.xml.rels",
			`<Relationships xmlns="` + packageRels + `">` + rels.String() + `</Relationships>`,
		},
		{"xl/styles.xml", xlsxStyles},
	} {
		f, err := b.z.Create(part[0])
		if err != nil {
			return err
		}
		if _, err := io.WriteString(f, xml.Header+part[1]); err != nil {
			return err
		}
	}
	return b.z.Close()
}

// order returns the numbers of the sheets in the order in which they are shown.
func (b *Workbook) order() (all []int) {
	for i := range b.sheets {
		all = append(all, i+1)
	}
	if b.front > 0 {
		all = append([]int{b.front}, slices.Delete(all, b.front-1, b.front)...)
	}
	return all
}

func attribute(s string) string {
	return strings.ReplaceAll(string(appendXMLText(nil, s)), `"`, "&quot;")
}

// Namespaces of ECMA-376.
const (
	officeRels  = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
	packageRels = "http://schemas.openxmlformats.org/package/2006/relationships"
)

const xlsxStyles = `<styleSheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">` +
	`<numFmts count="2">` +
	`<numFmt numFmtId="164" formatCode="yyyy\-mm\-dd"/><numFmt numFmtId="165" formatCode="yyyy\-mm\-dd\ ` +
	`hh:mm:ss"/></numFmts>` +
	`<fonts count="1"><font><sz val="11"/><name val="Calibri"/></font></fonts>` +
	`<fills count="2"><fill><patternFill patternType="none"/></fill><fill><patternFill ` +
	`patternType="gray125"/></fill></fills>` +
	`<borders count="1"><border/></borders><cellStyleXfs count="1"><xf/></cellStyleXfs>` +
	`<cellXfs count="4"><xf/><xf numFmtId="164" applyNumberFormat="1"/><xf numFmtId="165" ` +
	`applyNumberFormat="1"/>` +
	`<xf numFmtId="49" applyNumberFormat="1" quotePrefix="1"/></cellXfs>` +
	`<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>`
