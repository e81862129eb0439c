package eploy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Pull pulls, and goes on with, what Options.Dir holds. It returns the result so far together with a *Paused
// when the day's budget is used up, and with a *Failure when something must change first. A pull that has
// ended asks for nothing.
func Pull(ctx context.Context, o Options) (*Result, error) {
	if err := o.fill(); err != nil {
		return nil, err
	}
	h, err := begin(o)
	if err != nil {
		return nil, err
	}
	// A pull that has begun is of what it began with.
	o.Types, o.FileContent, o.Relist = h.Types, h.FileContent, h.Relist
	j, err := openJournal(o.Dir)
	if err != nil {
		return nil, err
	}
	opened := len(j.all)
	p, err := newPull(o, h, j)
	if err == nil {
		err = p.run(ctx)
	}
	if terr := p.account(opened); terr != nil {
		o.Talk("what this run received could not be listed: %v", terr)
	}
	return p.result(), errors.Join(err, j.close())
}

// pull is one Pull at work. All that is in it follows from the journal.
type pull struct {
	client
	started  time.Time
	listings []*listing
	sizeKey  string // RecordsPerPage, unless the system wants the other spelling
	size     int    // records a page
	of       map[string]*progress
	findings []Finding
	part     string
	contents contents
	decided  []decision
}

// progress is how far one listing is.
type progress struct {
	*listing
	asked    []string        // response blocks
	idBlock  string          // of them, the record's ID
	answered map[string]bool // members that were seen, in lower case
	have     map[string]bool // IDs whose record was received
	gone     map[string]bool // IDs that were received and have vanished
	total    int             // as the system stated last
	// comparable: dates are seen to be compared
	comparable bool
	byID       answered // whether records can be searched by ID
	alone      int      // records that were had by GET only
	missing    int
	done       bool
	stopped    bool
}

const biggestPage = 1000

// Open opens what a pull that has ended left in dir. It asks the system for nothing; a pull that has not
// ended is an error matching ErrUnfinished.
func Open(dir string) (*Pulled, error) {
	h, err := readHeader(dir)
	if err != nil {
		return nil, err
	}
	j, err := openJournal(dir)
	if err != nil {
		return nil, err
	}
	o := Options{URL: h.URL, Dir: dir, Types: h.Types, FileContent: h.FileContent, Relist: h.Relist,
		Reserve:   -1,
		Transport: offline{}}
	o.Credentials = Credentials{"-", "-"}
	if err := o.fill(); err != nil {
		return nil, err
	}
	p, err := newPull(o, h, j)
	if err == nil {
		p.offline = true
		err = p.run(context.Background())
	}
	if err != nil {
		return nil, errors.Join(err, j.close())
	}
	return &Pulled{Result: p.result(), Dir: dir, pull: p}, nil
}

// ErrUnfinished says that a pull has not ended.
var ErrUnfinished = errors.New("the pull has not ended")

// offline is a transport without a network.
type offline struct{}

func (offline) RoundTrip(*http.Request) (*http.Response, error) { return nil, ErrUnfinished }

func newPull(o Options, h header, j *journal) (*pull, error) {
	all, err := listingsOf(o.Types)
	if err != nil {
		return nil, err
	}
	p := &pull{started: h.Started, listings: all, sizeKey: "RecordsPerPage", size: biggestPage,
		of: map[string]*progress{}}
	p.client = client{o: o, journal: j, budget: budget{reserve: o.Reserve}, scopes: scopes(all)}
	p.clock = p.tell
	for _, r := range j.all {
		p.budget.learn(r)
	}
	for _, l := range all {
		p.know(l)
	}
	return p, nil
}

func (p *pull) know(l *listing) *progress {
	g := &progress{listing: l, answered: map[string]bool{}, have: map[string]bool{}, gone: map[string]bool{}}
	p.of[l.name] = g
	return g
}

func (p *pull) find(code FindingCode, severity Severity, l *listing, format string, a ...any) {
	p.findings = append(p.findings, Finding{Code: code, Severity: severity, Type: l.table(),
		Detail: fmt.Sprintf(format, a...)})
}

// run does all passes: every type's pages, then files' contents, since that takes longest, then what changed
// meanwhile, and the contents of files that came meanwhile.
func (p *pull) run(ctx context.Context) error {
	failed := p.eachListing(ctx, p.pages)
	if failed != nil && stepFailure(failed) == nil {
		return failed
	}
	if err := p.anyReadable(); failed == nil && err != nil {
		return err
	}
	if err := p.fetchContents(ctx); err != nil || failed != nil {
		return cmp.Or(err, failed)
	}
	if err := p.eachListing(ctx, p.settle); err != nil {
		return err
	}
	return p.fetchContents(ctx)
}

// anyReadable is an error if the key may read none of the types: there is nothing to archive then.
func (p *pull) anyReadable() error {
	for _, l := range p.listings {
		if l.isType() && !p.of[l.name].stopped {
			return nil
		}
	}
	return &Failure{Code: CodeDenied,
		Message: "the key may read none of the record types that were asked for",
		Hint: "check what the key and its user may read, and that this machine's address is allowed for " +
			"the user; then run the same command again"}
}

