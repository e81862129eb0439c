package fetch

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"time"

	"holdall/fetch/failure"
	"holdall/fetch/link"
	"holdall/fetch/listing"
	"holdall/internal/digest"
	"holdall/internal/filetype"
)

// work is one connection's worth of fetching files.
func (p *filePool) work(ctx context.Context) {
	var buf []byte
	for {
		i, ok := p.nextFile()
		if !ok {
			return
		}
		n, err := p.obtain(ctx, i, &buf)
		p.finish(i, n, err)
	}
}

// obtain finds file i among those that have been received, or fetches it.
func (p *filePool) obtain(ctx context.Context, i int, buf *[]byte) (record uint32, err error) {
	l, err := p.entries.get(i)
	if err != nil {
		return 0, err
	}
	key := keyOf(l.Link)
	known, ok := p.files.match(key, l)
	if ok && known.record.mark != markOf(l.Link) && p.crowded(key) {
		ok = false // the place does not tell which of its files this one is
	}
	if ok && known.certain {
		p.reuse(known.record)
		return known.number, nil
	}
	if !ok {
		known.record.tag = 0
	}
	return p.fetch(ctx, i, l, key, known, buf)
}

// reuse counts a file that an earlier run fetched.
func (p *filePool) reuse(r fileRecord) {
	p.o.run.mu.Lock()
	defer p.o.run.mu.Unlock()
	p.results.reused += r.size
	p.results.bytes += r.size
}

// fetch asks for file i. One that proves to be known is not read.
func (p *filePool) fetch(
	ctx context.Context, i int, l listing.Entry, key fileKey, known fileMatch, buf *[]byte,
) (record uint32, err error) {
	r := p.o.run
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	x := r.f.takeSample(p.o.Source, l)
	if x == nil {
		if x, err = r.f.get(ctx, p.requestOf(i, l)); err != nil {
			return 0, err
		}
	}
	handed := false
	defer func() {
		if !handed {
			x.close(err)
		}
	}()
	deadline, _ := link.Expiry(l.Link)
	if err = r.f.checkResponse(x, deadline); err != nil {
		return 0, err
	}
	tag := tagOf(x.identity.strong())
	if tag != 0 && tag == known.record.tag && x.bounds.total == known.record.size {
		if x.bounds.total <= filetype.HeadLen {
			_, _ = io.CopyN(io.Discard, x, x.bounds.total) // or the connection is lost
		}
		p.reuse(known.record)
		again := known.record
		again.mark = markOf(l.Link) // the link may work once: it is not asked again whose file this is
		return p.files.append(again)
	}
	rec := fileRecord{
		key: key, mark: markOf(l.Link), listed: l.Summary(), tag: tag, modified: modifiedOf(x, l),
	}
	if x.resp.StatusCode == http.StatusRequestedRangeNotSatisfiable {
		return p.store(i, l, rec, x, nil)
	}
	if x.bounds.start != 0 {
		return 0, unusable("asked from the first byte, the server began at %d", x.bounds.start)
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
		return p.fetchLarge(i, l, rec, x)
	}
	return p.store(i, l, rec, x, (*buf)[:n])
}

// roomFor returns a buffer for a small file of n bytes, or for any small file and one byte more where that is
// not known.
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
	if p.queue.tries[i] == nil {
		p.queue.tries[i] = new(tries)
	}
	return p.queue.tries[i]
}

