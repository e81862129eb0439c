package query

import (
	"bufio"
	"strings"
)

// A spreadsheet program runs a cell that begins like a formula, and a formula can start programs and send
// what is in other cells away: https://owasp.org/www-community/attacks/CSV_Injection. A name in an export was
// typed by a stranger.

// isFormula reports whether a spreadsheet program would take a text for a formula. A phone number such as +44
// 20 7946 0000, or a negative number, is harmless.
func isFormula(s string) bool {
	if s == "" || strings.IndexByte("=+-@\t\r\xef", s[0]) < 0 {
		return false
	}
	switch s[0] {
	case '=', '@', '\t', '\r':
		return true
	case '+', '-':
		return strings.Trim(s[1:], "0123456789 ()./-") != ""
	}
	// taken for the narrow ones in some places of the world
	for _, wide := range []string{"＝", "＋", "－", "＠"} {
		if strings.HasPrefix(s, wide) {
			return true
		}
	}
	return false
}

// guarded counts a text that begins like a formula, and makes it harmless if that is asked for.
func guarded(s, typ string, o WriteOptions, done *Written) string {
	if isNumber(typ) || !isFormula(s) {
		return s
	}
	done.Formulas++
	if o.NoFormulas {
		return "'" + s
	}
	return s
}

func writeBOM(w *bufio.Writer, o WriteOptions) {
	if o.BOM {
		w.WriteString("\uFEFF")
	}
}
