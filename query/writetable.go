package query

import (
	"bufio"
	"database/sql"
	"strings"
	"unicode"

	"github.com/mattn/go-runewidth"
)

const (
	widestCell = 60   // columns of the screen; what is wider is cut, with an ellipsis
	widthRows  = 1000 // rows that the widths of the columns are taken from
)

// A tableOutput aligns columns. It looks at the first rows for the widths, and then writes as rows come.
type tableOutput struct {
	w       *bufio.Writer
	waiting [][]string
	widths  []int
	right   []bool // numbers stand on the right
	settled bool
}

func (o *tableOutput) begin(columns, types []string) error {
	head := make([]string, len(columns))
	for i, c := range columns {
		head[i] = forTheEye(c)
		o.right = append(o.right, isNumber(types[i]))
	}
	o.widths = make([]int, len(columns))
	o.keep(head)
	return nil
}

func (o *tableOutput) row(row []sql.NullString) error {
	cells := make([]string, len(row))
	for i, v := range row {
		cells[i] = "NULL"
		if v.Valid {
			cells[i] = forTheEye(v.String)
		}
	}
	if o.settled {
		return o.line(cells)
	}
	o.keep(cells)
	if len(o.waiting) > widthRows {
		return o.settle()
	}
	return nil
}

func (o *tableOutput) keep(cells []string) {
	for i, c := range cells {
		o.widths[i] = max(o.widths[i], runewidth.StringWidth(c))
	}
	o.waiting = append(o.waiting, cells)
}

// settle fixes the widths and writes what has waited for them.
func (o *tableOutput) settle() error {
	o.settled = true
	if err := o.line(o.waiting[0]); err != nil {
		return err
	}
	rules := make([]string, len(o.widths))
	for i, w := range o.widths {
		rules[i] = strings.Repeat("─", w)
	}
	if err := o.line(rules); err != nil {
		return err
	}
	for _, cells := range o.waiting[1:] {
		if err := o.line(cells); err != nil {
			return err
		}
	}
	o.waiting = nil
	return nil
}

func (o *tableOutput) line(cells []string) error {
	for i, c := range cells {
		if i > 0 {
			o.w.WriteString("  ")
		}
		pad := strings.Repeat(" ", max(0, o.widths[i]-runewidth.StringWidth(c)))
		switch {
		case o.right[i]:
			o.w.WriteString(pad + c)
		case i == len(cells)-1:
			o.w.WriteString(c)
		default:
			o.w.WriteString(c + pad)
		}
	}
	return o.w.WriteByte('\n')
}

func (o *tableOutput) end() error {
	if o.settled {
		return nil
	}
	return o.settle()
}

// forTheEye makes a cell one line of at most widestCell columns. What could command a terminal is shown, not sent.
func forTheEye(s string) string {
	if len(s) > 8*widestCell {
		s = s[:8*widestCell]
	}
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\n':
			return '⏎'
		case r == '\t':
			return ' '
		case r == '\r':
			return -1
		case unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == unicode.ReplacementChar:
			return '·'
		}
		return r
	}, s)
	return runewidth.Truncate(s, widestCell, "…")
}

// A markdownOutput writes a table of GitHub's Markdown, whole cells included.
type markdownOutput struct{ w *bufio.Writer }

var markdownEscape = strings.NewReplacer(`\`, `\\`, "|", `\|`, "\r\n", "<br>", "\n", "<br>", "\r", "<br>", "<", "&lt;", "&", "&amp;")

func (o *markdownOutput) begin(columns, types []string) error {
	o.w.WriteByte('|')
	for _, c := range columns {
		o.w.WriteString(" " + markdownEscape.Replace(c) + " |")
	}
	o.w.WriteString("\n|")
	for _, t := range types {
		rule := " --- |"
		if isNumber(t) {
			rule = " ---: |"
		}
		o.w.WriteString(rule)
	}
	return o.w.WriteByte('\n')
}

func (o *markdownOutput) row(row []sql.NullString) error {
	o.w.WriteByte('|')
	for _, v := range row {
		cell := "NULL"
		if v.Valid {
			cell = markdownEscape.Replace(v.String)
		}
		o.w.WriteString(" " + cell + " |")
	}
	return o.w.WriteByte('\n')
}

func (o *markdownOutput) end() error { return nil }
