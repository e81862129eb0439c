package query

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// A layout says how a column writes its values, so that a value's text need not be kept: writing the value in
// the layout gives it back. It is a guess from a few values, and nothing depends on its being right: the text
// of every value that it does not give back to the last byte is kept. What a layout is depends on the type:
//
//	DATE, TIMESTAMP  a format of strftime
//	BOOLEAN          the words for true and false: Yes|No
//	DECIMAL          0.00 with two decimals, 0 without where they are zero
//	VARCHAR[]        what parts the elements
//	INTEGER, BIGINT  0
//	JSON             json, which is the text itself
//
// Times with a zone have none: what it would give back depended on the rules of time zones, which change.
type layout = string

// layoutOf guesses the layout of a column from the samples that the scan took; "" if they have none in
// common.
func layoutOf(typ, order string, s columnStats) layout {
	switch {
	case typ == "INTEGER" || typ == "BIGINT":
		return "0"
	case typ == "JSON":
		return "json"
	}
	votes, best := map[layout]int{}, ""
	for _, sample := range s.samples {
		l := layoutOfValue(typ, order, sample, s)
		if votes[l]++; l != "" && votes[l] > votes[best] {
			best = l
		}
	}
	return best
}

func layoutOfValue(typ, order, v string, s columnStats) layout {
	switch {
	case typ == "DATE" || typ == "TIMESTAMP":
		return layoutOfTime(v, order)
	case typ == "BOOLEAN":
		return layoutOfBoolean(v)
	case strings.HasPrefix(typ, "DECIMAL"):
		if strings.HasSuffix(v, ".00") {
			return "0.00"
		}
		return "0"
	case typ == "VARCHAR[]":
		return layoutOfList(v, s)
	}
	return ""
}

// layoutOfBoolean finds the words that go with one of them.
func layoutOfBoolean(v string) layout {
	for _, words := range []string{
		"Yes|No", "yes|no", "YES|NO", "true|false", "True|False", "TRUE|FALSE", "1|0", "Y|N", "y|n",
	} {
		if yes, no, _ := strings.Cut(words, "|"); v == yes || v == no {
			return words
		}
	}
	return ""
}

func layoutOfList(v string, s columnStats) layout {
	separator := separatorOf(s)
	if strings.Contains(v, separator+" ") {
		separator += " "
	}
	return separator
}

var (
	yearFirst = pattern(`^\d{4}([-/])\d{2}([-/])\d{2}` + clockBehind)
	yearLast  = pattern(`^(\d{1,2})([/.-])(\d{1,2})([/.-])\d{4}` + clockBehind)
)

const clockBehind = `(?:([T ]|, ?)\d{2}:\d{2}(:\d{2})?(\.\d{3}|\.\d{6})?)?$`

func layoutOfTime(v, order string) layout {
	if m := yearFirst().FindStringSubmatch(v); m != nil {
		return "%Y" + m[1] + "%m" + m[2] + "%d" + layoutOfClock(m[3:])
	}
	m := yearLast().FindStringSubmatch(v)
	if m == nil {
		return ""
	}
	day, month := "%d", "%m"
	if order == orderMDY {
		day, month = month, day
	}
	if len(m[1]) == 1 || len(m[3]) == 1 { // without leading zeros
		day, month = "%-"+day[1:], "%-"+month[1:]
	}
	return day + m[2] + month + m[4] + "%Y" + layoutOfClock(m[5:])
}

// layoutOfClock takes what clockBehind finds.
func layoutOfClock(m []string) string {
	if m[0] == "" {
		return ""
	}
	clock := m[0] + "%H:%M"
	if m[1] != "" {
		clock += ":%S"
	}
	switch len(m[2]) {
	case 4:
		clock += ".%g"
	case 7:
		clock += ".%f"
	}
	return clock
}

// writtenAs is SQL for a value as text in a layout, which must not be empty.
func writtenAs(value, typ string, l layout) string {
	switch {
	case typ == "DATE" || typ == "TIMESTAMP":
		return fmt.Sprintf("strftime(%s, %s)", value, text(l))
	case typ == "BOOLEAN":
		yes, no, _ := strings.Cut(l, "|")
		return fmt.Sprintf("CASE %s WHEN true THEN %s WHEN false THEN %s END", value, text(yes), text(no))
	case typ == "VARCHAR[]":
		return fmt.Sprintf("array_to_string(%s, %s)", value, text(l))
	case strings.HasPrefix(typ, "DECIMAL") && l == "0":
		return fmt.Sprintf(
			"CASE WHEN %[1]s = trunc(%[1]s) THEN %[1]s::BIGINT::VARCHAR ELSE %[1]s::VARCHAR END", value,
		)
	}
	return value + "::VARCHAR"
}

