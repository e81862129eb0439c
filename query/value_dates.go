package query

import (
	"bytes"
	"strings"
)

// A dateShape is a way in which a date is written.
type dateShape uint8

const (
	shapeNone    dateShape = 0
	shapeISO     dateShape = 1 << iota // 2026-11-22, 2026-11-22 13:30, 2026/11/22
	shapeZoned                         // 2026-11-22T13:30:00Z, 2026-11-22 13:30:00+01:00
	shapeSlashed                       // 22/11/2026, 22.11.2026 13:30:00
	shapeTwelve                        // 11/22/2026 1:30 PM
	shapeEpoch                         // 1795354200000, milliseconds
	shapeOther                         // what readTime reads: 22 Nov 2026, /Date(1795354200000)/
)

// The orders of day and month, and what else TableReport.Dates says.
const (
	orderDMY       = "dmy"
	orderMDY       = "mdy"
	orderAmbiguous = "ambiguous" // no day exceeds 12: read as dmy
	orderMixed     = "mixed"     // some are dmy and some are mdy: read as dmy, the others are rejected
	orderISO       = "iso"
	orderEpoch     = "epoch"
	orderText      = "text" // with the names of months, or as programs of some maker write them
)

// dateEvidence is what a column, or a file, shows about how its dates are written.
type dateEvidence struct {
	shapes     dateShape // all that occur
	count      int64
	dayFirst   int64 // slashed dates whose first number exceeds 12
	monthFirst int64 // slashed dates whose second number does
	slashed    int64
	other      int64 // values that are not dates
}

func (e *dateEvidence) add(value []byte) {
	shape, first, second := shapeOfDate(value)
	if shape == shapeNone {
		e.other++
		return
	}
	e.shapes |= shape
	e.count++
	if shape&(shapeSlashed|shapeTwelve) != 0 {
		e.slashed++
		if first > 12 {
			e.dayFirst++
		}
		if second > 12 {
			e.monthFirst++
		}
	}
}

func (e *dateEvidence) merge(o dateEvidence) {
	e.shapes |= o.shapes
	e.count += o.count
	e.dayFirst += o.dayFirst
	e.monthFirst += o.monthFirst
	e.slashed += o.slashed
	e.other += o.other
}

// order returns what TableReport.Dates says of a file with this evidence, and the order its slashed dates are
// read in. wanted is the user's word, which decides what the evidence leaves open.
func (e dateEvidence) order(wanted string) (report, readAs string) {
	readAs = orderDMY
	if wanted != "" {
		readAs = wanted
	}
	switch {
	case e.slashed == 0 && e.shapes&(shapeISO|shapeZoned) != 0:
		return orderISO, readAs
	case e.slashed == 0 && e.shapes&shapeEpoch != 0:
		return orderEpoch, readAs
	case e.slashed == 0 && e.shapes&shapeOther != 0:
		return orderText, readAs
	case e.slashed == 0:
		return "", readAs
	case e.dayFirst > 0 && e.monthFirst > 0:
		return orderMixed, readAs
	case e.dayFirst > 0:
		return orderDMY, orderDMY
	case e.monthFirst > 0:
		return orderMDY, orderMDY
	case wanted != "":
		return wanted, wanted
	}
	return orderAmbiguous, readAs
}

// shapeOfDate says how a date is written and, of a slashed one, its first two numbers. The patterns are those
// of dateBranches in value_conversion.go and of readTime, which convert what is recognised here.
func shapeOfDate(value []byte) (shape dateShape, first, second int) {
	v := bytes.TrimSpace(value)
	if len(v) < 8 || len(v) > 80 {
		return shapeNone, 0, 0
	}
	if v[0] != '-' && (v[0] < '0' || v[0] > '9') {
		return shapeOfNamed(v), 0, 0
	}
	a, rest := leadingDigits(v)
	switch {
	case len(rest) == 0 && (a == 12 || a == 13), v[0] == '-' && isEpochBefore1970(v):
		return shapeEpoch, 0, 0
	case a == 4 && len(rest) >= 4 && (rest[0] == '-' || rest[0] == '/'):
		return shapeOfISO(rest), 0, 0
	case (a == 1 || a == 2) && len(rest) > 0:
		if isDateSeparator(rest[0]) && rest[1] >= '0' && rest[1] <= '9' {
			return shapeOfSlashed(v[:a], rest)
		}
		return shapeOfNamed(bytes.TrimLeft(v[a:], "stndrh-/. ")), 0, 0
	}
	return shapeNone, 0, 0
}

