package query

import (
	"strconv"
	"strings"
	"time"
)

const (
	monthPattern = `(jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|` +
		`aug(?:ust)?|sep(?:t(?:ember)?)?|` +
		`oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)`
	dayPattern   = `(\d{1,2})(?:st|nd|rd|th)?`
	clockPattern = `(\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d{1,9})?)?)`
	zonePattern  = `(z|(?:utc|gmt)?[-+]\d{2}:?\d{2}|[-+]\d{2}|utc|gmt)`
	// restPattern is what may follow a date: a time of day, and its zone.
	restPattern = `(?:(?:,? at |,? ?t|,? +)` + clockPattern + ` ?([ap]\.?m\.?)? ?` + zonePattern + `?)?$`
)

// The ways to write a time that SQL does not read. They look at lower-case text without its weekday.
var (
	ticksTime = pattern(`^\\?/date\((-?\d{1,15})([-+]\d{4})?\)\\?/$`)
	yearTime  = pattern(`^([1-9]\d{3})[-/](\d{2})[-/](\d{2})` + restPattern)
	namedTime = pattern(`^` + dayPattern + `[-/. ]+` + monthPattern + `[.,]?[-/ ]+([1-9]\d{3})` +
		restPattern)
	monthTime = pattern(`^` + monthPattern + `\.?[- ]+` + dayPattern + `,?[- ]+([1-9]\d{3})` +
		restPattern)
	slashedTime = pattern(`^(\d{1,2})([/.-])(\d{1,2})([/.-])([1-9]\d{3})` + restPattern)
	unixTime    = pattern(`^` + monthPattern + ` +(\d{1,2}) +` + clockPattern +
		`()(?: +` + zonePattern + `)? +([1-9]\d{3})$`)

	weekday  = pattern(`^(?:mon|tue|tues|wed|wednes|thu|thur|thurs|fri|sat|satur|sun)(?:day)?,? +`)
	asidesOf = pattern(` *(?:\([^()]*\)|\[utc\]|\[gmt\])$`)
)

var monthNames = strings.Fields("jan feb mar apr may jun jul aug sep oct nov dec")

// A moment is a time as it is written.
type moment struct {
	year, month, day  int
	clock, half, zone string
}

// readTime returns the time that clocks in zone showed, for the ways to write times that SQL does not read:
// with the names of months, as JavaScript, Java, .NET and mail write them, and others with a zone after
// them. Zones other than UTC and offsets are not read: one short name is that of several. For a date,
// midnight in any zone is that day.
func readTime(v, order string, zone *time.Location, date bool) (string, bool) {
	v = strings.ToLower(strings.Join(strings.Fields(v), " "))
	if m := ticksTime().FindStringSubmatch(v); m != nil {
		ms, err := strconv.ParseInt(m[1], 10, 64)
		return writeTime(time.UnixMilli(ms).In(zone)), err == nil
	}
	v = weekday().ReplaceAllString(asidesOf().ReplaceAllString(v, ""), "")
	m, ok := momentOf(v, order)
	if !ok {
		return "", false
	}
	t, ok := m.time(zone, date)
	if !ok {
		return "", false
	}
	return writeTime(t), true
}

func writeTime(t time.Time) string { return t.Format("2006-01-02 15:04:05.999999") }

// momentOf finds the parts of a time.
func momentOf(v, order string) (moment, bool) {
	if m := yearTime().FindStringSubmatch(v); m != nil {
		year, month, day := smallInt([]byte(m[1])), smallInt([]byte(m[2])), smallInt([]byte(m[3]))
		return moment{year, month, day, m[4], m[5], m[6]}, true
	}
	if m := namedTime().FindStringSubmatch(v); m != nil {
		return moment{smallInt([]byte(m[3])), monthOf(m[2]), smallInt([]byte(m[1])), m[4], m[5], m[6]}, true
	}
	if m := monthTime().FindStringSubmatch(v); m != nil {
		return moment{smallInt([]byte(m[3])), monthOf(m[1]), smallInt([]byte(m[2])), m[4], m[5], m[6]}, true
	}
	if m := unixTime().FindStringSubmatch(v); m != nil {
		return moment{smallInt([]byte(m[6])), monthOf(m[1]), smallInt([]byte(m[2])), m[3], m[4], m[5]}, true
	}
	if m := slashedTime().FindStringSubmatch(v); m != nil && m[2] == m[4] {
		day, month := smallInt([]byte(m[1])), smallInt([]byte(m[3]))
		if order == orderMDY {
			day, month = month, day
		}
		return moment{smallInt([]byte(m[5])), month, day, m[6], m[7], m[8]}, true
	}
	return moment{}, false
}

// monthOf returns the number of the month that a name begins with; 0 if it is none.
func monthOf(name string) int {
	for i, m := range monthNames {
		if strings.HasPrefix(name, m) {
			return i + 1
		}
	}
	return 0
}

// time returns what clocks in zone showed; false if there is no such time.
func (m moment) time(zone *time.Location, date bool) (time.Time, bool) {
	var hour, minute, second, nanos int
	if m.clock != "" {
		parts := strings.FieldsFunc(m.clock, func(r rune) bool { return r == ':' || r == '.' || r == ',' })
		hour, minute = smallInt([]byte(parts[0])), smallInt([]byte(parts[1]))
		if len(parts) > 2 {
			second = smallInt([]byte(parts[2]))
		}
		if len(parts) > 3 {
			nanos = smallInt([]byte((parts[3] + "000000000")[:9]))
		}
	}
	if m.half != "" {
		if hour < 1 || hour > 12 {
			return time.Time{}, false
		}
		hour %= 12
		if m.half[0] == 'p' {
			hour += 12
		}
	}
	t := time.Date(m.year, time.Month(m.month), m.day, hour, minute, second, nanos, time.UTC)
	if t.Year() != m.year || int(t.Month()) != m.month || t.Day() != m.day ||
		t.Hour() != hour || t.Minute() != minute || t.Second() != second {
		return time.Time{}, false
	}
	if m.zone == "" || date && hour+minute+second+nanos == 0 {
		return t, true
	}
	offset, ok := offsetOf(m.zone)
	return t.Add(-offset).In(zone), ok
}

// offsetOf reads what zonePattern finds.
func offsetOf(zone string) (time.Duration, bool) {
	zone = strings.TrimPrefix(strings.TrimPrefix(zone, "utc"), "gmt")
	if zone == "" || zone == "z" {
		return 0, true
	}
	digits := strings.ReplaceAll(zone[1:], ":", "")
	hours, minutes := smallInt([]byte(digits[:2])), smallInt([]byte(digits[2:]))
	offset := time.Duration(hours)*time.Hour + time.Duration(minutes)*time.Minute
	if zone[0] == '-' {
		offset = -offset
	}
	return offset, hours <= 14 && minutes < 60
}
