package fetch

import (
	"slices"

	"holdall/fetch/failure"
)

// A link that works once has given all it had with its first answer. What came then, and only would have had
// to come a second time to be believed, is kept for when the link is refused after that.

// maxOnlyBytes bounds the memory for such bodies, over all files of a listing.
const maxOnlyBytes = 64 << 20

// An onlyAnswer is a file that has come once, and is in doubt.
type onlyAnswer struct {
	record fileRecord
	name   string // that came with it
	body   []byte
	why    string // why it is in doubt
}

// keepOnly keeps what came for file i; d says why it is doubted.
func (p *filePool) keepOnly(i int, a onlyAnswer, d *doubt) {
	if d.page || len(a.body) == 0 || d.corrupt {
		return
	}
	p.o.run.mu.Lock()
	defer p.o.run.mu.Unlock()
	if p.doubts.onlyBytes+len(a.body) > maxOnlyBytes {
		return
	}
	p.dropOnly(i)
	a.body, a.why = slices.Clone(a.body), d.why
	p.doubts.only[i] = a
	p.doubts.onlyBytes += len(a.body)
}

// dropOnly forgets the answer kept for file i. With the run's mutex held.
func (p *filePool) dropOnly(i int) {
	p.doubts.onlyBytes -= len(p.doubts.only[i].body)
	delete(p.doubts.only, i)
}

// acceptOnly takes what came for file i the one time that its link worked, if e says that it does not any
// more. With the run's mutex held.
func (p *filePool) acceptOnly(i int, e *failure.Error) (accepted bool, err error) {
	a, ok := p.doubts.only[i]
	if !ok || e.Code != failure.LinkGone && e.Code != failure.LinkDenied {
		return false, nil
	}
	n, err := p.files.put(a.record, a.body)
	if err != nil {
		return false, err
	}
	p.o.run.disk.wrote(int64(len(a.body)))
	odd := a.why + ", and its link worked only once"
	if err := p.files.served.put(a.record, a.name, odd); err != nil {
		return false, failure.Disk(err, "store what is odd about a fetched file")
	}
	p.results.fetched++
	p.results.bytes += int64(len(a.body))
	p.resolve(i, n, nil)
	return true, nil
}
