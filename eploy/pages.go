package eploy

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// pages lists a type: its IDs' first page, which tells how many there are and how long a page may be; one
// GET, which tells what records consist of; then all pages.
func (p *pull) pages(ctx context.Context, g *progress) error {
	if g.isList() {
		return p.options(ctx, g)
	}
	first, err := p.first(ctx, g)
	if first == nil || err != nil {
		return err
	}
	g.total = *first.Total
	if g.total == 0 {
		return nil
	}
	if err := p.discover(ctx, g, first.IDs, ""); err != nil {
		return err
	}
	_, err = p.list(ctx, g, pass{name: "pages", blocks: true})
	return err
}

// options lists the values of a drop-down list, which are few.
func (p *pull) options(ctx context.Context, g *progress) error {
	g.asked = g.blocks
	found, err := p.list(ctx, g, pass{name: "pages", blocks: true})
	if err == nil && found.refused != nil {
		err = p.refused(g, found.refused, "a search")
	}
	if err == nil {
		g.total = found.total
	}
	return err
}

// first asks for IDs only. Its receipt is nil where the listing was turned into others.
func (p *pull) first(ctx context.Context, g *progress) (*Receipt, error) {
	s := search{g: g, pass: "ids", step: "ids", page: 1}
	_, r, err := p.search(ctx, s)
	if err != nil {
		return nil, err
	}
	if r.Status == http.StatusBadRequest && p.size > 100 && g.filter == nil { // so many are refused, not cut
		s.step, s.size = "ids/100", 100
		var again *Receipt
		if _, again, err = p.search(ctx, s); err != nil {
			return nil, err
		}
		if again.Status == http.StatusOK {
			p.size, r = 100, again
		}
	}
	if r.Status == http.StatusBadRequest && g.name == "files" {
		p.bindFiles(g)
		return nil, nil
	}
	if r.Status != http.StatusOK {
		return nil, p.refused(g, r, "a search")
	}
	return p.fitPage(ctx, g, r)
}

// bindFiles replaces the listing of all files by one for each kind of record that may have files.
func (p *pull) bindFiles(g *progress) {
	i := slices.Index(p.listings, g.listing)
	delete(p.of, g.name)
	p.find(FilesUnlisted, Warning, g.listing,
		"the system lists files by kind of record only: those of kinds "+
			"that its guide does not number are not listed")
	var bound []*listing
	for _, n := range fileOwners {
		l := g.bound(n)
		p.know(l)
		bound = append(bound, l)
	}
	p.listings = slices.Concat(p.listings[:i], bound, p.listings[i+1:])
}

// fitPage finds out from a first page how many records a page really has. The guide spells the key in two
// ways: one that is ignored shows as the default of 20.
func (p *pull) fitPage(ctx context.Context, g *progress, r *Receipt) (*Receipt, error) {
	size := pageSize(r)
	if size == 20 && p.size > 20 {
		other := "RecordPerPage"
		if p.sizeKey == other {
			other = "RecordsPerPage"
		}
		mine := p.sizeKey
		p.sizeKey = other
		_, again, err := p.search(ctx, search{g: g, pass: "ids", step: "ids/" + other, page: 1})
		if err != nil {
			return nil, err
		}
		if again.Status == http.StatusOK && again.Pages < r.Pages {
			r, size = again, pageSize(again)
		} else {
			p.sizeKey = mine
		}
	}
	if size > 0 && size < p.size {
		p.size = size
	}
	return r, nil
}

// pageSize is how many records a page has, judged by what was stated; 0 where one page has all.
func pageSize(r *Receipt) int {
	if r.Pages <= 1 || r.Total == nil {
		return 0
	}
	for _, n := range []int{20, 100, biggestPage} {
		if (*r.Total+n-1)/n == r.Pages {
			return n
		}
	}
	return max(1, len(r.IDs))
}

// A pass is one way through all pages of a listing.
type pass struct {
	name   string
	blocks bool // ask for whole records, not for IDs
	extra  []filter
}

// A passed is what a pass listed.
type passed struct {
	ids     map[string]bool
	total   int // as stated last
	pages   int
	refused *Receipt // the first page was
}

const maxRediscoveries = 3

// list goes through all pages of a pass, as many as the system states on the way.
func (p *pull) list(ctx context.Context, g *progress, a pass) (*passed, error) {
	out := &passed{ids: map[string]bool{}}
	w := walk{pull: p, g: g, pass: a, out: out}
	for n := 1; n == 1 || n <= out.pages; n++ {
		r, err := w.page(ctx, n)
		if err != nil {
			return nil, err
		}
		if r == nil {
			return out, nil
		}
		shrunk := size(r) < p.size && (n == 1 || 2*r.Pages > 3*out.pages)
		out.pages, out.total = r.Pages, *r.Total
		w.take(r)
		if shrunk { // and so has each page's number another meaning
			before := p.size
			p.size = size(r)
			p.find(LimitShrank, Info, g.listing, "a page of %s has %d records instead of %d from now on",
				g.name, p.size, before)
			if n > 1 {
				w.last, n = nil, (n-1)*before/p.size
			}
		}
	}
	return out, nil
}

