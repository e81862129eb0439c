package eploysim

import (
	"slices"
	"strconv"
	"time"
)

// A table holds the records of one type. System.mu guards it.
type table struct {
	kind    *kind
	records map[int]*record
	order   []int // IDs of living records as searches list them
	next    int
	initial int // records at the beginning: links lead to these
}

// A record is little more than the seed of its members: they follow from its type, ID and revision.
type record struct {
	id                int
	revision          int
	created, modified time.Time
	anonymous         bool
	exports           []string // packages that it was exported with
	content           int      // how often a file's content was replaced
}

func newTable(k *kind) *table { return &table{kind: k, records: map[int]*record{}, next: firstID} }

// firstID is above the numbers of options, so that one is not taken for the other.
const firstID = 1001

// populate makes n records, spread over the three years before now.
func (s *System) populate(name string, n int) {
	t := s.tables[name]
	t.initial = n
	const span = 3 * 365 * 24 * time.Hour
	begin := time.Now().Add(-span - 48*time.Hour).Truncate(time.Second)
	for i := range n {
		created := begin.Add(span * time.Duration(i) / time.Duration(n))
		r := &record{id: t.next, created: created, modified: created}
		if s.random.IntN(2) == 0 {
			r.modified = created.Add(time.Duration(s.random.IntN(47*3600)) * time.Second)
		}
		t.records[r.id] = r
		t.order = append(t.order, r.id)
		t.next++
	}
	if s.config.Behaviour.Order != "id" {
		s.random.Shuffle(len(t.order), func(i, j int) { t.order[i], t.order[j] = t.order[j], t.order[i] })
	}
}

// drift changes the order of a table as searches go by.
func (s *System) drift(t *table) {
	n := len(t.order)
	if n < 2 {
		return
	}
	switch s.config.Behaviour.Order {
	case "drifting": // a few records change places with each search
		for range 2 {
			i, j := s.random.IntN(n), s.random.IntN(n)
			t.order[i], t.order[j] = t.order[j], t.order[i]
		}
	case "shuffled": // now and then another plan, another order
		if s.random.IntN(20) == 0 {
			s.random.Shuffle(n, func(i, j int) { t.order[i], t.order[j] = t.order[j], t.order[i] })
		}
	}
}

// insert makes n new records.
func (t *table) insert(n int, now time.Time) {
	for range n {
		r := &record{id: t.next, created: now, modified: now}
		t.next++
		t.records[r.id] = r
		t.order = append(t.order, r.id)
	}
}

// pick returns up to n living records: the one named, or any.
func (s *System) pick(t *table, id, n int) []*record {
	if id != 0 {
		if r := t.records[id]; r != nil {
			return []*record{r}
		}
		return nil
	}
	var picked []*record
	for len(picked) < n && len(picked) < len(t.order) {
		r := t.records[t.order[s.random.IntN(len(t.order))]]
		if !slices.Contains(picked, r) {
			picked = append(picked, r)
		}
	}
	return picked
}

// update gives records new contents and the same date, and moves them to the end, as a heap of rows does.
func (t *table) update(records []*record, now time.Time) {
	moved := map[int]bool{}
	for _, r := range records {
		r.revision++
		r.modified = now
		moved[r.id] = true
	}
	t.order = slices.DeleteFunc(t.order, func(id int) bool { return moved[id] })
	for _, r := range records {
		t.order = append(t.order, r.id)
	}
}

func (t *table) remove(records []*record) {
	gone := map[int]bool{}
	for _, r := range records {
		gone[r.id] = true
		delete(t.records, r.id)
	}
	t.order = slices.DeleteFunc(t.order, func(id int) bool { return gone[id] })
}

// exportRow is one line of the log of exports.
type exportRow struct {
	id, pack   int
	success    bool
	at         time.Time
	kind       string // Vacancy, Application
	record     int
	externalID string
}

// populateExports makes a log in which records appear several times, failures included.
func (s *System) populateExports() {
	for _, name := range []string{"applications", "vacancies"} {
		t := s.tables[name]
		for i, id := range slices.Sorted(slices.Values(t.order)) {
			if i%5 != 0 {
				continue
			}
			r := t.records[id]
			for try := range 1 + i%3 {
				s.exports = append(s.exports, exportRow{
					id: len(s.exports) + 1, pack: 1 + i%2, success: try == i%3,
					at:   r.modified.Add(time.Duration(try+1) * time.Hour),
					kind: t.kind.record, record: id, externalID: "x-" + strconv.Itoa(id),
				})
			}
			r.exports = []string{optionLists["86"][i%2]}
		}
	}
}

// happen lets the events of a request happen. It needs mu.
func (s *System) happen(number int) {
	for len(s.events) > 0 && s.events[0].At <= number {
		e := s.events[0]
		s.events = s.events[1:]
		s.happenOne(e)
	}
}

func (s *System) happenOne(e Event) {
	n := max(1, e.Count)
	now := time.Now().Truncate(time.Second)
	if e.Kind == "fail" {
		s.failing[e.Type] += n
		return
	}
	if t := s.tables[e.Type]; t != nil {
		s.change(t, e, n, now)
		return
	}
	switch e.Kind {
	case "shrink-limit":
		s.maxPage = n
	case "revoke-scope":
		s.revoked[e.Type] = true
	case "grant-scope":
		delete(s.revoked, e.Type)
	case "expire-token":
		clear(s.tokens)
	case "same-page":
		s.samePage += n
	case "error-page":
		s.sick += n
	case "stall":
		s.stalled += n
	case "cut":
		s.cut += n
	case "neighbour":
		s.quota.dayUsed += n
	case "raise-limit":
		s.config.DayLimit = n
	}
}

// change is what can happen to one table.
func (s *System) change(t *table, e Event, n int, now time.Time) {
	switch e.Kind {
	case "insert":
		t.insert(n, now)
	case "update":
		t.update(s.pick(t, e.ID, n), now)
	case "replace":
		for _, r := range s.pick(t, e.ID, n) {
			r.content++
			r.modified = now
		}
	case "delete":
		t.remove(s.pick(t, e.ID, n))
	case "anonymise":
		for _, r := range s.pick(t, e.ID, n) {
			r.anonymous = true
			if !s.config.Behaviour.SilentAnonymous {
				r.modified = now
			}
		}
	case "rename-field":
		s.renamed[t.kind.record+"."+e.Field] = "New" + e.Field
	case "integer-becomes-text":
		s.textual[t.kind.record+"."+e.Field] = true
	case "same-page":
		s.samePage += n
	}
}
