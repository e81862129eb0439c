// Package sending carries the rows of a query to an onward destination, and what became of each into the
// root's ledger.
//
// What is sent follows from the ledger: an unchanged record is left alone; one that failed waits until it
// changes or is requeued; of a changed one only the changes are sent. So the same command can be run every
// night.
//
// Write and Send are in sending.go; what earlier runs tell is read in history.go, a run is recorded in
// deliver.go, and requeue.go lets records be sent again.
package sending

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"holdall/archive"
	"holdall/orgvue"
)

// Options say what is sent, where to, and what the ledger says of it.
type Options struct {
	Store archive.Store // the root, whose ledger it is
	Work  string        // directory for the payload while it is sent

	Orgvue orgvue.Options // checked
	// column of the query that says create, update or delete; "": holdall decides
	ActionColumn   string
	AllowDelete    bool
	ConfirmDeletes int // with Orgvue.ImplicitDelete: how many items that may delete

	// ImportTime is how long an import of which nothing was heard again may still be running.
	ImportTime time.Duration

	Export, RecordType, Operator, Version string // for the ledger
	Talk                                  func(format string, a ...any)
}

// Rows is a query's result: query.Rows is one.
type Rows interface {
	Columns() []string
	Next() bool
	JSON() []json.RawMessage
	Err() error
}

// A Result says what a send ended in. It is what "send --json" prints.
type Result struct {
	Run       string    `json:"run"`
	State     string    `json:"state"`
	Sent      int       `json:"sent"`
	Succeeded int       `json:"succeeded"`
	Failed    int       `json:"failed"`
	Unchanged int       `json:"unchanged"`
	Held      int       `json:"held"` // failed before as they are now, and wait to be changed or requeued
	TraceID   string    `json:"trace_id"`
	Failures  []Failure `json:"failures"`
}

// A Failure is an item that did not go in.
type Failure struct {
	ID    string `json:"id"`
	Error string `json:"error"`
}

// Destination names a dataset in the ledger.
func Destination(o *orgvue.Options) string { return "orgvue:" + o.Tenant + "/" + o.Dataset }

// Send sends what is to be sent of rows, and records the run. With an error, the Result, when not nil, says
// what was sent.
func Send(ctx context.Context, rows Rows, o Options) (*Result, error) {
	began := time.Now()
	if err := recordInterrupted(ctx, o); err != nil {
		return nil, err
	}
	client, err := orgvue.New(o.Orgvue)
	if err != nil {
		return nil, err
	}
	known, err := readSent(ctx, o)
	if err != nil {
		return nil, err
	}
	layout, err := o.layout(rows.Columns())
	if err != nil {
		return nil, err
	}
	there, err := client.Preflight(ctx, layout.properties)
	if err != nil {
		return nil, err
	}
	n, err := known.resolveUnknown(there.Items, &o)
	if err != nil {
		return nil, err
	}
	if n > 0 {
		o.Talk("whether %d items of an earlier send went in is not known, and as the system makes the "+
			"identifiers, the dataset cannot tell: they wait; \"holdall log requeue\" has them sent again", n)
	}
	if err := os.MkdirAll(o.Work, 0o700); err != nil {
		return nil, err
	}
	payload, err := os.CreateTemp(o.Work, payloadPattern)
	if err != nil {
		return nil, err
	}
	defer os.Remove(payload.Name())
	defer payload.Close()
	out, err := o.write(ctx, payload, rows, layout, known)
	if err != nil {
		return nil, err
	}
	if err := o.confirm(there, out); err != nil {
		return nil, err
	}
	r := &Result{Run: archive.NewRunID(began), Unchanged: out.unchanged, Held: out.held,
		State: orgvue.Completed, Failures: []Failure{}}
	if len(out.records) == 0 && !o.Orgvue.ImplicitDelete {
		return r, nil
	}
	return r, o.deliver(ctx, client, payload, out, r, began)
}

// Write writes the payload that Send would send, and sends nothing.
func Write(ctx context.Context, w io.Writer, rows Rows, o Options) (*Result, error) {
	known, err := readSent(ctx, o)
	if err != nil {
		return nil, err
	}
	layout, err := o.layout(rows.Columns())
	if err != nil {
		return nil, err
	}
	out, err := o.write(ctx, w, rows, layout, known)
	if err != nil {
		return nil, err
	}
	return &Result{State: "planned", Sent: len(out.records), Unchanged: out.unchanged, Held: out.held,
		Failures: []Failure{}}, nil
}

// layout says which columns are properties, and which of them is what.
type layout struct {
	properties []string
	from       []int // their columns
	key        int   // of properties; -1: the destination makes identifiers
	action     int   // a column; -1: none
}

