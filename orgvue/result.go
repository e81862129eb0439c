package orgvue

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"holdall/internal/redact"
	"holdall/internal/retry"
)

// resultTries is how often a result is asked for: a job may be told as completed before its result is there.
const resultTries = 7

// result reads what became of each item: where the ticket says, or where the upload was, since a result
// without a place of its own overwrites that.
func (c *Client) result(ctx context.Context, u *urls, t *ticket, n int) ([]ItemResult, error) {
	status := 0
	for try := range resultTries {
		if try > 0 {
			if err := retry.Sleep(ctx, time.Second<<(try-1)); err != nil {
				return nil, err
			}
			if err := c.poll(ctx, t); err != nil { // an expired place is replaced by another one
				return nil, err
			}
		}
		for _, place := range []string{t.link("result"), u.Get} {
			if place == "" {
				continue
			}
			r, err := c.do(ctx, call{method: http.MethodGet, url: place})
			if err != nil {
				return nil, err
			}
			if items, ok := c.parseResult(r); ok {
				return items, nil
			}
			status = r.status
		}
	}
	return nil, &Error{Code: CodeRefused,
		Message: fmt.Sprintf("the import of %d items has ended, and its result cannot be read (status %d)",
			n, status),
		Hint: "look at the dataset; the vendor finds the import by its trace ID " + t.trace}
}

// parseResult reads a result: a list of items, on its own or in an object, or CSV, as the payload may have
// been. The payload itself, where no result has come in its place, has no statuses.
func (c *Client) parseResult(r *reply) ([]ItemResult, bool) {
	if r.status != http.StatusOK {
		return nil, false
	}
	raw, ok := resultItems(r.body)
	if !ok {
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

// resultItems finds the items in what came.
func resultItems(body []byte) (raw []map[string]any, ok bool) {
	read := func(b []byte, to any) bool {
		d := json.NewDecoder(bytes.NewReader(b))
		d.UseNumber()
		return d.Decode(to) == nil
	}
	if read(body, &raw) {
		return raw, raw != nil
	}
	var object map[string]json.RawMessage
	if read(body, &object) {
		for _, name := range []string{"items", "results", "result", "data"} {
			if read(object[name], &raw) && raw != nil {
				return raw, true
			}
		}
		return nil, false
	}
	rows, err := csv.NewReader(bytes.NewReader(body)).ReadAll()
	if err != nil || len(rows) == 0 {
		return nil, false
	}
	for _, row := range rows[1:] {
		item := map[string]any{}
		for i, cell := range row {
			if cell != "" {
				item[rows[0][i]] = cell
			}
		}
		raw = append(raw, item)
	}
	return raw, len(rows) > 1
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
