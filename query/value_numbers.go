package query

import (
	"bytes"
	"strings"
	"unicode"
)

// A notation is how a column writes its numbers.
type notation uint8

const (
	notationPlain     notation = iota // nothing but digits and at most a decimal point, or no numbers
	notationPoint                     // 1,250.50
	notationComma                     // 1.250,50
	notationMixed                     // both
	notationAmbiguous                 // 45.000 or 45,000, which may be 45 or 45000, undecided
)

var notationNames = [...]string{
	notationPlain: "", notationPoint: "point", notationComma: "comma",
	notationMixed: "mixed", notationAmbiguous: "ambiguous",
}

func (n notation) String() string { return notationNames[n] }

// numberEvidence is what a column shows about how its numbers are written.
type numberEvidence struct {
	integers int64 // nothing but digits and a sign
	simple   int64 // these, and those with one or two digits after a point
	point    int64 // that can only be of notationPoint
	comma    int64 // that can only be of notationComma
	either   [2]int64
	signed   int64 // of those that can be either, the ones in pounds or dollars
}

// The marks of numberEvidence.either: what precedes the last three digits.
const (
	eitherPoint = 0
	eitherComma = 1
)

func (e *numberEvidence) add(value []byte) {
	if simple, integer := isSimpleNumber(value); simple {
		e.simple++
		if integer {
			e.integers++
		} else {
			e.point++
		}
		return
	}
	n, ok := splitNumber(string(value))
	if !ok {
		return
	}
	switch n.kind() {
	case kindPoint:
		e.point++
	case kindComma:
		e.comma++
	case kindEitherPoint:
		e.either[eitherPoint]++
	case kindEitherComma:
		e.either[eitherComma]++
		if n.english {
			e.signed++
		}
	}
}

// isSimpleNumber is the fast path: digits, a sign, at most two decimals.
func isSimpleNumber(v []byte) (simple, integer bool) {
	v = bytes.Trim(v, " ")
	if len(v) > 0 && v[0] == '-' {
		v = v[1:]
	}
	n, rest := leadingDigits(v)
	if n == 0 || n > 15 {
		return false, false
	}
	if len(rest) == 0 {
		return true, true
	}
	frac, behind := leadingDigits(rest[1:])
	return rest[0] == '.' && (frac == 1 || frac == 2) && len(behind) == 0, false
}

// decide returns the notation of a column. others is what the file's other columns show: a point that is a
// decimal mark in one of them is one in all, so that a comma before three digits parts thousands. The
// opposite does not hold, because a program may write some numbers for people and others, with a point, as
// its database has them.
func (e numberEvidence) decide(others numberEvidence) (notation, string) {
	switch {
	case e.point > 0 && e.comma > 0:
		return notationMixed, ""
	case e.point > 0:
		return notationPoint, ""
	case e.comma > 0:
		return notationComma, ""
	case e.either == [2]int64{}:
		return notationPlain, ""
	case e.either[eitherPoint] > 0:
		return notationAmbiguous, ""
	case e.signed > 0:
		return notationPoint, "by its currency"
	case others.point > 0 && others.comma == 0:
		return notationPoint, "by the other columns of the file"
	}
	return notationAmbiguous, ""
}

func (e *numberEvidence) merge(o numberEvidence) {
	e.point += o.point
	e.comma += o.comma
}

// A number is a number's text in its parts.
type number struct {
	negative bool
	core     string // digits, points and commas
	grouped  bool   // its thousands were separated by blanks or apostrophes, which are gone from core
	thousand bool   // a k follows it
	english  bool   // it is in pounds or dollars
}

// currencies may precede or follow a number; the first four are those of countries that write 1,250.50.
var currencies = []string{"£", "$", "GBP", "USD", "EUR", "CHF", "AUD", "CAD", "NZD", "SGD", "HKD", "ZAR",
	"AED", "INR", "JPY", "SEK", "NOK", "DKK", "PLN", "€", "¥", "₹"}

// splitNumber takes a number apart: signs before or after it, parentheses for a negative one, a currency, a
// k.
func splitNumber(v string) (n number, ok bool) {
	signs := 0
	for before := ""; before != v; {
		before = v
		v = strings.TrimFunc(v, unicode.IsSpace)
		if len(v) > 2 && v[0] == '(' && v[len(v)-1] == ')' {
			v, n.negative = v[1:len(v)-1], true
			signs++
		}
		if rest, ok := cutEither(v, currencies[:4]); ok {
			v, n.english = rest, true
		} else if rest, ok := cutEither(v, currencies[4:]); ok {
			v = rest
		}
		if rest, ok := cutEither(v, []string{"-", "−"}); ok {
			v, n.negative = rest, true
			signs++
		} else if rest, ok := cutEither(v, []string{"+"}); ok {
			v = rest
			signs++
		}
		if last := len(v) - 1; last > 0 && (v[last] == 'k' || v[last] == 'K') && !n.thousand {
			v, n.thousand = v[:last], true
		}
	}
	if signs > 1 {
		return n, false
	}
	n.core, n.grouped, ok = ungroup(v)
	return n, ok
}

