package query

import (
	"sync"
	"time"
)

// Our functions that a Builder's SQL may call. They read what is beyond regular expressions; nothing that
// is stored in a database calls them, because they are gone when it is opened.
const (
	numberFunction = "holdall_number" // (text, notation, decimals); see readNumber
	timeFunction   = "holdall_time"   // (text, order, zone, "date" or empty); see readTime
)

// callReadNumber is readNumber for SQL. The notation is its name, the decimals are a digit.
func callReadNumber(a []string) any {
	for n, name := range notationNames {
		if name == a[1] && len(a[2]) == 1 {
			if s, ok := readNumber(a[0], notation(n), int(a[2][0]-'0')); ok {
				return s
			}
		}
	}
	return nil
}

// callReadTime is readTime for SQL.
func callReadTime(a []string) any {
	zone, err := zoneOf(a[2])
	if err != nil {
		return nil
	}
	if s, ok := readTime(a[0], a[1], zone, a[3] == "date"); ok {
		return s
	}
	return nil
}

// zones keeps the zones that have been looked up.
var zones sync.Map

func zoneOf(name string) (*time.Location, error) {
	if z, ok := zones.Load(name); ok {
		return z.(*time.Location), nil
	}
	z, err := time.LoadLocation(name)
	if err == nil {
		zones.Store(name, z)
	}
	return z, err
}
