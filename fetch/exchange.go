package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"holdall/fetch/link"
	"holdall/internal/digest"
	"holdall/internal/redact"
)

// A Receipt records one HTTP exchange. It is written to the archive, so it holds no secret.
type Receipt struct {
	Object       int        `json:"object"` // Source.Number; 0 for the master CSV
	Part         link.Part  `json:"part,omitempty"`
	URL          string     `json:"url"` // redacted
	Range        string     `json:"range,omitempty"`
	Status       int        `json:"status"`
	ETag         string     `json:"etag,omitempty"`
	LastModified string     `json:"last_modified,omitempty"`
	Date         string     `json:"date,omitempty"`
	Length       int64      `json:"length"` // body bytes taken
	SHA256       digest.Sum `json:"sha256"` // of those bytes, where they are a whole object
	Start        time.Time  `json:"start"`
	End          time.Time  `json:"end"`
	Retries      int        `json:"retries"`
	Error        string     `json:"error,omitempty"` // redacted
}

// An exchange is one request and its response. Its body has not been read beyond prefix. close must be
// called; once more does nothing.
type exchange struct {
	f        *Fetcher
	resp     *http.Response
	bounds   bounds   // of status 200 and 206
	identity Identity // likewise
	prefix   []byte   // body bytes read ahead, not yet handed out
	cancel   context.CancelFunc
	closing  sync.Once
	receipt  Receipt
	final    link.Link // where redirects led; zero when there were none
	broken   bool      // the body broke off where peek looked
	ended    bool      // it ended there
}

// A request is what a request asks for.
type request struct {
	object  int
	part    link.Part
	link    link.Link // where to ask, which may be where an earlier redirect led
	from    int64
	to      int64 // exclusive; -1 up to the end
	whole   bool  // from its first byte, without Range
	retries int
}

// rangeHeader is empty where the whole is wanted without Range.
func (w request) rangeHeader() string {
	if w.whole {
		return ""
	}
	if w.to < 0 {
		return fmt.Sprintf("bytes=%d-", w.from)
	}
	return fmt.Sprintf("bytes=%d-%d", w.from, w.to-1)
}

// get sends one GET and waits for the response's headers. Every status is a success here. The body lives
// until close, or until ctx ends.
func (f *Fetcher) get(ctx context.Context, w request) (*exchange, error) {
	ctx, cancel := context.WithCancel(ctx)
	x := &exchange{f: f, cancel: cancel, receipt: Receipt{
		Object: w.object, Part: w.part, URL: w.link.String(), Range: w.rangeHeader(), Start: f.now(),
		Retries: w.retries,
	}}
	resp, err := f.send(ctx, w, x.receipt.Range)
	if err == nil && w.from == 0 && noBytesAtAll(resp) {
		resp.Body.Close()
		refused := x.receipt
		refused.Status, refused.End = resp.StatusCode, f.now()
		f.handReceipt(refused)
		x.receipt.Range, x.receipt.Start = "", f.now()
		resp, err = f.send(ctx, w, "")
	}
	if err != nil {
		cancel()
		x.finish(err)
		return nil, err
	}
	x.resp = resp
	x.receipt.Status = resp.StatusCode
	x.receipt.ETag = resp.Header.Get("ETag")
	x.receipt.LastModified = resp.Header.Get("Last-Modified")
	x.receipt.Date = resp.Header.Get("Date")
	if u := resp.Request.URL.String(); u != w.link.Secret() {
		if x.final, err = link.New(u); err == nil {
			x.receipt.URL = x.final.String()
		}
	}
	f.clock.learn(resp.Header, f.now())
	return x, nil
}

// noBytesAtAll reports a 416 that does not tell the object's size. S3 and its kin answer so when an empty
// object is asked for its first byte; asked for the whole, they send it.
func noBytesAtAll(resp *http.Response) bool {
	return resp.StatusCode == http.StatusRequestedRangeNotSatisfiable &&
		resp.Header.Get("Content-Range") == ""
}

// send asks for a range, or for the whole where that is empty.
func (f *Fetcher) send(ctx context.Context, w request, ranged string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.link.Secret(), nil)
	if err != nil {
		return nil, errors.New("the link is not a valid URL")
	}
	if err := f.policy(req); err != nil {
		return nil, err
	}
	ctx, trace := traceURLs(ctx, req.URL)
	req = req.WithContext(ctx)
	req.Header.Set("Accept-Encoding", "identity")
	req.Header.Set("Accept", "*/*")
	req.Header.Set("User-Agent", f.opts.userAgent())
	if ranged != "" {
		req.Header.Set("Range", ranged)
	}
	resp, err := f.client.Do(req)
	if err != nil {
		return nil, trace.scrub(err)
	}
	trace.scrubHeader(resp.Header)
	return resp, nil
}

func (o Options) userAgent() string {
	if o.UserAgent != "" {
		return o.UserAgent
	}
	return "holdall"
}

// Read yields the body, as far as the bounds say.
func (x *exchange) Read(p []byte) (int, error) {
	if len(x.prefix) > 0 {
		n := copy(p, x.prefix)
		x.prefix = x.prefix[n:]
		return n, nil
	}
	n, err := x.resp.Body.Read(p)
	x.receipt.Length += int64(n)
	return n, err
}

// peek reads ahead so that up to n bytes of the body can be looked at before they are read. Fewer mean that
// the body ended or broke off there; a break shows again when it is read.
func (x *exchange) peek(n int) []byte {
	buf := make([]byte, n)
	got, err := 0, error(nil)
	for got < n && err == nil {
		var more int
		more, err = x.resp.Body.Read(buf[got:])
		got += more
	}
	x.receipt.Length += int64(got)
	x.prefix = buf[:got]
	x.broken, x.ended = err != nil && err != io.EOF, err == io.EOF
	if x.broken && !errors.Is(err, io.ErrUnexpectedEOF) {
		x.receipt.Error = redact.Text(err.Error())
	}
	return x.prefix
}

// close ends the exchange and hands in its receipt. A connection whose body was read to its end is used
// again.
func (x *exchange) close(err error) {
	if x == nil {
		return
	}
	x.closing.Do(func() {
		x.f.gate.unpark(x)
		x.resp.Body.Close()
		x.cancel()
		x.finish(err)
	})
}

func (x *exchange) finish(err error) {
	x.receipt.End = x.f.now()
	if err != nil && x.receipt.Error == "" {
		x.receipt.Error = strings.TrimSpace(redact.Text(err.Error()))
	}
	x.f.handReceipt(x.receipt)
}
