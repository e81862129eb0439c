package orgvue

import (
	"bytes"
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

	"holdall/internal/redact"
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
// Report with an error says that no import has begun.
func (c *Client) Send(ctx context.Context, payload *os.File, n int) (*Report, error) {
	urls, err := c.upload(ctx, payload)
	if err != nil {
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
		return &Report{State: Unknown}, err
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

// start begins the import.
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
	if err != nil {
		return nil, err
	}
	t.trace = r.header.Get("X-Amzn-Trace-Id")
	return t, nil
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
		if err := sleep(ctx, wait); err != nil {
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

// result reads what became of each item: where the ticket says, or where the upload was, since a result
// without a place of its own overwrites that.
func (c *Client) result(ctx context.Context, u *urls, t *ticket, n int) ([]ItemResult, error) {
	places := []string{u.Get}
	if link := t.link("result"); link != "" {
		places = []string{link, u.Get}
	}
	status := 0
	for i := 0; i < len(places); i++ {
		r, err := c.do(ctx, call{method: http.MethodGet, url: places[i]})
		if err != nil {
			return nil, err
		}
		if items, ok := c.parseResult(r); ok {
			return items, nil
		}
		status = r.status
		if i == 0 && t.link("result") != "" &&
			r.status == http.StatusForbidden { // expired: the job hands out another one
			if err := c.poll(ctx, t); err != nil {
				return nil, err
			}
			places = []string{"", t.link("result"), u.Get}
		}
	}
	return nil, &Error{Code: CodeRefused,
		Message: fmt.Sprintf("the import of %d items has ended, and its result cannot be read (status %d)",
			n, status),
		Hint: "look at the dataset; the vendor finds the import by its trace ID " + t.trace}
}

// parseResult reads a result. The payload itself, where no result has come in its place, has no statuses.
func (c *Client) parseResult(r *reply) ([]ItemResult, bool) {
	if r.status != http.StatusOK {
		return nil, false
	}
	d := json.NewDecoder(bytes.NewReader(r.body))
	d.UseNumber()
	var raw []map[string]any
	if d.Decode(&raw) != nil {
		return nil, false
	}
	var out []ItemResult
	for _, item := range raw {
		status, ok := item["_status"].(string)
		if !ok {
			return nil, false
		}
		x := ItemResult{ID: idOf(item, c.o.KeyProperty()), OK: strings.EqualFold(status, "success")}
		if a := item["_action"]; a != nil {
			x.Action = fmt.Sprint(a)
		}
		if !x.OK {
			x.Error = redact.Text(complaint(item, status))
		}
		out = append(out, x)
	}
	return out, true
}

// complaint finds the system's words on an item. The shape of a failed item is not documented: where none of
// the likely members is there, everything but the identifier is the complaint.
func complaint(item map[string]any, status string) string {
	for _, name := range []string{"message", "error", "_error", "reason", "errors", "_errors"} {
		switch v := item[name].(type) {
		case string:
			return v
		case []any, map[string]any:
			b, err := json.Marshal(v)
			if err == nil {
				return string(b)
			}
		}
	}
	rest := map[string]any{}
	for name, v := range item {
		if name != "_id" && name != "_action" && name != "_status" {
			rest[name] = v
		}
	}
	if b, err := json.Marshal(rest); err == nil && len(rest) > 0 {
		return status + ": " + string(b)
	}
	return status
}
