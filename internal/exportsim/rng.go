package exportsim

import (
	"encoding/hex"
	"math/rand/v2"
	"time"
)

// A stream names a source of random numbers, so that what is drawn for one purpose never shifts what is drawn
// for another.
type stream uint64

const (
	streamBlock stream = iota + 1
	streamUser
	streamID
	streamPicture
	streamDocument
	streamBytes
	streamAgency
)

// mix is splitmix64's finalizer: every bit of x changes about half the bits of the result.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// rng is random numbers that depend on nothing but the seed, the stream and n.
type rng struct{ *rand.Rand }

func newRNG(seed uint64, s stream, n uint64) rng {
	return rng{rand.New(rand.NewPCG(mix(seed^mix(uint64(s))), mix(n)))}
}

// chance reports true in percent of a hundred cases.
func (r rng) chance(percent int) bool { return r.IntN(100) < percent }

// between returns a number from lo to hi, both included.
func (r rng) between(lo, hi int) int { return lo + r.IntN(hi-lo+1) }

// when returns a working moment between days lo and hi after t: on a weekday, from 8:00 to 18:59 UTC, never
// in the hour that a change of the clocks makes ambiguous.
func (r rng) when(t time.Time, lo, hi int) time.Time {
	day := t.UTC().AddDate(0, 0, r.between(lo, hi))
	switch day.Weekday() {
	case time.Saturday:
		day = day.AddDate(0, 0, 2)
	case time.Sunday:
		day = day.AddDate(0, 0, 1)
	}
	hour := r.between(8, 18)
	if lo == 0 && hour <= t.UTC().Hour() {
		hour = min(t.UTC().Hour()+1, 22)
	}
	return time.Date(day.Year(), day.Month(), day.Day(), hour, r.IntN(60), r.IntN(60), 0, time.UTC)
}

func pick[T any](r rng, from []T) T { return from[r.IntN(len(from))] }

// some returns n different elements of from in random order, or all of them where there are fewer.
func some[T any](r rng, from []T, n int) []T {
	out := make([]T, 0, n)
	for _, i := range r.Perm(len(from))[:min(n, len(from))] {
		out = append(out, from[i])
	}
	return out
}

// fill writes random bytes into p.
func fill(p []byte, seed, n uint64) {
	src := rand.NewPCG(mix(seed^mix(uint64(streamBytes))), mix(n))
	for len(p) >= 8 {
		v := src.Uint64()
		p[0], p[1], p[2], p[3] = byte(v), byte(v>>8), byte(v>>16), byte(v>>24)
		p[4], p[5], p[6], p[7] = byte(v>>32), byte(v>>40), byte(v>>48), byte(v>>56)
		p = p[8:]
	}
	for v := src.Uint64(); len(p) > 0; p, v = p[1:], v>>8 {
		p[0] = byte(v)
	}
}

// A kind of record; its value is part of every id, so the order must not change.
type kind int

const (
	kindCandidate kind = iota + 1
	kindContact
	kindCompany
	kindJob
	kindCard
	kindUser
	kindTask
	kindFolder
	kindFolderRecord
	kindAttachment
	kindAudit
	kindLead
	kindOpportunity
	kindPlacement
	kindCV
	kindReason
	kindGhost // ids of records that exist nowhere
)

// id returns the id of record n of a kind: the tenant's four letters and 32 hexadecimal digits.
func (w *agency) id(k kind, n int) string {
	var b [16]byte
	a := mix(w.seed ^ mix(uint64(streamID)<<32|uint64(k)<<16) ^ mix(uint64(n)))
	c := mix(a ^ uint64(n)*0x9e3779b97f4a7c15)
	for i := range 8 {
		b[i], b[8+i] = byte(a>>(8*i)), byte(c>>(8*i))
	}
	return w.prefix + hex.EncodeToString(b[:])
}
