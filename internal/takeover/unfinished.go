package takeover

import (
	"context"
	"errors"
	"os"
	"slices"
	"time"

	"holdall/eploy"
	"holdall/fetch"
	"holdall/fetch/failure"
	"holdall/internal/redact"
)

// A PromisedLink is a link of a takeover that is not finished, without its secrets, and what of it has been
// received.
type PromisedLink struct {
	Number   int       `json:"number"`
	Part     string    `json:"part"`
	Label    string    `json:"label,omitempty"`
	URL      string    `json:"url"` // redacted
	Name     string    `json:"name,omitempty"`
	Size     int64     `json:"size"` // -1 when not known
	Expiry   time.Time `json:"expiry,omitzero"`
	Error    string    `json:"error,omitempty"` // when it was asked last
	Marks    []string  `json:"links,omitempty"` // hashes, by which the spool knows it
	Received int64     `json:"received"`        // bytes received
	Files    int       `json:"files,omitempty"` // of a listing, received
	Complete bool      `json:"complete"`
}

// A Stop is why a process that worked on a takeover ended.
type Stop struct {
	Time    time.Time    `json:"time"`
	Code    failure.Code `json:"code"`
	Message string       `json:"message"`
}

// An Unfinished is a takeover that is not archived yet.
type Unfinished struct {
	Spool    string         `json:"spool"`                // where the received bytes wait
	Lost     bool           `json:"spool_lost,omitempty"` // that directory is not there now
	Received int64          `json:"received"`             // bytes received
	Promised int64          `json:"promised"`             // bytes; -1 when a size is not known
	Links    []PromisedLink `json:"links"`
	Stopped  *Stop          `json:"stopped,omitempty"` // nothing: it is at work, or was killed
	Sealed   bool           `json:"sealed,omitempty"`  // all has been received, only the commit is left
	Pull     *eploy.Kept    `json:"pull,omitempty"`    // of a pull through an API
}

// promised is what a run records of its plan.
func promised(p *fetch.Plan) []PromisedLink {
	var links []PromisedLink
	for _, s := range p.Sources {
		l := PromisedLink{
			Number: s.Number, Part: string(s.Part), Label: s.Label, URL: s.Link.String(), Name: s.Name,
			Size:   s.Identity.Size,
			Expiry: s.Expiry, Marks: s.Marks(),
		}
		if s.Err != nil {
			l.Error = s.Err.Error()
		}
		if s.Listing {
			l.Size = -1
		}
		links = append(links, l)
	}
	return links
}

// promisedAny reports whether the run began with one of the plan's very links.
func (r *run) promisedAny(p *fetch.Plan) bool {
	return slices.ContainsFunc(p.Sources, func(s *fetch.Source) bool {
		return slices.ContainsFunc(r.state.Promised, func(l PromisedLink) bool {
			return slices.ContainsFunc(s.Marks(), func(m string) bool { return slices.Contains(l.Marks, m) })
		})
	})
}

// keptBytes returns the bytes that wait in the run's spool, whichever process received them.
func (r *run) keptBytes() int64 {
	objects, err := fetch.SpoolObjects(r.spool())
	if err != nil {
		return 0
	}
	var n int64
	for _, o := range objects {
		n += o.Received
	}
	return n
}

// unfinished describes the run as it is on the disk.
func (r *run) unfinished() *Unfinished {
	u := &Unfinished{
		Spool: r.spool(), Links: []PromisedLink{}, Stopped: r.state.Stopped, Sealed: r.state.Sealed != nil,
	}
	if k, err := eploy.KeptIn(r.path("pull")); err == nil {
		u.Spool, u.Received, u.Promised, u.Pull = r.path("pull"), k.Bytes, -1, &k
		return u
	}
	_, err := os.Stat(r.spool())
	u.Lost = err != nil && r.state.Spool != ""
	objects, _ := fetch.SpoolObjects(r.spool()) // a damaged list holds nothing worth reporting
	used := map[int]bool{}
	for _, l := range r.state.Promised {
		for i, o := range objects {
			if used[i] || !slices.ContainsFunc(
				l.Marks, func(m string) bool { return slices.Contains(o.Links, m) },
			) {
				continue
			}
			used[i] = true
			l.Received, l.Files, l.Complete = l.Received+o.Received, l.Files+o.Files, o.Complete
			if o.Size > l.Size {
				l.Size = o.Size
			}
			break
		}
		if u.Promised >= 0 && l.Size >= 0 {
			u.Promised += l.Size
		} else {
			u.Promised = -1
		}
		l.Marks = nil
		u.Links = append(u.Links, l)
	}
	for _, o := range objects {
		u.Received += o.Received
	}
	return u
}

// stopped records why this process ends. A killed one records nothing.
func (r *run) stopped(err error, at time.Time) error {
	s := &Stop{
		Time: at.UTC().Truncate(time.Second), Code: failure.Internal, Message: redact.Text(err.Error()),
	}
	var fe *failure.Error
	switch {
	case errors.As(err, &fe):
		s.Code = fe.Code
	case errors.Is(err, context.Canceled):
		s.Code, s.Message = failure.Interrupted, "the user stopped it"
	}
	r.state.Stopped = s
	return r.save()
}
