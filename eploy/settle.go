package eploy

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

const (
	maxRounds = 3
	// overlap is how long before the pull began a change is looked for: dates have no zone, and zones differ
	// by up to 26 hours.
	overlap = 26 * time.Hour
	// fewSingles is how many records are asked for one by one at least, before all are listed again.
	fewSingles = 20
)

// settle proves that a listing is complete: a census of all IDs, what it lacks confirmed to be gone, what
// was lacking fetched, what changed fetched again, and then the total that the system states against what is
// here. What moved meanwhile takes another round.
func (p *pull) settle(ctx context.Context, g *progress) error {
	if g.isList() {
		g.done = len(g.have) == g.total
		return nil
	}
	alive, total := -1, -1
	for round := 1; round <= maxRounds; round++ {
		g.missing = 0
		if err := p.census(ctx, g, round); err != nil {
			return err
		}
		if err := p.changes(ctx, g, round); err != nil {
			return err
		}
		_, r, err := p.search(ctx, search{g: g, pass: "total", step: fmt.Sprintf("total-%d", round),
			page: 1, size: 1})
		if err != nil {
			return err
		}
		if r.Status != http.StatusOK {
			return p.refused(g, r, "the total")
		}
		g.total = *r.Total
		if g.missing == 0 && len(g.have) == g.total {
			g.done = true
			break
		}
		if g.missing == 0 && alive == len(g.have) && total == g.total {
			p.find(TotalDiffers, Warning, g.listing,
				"the system counts %d records of %s and lists %d, time and again: "+
					"this key may not see all that are counted", g.total, g.name, alive)
			g.done = true
			break
		}
		alive, total = len(g.have), g.total
	}
	if !g.done {
		p.find(CensusUnsettled, Faulty, g.listing,
			"after %d rounds, %d records of %s are here and the system counts %d",
			maxRounds, len(g.have), g.name, g.total)
	}
	if g.alone > 0 {
		p.find(RecordsAlone, Warning, g.listing,
			"%d records of %s could only be read one by one: options are in full, and in place of answers "+
				"to questions there may be where these are", g.alone, g.name)
	}
	if n := len(g.have); n > 0 && g.name == "candidates" {
		p.find(NotAsked, Info, g.listing, "the references of %d candidates were not asked for: the system "+
			"answers them one candidate at a time", n)
	}
	if n := len(g.gone); n > 0 {
		p.find(RecordsVanished, Info, g.listing,
			"%d records of %s were received and have vanished from the system since", n, g.name)
	}
	return nil
}

// census lists all IDs and brings what is here into line with them.
func (p *pull) census(ctx context.Context, g *progress, round int) error {
	found, err := p.list(ctx, g, pass{name: fmt.Sprintf("census-%d", round)})
	if err != nil {
		return err
	}
	if found.refused != nil {
		return p.refused(g, found.refused, "the census")
	}
	if err := p.confirmGone(ctx, g, found, round); err != nil {
		return err
	}
	return p.fetchAbsent(ctx, g, found, round)
}

