package eploy

import (
	"context"
	"errors"
	"math"
	"net/http"
	"os"
)

// A Forecast is what a pull would cost.
type Forecast struct {
	Types    map[string]TypeForecast `json:"types"`
	Files    int                     `json:"files"`
	Requests int                     `json:"requests"`
	Days     int                     `json:"days"`

	RecordDays int      `json:"record_days"` // for records alone
	FileDays   int      `json:"file_days"`   // for the contents of files alone
	Budget     Budget   `json:"budget"`
	Denied     []string `json:"denied"`     // types that the key may not read
	Unanswered []string `json:"unanswered"` // types that the system does not answer for now
}

// A TypeForecast is one type's part.
type TypeForecast struct {
	Records  int     `json:"records"`
	Pages    int     `json:"pages"`
	Requests int     `json:"requests"` // contents of files are not among them
	Days     float64 `json:"days"`     // that these requests take
}

// Plan asks for one token, and with one search a type for how many records there are. It keeps nothing.
func Plan(ctx context.Context, o Options) (_ *Forecast, err error) {
	if err := o.fill(); err != nil {
		return nil, err
	}
	if o.Dir, err = os.MkdirTemp("", "holdall-plan-"); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(o.Dir)) }()
	h, err := begin(o)
	if err != nil {
		return nil, err
	}
	j, err := openJournal(o.Dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, j.close()) }()
	p, err := newPull(o, h, j)
	if err != nil {
		return nil, err
	}
	return p.forecast(ctx)
}

func (p *pull) forecast(ctx context.Context) (*Forecast, error) {
	f := &Forecast{Types: map[string]TypeForecast{}, Denied: []string{}, Unanswered: []string{}}
	err := p.eachListing(ctx, func(ctx context.Context, g *progress) error {
		if g.isList() {
			f.Requests++
			return nil
		}
		_, r, err := p.search(ctx, search{g: g, pass: "ids", step: "ids", page: 1})
		if stepFailure(err) != nil {
			if f.Unanswered = append(f.Unanswered, g.name); len(f.Unanswered) < inARow {
				return nil
			}
		}
		if err != nil {
			return err
		}
		if r.Status == http.StatusBadRequest && g.name == "files" && g.filter == nil {
			p.bindFiles(g)
			return nil
		}
		if r.Status != http.StatusOK {
			f.Denied = append(f.Denied, g.name)
			return nil
		}
		if n := pageSize(r); n > 0 && n < p.size {
			p.size = n
		}
		t := f.Types[g.table()]
		pages := (*r.Total + p.size - 1) / p.size
		t.Records += *r.Total
		t.Pages += pages
		t.Requests += cost(g, pages)
		f.Types[g.table()] = t
		f.Requests += cost(g, pages)
		if g.table() == "files" {
			f.Files += *r.Total
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	p.spread(f)
	return f, nil
}

// cost is how many requests the records of a listing take: its first page of IDs, one record, the parts, the
// pages; then the census, the changes and the total. What has no date of change is listed twice.
func cost(g *progress, pages int) int {
	if pages == 0 {
		return 3
	}
	n := 3 + 2*pages + 2
	if g.fixed {
		n += pages - 2
	}
	return n
}

// spread divides the requests into days.
func (p *pull) spread(f *Forecast) {
	b := &p.budget
	a := max(1, b.limit-b.kept())
	for name, t := range f.Types {
		t.Days = math.Ceil(100*float64(t.Requests)/float64(a)) / 100
		f.Types[name] = t
	}
	f.RecordDays = (f.Requests + a - 1) / a
	f.FileDays = (f.Files + a - 1) / a
	f.Requests += f.Files
	f.Days = (f.Requests + a - 1) / a
	f.Budget = Budget{DayLimit: b.limit, DayRemaining: max(0, p.left()), Reserve: b.kept()}
}