// requestOf is what to ask for to have file i.
func (p *filePool) requestOf(i int, l listing.Entry) request {
	p.o.run.mu.Lock()
	defer p.o.run.mu.Unlock()
	q := request{object: p.o.Source.Number, part: p.o.Source.Part, link: l.Link, to: -1}
	if t := p.queue.tries[i]; t != nil {
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

// store checks a small file and puts it with the others.
func (p *filePool) store(i int, l listing.Entry, rec fileRecord, x *exchange, body []byte) (uint32, error) {
	plain, err := decodeBody(x.identity.Encoding, body)
	if err != nil {
		return 0, unusable("it came compressed (%s) and cannot be read: %w", x.identity.Encoding, err)
	}
	rec.sum = digest.Of(body)
	d := p.doubtful(l, rec, x, body, plain)
	confirmed := d == nil || p.confirmed(i, d)
	body, rec.sum = plain, digest.Of(plain)
	if !confirmed {
		p.keepOnly(i, onlyAnswer{record: rec, name: servedNameOf(l, x), body: body}, d)
		return 0, d
	}
	x.receipt.SHA256 = rec.sum
	n, err := p.files.put(rec, body)
	if err != nil {
		return 0, err
	}
	p.o.run.disk.wrote(int64(len(body)))
	if err := p.nameServed(l, rec, x); err != nil {
		return 0, err
	}
	p.o.run.mu.Lock()
	defer p.o.run.mu.Unlock()
	p.results.fetched++
	p.results.bytes += int64(len(body))
	return n, nil
}

// nameServed remembers the name that came with a file that the listing does not name.
func (p *filePool) nameServed(l listing.Entry, rec fileRecord, x *exchange) error {
	name := servedNameOf(l, x)
	if name == "" {
		return nil
	}
	if err := p.files.served.put(rec, name, ""); err != nil {
		return failure.Disk(err, "store the name of a fetched file")
	}
	return nil
}

// servedNameOf returns the name that came with a file, unless the listing gives one, or nothing.
func servedNameOf(l listing.Entry, x *exchange) string {
	name := dispositionName(x.resp.Header)
	if l.Name != "" || link.TokenLike(name) {
		return ""
	}
	return name
}

func modifiedOf(x *exchange, l listing.Entry) time.Time {
	if t := listing.ParseTime(x.identity.LastModified); !t.IsZero() {
		return t
	}
	return l.Modified
}

// fetchLarge fetches a file in pieces, as an object alongside the listing. x is its first response.
func (p *filePool) fetchLarge(i int, l listing.Entry, rec fileRecord, x *exchange) (uint32, error) {
	r := p.o.run
	if x.identity.Encoding != "" && len(x.prefix) == 0 {
		x.peek(filetype.HeadLen)
	}
	src := &Source{
		Number: p.o.Source.Number, Part: p.o.Source.Part, Link: l.Link, Name: l.Label(),
		Kind: filetype.Unknown, Identity: x.identity,
		Ranges: x.resp.StatusCode == http.StatusPartialContent, Fingerprint: l.Link.Fingerprint(),
		encodings: layers(x.identity.Encoding, x.prefix), headLen: int64(len(x.prefix)),
	}
	src.Expiry, src.ExpiryFrom = link.Expiry(l.Link)
	rec.offset = p.claimNumber(i, rec, x.identity)
	sub, err := r.fetchLargeFile(src, p.files.ownName(rec.offset), x)
	if err != nil {
		return 0, err
	}
	p.busyWith(1)
	v, err := sub.Wait(r.ctx)
	p.busyWith(-1)
	r.releaseLargeFile(sub)
	if err != nil {
		return 0, err
	}
	rec.size, rec.sum = v.Size, v.SHA256
	if err := p.nameServed(l, rec, x); err != nil {
		return 0, err
	}
	r.mu.Lock()
	p.results.fetched++
	p.results.bytes += v.Size
	p.results.reused += sub.spans.reused
	r.mu.Unlock()
	return p.files.append(rec)
}

// busyWith counts large files that are being fetched: bytes of theirs are progress, too.
func (p *filePool) busyWith(n int) {
	p.o.run.mu.Lock()
	defer p.o.run.mu.Unlock()
	p.conns.large += n
	p.conns.lastBytes = time.Now()
}

// claimNumber returns the number of the object in the spool for a large file: the same in every run for the
// same content at the same place, so that it is resumed, and another for each file of this run.
func (p *filePool) claimNumber(i int, rec fileRecord, id Identity) int64 {
	h := sha256.New()
	fmt.Fprintf(h, "%x %x", rec.key, id.mark())
	if !id.versioned() {
		fmt.Fprintf(h, " %x", rec.mark)
	}
	number := binary.LittleEndian.Uint64(h.Sum(nil)) >> 1
	r := p.o.run
	r.mu.Lock()
	defer r.mu.Unlock()
	claimed := p.results.claimed
	for owner, taken := claimed[number]; taken && owner != i; owner, taken = claimed[number] {
		number++
	}
	p.results.claimed[number] = i
	return int64(number)
}
