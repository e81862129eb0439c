package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	"holdall/internal/digest"
	"holdall/internal/unpack"
)

// work is one connection's worth of fetching files.
func (p *filePool) work(ctx context.Context) {
	var buf []byte
	for {
		i, ok := p.take()
		if !ok {
			return
		}
		n, err := p.obtain(ctx, i, &buf)
		p.put(i, n, err)
	}
}

// obtain finds file i among those that are here, or fetches it.
func (p *filePool) obtain(ctx context.Context, i int, buf *[]byte) (record uint32, err error) {
	l, err := p.shelf.get(i)
	if err != nil {
		return 0, err
	}
	key := keyOf(l.link)
	if n, r, ok := p.set.find(key, l); ok {
		p.o.run.mu.Lock()
		p.reused += r.size
		p.bytes += r.size
		p.o.run.mu.Unlock()
		return n, nil
	}
	return p.fetch(ctx, i, l, key, buf)
}

func (p *filePool) fetch(ctx context.Context, i int, l listed, key fileKey, buf *[]byte) (record uint32, err error) {
	r := p.o.run
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	x, err := r.f.get(ctx, p.wantOf(i, l))
	if err != nil {
		return 0, err
	}
	handed := false
	defer func() {
		if !handed {
			x.close(err)
		}
	}()
	deadline, _ := expiry(l.link)
	if err = r.f.judge(x, deadline); err != nil {
		return 0, err
	}
	if x.resp.StatusCode == 416 {
		return p.keep(i, l, key, x, nil)
	}
	if x.bounds.start != 0 {
		return 0, fmt.Errorf("%w: asked from the first byte, the server began at %d", errAnswer, x.bounds.start)
	}
	n := 0
	if x.bounds.total <= largeFile {
		if n, err = p.read(ctx, x, roomFor(buf, x.bounds.total)); err != nil {
			return 0, err
		}
	}
	if n > largeFile || x.bounds.total > int64(n) {
		handed = true
		x.prefix = append([]byte(nil), (*buf)[:n]...)
		return p.large(l, key, x)
	}
	return p.keep(i, l, key, x, (*buf)[:n])
}

// roomFor returns a buffer for a small file of n bytes, or for any small file and one byte more where that is not known.
func roomFor(buf *[]byte, n int64) []byte {
	if n < 0 {
		n = largeFile + 1
	}
	if int64(len(*buf)) < n {
		*buf = make([]byte, (n+8191)/8192*8192)
	}
	return (*buf)[:n]
}

// historyOf returns the tries at file i. With the run's mutex held.
func (p *filePool) historyOf(i int) *tries {
	if p.tries[i] == nil {
		p.tries[i] = new(tries)
	}
	return p.tries[i]
}

// wantOf is what to ask for to have file i.
func (p *filePool) wantOf(i int, l listed) want {
	p.o.run.mu.Lock()
	defer p.o.run.mu.Unlock()
	q := want{object: p.o.Source.Number, part: p.o.Source.Part, link: l.link, to: -1}
	if t := p.tries[i]; t != nil {
		q.whole, q.retries = t.whole, t.wait.Tries()
	}
	return q
}

// read reads a small body whole, and of a large one enough to see that it is.
func (p *filePool) read(ctx context.Context, x *exchange, buf []byte) (int, error) {
	r := p.o.run
	want := int64(len(buf))
	if x.bounds.end >= 0 {
		want = min(want, x.bounds.end)
	}
	total := 0
	for int64(total) < want {
		n, err := x.Read(buf[total : total+r.f.limit.most(int(want)-total)])
		total += n
		if werr := r.f.limit.wait(ctx, n); werr != nil {
			return total, werr
		}
		if err == io.EOF && (x.bounds.end < 0 || int64(total) == want) {
			break
		}
		if err != nil {
			return total, cutShort(err)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fetched += int64(total)
	return total, nil
}

// errWebPage means that a web page came where a file should be, and nothing else has come yet.
var errWebPage = errors.New("a web page came instead of a file")

// keep checks a small file and puts it with the others.
func (p *filePool) keep(i int, l listed, key fileKey, x *exchange, body []byte) (uint32, error) {
	if p.isPage(l, body) {
		return 0, errWebPage
	}
	for _, c := range x.identity.claims() {
		h := newHash(c.digest)
		h.Write(body)
		if string(h.Sum(nil)) == string(c.sum) {
			break
		}
		if c.firm {
			return 0, fmt.Errorf("%w: the bytes do not match the checksum that the server gives (%s)", errAnswer, c.rung)
		}
	}
	rec := fileRecord{key: key, told: l.told(), sum: digest.Of(body), modified: modifiedOf(x, l)}
	x.receipt.SHA256 = rec.sum
	n, err := p.set.put(rec, body)
	if err != nil {
		return 0, err
	}
	p.o.run.disk.wrote(int64(len(body)))
	p.o.run.mu.Lock()
	defer p.o.run.mu.Unlock()
	p.good++
	p.bytes += int64(len(body))
	return n, nil
}

func modifiedOf(x *exchange, l listed) time.Time {
	if t := anyTime(x.identity.LastModified); !t.IsZero() {
		return t
	}
	return l.modified
}

// isPage reports whether body is a web page that stands for a refusal: one under the name of something else, before
// anything else has come. Later such pages are kept as received.
func (p *filePool) isPage(l listed, body []byte) bool {
	ext := strings.ToLower(path.Ext(l.name))
	if ext == ".html" || ext == ".htm" || ext == ".xhtml" || unpack.Detect(body[:min(len(body), 4096)]) != unpack.KindHTML {
		return false
	}
	p.o.run.mu.Lock()
	defer p.o.run.mu.Unlock()
	return p.good == 0
}

// large fetches a file in pieces, as an object beside the listing. x is its first response.
func (p *filePool) large(l listed, key fileKey, x *exchange) (uint32, error) {
	r := p.o.run
	src := &Source{
		Number: p.o.Source.Number, Part: p.o.Source.Part, Link: l.link, Name: l.name, Kind: unpack.KindUnknown, Identity: x.identity,
		Ranges: x.resp.StatusCode == 206, Fingerprint: l.link.fingerprint(),
	}
	src.Expiry, src.ExpiryFrom = expiry(l.link)
	sub, err := r.beside(src, p.set.ownName(key), x)
	if err != nil {
		return 0, err
	}
	v, err := sub.Wait(r.ctx)
	r.dismiss(sub)
	if err != nil {
		return 0, err
	}
	r.mu.Lock()
	p.good++
	p.bytes += v.Size
	p.reused += sub.reused
	r.mu.Unlock()
	return p.set.append(fileRecord{key: key, told: l.told(), size: v.Size, sum: v.SHA256, modified: modifiedOf(x, l)})
}
