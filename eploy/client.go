package eploy

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"holdall/internal/atomicfile"
)

const (
	// maxTries is how often a step is tried before the pull gives up for now.
	maxTries = 5
	// stall is how long an answer may take, and how long it may bring nothing.
	stall = 2 * time.Minute
	// maxAnswer bounds an answer that is held in memory: a page of 1,000 records is a few MB.
	maxAnswer = 256 << 20
)

// A request is one step's.
type request struct {
	step   string
	method string
	path   string // below the API's URL
	body   []byte
	file   string // of answers that this one goes to; empty: the body is a file's content
	id     string // of that file
	name   string // of that file, as its record has it
	tries  int    // 0: maxTries
	gentle bool   // when all tries are used up, that is the answer: what stays refused is no reason to stop
	// usable says whether an answer with status 200 is one: an error makes it be asked for again. It may
	// fill in the receipt.
	usable func(body []byte, r *Receipt) error
}

// client sends requests and keeps what comes.
type client struct {
	o        Options
	journal  *journal
	budget   budget
	token    token
	scopes   []string // that a token is asked for
	requests int
	offline  bool   // nothing may be asked for
	clock    func() // called after each request
}

// ask returns the receipt of a step, from the journal if it is there. A receipt with another status than 200
// is the system's answer to this step, too: it will not be asked for again.
func (c *client) ask(ctx context.Context, q request) (*Receipt, error) {
	if r := c.journal.done[q.step]; r != nil {
		return r, nil
	}
	if q.method != http.MethodGet && !(q.method == http.MethodPost && strings.HasSuffix(q.path, "/search")) {
		return nil, fmt.Errorf("%s %s might change something and is not sent", q.method, q.path)
	}
	if c.offline {
		return nil, ErrUnfinished
	}
	tries := q.tries
	if tries == 0 {
		tries = maxTries
	}
	var last *Receipt
	denied := false
	for try := 1; try <= tries; {
		r, err := c.once(ctx, q)
		if err != nil {
			return nil, err
		}
		switch verdict(r) {
		case verdictUsable, verdictRefused:
			return r, c.journal.add(r)
		case verdictDenied:
			if denied || !c.token.used {
				return r, c.journal.add(r)
			}
			denied = true
			c.token = token{}
			r.Rejected = "denied; asked again with a fresh token"
		case verdictOver:
			r.Rejected = "beyond a limit of requests"
			if err := c.overLimit(ctx, r); err != nil {
				return nil, errors.Join(err, c.journal.add(r))
			}
			try++
		default:
			last = r
			c.budget.hold(time.Second << min(try, 6))
			try++
		}
		if err := c.journal.add(r); err != nil {
			return nil, err
		}
	}
	if q.gentle && last != nil && last.Status != 0 {
		r := *last
		r.Rejected, r.Refusal, r.File = "", last.Rejected, ""
		return &r, c.journal.add(&r)
	}
	return nil, &Failure{Code: CodeNetwork, Retryable: true, Hint: "run the same command again to go on",
		Message: fmt.Sprintf("%s could not be asked for: %s", q.path, reason(last))}
}

func reason(r *Receipt) string {
	if r == nil {
		return "the limit of requests a second is used up by others"
	}
	return r.Rejected
}

// overLimit waits for the next second, or stops until the next day.
func (c *client) overLimit(ctx context.Context, r *Receipt) error {
	if r.DayRemaining != nil && *r.DayRemaining > 0 {
		c.budget.hold(time.Second)
		return nil
	}
	c.budget.before, c.budget.at, c.budget.remaining = c.budget.at, r.Time, 0
	if c.budget.limit == 0 {
		c.budget.limit = 1
	}
	return c.mayAsk(ctx)
}

// mayAsk returns when the budget allows a request.
func (c *client) mayAsk(ctx context.Context) error {
	for {
		err := c.budget.check(time.Now())
		var p *Paused
		if !c.o.Wait || !errors.As(err, &p) {
			return err
		}
		c.o.Talk("%d of the day's %d requests are left, of which %d are for others; going on at %s",
			p.Remaining, p.Limit,
			p.Reserve, p.ResumeAfter.UTC().Format(time.RFC3339))
		if err := sleep(ctx, time.Until(p.ResumeAfter)); err != nil {
			return err
		}
	}
}

// once makes one attempt. Its error ends the pull for now; what the system did is in the receipt.
func (c *client) once(ctx context.Context, q request) (*Receipt, error) {
	if err := c.mayAsk(ctx); err != nil {
		return nil, err
	}
	if err := c.authorise(ctx); err != nil {
		return nil, err
	}
	if err := c.budget.pace(ctx); err != nil {
		return nil, err
	}
	r := &Receipt{Step: q.step, Method: q.method, Path: q.path}
	if q.body != nil {
		sum := sha256.Sum256(q.body)
		r.RequestSHA256 = hex.EncodeToString(sum[:])
	}
	limited, cancel := context.WithTimeout(ctx, stall)
	defer cancel()
	err := c.receive(limited, q, r)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	var broken *storeError
	if errors.As(err, &broken) {
		return nil, broken.err
	}
	if err != nil {
		r.Rejected = plainNetwork(err)
	}
	r.Time = time.Now().UTC()
	c.budget.learn(r)
	c.token.used = true
	c.requests++
	c.clock()
	return r, nil
}

// storeError is a failure of this machine, not of the system.
type storeError struct{ err error }

func (e *storeError) Error() string { return e.err.Error() }

// plainNetwork is an error without the URL that net/http puts into it.
func plainNetwork(err error) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Sprintf("no whole answer within %s", stall)
	}
	return err.Error()
}