// shapeOfNamed recognises dates that begin with the name of a month or weekday, and those of .NET. Every text
// comes by here, so that it looks at three letters first.
func shapeOfNamed(v []byte) dateShape {
	if len(v) < 3 {
		return shapeNone
	}
	switch string([]byte{v[0] | 0x20, v[1] | 0x20, v[2] | 0x20}) {
	case "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
		"mon", "tue", "wed", "thu", "fri", "sat", "sun":
	default:
		if bytes.HasPrefix(v, []byte("/Date(")) || bytes.HasPrefix(v, []byte(`\/Date(`)) {
			return shapeOther
		}
		return shapeNone
	}
	n := 3
	for n < len(v) && n < 10 && (v[n]|0x20) >= 'a' && (v[n]|0x20) <= 'z' {
		n++
	}
	digits, rest := leadingDigits(v[n:])
	letter := len(rest) > 0 && (rest[0]|0x20) >= 'a' && (rest[0]|0x20) <= 'z'
	isID := digits > 4 || digits > 0 && letter // feb1287d-…
	if n > 9 || isID || !bytes.ContainsAny(v[n:], "0123456789") ||
		!isCalendarName(string(bytes.ToLower(v[:n]))) {
		return shapeNone
	}
	return shapeOther
}

const (
	monthsInFull = " january february march april june july august september october november december "

	weekdays = " mon tue tues wed thu thur thurs fri sat sun " +
		"monday tuesday wednesday thursday friday saturday sunday "
)

func isCalendarName(name string) bool {
	if monthOf(name) > 0 {
		return len(name) == 3 || name == "sept" || strings.Contains(monthsInFull, " "+name+" ")
	}
	return strings.Contains(weekdays, " "+name+" ")
}

func isEpochBefore1970(v []byte) bool {
	n, rest := leadingDigits(v[1:])
	return len(rest) == 0 && n >= 11 && n <= 13
}

// shapeOfISO looks at what follows the year.
func shapeOfISO(rest []byte) dateShape {
	if len(rest) < 6 || rest[3] != rest[0] {
		return shapeNone
	}
	clock := rest[6:]
	switch {
	case len(clock) == 0:
		return shapeISO
	case clock[0] != 'T' && clock[0] != ' ' || len(clock) < 6:
		return shapeNone
	}
	return shapeISO | shapeOfZone(clock[1:])
}

// shapeOfZone looks at what follows the time of day.
func shapeOfZone(clock []byte) dateShape {
	zone := bytes.TrimLeft(clock, "0123456789:.")
	switch {
	case len(zone) == 0:
		return 0
	case bytes.IndexByte(zone, '[') < 0 &&
		(zone[len(zone)-1]|0x20 == 'z' || bytes.ContainsAny(zone[:min(2, len(zone))], "+-")),
		string(bytes.TrimSpace(zone)) == "UTC", string(bytes.TrimSpace(zone)) == "GMT":
		return shapeZoned
	}
	return shapeOther
}

// shapeOfSlashed looks at what follows the first number.
func shapeOfSlashed(one, rest []byte) (shape dateShape, first, second int) {
	separator := rest[0]
	b, tail := leadingDigits(rest[1:])
	if b < 1 || b > 2 || len(tail) < 5 || tail[0] != separator {
		return shapeNone, 0, 0
	}
	year, clock := leadingDigits(tail[1:])
	if year != 4 || len(clock) > 0 && clock[0] != ' ' && clock[0] != 'T' && clock[0] != ',' {
		return shapeNone, 0, 0
	}
	shape = shapeSlashed
	switch {
	case len(clock) == 0:
	case clock[len(clock)-1]|0x20 == 'm':
		shape = shapeTwelve
	default:
		if shapeOfZone(bytes.TrimLeft(clock, ", T")) != 0 {
			shape |= shapeOther
		}
	}
	return shape, smallInt(one), smallInt(rest[1 : 1+b])
}

func isDateSeparator(b byte) bool { return b == '/' || b == '.' || b == '-' }

// leadingDigits returns how many digits v begins with, and what follows them.
func leadingDigits(v []byte) (n int, rest []byte) {
	for n < len(v) && v[n] >= '0' && v[n] <= '9' {
		n++
	}
	return n, v[n:]
}

func smallInt(digits []byte) int {
	n := 0
	for _, d := range digits {
		n = 10*n + int(d-'0')
	}
	return n
}
