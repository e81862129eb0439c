package query

import (
	"context"
	"fmt"
	"os"
	"strings"
)

// decideDialect reads a doubtful file after each dialect that may be its own, and takes the one that explains
// it best.
func (s *scanned) decideDialect(ctx context.Context, text *os.File, found doubts) error {
	var all []*evidence
	for _, d := range s.candidates(found) {
		e, err := gather(ctx, text, s.skip, d, s.knows)
		if err != nil {
			return err
		}
		if len(e.headings) < 2 && len(s.headings) > 1 {
			continue
		}
		all = append(all, e)
	}
	best := all[0]
	for _, e := range all[1:] {
		if !e.isPossible(all[0]) {
			continue
		}
		if e.cost() < best.cost() || e.cost() == best.cost() && e.likelier(best) {
			best = e
		}
	}
	best.d.symbols = best.d.escape == escBackslash && best.d.quote == 0 &&
		best.lone == 0 && best.pairs+best.nulls > 0
	best.d.bareSlashes = best.lone > 0
	s.d, s.ev = best.d, best
	s.rival = ""
	for _, e := range all {
		if s.rival == "" && e.rivals(best, all[0]) {
			s.rival = e.d.describe()
		}
	}
	s.describeDecision(all)
	return nil
}

// candidates are the dialects that could explain what was found, the most usual first. Quotes and backslashes
// that no record in doubt has explain nothing.
func (s *scanned) candidates(found doubts) []dialect {
	base := s.d
	base.quote = '"'
	all := []dialect{base}
	add := func(change func(*dialect)) {
		d := base
		change(&d)
		all = append(all, d)
	}
	if found.mayEscape() {
		add(func(d *dialect) { d.escape = escBackslash })
		add(func(d *dialect) { d.escape = escPHP })
	}
	if found.quotes > 0 {
		add(func(d *dialect) { d.quote = 0 })
	}
	if found.mayEscape() {
		add(func(d *dialect) { d.quote, d.escape = 0, escBackslash })
	}
	if found.singles > 0 {
		add(func(d *dialect) { d.quote = '\'' })
		add(func(d *dialect) { d.quote, d.escape = '\'', escBackslash })
	}
	if found.blanks > 0 {
		for _, d := range all[:len(all):len(all)] {
			if d.quote != 0 {
				d.blanks = true
				all = append(all, d)
			}
		}
	}
	if found.lastCR && !base.crEnds {
		for _, d := range all[:len(all):len(all)] {
			d.crEnds = true
			all = append(all, d)
		}
	}
	return all
}

// rivals reports whether a dialect that was not taken explains the file as well as the best, and gives other
// cells. Of one whose backslashes are all doubled, it is enough that it explains the file better, however few
// quotes support it.
func (e *evidence) rivals(best, usual *evidence) bool {
	if e == best || e.cells.Sum64() == best.cells.Sum64() {
		return false
	}
	if e.cost() == best.cost() && e.isPossible(usual) {
		return true
	}
	return e.d.escape == escBackslash && e.lone == 0 && e.pairs+e.nulls > 0 && e.cost() <= best.cost()
}

// isPossible keeps a few odd quotes from being taken for a file without quotes. usual is the evidence of RFC
// 4180.
func (e *evidence) isPossible(usual *evidence) bool {
	if e != usual && 20*(e.faults-e.footers) > e.records {
		return false // a writer of its own rules keeps to them
	}
	if e.d.quote == 0 && e.d.escape == escBackslash && e.lone > 0 {
		return false
	}
	if usual.faults >= 5 && e.faults == 0 && 4*e.cost() <= usual.cost() {
		return true
	}
	return e.d.quote != 0 || 10*usual.quoted <= e.openings && (e.openings == 0 || e.openings >= 3)
}

// likelier decides between dialects that explain a file equally well. e comes later than o in the order of
// candidates.
func (e *evidence) likelier(o *evidence) bool {
	same := e.d.blanks == o.d.blanks && e.d.crEnds == o.d.crEnds && e.d.quote == o.d.quote
	// PHP doubles quotes unless a backslash precedes them, and leaves backslashes alone.
	if e.d.escape == escPHP && o.d.escape == escBackslash {
		return same && (e.doubled > 0 || e.lone > 0)
	}
	// \N for no value comes from writers that escape with backslashes. It may be a text, too, unless these
	// are seen.
	return e.d.escape == escBackslash && o.d.escape == escDoubled && e.nulls > 0 && e.lone == 0 &&
		(e.pairs > 0 || e.open == 0)
}

// describeDecision records what was decided, and on what evidence.
func (s *scanned) describeDecision(all []*evidence) {
	var others []string
	for _, e := range all {
		if e != s.ev {
			others = append(others, fmt.Sprintf("%s %d", e.d.quoting(), e.cost()))
		}
	}
	s.decided = fmt.Sprintf("%s: of %d records, %d do not fit the headings and %d have bare quotes",
		s.d.describe(), s.ev.records, s.ev.faults, s.ev.bare)
	if len(others) > 0 {
		s.decided += fmt.Sprintf(" (weight of what does not fit: %s %d; otherwise %s)",
			s.d.quoting(), s.ev.cost(), strings.Join(others, ", "))
	}
}