// receive sends a request and reads its answer to the end.
func (c *client) receive(ctx context.Context, q request, r *Receipt) error {
	h, err := http.NewRequestWithContext(ctx, q.method, c.o.URL+"/"+q.path, bytes.NewReader(q.body))
	if err != nil {
		return err
	}
	h.Header.Set("Authorization", "Bearer "+c.token.value)
	h.Header.Set("Accept-Encoding", "identity")
	if q.body != nil {
		h.Header.Set("Content-Type", "application/json")
	}
	if c.o.UserAgent != "" {
		h.Header.Set("User-Agent", c.o.UserAgent)
	}
	// The transport, not a client: a redirect would take the token to wherever it points.
	answer, err := c.o.Transport.RoundTrip(h)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	r.Status = answer.StatusCode
	r.ContentType, _, _ = mime.ParseMediaType(answer.Header.Get("Content-Type"))
	rates(r, answer.Header)
	if q.file == "" && answer.StatusCode == http.StatusOK {
		return c.receiveFile(q, r, answer)
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer+1))
	if err != nil {
		return fmt.Errorf("the answer broke off: %w", err)
	}
	if len(body) > maxAnswer {
		return fmt.Errorf("the answer is longer than %d bytes", maxAnswer)
	}
	return c.keep(q, r, body)
}

// keep judges an answer and puts it on disk: one that is used into its file, another into a file of rejected
// ones.
func (c *client) keep(q request, r *Receipt, body []byte) error {
	file := q.file
	if r.Status == http.StatusOK {
		if err := q.usable(body, r); err != nil {
			r.Rejected = err.Error()
		}
	}
	if r.Status != http.StatusOK || r.Rejected != "" || file == "" {
		file = "rejected"
	}
	if c.repeatsToken(body) { // as error pages of careless servers do: it must be nowhere
		if r.Rejected == "" && r.Status == http.StatusOK {
			r.Rejected = "the answer has the token in it"
		}
		file, body = "rejected", []byte("(an answer with the token in it is not kept)")
	}
	if err := c.journal.keep(r, file, body); err != nil {
		return &storeError{err}
	}
	return nil
}

// repeatsToken reports whether an answer holds what it was asked for with.
func (c *client) repeatsToken(body []byte) bool {
	return c.token.value != "" && bytes.Contains(body, []byte(c.token.value)) ||
		bytes.Contains(body, []byte(c.o.Credentials.ClientSecret)) && len(c.o.Credentials.ClientSecret) >= 8
}

var errNotJSON = errors.New("the answer is not JSON, but perhaps an error page")

// receiveFile writes a file's content beside where it will be, and gives it its name when it is whole and on
// disk.
func (c *client) receiveFile(q request, r *Receipt, answer *http.Response) (err error) {
	if !q.mayBe(r.ContentType) {
		if strings.Contains(r.ContentType, "json") {
			return c.receiveEncoded(q, r, answer)
		}
		return errNotAFile
	}
	name := "files/" + q.id
	path := filepath.Join(c.journal.dir, name)
	f, err := os.OpenFile(path+".part", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return &storeError{err}
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(&diskWriter{f}, sum), answer.Body)
	if err != nil {
		return fmt.Errorf("the answer broke off: %w", err)
	}
	if answer.ContentLength >= 0 && n != answer.ContentLength {
		return fmt.Errorf("the answer has %d bytes of %d", n, answer.ContentLength)
	}
	if err := errors.Join(f.Sync(), os.Rename(path+".part", path),
		atomicfile.SyncDir(filepath.Dir(path))); err != nil {
		return &storeError{err}
	}
	r.File, r.Size, r.SHA256 = name, n, hex.EncodeToString(sum.Sum(nil))
	return nil
}

// mayBe reports whether an answer of that type can be the file's content: an error page comes as HTML, and
// with status 200.
func (q request) mayBe(contentType string) bool {
	end := strings.ToLower(filepath.Ext(q.name))
	switch {
	case contentType == "text/html":
		return end == ".html" || end == ".htm"
	case strings.Contains(contentType, "json"):
		return end == ".json"
	}
	return true
}

var errNotAFile = errors.New("the answer is not the content of a file")

// diskWriter marks errors of writing, which io.Copy cannot tell from those of reading.
type diskWriter struct{ f *os.File }

func (w *diskWriter) Write(p []byte) (int, error) {
	n, err := w.f.Write(p)
	if err != nil {
		err = &storeError{err}
	}
	return n, err
}

type verdictOf int

const (
	verdictUsable  verdictOf = iota // the answer
	verdictRefused                  // a lasting answer, too: there is no such thing, or not so
	verdictDenied                   // the token is dead, or the key may not
	verdictOver                     // beyond a limit
	verdictAgain                    // a fault that may pass
)

// verdict says what an answer means. What comes beyond a limit is not documented: 429, or any other failure
// or emptiness while a counter stands at zero.
func verdict(r *Receipt) verdictOf {
	spent := r.DayRemaining != nil && *r.DayRemaining <= 0 || r.SecondRemaining != nil &&
		*r.SecondRemaining <= 0
	empty := r.Total != nil && *r.Total == 0 || r.Rejected != ""
	switch {
	case r.Status == http.StatusTooManyRequests:
		return verdictOver
	case spent && r.Status != 0 && (r.Status == http.StatusForbidden || r.Status >= 500 ||
		r.Status == http.StatusOK && empty):
		return verdictOver
	case r.Status == http.StatusOK && r.Rejected == "":
		return verdictUsable
	case r.Status == http.StatusUnauthorized:
		return verdictDenied
	case r.Rejected != "" || r.Status >= 500 || r.Status == http.StatusRequestTimeout:
		if r.Rejected == "" {
			r.Rejected = fmt.Sprintf("status %d", r.Status)
		}
		return verdictAgain
	}
	return verdictRefused
}
