package exportsim

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Fault is a way in which the platform can misbehave.
type Fault struct{ Name, Description string }

// fault also says how. Its number is what Config.Faults may set with "name=number".
type fault struct {
	Fault
	number int64
	spoil  func(f *activeFault, a *answer)
}

// An activeFault is a fault that a server has.
type activeFault struct {
	fault
	where string // a part of the object's name; "" means every part of the export, but not the master CSV
}

// FaultNames returns all faults. Each may be given as "name", with another number as "name=5", and for some objects
// only as "name@attachments", where what follows the @ is a part of the object's name (master.csv included) or the name of a part.
func FaultNames() []Fault {
	var all []Fault
	for _, f := range faultTable {
		all = append(all, f.Fault)
	}
	return all
}

// parseFaults reads Config.Faults.
func parseFaults(specs []string) ([]*activeFault, error) {
	var active []*activeFault
	for _, spec := range specs {
		head, where, _ := strings.Cut(spec, "@")
		name, number, numbered := strings.Cut(head, "=")
		i := slices.IndexFunc(faultTable, func(f fault) bool { return f.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("unknown fault %q", name)
		}
		f := &activeFault{fault: faultTable[i], where: where}
		if numbered {
			n, err := strconv.ParseInt(number, 10, 64)
			if err != nil || n < 0 {
				return nil, fmt.Errorf("fault %s: %q is not a number", name, number)
			}
			f.number = n
		}
		active = append(active, f)
	}
	return active, nil
}

func (f *activeFault) matches(o *object) bool {
	if f.where == "" {
		return o.part != "master"
	}
	return strings.Contains(o.name, f.where) || o.part == f.where
}

const loginPage = `<!DOCTYPE html><html><head><title>Sign in</title></head><body><h1>Please sign in to continue</h1><form action="/login" method="post"><input name="email"><input name="password" type="password"></form></body></html>`

var faultTable = []fault{
	{Fault{"no-range", "ranges are ignored: every request is answered with 200 and the whole object"}, 0, func(f *activeFault, a *answer) { a.whole() }},
	{Fault{"drop", "every connection is reset after a number of body bytes (262144)"}, 256 << 10, func(f *activeFault, a *answer) {
		if a.n > f.number {
			a.stopAt, a.stop = f.number, cut
		}
	}},
	{Fault{"stall", "of the first requests for an object (2), each sends some bytes and then nothing more"}, 2, func(f *activeFault, a *answer) {
		if int64(a.nth) <= f.number {
			a.stopAt, a.stop = min(a.n/2, 100_000), hang
		}
	}},
	{Fault{"expire", "links die before their time, once a number of requests for an object (2) has been answered; links of a master CSV that is fetched later live"}, 2, func(f *activeFault, a *answer) {
		if int64(a.nth) <= f.number {
			return
		}
		a.s.revoke()
		if a.s.isRevoked(a.r) {
			now := time.Now()
			no := expired(now.Add(-time.Second), now)
			a.page(no.status, "application/xml", fmt.Sprintf("<Error><Code>%s</Code><Message>%s</Message>%s</Error>", no.code, no.message, no.extra))
		}
	}},
	{Fault{"html", "a sign-in page with status 200 comes instead of the object"}, 0, func(f *activeFault, a *answer) {
		a.page(http.StatusOK, "text/html; charset=utf-8", loginPage)
	}},
	{Fault{"busy", "the first requests for an object (3) are answered with 503 or 429 and Retry-After: 1"}, 3, func(f *activeFault, a *answer) {
		if int64(a.nth) <= f.number {
			a.page([]int{http.StatusServiceUnavailable, http.StatusTooManyRequests}[a.nth%2], "application/xml", "<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>")
			a.header.Set("Retry-After", "1")
		}
	}},
}
