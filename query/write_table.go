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
	right   []bool // numbers are aligned right
	width   int    // of the terminal; 0: it does not matter
	first   int    // this many columns are shown from the left
	last    int    // and this many from the right
	done    *Written
	settled bool
}

func (o *tableOutput) begin(columns, types []string) error {
	head := make([]string, len(columns))
	for i, c := range columns {
		head[i] = displayText(c)
		o.right = append(o.right, isNumber(types[i]))
	}
	o.widths = make([]int, len(columns))
	o.hold(head)
	return nil
}

func (o *tableOutput) row(row []sql.NullString) error {
	cells := make([]string, len(row))
	for i, v := range row {
		cells[i] = "NULL"
		if v.Valid {
			cells[i] = displayText(v.String)
		}
	}
	if o.settled {
		return o.line(cells)
	}
	o.hold(cells)
	if len(o.waiting) > widthRows {
		return o.fixWidths()
	}
	return nil
}

func (o *tableOutput) hold(cells []string) {
	for i, c := range cells {
		o.widths[i] = max(o.widths[i], runewidth.StringWidth(c))
	}
	o.waiting = append(o.waiting, cells)
}

// fixWidths fixes the widths and writes what has waited for them.
func (o *tableOutput) fixWidths() error {
	o.settled = true
	o.fit()
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

// fit makes the table as wide as the terminal: first the widest columns are narrowed, then columns in the
// middle are hidden.
func (o *tableOutput) fit() {
	n := len(o.widths)
	o.first, o.last = n, 0
	if o.width <= 0 || n == 0 {
		return
	}
	for tableWidth(o.widths) > o.width {
		widest := -1
		for i, w := range o.widths { // a number that lacks its end is another number
			if !o.right[i] && w > narrowest && (widest < 0 || w > o.widths[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			break
		}
		o.widths[widest]--
	}
	if tableWidth(o.widths) <= o.width {
		return
	}
	room := o.width - runewidth.StringWidth(elided) - 2
	for o.first, o.last = 0, 0; o.first+o.last < n; {
		if o.first <= o.last { // from the left and from the right in turn
			if room -= o.widths[o.first] + 2; room < 0 {
				break
			}
			o.first++
			continue
		}
		if room -= o.widths[n-1-o.last] + 2; room < 0 {
			break
		}
		o.last++
	}
	o.first = max(o.first, 1)
	o.done.Hidden = n - o.first - o.last
}

const (
	narrowest = 12  // a column is not narrowed further
	elided    = "…" // in place of hidden columns
)

func tableWidth(widths []int) int {
	sum := 2 * (len(widths) - 1)
	for _, w := range widths {
		sum += w
	}
	return sum
}

func (o *tableOutput) line(cells []string) error {
	for i, c := range cells {
		if i == o.first && o.done.Hidden > 0 {
			o.w.WriteString("  " + elided)
		}
		if i >= o.first && i < len(cells)-o.last {
			continue
		}
		if i > 0 {
			o.w.WriteString("  ")
		}
		c = runewidth.Truncate(c, o.widths[i], "…")
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
	return o.fixWidths()
}

// displayText makes a cell one line of at most widestCell columns. What could command a terminal is shown,
// not sent.
func displayText(s string) string {
	if len(s) > 8*widestCell {
		s = s[:8*widestCell]
	}
	return runewidth.Truncate(oneLine(s), widestCell, "…")
}

// oneLine makes a text one line in which nothing commands a terminal.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
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
}

// A lineOutput writes one line a value, under each other, for rows that are wider than a terminal.
type lineOutput struct {
	w     *bufio.Writer
	names []string
	width int
	rows  int
}

func (o *lineOutput) begin(columns, _ []string) error {
	for _, c := range columns {
		name := displayText(c)
		o.names = append(o.names, name)
		o.width = max(o.width, runewidth.StringWidth(name))
	}
	return nil
}

func (o *lineOutput) row(row []sql.NullString) error {
	if o.rows++; o.rows > 1 {
		o.w.WriteByte('\n')
	}
	for i, v := range row {
		value := "NULL"
		if v.Valid {
			value = oneLine(v.String)
		}
		pad := strings.Repeat(" ", o.width-runewidth.StringWidth(o.names[i]))
		o.w.WriteString(pad + o.names[i] + " = " + value + "\n")
	}
	return nil
}

func (o *lineOutput) end() error { return nil }

// A markdownOutput writes a table of GitHub's Markdown, whole cells included.
type markdownOutput struct{ w *bufio.Writer }

var markdownEscape = strings.NewReplacer(
	`\`, `\\`, "|", `\|`, "\r\n", "<br>", "\n", "<br>", "\r", "<br>", "<", "&lt;", "&", "&amp;",
)

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
