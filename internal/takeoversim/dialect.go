package takeoversim

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"time"
	"unicode/utf16"

	"golang.org/x/text/encoding/charmap"
)

// A dialect is how the vendor's program writes its CSVs.
type dialect struct {
	headings  string // title, camel, snake
	delimiter string
	quoting   string // minimal, all, php, mysql
	spaced    bool   // a space follows a delimiter, before the quote
	lineEnd   string
	encoding  string // utf-8, utf-8-bom, utf-16
	preamble  string // what precedes the headings: none, blank, sep, title
	repeated  bool   // the headings stand again in mid-file
	money     string // plain, comma, dot, apostrophe, thousands
	moments   string // plain, iso, day-first, utc, milliseconds
	flags     string // words, yes, digits
	end       string // what follows the rows; see ends
}

func (c *Choices) dialect() dialect {
	d := dialect{
		headings:  c.pick("headings", 0.5, "title", "camel", "snake"),
		delimiter: c.pick("delimiter", 0.2, ",", ";", "\t", "|"),
		quoting:   c.pick("quoting", 0.4, "minimal", "all", "php", "mysql"),
		lineEnd:   c.pick("line-end", 0.4, "\r\n", "\n"),
		encoding:  c.pick("encoding", 0.25, "utf-8", "utf-8-bom", "utf-16"),
		preamble:  c.pick("preamble", 0.15, "none", "blank", "sep", "title"),
		money:     c.pick("money", 0.25, "plain", "comma", "dot", "apostrophe", "thousands"),
		moments:   c.pick("moments", 0.3, "plain", "iso", "day-first", "utc", "milliseconds"),
		flags:     c.pick("flags", 0.3, "words", "yes", "digits"),
	}
	d.spaced = d.quoting == "all" && c.odd("blank-before-quote", 0.15)
	d.repeated = c.odd("headings-repeated", 0.05)
	c.moreOf(&d)
	return d
}

// cell returns a value as this dialect spells it, before quoting.
func (d dialect) cell(k Kind, v string) string {
	if v == "" {
		return v
	}
	switch k {
	case Money:
		return d.amount(v)
	case Moment:
		return d.moment(v)
	case Flag:
		switch d.flags {
		case "yes":
			return map[string]string{"true": "Yes", "false": "No"}[v]
		case "digits":
			return map[string]string{"true": "1", "false": "0"}[v]
		case "letters":
			return map[string]string{"true": "Y", "false": "N"}[v]
		case "capitals":
			return strings.ToUpper(v)
		}
	}
	return v
}

// amount spells 1234.50.
func (d dialect) amount(v string) string {
	whole, cents, _ := strings.Cut(v, ".")
	var b strings.Builder
	for i, r := range whole {
		if i > 0 && (len(whole)-i)%3 == 0 {
			b.WriteByte('_')
		}
		b.WriteRune(r)
	}
	switch d.money {
	case "comma":
		return strings.ReplaceAll(b.String(), "_", ",") + "." + cents
	case "dot":
		return strings.ReplaceAll(b.String(), "_", ".") + "," + cents
	case "apostrophe":
		return strings.ReplaceAll(b.String(), "_", "'") + "." + cents
	case "thousands":
		return strings.ReplaceAll(b.String(), "_", ".")
	case "pound":
		return "£" + strings.ReplaceAll(b.String(), "_", ",") + "." + cents
	case "code":
		return "GBP " + strings.ReplaceAll(b.String(), "_", ",") + "." + cents
	case "euro":
		return strings.ReplaceAll(b.String(), "_", ".") + "," + cents + " €"
	case "blank":
		return strings.ReplaceAll(b.String(), "_", "\u00a0") + "," + cents
	case "float":
		return strings.TrimSuffix(strings.TrimRight(v, "0"), ".")
	case "precise":
		return v + "00"
	}
	return v
}

func (d dialect) moment(v string) string {
	t, err := time.Parse(time.DateTime, v)
	if err != nil {
		return v
	}
	switch d.moments {
	case "iso":
		return t.Format("2006-01-02T15:04:05")
	case "day-first":
		return t.Format("02/01/2006 15:04:05")
	case "utc":
		return v + " UTC"
	case "milliseconds":
		return fmt.Sprint(t.UnixMilli())
	case "zulu":
		return t.Format("2006-01-02T15:04:05.000Z")
	case "offset":
		return t.Format("2006-01-02T15:04:05+00:00")
	case "words":
		return t.Format("2 Jan 2006 15:04:05")
	case "month-first":
		return t.Format("01/02/2006 3:04:05 PM")
	case "dots":
		return t.Format("02.01.2006 15:04:05")
	}
	return v
}

