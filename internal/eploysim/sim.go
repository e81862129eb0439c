// Package eploysim is an Eploy system that was never sold: a server that answers as the vendor's public API
// guide says that Eploy's REST API answers, over invented records, with the guide's limits. It exists so
// that whatever reads from Eploy can be rehearsed and tested without anybody's data.
//
// Start with New and Config; serve the System over HTTP (it is an http.Handler) or reach it in process
// through System.Transport, which also works in a testing/synctest bubble: the package reads the time from
// package time only, and waits only for time or a cancelled context.
//
// What the guide leaves open is a switch in Behaviour. What can go wrong in the middle of a pull is an
// Event, due at the Nth request. Nothing here can be written to: an attempt is refused and remembered
// (System.Writes), and a test should fail on it.
package eploysim

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// Config says which system to invent. The zero value of each field has a sensible meaning.
type Config struct {
	Seed    uint64
	Version int            // 42 to 48; 0: 48. From 47 on a page may have 1,000 records instead of 100
	Records map[string]int // how many of each type, by the names that Types returns; a type left out has none
	Keys    []Key          // none: one key, "client" with the secret "secret", that may read everything

	SecondLimit int           // requests a second; 0: 10
	DayLimit    int           // requests a day; 0: 1,000
	Neighbour   int           // requests a day that another integration takes from the same quota
	Latency     time.Duration // before each answer

	Behaviour Behaviour
	Events    []Event
}

// A Key is an API key. All keys of a system share its quotas.
type Key struct {
	ID, Secret string
	Scopes     []string // granted; nil: all that read
}

// A System is an invented Eploy system. Its methods may be called from several goroutines.
type System struct {
	config Config
	kinds  map[string]*kind // by type name
	random *rand.Rand       // guarded by mu, like all that follows

	mu        sync.Mutex
	tables    map[string]*table
	tokens    map[string]*token
	issued    []string // all tokens, those that have ended, too
	quota     quota
	requests  []Request
	writes    []string
	exports   []exportRow
	events    []Event // still to come, in order
	renamed   map[string]string
	failing   map[string]int  // answers with 500 that are due, by type or contents
	textual   map[string]bool // fields "Type.Field" whose integers have become text
	maxPage   int
	revoked   map[string]bool
	samePage  int // answers that repeat the page before
	sick      int // answers that are an error page
	stalled   int // answers that never come
	cut       int // answers that break off
	lastPages map[string][]byte
}

// A Request is one request that the system received.
type Request struct {
	Number       int // from 1, token requests included
	Time         time.Time
	Method, Path string
	Body         string // empty for a token request, whose body is a secret
	Status       int
}

// New invents a system.
func New(c Config) (*System, error) {
	if c.Version == 0 {
		c.Version = 48
	}
	if c.Version < 42 || c.Version > 48 {
		return nil, fmt.Errorf("version %d: want 42 to 48", c.Version)
	}
	if c.SecondLimit == 0 {
		c.SecondLimit = 10
	}
	if c.DayLimit == 0 {
		c.DayLimit = 1000
	}
	if len(c.Keys) == 0 {
		c.Keys = []Key{{ID: "client", Secret: "secret"}}
	}
	if err := c.Behaviour.fill(); err != nil {
		return nil, err
	}
	s := &System{
		config: c, kinds: map[string]*kind{}, random: rand.New(rand.NewPCG(c.Seed, 1)),
		tables: map[string]*table{}, tokens: map[string]*token{},
		renamed: map[string]string{}, textual: map[string]bool{}, failing: map[string]int{},
		maxPage: 100, revoked: map[string]bool{}, lastPages: map[string][]byte{},
		events: slices.Clone(c.Events),
	}
	if c.Version >= 47 {
		s.maxPage = 1000
	}
	slices.SortStableFunc(s.events, func(a, b Event) int { return a.At - b.At })
	for _, k := range catalogue {
		s.kinds[k.name] = k
		s.tables[k.name] = newTable(k)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Records)) {
		if s.kinds[name] == nil {
			return nil, fmt.Errorf("there is no record type %q", name)
		}
		s.populate(name, c.Records[name])
	}
	s.populateExports()
	return s, nil
}

// Types returns the names of the record types that can be searched, in the order of the catalogue.
func Types() []string {
	var names []string
	for _, k := range catalogue {
		names = append(names, k.name)
	}
	return names
}

// Small returns a handful of records of each type: n candidates, and others in proportion.
func Small(n int) map[string]int {
	return map[string]int{
		"users": max(3, n/50), "companies": max(2, n/10), "contacts": n / 5, "candidates": n,
		"vacancies":        n / 5,
		"vacancytemplates": max(1, n/50), "applications": n, "statushistory": 2 * n, "actions": n,
		"placements": n / 10, "timesheets": n / 10, "purchaseorders": n / 20,
		"payrates": max(1, n/50), "paysalaries": max(1, n/50), "workflows": 3, "files": n,
	}
}

// Requests returns what was asked so far.
func (s *System) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// Secrets returns everything that must not be found anywhere: the keys' secrets, and every token so far.
func (s *System) Secrets() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := slices.Clone(s.issued)
	for _, k := range s.config.Keys {
		all = append(all, k.Secret)
	}
	return all
}

// Writes returns the requests that tried to change something, which none may.
func (s *System) Writes() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.writes)
}
