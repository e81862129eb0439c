package main

import (
	"fmt"
	"strconv"
	"strings"
)

// byteSize is a flag value: bytes, with an optional suffix. k, M, G are powers of 1000; Ki, Mi, Gi of 1024; a
// final B may follow.
type byteSize int64

func (s *byteSize) String() string {
	if *s == 0 {
		return ""
	}
	return strconv.FormatInt(int64(*s), 10)
}

// Type is what help shows.
func (s *byteSize) Type() string { return "SIZE" }

// Set parses 500000, 500k, 10M, 2Gi.
func (s *byteSize) Set(text string) error {
	number := strings.TrimSuffix(strings.TrimSpace(text), "B")
	unit := 1.0
	for _, u := range []struct {
		suffix string
		factor float64
	}{{"Ki", 1 << 10}, {"Mi", 1 << 20}, {"Gi", 1 << 30}, {"k", 1e3}, {"K", 1e3}, {"M", 1e6}, {"G", 1e9}} {
		if rest, ok := strings.CutSuffix(number, u.suffix); ok {
			number, unit = rest, u.factor
			break
		}
	}
	f, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if err != nil || !(f >= 0 && f*unit <= 1<<62) {
		return fmt.Errorf("%q is not a size such as 500k, 10M or 2Gi", text)
	}
	*s = byteSize(f * unit)
	return nil
}
