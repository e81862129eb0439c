package query

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A cellClass is what a cell looks like.
type cellClass uint8

const (
	classText cellClass = iota
	classNumber
	classDate
	classFlag
	classEmail
	classID
	classes
)

// classOf looks at a cell. Only what few texts look like by chance has a class.
func classOf(v []byte) cellClass {
	v = bytes.TrimSpace(v)
	if len(v) == 0 || len(v) > 80 {
		return classText
	}
	if shape, _, _ := shapeOfDate(v); shape != shapeNone {
		return classDate
	}
	if looksNumeric(v) || isAmount(v) {
		return classNumber
	}
	switch strings.ToLower(string(v)) {
	case "true", "false", "yes", "no", "y", "n":
		return classFlag
	}
	at := bytes.IndexByte(v, '@')
	if at > 0 && bytes.IndexByte(v[at:], '.') > 0 && !bytes.ContainsAny(v, " ,;") {
		return classEmail
	}
	digits, letters := 0, 0
	for _, b := range v {
		switch {
		case b >= '0' && b <= '9':
			digits++
		case b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b == '-' || b == '_':
			letters++
		default:
			return classText
		}
	}
	if digits >= 3 && letters > 0 {
		return classID
	}
	return classText
}

// looksNumeric reports whether a cell is digits with at most signs, a currency and separators around them.
func looksNumeric(v []byte) bool {
	digits := 0
	for i, b := range v {
		switch {
		case b >= '0' && b <= '9':
			digits++
		case b == '\'' && separates(v, i):
		case b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || strings.IndexByte(`"'@/:;_\`, b) >= 0:
			return false
		}
	}
	return digits > 0
}

// isAmount reports whether a cell is a number with a currency's code: GBP 31,000.00.
func isAmount(v []byte) bool {
	if len(v) > 40 || !bytes.ContainsAny(v, "0123456789") {
		return false
	}
	bare, ok := cutEither(string(v), currencies)
	if !ok {
		return false
	}
	_, ok = splitNumber(bare)
	return ok
}

// separates reports whether the character at i of a number precedes a group of three digits:
// 18'500.00.
func separates(v []byte, i int) bool {
	digit := func(i int) bool { return i >= 0 && i < len(v) && v[i] >= '0' && v[i] <= '9' }
	return digit(i-1) && digit(i+1) && digit(i+2) && digit(i+3) && !digit(i+4)
}

// expected is the class that a column's type asks of its cells.
func expected(typ string) cellClass {
	switch {
	case typ == "DATE" || typ == "TIMESTAMP":
		return classDate
	case typ == "BIGINT" || typ == "INTEGER" || strings.HasPrefix(typ, "DECIMAL"):
		return classNumber
	case typ == "BOOLEAN":
		return classFlag
	}
	return classText
}

// agrees reports whether a cell of class c may be in a column whose cells are of class want.
func agrees(want, c cellClass) bool {
	switch want {
	case classText, c:
		return true
	case classFlag, classDate, classID:
		return c == classNumber
	case classNumber:
		return c == classDate
	}
	return false
}

// isBlankText reports whether a value is what SQL's trim makes nothing of: blanks of any width, such as those
// of web pages, which do not break.
func isBlankText(v []byte) bool {
	for len(v) > 0 && (v[0] == ' ' || v[0] >= utf8.RuneSelf) {
		r, n := utf8.DecodeRune(v)
		if !unicode.Is(unicode.Zs, r) {
			return false
		}
		v = v[n:]
	}
	return len(v) == 0
}

// isExcelDamage recognises numbers in scientific notation, and texts wrapped to survive a spreadsheet
// program.
func isExcelDamage(v []byte) bool {
	if len(v) < 4 || len(v) > 64 {
		return false
	}
	if v[0] == '=' {
		return len(v) > 4 && v[1] == '"' && v[len(v)-1] == '"'
	}
	if v[0] == '-' {
		v = v[1:]
	}
	a, rest := leadingDigits(v)
	if a != 1 || len(rest) < 4 {
		return false
	}
	if rest[0] == '.' || rest[0] == ',' {
		_, rest = leadingDigits(rest[1:])
	}
	if len(rest) < 4 || rest[0] != 'E' || rest[1] != '+' && rest[1] != '-' {
		return false
	}
	n, rest := leadingDigits(rest[2:])
	return n >= 2 && len(rest) == 0
}
