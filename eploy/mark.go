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
)

// MarkScope is the one scope that writes which this package ever asks for, and only MarkExported does.
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

// MarkExported adds to the system's log of exports that records went out in a package, which must be there.
// It is the only thing in this package that writes to the system; it is one request, and is never repeated.
// No more than MaxMarks records may be named.
func MarkExported(ctx context.Context, o Options, pack int, vacancies, applications []Mark) error {
	if err := o.fill(); err != nil {
		return err
	}
	if n := len(vacancies) + len(applications); n == 0 || n > MaxMarks || pack < 1 {
		return &Failure{Code: CodeUsage,
			Message: fmt.Sprintf("%d records cannot be marked in package %d", n, pack),
			Hint:    fmt.Sprintf("name 1 to %d records and the number of an export package", MaxMarks)}
	}
	dir, err := os.MkdirTemp("", "holdall-mark-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	j, err := openJournal(dir)
	if err != nil {
		return err
	}
	defer j.close()
	c := &client{o: o, journal: j, budget: budget{reserve: o.Reserve}, clock: func() {}}
	status, _, err := c.exchange(ctx, MarkScope)
	if err != nil {
		return err
	}
	if status != http.StatusOK || c.token.value == "" {
		return &Failure{Code: CodeDenied, Hint: "give the key the scope " + MarkScope + ", or mark by hand",
			Message: fmt.Sprintf("the system does not let this key mark records (status %d)", status)}
	}
	body, err := json.Marshal(map[string]any{"ExportPackageId": pack, "VacancyIds": noNull(vacancies),
		"ApplicationIds": noNull(applications)})
	if err != nil {
		return err
	}
	if err := c.budget.pace(ctx); err != nil {
		return err
	}
	return c.sendMarks(ctx, body)
}

func noNull(m []Mark) []Mark { return append([]Mark{}, m...) }

func (c *client) sendMarks(ctx context.Context, body []byte) error {
	limited, cancel := context.WithTimeout(ctx, stall)
	defer cancel()
	h, err := http.NewRequestWithContext(limited, http.MethodPost, c.o.URL+"/export", bytes.NewReader(body))
	if err != nil {
		return err
	}
	h.GetBody = nil // a transport must not send it a second time
	h.Header.Set("Authorization", "Bearer "+c.token.value)
	h.Header.Set("Content-Type", "application/json")
	if c.o.UserAgent != "" {
		h.Header.Set("User-Agent", c.o.UserAgent)
	}
	answer, err := c.o.Transport.RoundTrip(h)
	if err != nil {
		return fmt.Errorf("%w: %s", ErrMarkUnknown, plainNetwork(err))
	}
	defer answer.Body.Close()
	said, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	if err != nil {
		return fmt.Errorf("%w: the answer broke off", ErrMarkUnknown)
	}
	switch s := answer.StatusCode; {
	case s >= 200 && s < 300:
		return accepted(said)
	case s == http.StatusUnauthorized || s == http.StatusForbidden:
		return &Failure{Code: CodeDenied, Hint: "give the key the scope " + MarkScope,
			Message: "the system does not let this key mark records (status " + strconv.Itoa(s) + ")"}
	case s == http.StatusTooManyRequests:
		return &Failure{Code: CodeNetwork, Retryable: true, Hint: "run the same command again tomorrow",
			Message: "the system takes no more requests today"}
	case s >= 500:
		return fmt.Errorf("%w: status %d", ErrMarkUnknown, s)
	default:
		return &Failure{Code: CodeUsage, Hint: "check that the package is there and is for such records",
			Message: "the system refuses to mark these records (status " + strconv.Itoa(s) + ")"}
	}
}

// accepted judges the body of an answer that says 200. What it has in it is not documented; an error page is
// none, and neither is one that says itself that it is no success.
func accepted(body []byte) error {
	body = bytes.TrimSpace(body)
	if len(body) == 0 {
		return nil
	}
	var said any
	if json.Unmarshal(body, &said) != nil {
		return fmt.Errorf("%w: %w", ErrMarkUnknown, errNotJSON)
	}
	if object, ok := said.(map[string]any); ok && object["Success"] == false {
		return fmt.Errorf("%w: the system says that it was no success", ErrMarkUnknown)
	}
	return nil
}