// without returns what is in a and not in b, in order.
func without(a, b map[string]bool) []string {
	var out []string
	for id := range a {
		if !b[id] {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out
}

// confirmGone asks after each record that is here and not in the census: an unstable order hides some.
func (p *pull) confirmGone(ctx context.Context, g *progress, found *passed, round int) error {
	unlisted := without(g.have, found.ids)
	for again := 1; len(unlisted) > max(fewSingles, found.pages) && again < maxRounds; again++ {
		more, err := p.list(ctx, g, pass{name: fmt.Sprintf("census-%d-%d", round, again)})
		if err != nil {
			return err
		}
		maps.Copy(found.ids, more.ids)
		unlisted = without(g.have, found.ids)
	}
	if len(unlisted) > 0 {
		if err := p.trySearchByID(ctx, g, found); err != nil {
			return err
		}
	}
	for _, id := range unlisted {
		x, err := p.one(ctx, g, id, fmt.Sprintf("alive-%d", round), false)
		if err != nil {
			return err
		}
		if x.there || !x.answered { // what nobody can tell shows in the total
			found.ids[id] = true
			continue
		}
		p.vanished(g, id, x.receipt)
	}
	return nil
}

// fetchAbsent fetches what the census has and is not here: one by one, or by listing all again where that is
// cheaper.
func (p *pull) fetchAbsent(ctx context.Context, g *progress, found *passed, round int) error {
	if len(found.ids) > 0 && g.asked == nil {
		if err := p.discover(ctx, g, slices.Sorted(maps.Keys(found.ids)), fmt.Sprintf("-%d",
			round)); err != nil {
			return err
		}
	}
	absent := without(found.ids, g.have)
	if len(absent) > 0 {
		if err := p.trySearchByID(ctx, g, found); err != nil {
			return err
		}
	}
	for again := 1; g.listAgain(absent, found.pages, again); again++ {
		if _, err := p.list(ctx, g, pass{name: fmt.Sprintf("again-%d-%d", round, again),
			blocks: true}); err != nil {
			return err
		}
		absent = without(found.ids, g.have)
	}
	for _, id := range absent {
		x, err := p.one(ctx, g, id, fmt.Sprintf("one-%d", round), true)
		switch {
		case err != nil:
			return err
		case x.there:
			g.receive(id)
			p.alone(g, x.receipt)
		case !x.answered:
			g.missing++
			p.decide(g, id, x.receipt, actionReceive, "it is listed and cannot be read")
			p.find(RecordsMissing, Faulty, g.listing, "record %s of %s is listed and cannot be read", id,
				g.name)
		}
	}
	return nil
}

// alone counts a record that could not be had in the form of all others.
func (p *pull) alone(g *progress, r *Receipt) {
	if r.Method == http.MethodGet {
		g.alone++
	}
}

const morePasses = 6

// listAgain reports whether listing all again is better than asking for some records one by one: it is where
// these are many, and a few times more where they cannot be searched by ID.
func (g *progress) listAgain(left []string, pages, again int) bool {
	if g.byID == no {
		return len(left) > 0 && again < maxRounds+morePasses
	}
	return len(left) > max(fewSingles, pages) && again < maxRounds
}

// An answer to a question that is asked once.
type answered int

const (
	unasked answered = iota
	yes
	no
)

// trySearchByID finds out whether records can be searched by ID, with one that the census has.
func (p *pull) trySearchByID(ctx context.Context, g *progress, found *passed) error {
	if g.byID != unasked || len(found.ids) == 0 {
		return nil
	}
	id := slices.Min(slices.Collect(maps.Keys(found.ids)))
	_, r, err := p.search(ctx, search{g: g, pass: "singles", step: "by-id", page: 1, extra: g.ofID(id)})
	if err != nil {
		return err
	}
	if g.byID = no; r.Status == http.StatusOK && slices.Equal(r.IDs, []string{id}) {
		g.byID = yes
	}
	return nil
}

func (g *progress) ofID(id string) []filter {
	return []filter{{Route: g.idRoute(), Value: id, Operation: "Equals"}}
}

// An oneRecord is what the system says of one record.
type oneRecord struct {
	there    bool
	answered bool // false: nobody can tell whether it is there
	receipt  *Receipt
}

// one asks for one record by its ID: as a search, so that it comes in the same form as all others, or where
// that does not work as a GET.
func (p *pull) one(ctx context.Context, g *progress, id, step string, whole bool) (oneRecord, error) {
	if g.byID != no {
		s := search{g: g, pass: "singles", step: step + "/" + id, page: 1, extra: g.ofID(id)}
		if whole {
			s.blocks = g.asked
		}
		_, r, err := p.search(ctx, s)
		if err != nil {
			return oneRecord{}, err
		}
		if r.Status == http.StatusOK && (len(r.IDs) == 0 || slices.Contains(r.IDs, id)) {
			return oneRecord{len(r.IDs) > 0, true, r}, nil
		}
	}
	if g.fixed {
		return oneRecord{}, nil
	}
	r, err := p.get(ctx, g, "get-"+step+"/"+id, id)
	if err != nil {
		return oneRecord{}, err
	}
	switch r.Status {
	case http.StatusOK:
		return oneRecord{r.Size > int64(len("null")), true, r}, nil
	case http.StatusNotFound, http.StatusGone, http.StatusBadRequest:
		return oneRecord{false, true, r}, nil
	}
	return oneRecord{false, false, r}, nil
}

// changes fetches what was modified since the pull began. Where records have no date, or dates cannot be
// compared or are not trusted, everything is listed again.
func (p *pull) changes(ctx context.Context, g *progress, round int) error {
	if len(g.have) == 0 {
		return nil
	}
	if p.o.Relist || !g.answered["modificationdate"] {
		return p.relist(ctx, g, round)
	}
	// "since" is met by everything later than a second before.
	since := p.started.Add(-overlap - time.Second).UTC().Format("2006-01-02T15:04:05")
	recent := []filter{{Route: g.record + ".ModificationDate", Value: since, Operation: "GreaterThan"}}
	ids := map[string]bool{}
	for again := 1; again <= maxRounds; again++ {
		found, err := p.list(ctx, g, pass{name: fmt.Sprintf("changes-%d-%d", round, again), blocks: true,
			extra: recent})
		if err != nil {
			return err
		}
		if found.refused != nil {
			if round == 1 {
				p.find(DatesIncomparble, Info, g.listing,
					"the system does not compare dates of %s: all are listed again instead", g.name)
			}
			return p.relist(ctx, g, round)
		}
		maps.Copy(ids, found.ids)
		if found.total == 0 && !g.comparable {
			if g.comparable, err = p.comparesDates(ctx, g); err != nil {
				return err
			}
			if !g.comparable {
				p.find(DatesIncomparble, Info, g.listing,
					"the system answers nothing when dates of %s are compared: all are listed again instead",
					g.name)
				return p.relist(ctx, g, round)
			}
		}
		if len(ids) >= found.total {
			return nil
		}
	}
	return nil
}

// comparesDates finds out whether it means anything that no record is later than some date: all must be later
// than another one.
func (p *pull) comparesDates(ctx context.Context, g *progress) (bool, error) {
	_, r, err := p.search(ctx, search{g: g, pass: "total", step: "comparable", page: 1, size: 1,
		extra: []filter{{Route: g.record + ".ModificationDate", Value: "1900-01-01T00:00:00",
			Operation: "GreaterThan"}}})
	if err != nil {
		return false, err
	}
	return r.Status == http.StatusOK && *r.Total > 0, nil
}

// relist reads all records again, those that an unstable order hides one by one.
func (p *pull) relist(ctx context.Context, g *progress, round int) error {
	ids := map[string]bool{}
	var unread []string
	for again := 1; ; again++ {
		found, err := p.list(ctx, g, pass{name: fmt.Sprintf("relist-%d-%d", round, again), blocks: true})
		if err != nil {
			return err
		}
		if found.refused != nil {
			return p.refused(g, found.refused, "listing again")
		}
		maps.Copy(ids, found.ids)
		if unread = without(g.have, ids); len(unread) > 0 {
			if err := p.trySearchByID(ctx, g, found); err != nil {
				return err
			}
		}
		if !g.listAgain(unread, found.pages, again) {
			break
		}
	}
	for _, id := range unread {
		x, err := p.one(ctx, g, id, fmt.Sprintf("relisted-%d", round), true)
		if err != nil {
			return err
		}
		if x.there {
			p.alone(g, x.receipt)
		} else if x.answered {
			p.vanished(g, id, x.receipt)
		}
	}
	return nil
}

// isList reports whether a listing is of options.
func (l *listing) isList() bool { return strings.HasPrefix(l.name, "options-") }