// heading spells "First Name" as the dialect does.
func (d dialect) heading(words string) string {
	fields := strings.Fields(words)
	switch d.headings {
	case "camel":
		for i, f := range fields {
			fields[i] = strings.ToLower(f)
			if i > 0 {
				fields[i] = strings.ToUpper(f[:1]) + strings.ToLower(f[1:])
			}
		}
		return strings.Join(fields, "")
	case "snake":
		return strings.ToLower(strings.Join(fields, "_"))
	}
	return words
}

// write returns a table as a file of this dialect.
func (d dialect) write(t Table) []byte {
	var b strings.Builder
	heads := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		heads[i] = d.heading(c.Heading)
	}
	switch d.preamble {
	case "blank":
		b.WriteString(d.lineEnd)
	case "sep":
		b.WriteString("sep=" + d.delimiter + d.lineEnd)
	case "title":
		b.WriteString("Export of " + strings.TrimSuffix(t.File, ".csv") + d.lineEnd)
	}
	d.record(&b, heads)
	for i, row := range t.Rows {
		if d.repeated && i > 0 && i == len(t.Rows)/2 {
			d.record(&b, heads)
		}
		cells := make([]string, len(row))
		for j, v := range row {
			cells[j] = d.cell(t.Columns[j].Kind, v)
		}
		d.record(&b, cells)
	}
	return d.encode(d.ended(b.String()))
}

func (d dialect) record(b *strings.Builder, cells []string) {
	for i, c := range cells {
		if i > 0 {
			b.WriteString(d.delimiter)
			if d.spaced {
				b.WriteByte(' ')
			}
		}
		b.WriteString(d.quote(c))
	}
	if d.end == "delimiters" {
		b.WriteString(d.delimiter)
	}
	b.WriteString(d.lineEnd)
}

// quote writes a cell between quotes where its writer would.
func (d dialect) quote(c string) string {
	special := strings.ContainsAny(c, "\"\r\n"+d.delimiter)
	switch d.quoting {
	case "all":
		return `"` + strings.ReplaceAll(c, `"`, `""`) + `"`
	case "mysql":
		return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(c) + `"`
	case "php":
		if !special && !strings.ContainsAny(c, " \t\\") {
			return c
		}
		return `"` + phpDoubled(c) + `"`
	}
	if !special && strings.TrimSpace(c) == c {
		return c
	}
	return `"` + strings.ReplaceAll(c, `"`, `""`) + `"`
}

// phpDoubled doubles quotes as PHP's fputcsv does with its default escape character: one behind a backslash
// stays single.
func phpDoubled(c string) string {
	var b strings.Builder
	escaped := false
	for i := range len(c) {
		switch {
		case c[i] == '\\':
			escaped = true
		case !escaped && c[i] == '"':
			b.WriteByte('"')
		default:
			escaped = false
		}
		b.WriteByte(c[i])
	}
	return b.String()
}

func (d dialect) encode(s string) []byte {
	switch d.encoding {
	case "utf-8-bom":
		return append([]byte("\xef\xbb\xbf"), s...)
	case "utf-16":
		b := bytes.NewBuffer([]byte{0xff, 0xfe})
		_ = binary.Write(b, binary.LittleEndian, utf16.Encode([]rune(s))) // a Buffer does not fail
		return b.Bytes()
	case "utf-16be":
		b := bytes.NewBuffer([]byte{0xfe, 0xff})
		_ = binary.Write(b, binary.BigEndian, utf16.Encode([]rune(s)))
		return b.Bytes()
	case "windows-1252":
		b, _ := charmap.Windows1252.NewEncoder().String(asWindows1252(s)) // cannot fail then
		return []byte(b)
	}
	return []byte(s)
}

// asWindows1252 is a text with a question mark for each character that windows-1252 does not have.
func asWindows1252(s string) string {
	return strings.Map(func(r rune) rune {
		if _, ok := charmap.Windows1252.EncodeRune(r); !ok {
			return '?'
		}
		return r
	}, s)
}
