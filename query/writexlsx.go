package query

import (
	"archive/zip"
	"bufio"
	"database/sql"
	"encoding/xml"
	"fmt"
	"io"
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

// An xlsxOutput writes a workbook as it goes: its sheets are streams in a ZIP, with texts in their cells. It is ours because
// it is short, and because the libraries for it keep rows in memory or in files and link a network stack.
//
// Numbers, booleans and dates keep their kind; numbers of more than 15 digits, which Excel would change, are texts. Rows
// beyond what a sheet holds go on in further sheets. A text that is too long for a cell is cut, and says so at its end.
type xlsxOutput struct {
	w       *bufio.Writer
	z       *zip.Writer
	sheet   io.Writer
	sheets  int
	rows    int // in this sheet
	columns []string
	types   []string
	line    []byte
}

func (o *xlsxOutput) begin(columns, types []string) error {
	if len(columns) > 16384 {
		return fmt.Errorf("%d columns do not fit into a sheet; use csv", len(columns))
	}
	o.z, o.columns, o.types = zip.NewWriter(o.w), columns, types
	return o.newSheet()
}

func (o *xlsxOutput) newSheet() (err error) {
	if err := o.closeSheet(); err != nil {
		return err
	}
	o.sheets++
	o.rows = 0
	if o.sheet, err = o.z.Create(fmt.Sprintf("xl/worksheets/sheet%d.xml", o.sheets)); err != nil {
		return err
	}
	if _, err := io.WriteString(o.sheet, xml.Header+`<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetViews><sheetView workbookViewId="0"><pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/></sheetView></sheetViews><sheetData>`); err != nil {
		return err
	}
	head := make([]sql.NullString, len(o.columns))
	for i, c := range o.columns {
		head[i] = sql.NullString{String: c, Valid: true}
	}
	return o.write(head, nil)
}

func (o *xlsxOutput) closeSheet() error {
	if o.sheet == nil {
		return nil
	}
	_, err := io.WriteString(o.sheet, `</sheetData></worksheet>`)
	return err
}

func (o *xlsxOutput) row(row []sql.NullString) error {
	if o.rows == sheetRows {
		if err := o.newSheet(); err != nil {
			return err
		}
	}
	return o.write(row, o.types)
}

func (o *xlsxOutput) write(row []sql.NullString, types []string) error {
	o.rows++
	o.line = append(o.line[:0], "<row>"...)
	for i, v := range row {
		typ := "VARCHAR"
		if types != nil {
			typ = types[i]
		}
		o.line = appendXLSXCell(o.line, v, typ)
	}
	o.line = append(o.line, "</row>"...)
	_, err := o.sheet.Write(o.line)
	return err
}

// The styles in xlsxStyles by their number.
const (
	styleDate = 1
	styleTime = 2
)

func appendXLSXCell(b []byte, v sql.NullString, typ string) []byte {
	switch {
	case !v.Valid:
		return append(b, "<c/>"...)
	case isNumber(typ) && fitsExcel(v.String):
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
	b = append(b, `<c t="inlineStr"><is><t xml:space="preserve">`...)
	b = appendXMLText(b, cutForExcel(v.String))
	return append(b, "</t></is></c>"...)
}

// fitsExcel reports whether Excel, which keeps 15 digits, keeps a number as it is.
func fitsExcel(s string) bool {
	digits := 0
	for _, r := range s {
		if r >= '0' && r <= '9' {
			digits++
		}
	}
	_, err := strconv.ParseFloat(s, 64)
	return err == nil && digits <= 15 && !strings.ContainsAny(s, "nN")
}

// excelDays turns a time into days since the end of 1899. Before March 1900 Excel's calendar is wrong; such dates are texts.
func excelDays(layout, s string) (string, bool) {
	t, err := time.Parse(layout, s)
	if err != nil || t.Year() < 1901 || t.Year() > 9999 {
		return "", false
	}
	days := float64(t.Unix()-time.Date(1899, 12, 30, 0, 0, 0, 0, time.UTC).Unix()) / 86400
	return strconv.FormatFloat(days, 'f', -1, 64), t.Nanosecond() == 0
}

// cutForExcel cuts a text that no cell can hold, and says so in it.
func cutForExcel(s string) string {
	if len(s) <= cellText {
		return s
	}
	units := 0
	for _, r := range s {
		units += max(1, utf16.RuneLen(r))
	}
	if units <= cellText {
		return s
	}
	note := fmt.Sprintf(" … [cut: %d characters do not fit into a cell]", utf8.RuneCountInString(s))
	units = len(note)
	for i, r := range s {
		if units += max(1, utf16.RuneLen(r)); units > cellText {
			return s[:i] + note
		}
	}
	return s
}

// appendXMLText escapes text. Characters that XML cannot hold are written as Excel does, _x0000_, and so is what looks like it.
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

func (o *xlsxOutput) end() error {
	if err := o.closeSheet(); err != nil {
		return err
	}
	var types, rels, sheets strings.Builder
	for i := 1; i <= o.sheets; i++ {
		fmt.Fprintf(&types, `<Override PartName="/xl/worksheets/sheet%d.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/>`, i)
		fmt.Fprintf(&rels, `<Relationship Id="rId%d" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet%[1]d.xml"/>`, i)
		fmt.Fprintf(&sheets, `<sheet name="Result%s" sheetId="%d" r:id="rId%[2]d"/>`, map[bool]string{false: " " + strconv.Itoa(i)}[i == 1], i)
	}
	fmt.Fprintf(&rels, `<Relationship Id="rId%d" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/styles" Target="styles.xml"/>`, o.sheets+1)
	for _, part := range [][2]string{
		{"[Content_Types].xml", `<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/><Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/><Override PartName="/xl/styles.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.styles+xml"/>` + types.String() + `</Types>`},
		{"_rels/.rels", `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>`},
		{"xl/workbook.xml", `<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets>` + sheets.String() + `</sheets></workbook>`},
		{"xl/_rels/workbook.xml.rels", `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">` + rels.String() + `</Relationships>`},
		{"xl/styles.xml", xlsxStyles},
	} {
		f, err := o.z.Create(part[0])
		if err != nil {
			return err
		}
		if _, err := io.WriteString(f, xml.Header+part[1]); err != nil {
			return err
		}
	}
	return o.z.Close()
}

const xlsxStyles = `<styleSheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><numFmts count="2"><numFmt numFmtId="164" formatCode="yyyy\-mm\-dd"/><numFmt numFmtId="165" formatCode="yyyy\-mm\-dd\ hh:mm:ss"/></numFmts><fonts count="1"><font><sz val="11"/><name val="Calibri"/></font></fonts><fills count="2"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill></fills><borders count="1"><border/></borders><cellStyleXfs count="1"><xf/></cellStyleXfs><cellXfs count="3"><xf/><xf numFmtId="164" applyNumberFormat="1"/><xf numFmtId="165" applyNumberFormat="1"/></cellXfs><cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>`