func (o *Options) layout(columns []string) (layout, error) {
	l := layout{key: -1, action: -1}
	name := o.Orgvue.KeyProperty()
	for i, c := range columns {
		switch {
		case o.ActionColumn != "" && c == o.ActionColumn:
			l.action = i
			continue
		case c == name && !o.Orgvue.AutoID:
			l.key = len(l.properties)
		}
		l.properties, l.from = append(l.properties, c), append(l.from, i)
	}
	switch {
	case o.ActionColumn != "" && l.action < 0:
		return l, usage("select it, or leave --action-column out", "the query has no column %s",
			o.ActionColumn)
	case l.key < 0 && !o.Orgvue.AutoID:
		return l, usage("select it AS that, or name another property with --id-key, or use --auto-id",
			"the query has no column %s, which identifies items", name)
	}
	return l, nil
}

func usage(hint, format string, a ...any) error {
	return &orgvue.Error{Code: orgvue.CodeUsage, Message: fmt.Sprintf(format, a...), Hint: hint}
}

// outgoing is what a payload has.
type outgoing struct {
	records   []archive.RunRecord
	named     map[string]bool // every identifier of the query
	unchanged int
	held      int
}

// write writes what is to be sent of rows as a payload.
func (o *Options) write(
	ctx context.Context, to io.Writer, rows Rows, l layout, known *sentRecords,
) (*outgoing, error) {
	key := ""
	if l.key >= 0 {
		key = l.properties[l.key]
	}
	w, err := orgvue.NewWriter(to, o.Orgvue.Format, l.properties, key)
	if err != nil {
		return nil, err
	}
	out := &outgoing{named: map[string]bool{}}
	for rows.Next() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := o.writeRow(w, rows.JSON(), l, known, out); err != nil {
			return nil, err
		}
	}
	if err := errors.Join(rows.Err(), w.End()); err != nil {
		return nil, err
	}
	return out, nil
}

func (o *Options) writeRow(w *orgvue.Writer, row []json.RawMessage, l layout, known *sentRecords,
	out *outgoing) error {
	values := make([]json.RawMessage, len(l.from))
	for i, column := range l.from {
		values[i] = row[column]
	}
	id := "row-" + orgvue.Digest("", l.properties, values)[:16]
	if l.key >= 0 {
		if id = plain(values[l.key]); id == "" {
			return usage("leave rows without one out of the query",
				"a row has no %s, which identifies items", l.properties[l.key])
		}
	}
	if out.named[id] {
		return usage("make the query return each record once", "the identifier %s is there twice", id)
	}
	out.named[id] = true
	item, send, err := o.decide(id, row, values, l, known)
	switch {
	case err != nil:
		return err
	case !send && known.of[id].Failed:
		out.held++
		return nil
	case !send:
		out.unchanged++
		return nil
	}
	if o.Orgvue.Format == orgvue.CSV {
		item = orgvue.ForCSV(item, id, l.properties, values, known.of[id])
	}
	if err := w.Write(item); err != nil {
		return err
	}
	out.records = append(out.records, archive.RunRecord{
		Type: o.RecordType, ID: id, Action: string(item.Action), SHA256: orgvue.Digest(id, l.properties,
			values),
		Fields: orgvue.Fields(id, l.properties, values),
	})
	return nil
}

// decide says what is to be done with a row: what its action column says, or what follows from the ledger.
func (o *Options) decide(id string, row, values []json.RawMessage, l layout, known *sentRecords) (orgvue.Item,
	bool, error) {
	k := known.of[id]
	item, send := orgvue.Decide(id, l.key, l.properties, values, k)
	if l.action < 0 || plain(row[l.action]) == "" {
		return item, send, nil
	}
	action, err := orgvue.ParseAction(plain(row[l.action]))
	if err != nil {
		return item, false, usage("correct the query", "%v", err)
	}
	if action != orgvue.Delete {
		if send {
			item = orgvue.Item{Action: action, Values: values}
		}
		return item, send, nil
	}
	if !o.AllowDelete {
		return item, false, usage("add --allow-delete, or leave it out of the query",
			"the query deletes %s", id)
	}
	deleted := k != nil && !k.There && !k.Failed && !k.Requeued
	return orgvue.Item{Action: orgvue.Delete, Values: values}, !deleted, nil
}

// confirm refuses an implicit delete of another number of items than was confirmed.
func (o *Options) confirm(there *orgvue.Dataset, out *outgoing) error {
	if !o.Orgvue.ImplicitDelete {
		return nil
	}
	if out.unchanged+out.held > 0 {
		return usage("send them to an empty dataset, or name what is to be deleted in an action column",
			"an implicit delete would also delete the %d items that are there as they are, and are not sent",
			out.unchanged+out.held)
	}
	n := 0
	for _, id := range there.Items {
		if !out.named[id] {
			n++
		}
	}
	if n != o.ConfirmDeletes {
		return usage(fmt.Sprintf("add --confirm-deletes %d if that is meant", n),
			"the import would delete %d items", n)
	}
	return nil
}

func plain(v json.RawMessage) string {
	var s string
	switch {
	case len(v) == 0 || string(v) == "null":
		return ""
	case json.Unmarshal(v, &s) == nil:
		return s
	}
	return string(v)
}

// payloadPattern names payloads while they are sent.
const payloadPattern = "payload-*"

// interruptedName is the file that describes the send under way.
func (o *Options) interruptedName() string { return filepath.Join(o.Work, "sending.json") }