func size(r *Receipt) int {
	if n := pageSize(r); n > 0 {
		return n
	}
	return biggestPage
}

// walk is one pass on its way.
type walk struct {
	*pull
	g            *progress
	pass         pass
	out          *passed
	last         []string // IDs of the page before
	rediscovered int
}

func (w *walk) take(r *Receipt) {
	w.count(r)
	w.last = r.IDs
}

// count takes over what a page has.
func (w *walk) count(r *Receipt) {
	for _, id := range r.IDs {
		w.out.ids[id] = true
		if w.pass.blocks {
			w.g.receive(id)
		}
	}
}

// receive says that a record is here, and that it lives.
func (g *progress) receive(id string) {
	g.have[id] = true
	delete(g.gone, id)
}

// page asks for page n, once more if what comes is another one or the one before, and with other blocks if
// they are not what they were. It is nil where the first page is refused.
func (w *walk) page(ctx context.Context, n int) (*Receipt, error) {
	for again := ""; ; again = "/again" {
		r, err := w.ask(ctx, n, again)
		if err != nil {
			return nil, err
		}
		if r.Status != http.StatusOK {
			if n == 1 && r.Status == http.StatusBadRequest {
				w.out.refused = r
				return nil, nil
			}
			return nil, w.refused(w.g, r, fmt.Sprintf("page %d", n))
		}
		if r.Page == n && (len(r.IDs) == 0 || !slices.Equal(r.IDs, w.last)) {
			return r, nil
		}
		if again != "" {
			w.find(SamePage, Faulty, w.g.listing,
				"asked for page %d of %s, the system answers page %d, or the page before, again",
				n, w.g.name, r.Page)
			return nil, errStopped
		}
	}
}

// ask is page without the guards.
func (w *walk) ask(ctx context.Context, n int, again string) (*Receipt, error) {
	for {
		s := search{g: w.g, pass: w.pass.name, page: n, extra: w.pass.extra}
		s.step = fmt.Sprintf("%s/%d", w.pass.name, n) + again
		if w.size != biggestPage {
			s.step += fmt.Sprintf("/of-%d", w.size)
		}
		if w.rediscovered > 0 {
			s.step += fmt.Sprintf("/with-%d", w.rediscovered)
		}
		if w.pass.blocks {
			s.blocks = w.g.asked
		}
		_, r, err := w.search(ctx, s)
		if err != nil || !w.pass.blocks || w.rediscovered >= maxRediscoveries {
			return r, err
		}
		changed := r.Status == http.StatusBadRequest && (n > 1 || w.pass.extra == nil &&
			w.pass.name != "pages")
		if r.Status == http.StatusOK {
			changed = w.lacks(r)
		}
		if !changed {
			return r, nil
		}
		w.rediscovered++
		before := w.g.asked
		if err := w.discover(ctx, w.g, w.known(r), fmt.Sprintf("-%s-%d", w.pass.name,
			w.rediscovered)); err != nil {
			return nil, err
		}
		if slices.Equal(before, w.g.asked) &&
			r.Status == http.StatusOK { // records without that part, no more
			clear(w.g.answered)
			w.lacks(r)
			return r, nil
		}
		if r.Status == http.StatusOK {
			w.count(r)
		}
		w.find(BlocksChanged, Warning, w.g.listing,
			"records of %s consist of other parts from page %d of pass %q on",
			w.g.name, n, w.pass.name)
	}
}

// lacks reports whether a page of some length has no member that earlier pages had, and remembers those that
// it has.
func (w *walk) lacks(r *Receipt) bool {
	seen := map[string]bool{}
	for _, m := range r.Members {
		seen[strings.ToLower(m)] = true
	}
	lacking := false
	if len(r.IDs) >= 10 {
		for _, b := range w.g.asked {
			b = strings.ToLower(b)
			lacking = lacking || w.g.answered[b] && !seen[b]
		}
	}
	if !lacking {
		maps.Copy(w.g.answered, seen)
	}
	return lacking
}

// known returns a few IDs to look at, those received last.
func (w *walk) known(r *Receipt) []string {
	if len(r.IDs) > 0 {
		return r.IDs
	}
	if len(w.last) > 0 {
		return w.last
	}
	return slices.Sorted(maps.Keys(w.g.have))[:min(3, len(w.g.have))]
}

// membersOf returns the names of members that a page's records have, for its receipt. It looks no further
// once it has seen enough of them: a page of records that all have all parts is the rule.
func membersOf(records []json.RawMessage, enough int) []string {
	names := map[string]string{}
	for _, r := range records {
		maps.Copy(names, members(r))
		if enough > 0 && len(names) >= enough {
			break
		}
	}
	return slices.Sorted(maps.Values(names))
}
