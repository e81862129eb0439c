// Package term is what holdall knows of terminals: whether a stream is one, how wide, aligned tables, and a
// block of lines that is redrawn in place.
package term

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/mattn/go-runewidth"
	"golang.org/x/term"
)

// Is reports whether a stream is a terminal.
func Is(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// Width returns the columns of a terminal, or 80 for anything else.
func Width(stream any) int {
	if f, ok := stream.(*os.File); ok {
		if w, _, err := term.GetSize(int(f.Fd())); err == nil && w > 0 {
			return w
		}
	}
	return 80
}

// Height returns the lines of a terminal, or 24 for anything else.
func Height(stream any) int {
	if f, ok := stream.(*os.File); ok {
		if _, h, err := term.GetSize(int(f.Fd())); err == nil && h > 0 {
			return h
		}
	}
	return 24
}

// Table writes rows under headings, aligned. Numbers, in the columns named by right, are aligned right. On a
// terminal that is too narrow the last column goes on in further lines, under itself.
func Table(w io.Writer, headings []string, right map[int]bool, rows [][]string) error {
	width := 0
	if Is(w) {
		width = Width(w)
	}
	return tableWithin(w, width, headings, right, rows)
}

// tableWithin is Table for a width; 0: it does not matter.
func tableWithin(
	w io.Writer, width int, headings []string, right map[int]bool, rows [][]string,
) error {
	widths := make([]int, len(headings))
	for _, row := range append([][]string{headings}, rows...) {
		for i, cell := range row {
			widths[i] = max(widths[i], runewidth.StringWidth(cell))
		}
	}
	if width > 0 && len(widths) > 0 {
		last := len(widths) - 1
		before := 2 * last
		for _, c := range widths[:last] {
			before += c
		}
		if room := width - before; room >= leastRoom && room < widths[last] {
			widths[last] = room
			rows = folded(rows, last, room)
		}
	}
	for n, row := range append([][]string{headings}, rows...) {
		var line strings.Builder
		for i, cell := range row {
			pad := strings.Repeat(" ", widths[i]-runewidth.StringWidth(cell))
			if right[i] {
				line.WriteString(pad + cell)
			} else {
				line.WriteString(cell + pad)
			}
			line.WriteString("  ")
		}
		if _, err := fmt.Fprintln(w, strings.TrimRight(line.String(), " ")); err != nil {
			return err
		}
		if n == 0 {
			rule := 2 * (len(widths) - 1)
			for _, c := range widths {
				rule += c
			}
			fmt.Fprintln(w, strings.Repeat("─", rule))
		}
	}
	return nil
}

// leastRoom is the width below which a column is not worth folding.
const leastRoom = 20

// folded returns rows of which the last column is no wider than room: what has no room goes on in rows that
// are empty otherwise.
func folded(rows [][]string, last, room int) (all [][]string) {
	for _, row := range rows {
		if len(row) <= last {
			all = append(all, row)
			continue
		}
		for n, line := range fold(row[last], room) {
			part := make([]string, len(row))
			if n == 0 {
				copy(part, row)
			}
			part[last] = line
			all = append(all, part)
		}
	}
	return all
}

// fold breaks a text into lines no wider than room, between words where it can.
func fold(s string, room int) (lines []string) {
	line := ""
	for _, word := range strings.Split(s, " ") {
		for runewidth.StringWidth(word) > room { // a path or a digest
			if line != "" {
				lines, line = append(lines, line), ""
			}
			head := runewidth.Truncate(word, room, "")
			lines, word = append(lines, head), word[len(head):]
		}
		switch {
		case line == "":
			line = word
		case runewidth.StringWidth(line)+1+runewidth.StringWidth(word) > room:
			lines, line = append(lines, line), word
		default:
			line += " " + word
		}
	}
	return append(lines, line)
}

// TSV writes rows under headings, separated by tabs. Tabs, line ends and backslashes inside a cell are
// escaped as \t, \n, \r and \\.
func TSV(w io.Writer, headings []string, rows [][]string) error {
	for _, row := range append([][]string{headings}, rows...) {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = tsvEscape.Replace(cell)
		}
		if _, err := fmt.Fprintln(w, strings.Join(cells, "\t")); err != nil {
			return err
		}
	}
	return nil
}

var tsvEscape = strings.NewReplacer("\\", `\\`, "\t", `\t`, "\n", `\n`, "\r", `\r`)

// A Block is a few lines at the bottom of a terminal that are drawn again in place.
type Block struct {
	w     io.Writer
	width func() int // asked each time: a window may be made narrower
	drawn int
}

// NewBlock returns a Block on a terminal.
func NewBlock(w io.Writer) *Block { return &Block{w: w, width: func() int { return Width(w) }} }

// Draw shows lines in place of those shown before; each is cut to the terminal's width.
func (b *Block) Draw(lines ...string) {
	var out strings.Builder
	width := b.width()
	if b.drawn > 0 {
		fmt.Fprintf(&out, "\x1b[%dA", b.drawn)
	}
	for _, line := range lines {
		out.WriteString("\r\x1b[2K" + runewidth.Truncate(line, max(1, width-1), "…") + "\n")
	}
	for range b.drawn - len(lines) {
		out.WriteString("\r\x1b[2K\n")
	}
	b.drawn = max(b.drawn, len(lines))
	io.WriteString(b.w, out.String())
}

// Clear takes the lines away.
func (b *Block) Clear() {
	if b.drawn == 0 {
		return
	}
	fmt.Fprintf(b.w, "\x1b[%dA\r\x1b[J", b.drawn)
	b.drawn = 0
}

// Bar draws a fraction of width columns.
func Bar(fraction float64, width int) string {
	full := min(width, max(0, int(fraction*float64(width))))
	return strings.Repeat("█", full) + strings.Repeat("░", width-full)
}

// Bytes writes a number of bytes for people: 1.5 GB, decimal units as disks and networks are sold.
func Bytes(n int64) string {
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	f, unit := float64(n), 0
	for f >= 999.5 && unit < 5 {
		f /= 1000
		unit++
	}
	format := "%.0f %cB"
	if f < 9.95 {
		format = "%.1f %cB"
	}
	return fmt.Sprintf(format, f, " kMGTP"[unit])
}
