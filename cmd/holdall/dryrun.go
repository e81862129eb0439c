package main

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	"holdall/fetch"
	"holdall/fetch/link"
	"holdall/internal/redact"
	"holdall/internal/takeover"
	"holdall/internal/term"
)

// plannedLink is a link of a plan as --dry-run --json prints it.
type plannedLink struct {
	Number       int          `json:"number"`
	Part         link.Part    `json:"part"`
	Label        string       `json:"label"`
	Link         string       `json:"link"` // redacted
	Name         string       `json:"name"`
	Kind         string       `json:"kind"`
	Size         int64        `json:"size"` // -1 when unknown
	Ranges       bool         `json:"ranges"`
	ETag         string       `json:"etag,omitempty"`
	LastModified string       `json:"last_modified,omitempty"`
	Expiry       time.Time    `json:"expiry,omitzero"`
	ExpiryFrom   string       `json:"expiry_from,omitempty"`
	Repair       string       `json:"repair,omitempty"`
	Error        *errorReport `json:"error,omitempty"`
}

type plannedTakeover struct {
	Links      []plannedLink `json:"links"`
	Missing    []link.Part   `json:"missing"`
	Bytes      int64         `json:"bytes"`                   // known sizes
	DiskNeeded int64         `json:"disk_needed"`             // for spool, archive and database together
	Unknown    int           `json:"unknown_sizes,omitempty"` // links that Bytes and DiskNeeded leave out

	Error *errorReport `json:"error,omitempty"` // when there is not room for it

	// what is still to be written, by file system
	Disk    []takeover.DiskNeed `json:"disk"`
	Pace    int64               `json:"bytes_per_second,omitempty"` // measured over one connection a link
	Seconds int64               `json:"seconds,omitempty"`          // that Bytes take at that pace
}

func planJSON(p *takeover.Forecast) plannedTakeover {
	out := plannedTakeover{Links: []plannedLink{}, Missing: append([]link.Part{}, p.Missing...)}
	for _, s := range p.Sources {
		l := plannedLink{
			Number: s.Number, Part: s.Part, Label: s.Label, Link: fmt.Sprint(s.Link), Name: s.Name,
			Kind: kind(s),
			Size: s.Identity.Size, Ranges: s.Ranges, ETag: s.Identity.ETag,
			LastModified: s.Identity.LastModified,
			Expiry:       s.Expiry, ExpiryFrom: s.ExpiryFrom, Repair: s.Repair,
		}
		if s.Err != nil {
			f := describeError(s.Err)
			f.Message = redact.Error(s.Err).Error() // the row says which link it is
			l.Error = &f
		}
		if s.Identity.Size > 0 {
			out.Bytes += s.Identity.Size
		}
		out.Links = append(out.Links, l)
	}
	out.Disk, out.Unknown = p.Disk, p.Unknown
	for _, d := range p.Disk {
		out.DiskNeeded += d.Needed
	}
	if p.Pace > 0 {
		out.Pace, out.Seconds = int64(p.Pace), int64(math.Ceil(float64(out.Bytes)/p.Pace))
	}
	return out
}

func kind(s *fetch.Source) string {
	if s.Listing {
		return "listing of files (" + string(s.Kind) + ")"
	}
	return string(s.Kind)
}

// validators says by what a change of the object would show.
func (l plannedLink) validators() string {
	var has []string
	switch {
	case strings.HasPrefix(l.ETag, "W/"):
		has = append(has, "weak ETag")
	case l.ETag != "":
		has = append(has, "ETag")
	}
	if l.LastModified != "" {
		has = append(has, "date")
	}
	if len(has) == 0 {
		return "none"
	}
	return strings.Join(has, ", ")
}

func printPlan(e *env, p *takeover.Forecast) error {
	plan := planJSON(p)
	var rows [][]string
	for _, l := range plan.Links {
		size, ranges, expiry, problem := "unknown", "no", "unknown", ""
		if l.Size >= 0 {
			size = term.Bytes(l.Size)
		}
		if l.Ranges {
			ranges = "yes"
		}
		if !l.Expiry.IsZero() {
			expiry = l.Expiry.UTC().Format("2006-01-02 15:04 MST") + " (" + l.ExpiryFrom + ")"
		}
		if l.Error != nil {
			problem = l.Error.Message
		}
		rows = append(
			rows, []string{string(l.Part), l.Kind, size, ranges, l.validators(), expiry, l.Link, problem},
		)
	}
	if err := e.table(
		[]string{"part", "kind", "size", "ranges", "validators", "expires", "link", "problem"}, []int{2},
		rows,
	); err != nil {
		return err
	}
	e.talk("%s to receive", term.Bytes(plan.Bytes))
	if plan.Unknown > 0 {
		e.talk(
			"the size of %s is not known: neither is the disk that it needs",
			count(plan.Unknown, "link", "links"),
		)
	}
	for _, d := range plan.Disk {
		free := "an unknown space"
		if d.Free >= 0 {
			free = term.Bytes(d.Free)
		}
		e.talk(
			"%s still to be written for the %s in %s, where %s is free", term.Bytes(d.Needed),
			strings.Join(d.For, " and the "), d.Path, free,
		)
	}
	if plan.Pace > 0 {
		e.talk("at the pace just measured (%s/s, one connection a link) that takes %s; a takeover uses "+
			"more connections while they help",
			term.Bytes(plan.Pace), time.Duration(plan.Seconds)*time.Second)
	}
	return nil
}

func dryRun(ctx context.Context, e *env, m takeover.MasterCSV, o takeover.Options) error {
	show := newProgress(e)
	o.Progress = show.update
	plan, err := takeover.Plan(ctx, m, o)
	show.end()
	if err != nil {
		return err
	}
	for _, note := range plan.Notes {
		e.talk("%s", note)
	}
	full := takeover.CheckDisk(plan.Disk)
	if e.json {
		out := planJSON(plan)
		if full != nil {
			f := describeError(full)
			out.Error, full = &f, &printedInJSON{full}
		}
		err = e.printJSON(out)
	} else {
		err = printPlan(e, plan)
	}
	if err != nil {
		return err
	}
	for _, s := range plan.Sources {
		if s.Err != nil {
			return &printedInJSON{s.Err}
		}
	}
	return full
}