// eachListing does something with each listing. One that is stopped stops no other, and neither does one that
// fails in a way that may pass: it is tried again after the others. If it has failed for a day, that is the
// system's answer; of what only hangs on the types, at once.
func (p *pull) eachListing(ctx context.Context, do func(context.Context, *progress) error) error {
	var later []*listing
	failed := 0
	for i := 0; i < len(p.listings); i++ { // files may turn into several listings on the way
		l := p.listings[i]
		if p.of[l.name].stopped {
			continue
		}
		err := p.doOne(ctx, l, do)
		if stepFailure(err) != nil {
			if failed++; failed == inARow {
				return err // it is the system that fails
			}
			later = append(later, l)
			continue
		}
		if err != nil {
			return err
		}
		if failed = 0; p.listings[i] != l {
			i--
		}
	}
	for _, l := range later {
		err := p.doOne(ctx, l, do)
		for f := stepFailure(err); f != nil && (p.lasting(f.last.Step) || !l.isType()); f = stepFailure(err) {
			if _, err := p.refuse(f.last.Step, f.last); err != nil {
				return err
			}
			err = p.doOne(ctx, l, do)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *pull) doOne(ctx context.Context, l *listing, do func(context.Context, *progress) error) error {
	g := p.of[l.name]
	err := do(ctx, g)
	if errors.Is(err, errStopped) {
		g.stopped = true
		return nil
	}
	return err
}

func (p *pull) tell() {
	n := 0
	for _, g := range p.of {
		n += len(g.have)
	}
	p.o.Progress(Progress{Part: p.part, Requests: p.requests, Records: int64(n),
		Files:     int64(p.contents.received),
		Remaining: p.left()})
}

func (p *pull) left() int {
	if p.budget.limit == 0 {
		return -1
	}
	return p.budget.remaining
}

// A search is one page of a pass.
type search struct {
	g      *progress
	pass   string // pages, census-1, …: the answers' file is <listing>-<pass>
	step   string // of the journal, below the listing's name
	page   int
	size   int // 0: the largest
	extra  []filter
	blocks []string
}

// search asks for a page. A nil page is a refusal: its receipt says which.
func (p *pull) search(ctx context.Context, s search) (*page, *Receipt, error) {
	p.part = s.g.name + "/" + s.pass
	size := s.size
	if size == 0 {
		size = p.size
	}
	r, err := p.ask(ctx, request{
		step: s.g.name + "/" + s.step, method: http.MethodPost, path: s.g.path + "/search",
		body: searchBody(p.sizeKey, size, s.page, slices.Concat(s.g.filter, s.extra), s.blocks),
		file: strings.ReplaceAll(s.g.name, ".", "-") + "-" + s.pass,
		usable: func(body []byte, r *Receipt) error {
			x, err := parsePage(body)
			if err != nil {
				return err
			}
			r.Page, r.Pages, r.Total = *x.CurrentPage, *x.TotalPages, x.TotalRecords
			if len(s.blocks) > 0 {
				r.Members = membersOf(x.Records, len(s.blocks))
			}
			r.IDs, err = s.g.ids(x.Records)
			return err
		},
	})
	if err != nil || r.Status != http.StatusOK {
		return nil, r, err
	}
	return &page{TotalRecords: r.Total, CurrentPage: &r.Page, TotalPages: &r.Pages}, r, nil
}

// refused turns a lasting refusal of a listing into a finding, and stops it.
func (p *pull) refused(g *progress, r *Receipt, what string) error {
	switch r.Status {
	case http.StatusUnauthorized, http.StatusForbidden:
		if !p.offline {
			p.o.Talk("the key may not read %s; allow it while the pull lasts, and a later run reads it",
				g.name)
		}
		p.find(Denied, Faulty, g.listing, "the key may not read %s: %s was answered with status %d", g.name,
			what, r.Status)
	default:
		p.find(TypeUnavailable, severityOf(g), g.listing,
			"the system does not answer for %s: %s was answered with status %d",
			g.name, what, r.Status)
	}
	return errStopped
}

// severityOf a listing that is not there: the 15 types are promised, what hangs on them is not.
func severityOf(g *progress) Severity {
	if g.isType() {
		return Faulty
	}
	return Info
}

func (p *pull) result() *Result {
	r := &Result{Types: map[string]TypeCount{}, Requests: p.requests,
		Findings: slices.Concat(p.findings, p.contents.findings),
		Started:  p.started,
		Files:    p.contents.received, Refused: p.contents.refused, Bytes: p.contents.bytes,
		Budget: Budget{DayLimit: p.budget.limit, DayRemaining: max(0, p.left()), Reserve: p.budget.kept()}}
	for _, name := range slices.Sorted(maps.Keys(p.of)) {
		g := p.of[name]
		n := r.Types[g.table()]
		_, more := r.Types[g.table()] // files, listed by kind of record
		n.Complete = g.done && (!more || n.Complete)
		n.Promised += g.total
		n.Received += len(g.have)
		n.Missing += g.missing
		n.Vanished += len(g.gone)
		r.Types[g.table()] = n
	}
	if n := len(p.journal.all); n > 0 {
		r.Ended = p.journal.all[n-1].Time
	}
	return r
}