// A conversion is SQL that turns a column's text into its type, in steps that each use the one before by its
// name: what texts in the layout mean, whether that is so, and the value.
type conversion struct{ fast, same, value string }

// conversion returns the steps for a column whose text is ref. fast and same are the names of the first two.
// What is in the layout is converted without another look; all else by c.expression, which takes longer. same
// is empty where there is no layout.
func (c converter) conversion(ref, fast, same string, col column) conversion {
	careful := c.expression(ref, col.typ, col.stats)
	l := col.layout
	either := fmt.Sprintf("CASE WHEN %s THEN %s WHEN %s <> '' THEN %s END", same, fast, ref, careful)
	switch {
	case col.typ == "VARCHAR" || l == "":
		return conversion{value: careful}
	case col.typ == "JSON":
		return conversion{
			same:  fmt.Sprintf("%[1]s <> '' AND json_valid(%[1]s)", ref),
			value: fmt.Sprintf("CASE WHEN %s THEN %s::JSON END", same, ref),
		}
	case col.typ == "VARCHAR[]" && l == separatorOf(col.stats) && col.stats.plainLists == col.stats.filled:
		return conversion{
			fmt.Sprintf("string_split(%s, %s)", ref, text(l)),
			fmt.Sprintf("%[1]s >= '!' AND %[1]s < '~'", ref), // nothing, and blanks of any kind, are no lists
			either,
		}
	case col.typ == "VARCHAR[]":
		return conversion{careful, writtenAs(fast, col.typ, l) + " = " + ref, fast}
	case col.typ == "BOOLEAN":
		yes, no, _ := strings.Cut(l, "|")
		return conversion{
			fmt.Sprintf("CASE %s WHEN %s THEN true WHEN %s THEN false END", ref, text(yes), text(no)),
			fast + " IS NOT NULL", either,
		}
	case col.typ == "DATE" || col.typ == "TIMESTAMP":
		return conversion{fmt.Sprintf("try_strptime(%s, %s)::%s", ref, text(l), col.typ),
			fmt.Sprintf(
				"%s AND %s >= '1000-01-01'::%s", isWrittenTime(fast, ref, col), fast, col.typ,
			), either}
	case col.stats.notation == notationComma: // 1.250 is not what a cast takes it for
		return conversion{careful, writtenAs(fast, col.typ, l) + " = " + ref, fast}
	}
	return conversion{
		fmt.Sprintf("try_cast(%s AS %s)", ref, col.typ), writtenAs(fast, col.typ, l) + " = " + ref, either,
	}
}

// isPlainList reports whether a list has nothing to be trimmed or left out, whatever parts its elements, and
// is no JSON: splitting it gives them, and joining them gives it back.
func isPlainList(v []byte) bool {
	if v[0] == '[' {
		return false
	}
	apart := true // the byte before is none of an element
	for _, b := range v {
		switch {
		case b >= utf8.RuneSelf: // there are other blanks there
			return false
		case b != ' ' && b != ';' && b != ',':
			apart = false
		case apart:
			return false
		default:
			apart = true
		}
	}
	return !apart
}

// fixedWidths are the widths in bytes of what a layout of times is made of, where each is as wide in all
// values.
var fixedWidths = strings.NewReplacer(
	"%Y", "____", "%d", "__", "%m", "__", "%H", "__", "%M", "__", "%S", "__",
)

// isWrittenTime is SQL for whether value, which try_strptime read from ref in a layout, is written as ref in
// it. It reads at most as many digits as the layout has, skips blanks at both ends, and reads blanks of any
// number and kind where the layout has one. So what has the layout's separators in their places, and no
// blanks at its ends, is written in full, and need not be written again to see that.
func isWrittenTime(value, ref string, col column) string {
	like := fixedWidths.Replace(col.layout)
	if strings.Contains(like, "%") || col.stats.tight < col.stats.filled {
		return writtenAs(value, col.typ, col.layout) + " = " + ref
	}
	return ref + " LIKE " + text(like)
}
