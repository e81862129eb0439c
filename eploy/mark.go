package eploy

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"time"
)

// MarkScope is the one scope that writes which this package ever asks for, and only a Marker does.
const MarkScope = "export.insert"

// MaxMarks is how many records one request marks at most.
const MaxMarks = 500

// A Mark is a record that is to be marked as exported.
type Mark struct {
	ID        int    `json:"Id"`
	Reference string `json:"ExternalReference,omitempty"`
}

// ErrMarkUnknown says that a request was sent and its answer did not come: whether the records are marked
// only the system's log of exports can tell. It is not sent again.
var ErrMarkUnknown = errors.New("whether the records were marked is not known")

// A Marker adds to the system's log of exports. It is the only thing in this package that writes to a system.
// It asks for a token with MarkScope alone, and leaves the day's reserve to others as a pull does.
type Marker struct {
	c   *client
	dir string
}

// NewMarker returns a Marker, which the caller closes. It asks for nothing yet.
func NewMarker(o Options) (*Marker, error) {
	if err := o.fill(); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "holdall-mark-")
	if err != nil {
		return nil, err
	}
	j, err := openJournal(dir)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	c := &client{o: o, journal: j, budget: budget{reserve: o.Reserve}, clock: func() {}}
	return &Marker{c, dir}, nil
}

// Close gives up the token.
func (m *Marker) Close() error { return errors.Join(m.c.journal.close(), os.RemoveAll(m.dir)) }

// Requests is how many requests were made.
func (m *Marker) Requests() int { return m.c.requests }

// Prepare gets a token and finds out whether the day's budget allows a request more: with one search of the
// log of exports, of which nothing is kept. It is a *Paused if not, and writes nothing.
func (m *Marker) Prepare(ctx context.Context) error {
	c := m.c
	if err := c.mayAsk(ctx); err != nil {
		return err
	}
	if time.Until(c.token.ends) <= tokenMargin {
		c.token = token{}
		status, _, err := c.exchange(ctx, MarkScope)
		if err != nil {
			return err
		}
		if status != http.StatusOK || c.token.value == "" {
			return &Failure{Code: CodeDenied, Hint: "give the key the scope " + MarkScope +
				", or mark by hand",
				Message: fmt.Sprintf("the system does not let this key mark records (status %d)", status)}
		}
	}
	if c.budget.limit > 0 {
		return nil
	}
	// The answer says how much of the day is left, whatever else it says: no other one does so beforehand.
	r, _, err := m.post(ctx, "export/search", searchBody("RecordsPerPage", 1, 1, nil, nil))
	if err != nil {
		return &Failure{Code: CodeNetwork, Retryable: true, Hint: "run the same command again",
			Message: "the system cannot be asked what is left of the day's requests: " + plainNetwork(err)}
	}
	if r.Status == http.StatusTooManyRequests {
		return c.overLimit(ctx, r)
	}
	return c.mayAsk(ctx)
}

// Mark adds that records went out in a package, which must be there, after a Prepare. It is one request, and
// is never repeated. No more than MaxMarks records may be named.
func (m *Marker) Mark(ctx context.Context, pack int, vacancies, applications []Mark) error {
	if n := len(vacancies) + len(applications); n == 0 || n > MaxMarks || pack < 1 {
		return &Failure{Code: CodeUsage,
			Message: fmt.Sprintf("%d records cannot be marked in package %d", n, pack),
			Hint:    fmt.Sprintf("name 1 to %d records and the number of an export package", MaxMarks)}
	}
	body, err := json.Marshal(map[string]any{"ExportPackageId": pack, "VacancyIds": noNull(vacancies),
		"ApplicationIds": noNull(applications)})
	if err != nil {
		return err
	}
	r, reply, err := m.post(ctx, "export", body)
	if err != nil {
		return fmt.Errorf("%w: %s", ErrMarkUnknown, plainNetwork(err))
	}
	return marked(r.Status, reply)
}

func noNull(m []Mark) []Mark { return append([]Mark{}, m...) }

// post makes one request, once.
func (m *Marker) post(ctx context.Context, path string, body []byte) (*Receipt, []byte, error) {
	c := m.c
	if err := c.budget.pace(ctx); err != nil {
		return nil, nil, err
	}
	limited, cancel := context.WithTimeout(ctx, stall)
	defer cancel()
	h, err := http.NewRequestWithContext(limited, http.MethodPost, c.o.URL+"/"+path, bytes.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	h.GetBody = nil // a transport must not send it a second time
	h.Header.Set("Authorization", "Bearer "+c.token.value)
	h.Header.Set("Content-Type", "application/json")
	if c.o.UserAgent != "" {
		h.Header.Set("User-Agent", c.o.UserAgent)
	}
	c.requests++
	answer, err := c.o.Transport.RoundTrip(h)
	if err != nil {
		return nil, nil, err
	}
	defer answer.Body.Close()
	r := &Receipt{Time: time.Now().UTC(), Status: answer.StatusCode}
	rates(r, answer.Header)
	c.budget.learn(r)
	reply, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	if err != nil {
		return nil, nil, errors.New("the answer broke off")
	}
	return r, reply, nil
}

// marked judges what was answered to marks.
func marked(status int, body []byte) error {
	switch {
	case status >= 200 && status < 300:
		return accepted(body)
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return &Failure{Code: CodeDenied, Hint: "give the key the scope " + MarkScope,
			Message: "the system does not let this key mark records (status " + strconv.Itoa(status) + ")"}
	case status == http.StatusTooManyRequests:
		return &Failure{Code: CodeNetwork, Retryable: true, Hint: "run the same command again tomorrow",
			Message: "the system takes no more requests today"}
	case status >= 500:
		return fmt.Errorf("%w: status %d", ErrMarkUnknown, status)
	default:
		return &Failure{Code: CodeUsage, Hint: "check that the package is there and is for such records",
			Message: "the system refuses to mark these records (status " + strconv.Itoa(status) + ")"}
	}
}

// accepted judges the body of an answer that says 200. What it has in it is not documented; an error page is
// none, and neither is one that says itself that it is not a success.
func accepted(body []byte) error {
	body = bytes.TrimSpace(body)
	if len(body) == 0 {
		return nil
	}
	var value any
	if json.Unmarshal(body, &value) != nil {
		return fmt.Errorf("%w: %w", ErrMarkUnknown, errNotJSON)
	}
	if object, ok := value.(map[string]any); ok && object["Success"] == false {
		return fmt.Errorf("%w: the system says that it was no success", ErrMarkUnknown)
	}
	return nil
}
