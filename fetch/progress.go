package fetch

import (
	"time"

	"holdall/fetch/link"
)

// Progress is a snapshot of a Run.
type Progress struct {
	Done, Total int64 // bytes received, and in all; Total is -1 while a size is unknown
	Reused      int64 // of Done, bytes that had been received before this run
	Fetched     int64 // bytes taken from the network, retries included
	Files       int   // files of listings done
	TotalFiles  int
	Connections int
	Retries     int
	Waiting     []Wait // the links that do not make progress, and why
	ByPart      map[link.Part]PartProgress
}

// PartProgress is the progress of one part.
type PartProgress struct {
	Done, Total int64
	Files       int
}

// Progress may be called at any time.
func (r *Run) Progress() Progress {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := Progress{
		Fetched: r.fetched, Retries: r.retries, ByPart: map[link.Part]PartProgress{},
		Waiting: r.waiting(time.Now()),
	}
	for _, o := range r.all() {
		part := p.ByPart[o.Source.Part]
		received, size, reused := o.spans.received, o.size, o.spans.reused
		if fp := o.files; fp != nil {
			received, size, reused = fp.progress()
			part.Files += fp.results.done
			p.Files += fp.results.done
			p.TotalFiles += len(fp.results.records)
			p.Connections += fp.conns.busy
		}
		part.Done += received
		part.Total = addSize(part.Total, size)
		p.ByPart[o.Source.Part] = part
		p.Done += received
		p.Total = addSize(p.Total, size)
		p.Reused += reused
		p.Connections += len(o.spans.active)
	}
	return p
}

// addSize adds sizes of which one may be unknown.
func addSize(a, b int64) int64 {
	if a < 0 || b < 0 {
		return -1
	}
	return a + b
}
