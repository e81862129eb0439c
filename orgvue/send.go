package orgvue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"holdall/internal/retry"
)

// The states of a send.
const (
	Completed    = "completed"
	WithFailures = "completed-with-failures"
	Failed       = "failed"
	Unknown      = "unknown" // nobody can tell whether items went in
)

// A Report is what an import ended in.
type Report struct {
	State   string
	TraceID string // by which the vendor finds the import
	Items   []ItemResult
}

// An ItemResult is what became of one item.
type ItemResult struct {
	ID, Action string
	OK         bool
	Error      string // the system's own words
}

const (
	maxUploads = 3
	// fresh is how old a pair of URLs may be when the import begins: they are seen to live 15 minutes.
	fresh   = 10 * time.Minute
	maxPoll = 6 * time.Hour
)

// Send uploads a payload of n items, imports it, waits for the end and reads what became of each item. A nil
// Report with an error says that no import has begun. importing is called before the import is asked for.
func (c *Client) Send(ctx context.Context, payload *os.File, n int, importing func() error) (*Report, error) {
	urls, err := c.upload(ctx, payload)
	if err != nil {
		return nil, err
	}
	if err := importing(); err != nil {
		return nil, err
	}
	job, err := c.start(ctx, urls)
	var e *Error
	if errors.As(err, &e) && e.unexplained() { // it has not begun, so that nothing can happen twice
		c.o.Talk("the import was refused: the URL of the payload may have expired; trying once more")
		if urls, err = c.upload(ctx, payload); err != nil {
			return nil, err
		}
		job, err = c.start(ctx, urls)
	}
	if errors.As(err, &e) && e.Unclear {
		return &Report{State: Unknown, TraceID: job.trace}, err
	}
	if err != nil {
		return nil, err
	}
	report := &Report{State: Unknown, TraceID: job.trace}
	c.o.Talk("the import was accepted, and is followed to its end; its trace ID is %s", job.trace)
	if err := c.follow(ctx, job); err != nil {
		return report, err
	}
	if job.JobStatus == "failed" {
		report.State = Failed
		return report, &Error{Code: CodeRefused, Message: "the import failed as a whole",
			Hint: "the vendor finds it by its trace ID " + job.trace}
	}
	report.Items, err = c.result(ctx, urls, job, n)
	if err != nil {
		return report, err
	}
	report.State = Completed
	for _, item := range report.Items {
		if !item.OK {
			report.State = WithFailures
		}
	}
	return report, nil
}

// urls are a pair of URLs that grant what they are for.
type urls struct {
	Get, Put string
	made     time.Time
}

// upload generates a pair of URLs and puts the payload there: again with a fresh pair if it expired
// meanwhile.
func (c *Client) upload(ctx context.Context, payload *os.File) (*urls, error) {
	for range maxUploads {
		u := &urls{made: time.Now()}
		in := map[string]string{"targetType": string(c.o.Format), "targetEncoding": "identity"}
		if _, err := c.ask(ctx, http.MethodPost, "files/generate", in, u); err != nil {
			return nil, err
		}
		r, err := c.do(ctx, call{method: http.MethodPut, url: u.Put, timeout: time.Hour,
			body: func() (io.Reader, int64, error) {
				info, err := payload.Stat()
				if err != nil {
					return nil, 0, err
				}
				return io.NewSectionReader(payload, 0, info.Size()), info.Size(), nil
			}})
		if err != nil {
			return nil, err
		}
		switch {
		case r.status >= 200 && r.status < 300 && time.Since(u.made) < fresh:
			return u, nil
		case r.status >= 200 &&
			r.status < 300, r.status == http.StatusForbidden, r.status == http.StatusBadRequest:
			c.o.Talk("the URL for the upload has expired; asking for another one")
		default:
			return nil, refusal(r)
		}
	}
	return nil, &Error{Code: CodeNetwork, Retryable: true,
		Message: "each URL for the upload had expired before it was used",
		Hint:    "check this machine's clock and line, then run the same command again"}
}

// A ticket is how the system tells of a job.
type ticket struct {
	JobStatus string
	Links     map[string]struct{ URL string } `json:"_links"`
	trace     string
}

func (t *ticket) link(name string) string { return t.Links[name].URL }

// start begins the import. With an error, the ticket has at most a trace ID.
func (c *Client) start(ctx context.Context, u *urls) (*ticket, error) {
	body := map[string]map[string]string{"importLocation": {"method": http.MethodGet, "url": u.Get}}
	if c.o.Callback != "" {
		body["callback"] = map[string]string{"method": http.MethodGet, "urlTemplate": c.o.Callback}
	}
	query := url.Values{"dateFormat": {"yyyy-MM-dd"}}
	switch {
	case c.o.IDKey != "":
		query.Set("idKey", c.o.IDKey)
	case c.o.MergeKey != "":
		query.Set("mergeKey", c.o.MergeKey)
	case c.o.AutoID:
		query.Set("autoId", "true")
	}
	if c.o.ImplicitDelete {
		query.Set("implicitDelete", "true")
	}
	t := &ticket{}
	r, err := c.ask(ctx, http.MethodPut, "datasets/"+c.o.Dataset+"/items/import?"+query.Encode(), body, t)
	if r != nil {
		t.trace = r.header.Get("X-Amzn-Trace-Id")
	}
	return t, err
}

// follow polls a job to its end.
func (c *Client) follow(ctx context.Context, t *ticket) error {
	begun := time.Now()
	for wait := time.Second; ; wait = min(2*wait, 15*time.Second) {
		switch strings.ToLower(t.JobStatus) {
		case "completed", "failed":
			t.JobStatus = strings.ToLower(t.JobStatus)
			return nil
		}
		if t.link("self") == "" {
			return &Error{Code: CodeRefused,
				Message: "the system accepted the import and does not say where to follow it",
				Hint:    "the vendor finds it by its trace ID " + t.trace}
		}
		if time.Since(begun) > maxPoll {
			return &Error{Code: CodeBusy, Message: fmt.Sprintf("the import has not ended within %s", maxPoll),
				Hint: "the vendor finds it by its trace ID " + t.trace}
		}
		if err := retry.Sleep(ctx, wait); err != nil {
			return err
		}
		if err := c.poll(ctx, t); err != nil {
			return err
		}
	}
}

func (c *Client) poll(ctx context.Context, t *ticket) error {
	r, err := c.do(ctx, call{method: http.MethodGet, url: t.link("self")})
	if err != nil {
		return err
	}
	if r.status != http.StatusOK && r.status != http.StatusAccepted {
		return refusal(r)
	}
	now := ticket{trace: t.trace}
	if err := json.Unmarshal(r.body, &now); err != nil {
		return fmt.Errorf("the job's state cannot be read: %w", err)
	}
	if now.link("self") == "" {
		now.Links = t.Links
	}
	*t = now
	return nil
}