// cutEither cuts the first of some words from the front or the end of v.
func cutEither(v string, words []string) (string, bool) {
	for _, w := range words {
		if rest, ok := strings.CutPrefix(v, w); ok {
			return rest, true
		}
		if rest, ok := strings.CutSuffix(v, w); ok {
			return rest, true
		}
	}
	return v, false
}

// ungroup takes the blanks or apostrophes out that part a number's thousands.
func ungroup(v string) (core string, grouped, ok bool) {
	var mark rune
	var b strings.Builder
	whole, _, _ := strings.Cut(strings.ReplaceAll(v, ",", "."), ".")
	since := 0 // digits since the last mark
	for i, r := range v {
		switch {
		case r >= '0' && r <= '9':
			since++
			b.WriteRune(r)
		case r == '.' || r == ',':
			b.WriteRune(r)
		case r == ' ' || r == '\u00a0' || r == '\u2009' || r == '\u202f' || r == '\'' || r == '’':
			if i >= len(whole) || mark != 0 && (r != mark || since != 3) || mark == 0 && (since == 0 ||
				since > 3) {
				return "", false, false
			}
			mark, since = r, 0
		default:
			return "", false, false
		}
		if i < len(whole) && i+len(string(r)) == len(whole) && mark != 0 && since != 3 {
			return "", false, false
		}
	}
	core = b.String()
	return core, mark != 0, core != "" && core[0] >= '0' && core[0] <= '9'
}

// A numberKind says which notations a number can be of.
type numberKind uint8

const (
	kindNone numberKind = iota
	kindWhole
	kindPoint
	kindComma
	kindEitherPoint
	kindEitherComma
)

func (n number) kind() numberKind {
	points, commas := strings.Count(n.core, "."), strings.Count(n.core, ",")
	switch {
	case points == 0 && commas == 0:
		return kindWhole
	case points > 0 && commas > 0:
		return n.kindOfBoth(points, commas)
	case points+commas > 1:
		mark, kind := ".", kindComma
		if commas > 0 {
			mark, kind = ",", kindPoint
		}
		if n.grouped || !areGroups(strings.Split(n.core, mark)) {
			return kindNone
		}
		return kind
	}
	mark, kind, either := ".", kindPoint, kindEitherPoint
	if commas > 0 {
		mark, kind, either = ",", kindComma, kindEitherComma
	}
	whole, decimals, _ := strings.Cut(n.core, mark)
	switch {
	case decimals == "":
		return kindNone
	case !n.grouped && len(decimals) == 3 && len(whole) <= 3 && whole[0] != '0':
		return either
	}
	return kind
}

// kindOfBoth judges a number with points and commas: the last mark is the decimal one.
func (n number) kindOfBoth(points, commas int) numberKind {
	decimal, group, kind, times := ".", ",", kindPoint, points
	if strings.LastIndex(n.core, ",") > strings.LastIndex(n.core, ".") {
		decimal, group, kind, times = ",", ".", kindComma, commas
	}
	whole, decimals, _ := strings.Cut(n.core, decimal)
	if times != 1 || decimals == "" || n.grouped || !areGroups(strings.Split(whole, group)) {
		return kindNone
	}
	return kind
}

// areGroups reports whether digits are grouped into thousands, or into lakhs and crores: 1,00,00,000.
func areGroups(groups []string) bool {
	if len(groups[0]) == 0 || len(groups[0]) > 3 || len(groups[len(groups)-1]) != 3 {
		return false
	}
	middle := groups[1 : len(groups)-1]
	for _, g := range middle {
		if len(g) != len(middle[0]) || len(g) != 3 && len(g) != 2 {
			return false
		}
	}
	return len(middle) == 0 || len(middle[0]) == 3 || len(groups[0]) <= 2
}

// readNumber returns a number as digits with a point before at most so many decimals, or false where it does
// not fit the column's notation, can be read in two ways, or has more decimals.
func readNumber(v string, n notation, decimals int) (string, bool) {
	parts, ok := splitNumber(v)
	if !ok {
		return "", false
	}
	mark := "."
	switch kind := parts.kind(); {
	case kind == kindNone, kind == kindPoint && n == notationComma, kind == kindComma && n == notationPoint:
		return "", false
	case kind == kindEitherPoint || kind == kindEitherComma:
		if n != notationPoint && n != notationComma {
			return "", false
		}
		if n == notationComma {
			mark = ","
		}
	case kind == kindComma:
		mark = ","
	}
	whole, fraction, _ := strings.Cut(parts.core, mark)
	whole = strings.NewReplacer(".", "", ",", "").Replace(whole)
	if parts.thousand {
		if len(fraction) > 2 {
			return "", false
		}
		whole, fraction = whole+(fraction + "000")[:3], ""
	}
	fraction = strings.TrimRight(fraction, "0")
	if len(fraction) > decimals {
		return "", false
	}
	if fraction != "" {
		whole += "." + fraction
	}
	if parts.negative {
		whole = "-" + whole
	}
	return whole, true
}
