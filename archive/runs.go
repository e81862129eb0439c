package archive

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"

	"holdall/internal/digest"
)

// KindRun is the kind of the event that AppendRun adds to the ledger.
const KindRun = "run"

// A Run is one row of a root's log: a takeover, a pull, a verification, a copy, a send, or the request to
// send a record again.
type Run struct {
	ID          string    `json:"run"` // <UTC start>-<4 base32>
	Started     time.Time `json:"started"`
	Ended       time.Time `json:"ended"`
	Direction   string    `json:"direction"` // in, out, or check
	Type        string    `json:"type"`      // take, verify, copy, send, mark-exported, requeue
	RecordType  string    `json:"record_type"`
	Status      string    `json:"status"` // complete, paused, completed-with-failures, failed, …
	Records     int64     `json:"records"`
	Failed      int64     `json:"failed"`
	Bytes       int64     `json:"bytes"`
	Requests    int64     `json:"requests"`
	TraceID     string    `json:"trace_id"`
	Export      string    `json:"export"`
	Operator    string    `json:"operator"`
	Version     string    `json:"version"`
	Destination string    `json:"destination"` // what records went to: orgvue:TENANT/DATASET
	Detail      string    `json:"detail"`      // why a run failed, or a record is to be sent again

	// Pull names the pull that a run went on with, and Receipts says how many answers that had at the end of
	// the run: its later runs begin there.
	Pull     string `json:"pull,omitempty"`
	Receipts int64  `json:"receipts,omitempty"`

	recordsFile string // of the root; empty: there are none
	recordsSum  digest.Sum
}

// A RunRecord is one record that took part in a run.
type RunRecord struct {
	Type       string `json:"record_type"`
	ID         string `json:"record_id"`
	Action     string `json:"action"`
	Status     string `json:"status"` // success, failed, requeued
	ExternalID string `json:"external_id"`
	SHA256     string `json:"sha256"`
	Error      string `json:"error"`

	// Fields are digests of what was sent, by property, so that the next send sends only what changed.
	Fields map[string]string `json:"fields,omitempty"`
}

// NewRunID returns an identifier for a run that began at start.
func NewRunID(start time.Time) string {
	return start.UTC().Format(idTime) + "-" + strings.ToLower(rand.Text()[:4])
}

// AppendRun adds a run to the root's ledger, its records in a file of their own: written first, so that an
// event never names what is not there. A later event of the same ID takes an earlier one's place: the run was
// opened by the one and closed by the other.
func AppendRun(ctx context.Context, s Store, r Run, records []RunRecord) error {
	p := NewRecordPack()
	for _, x := range records {
		if err := p.Add(x); err != nil {
			return err
		}
	}
	return AppendRunPack(ctx, s, r, p)
}

// AppendRunPack is AppendRun for records that may be many.
func AppendRunPack(ctx context.Context, s Store, r Run, records *RecordPack) error {
	facts, err := r.facts()
	if err != nil {
		return err
	}
	if records.Len() > 0 {
		content, err := records.bytes()
		if err != nil {
			return err
		}
		name, err := putRecords(ctx, s, r.ID, content)
		if err != nil {
			return fmt.Errorf("ledger: write the records of run %s: %w", r.ID, err)
		}
		facts["records-file"], facts["records-sha256"] = name, digest.Of(content).String()
	}
	_, err = AppendEvent(ctx, s, Event{Kind: KindRun, Export: r.Export, Time: r.Ended, Facts: facts})
	return err
}

// maxRecordFiles is how many events one run may have records in.
const maxRecordFiles = 9

// putRecords stores the records of an event under a name that is free: those that the event which opened the
// run names stay.
func putRecords(ctx context.Context, s Store, id string, content []byte) (name string, err error) {
	for n := 1; n <= maxRecordFiles; n++ {
		name = ledgerDir + "records/" + id
		if n > 1 {
			name += fmt.Sprintf("-%d", n)
		}
		name += ".jsonl.zst"
		if err = putNew(ctx, s, name, content); !errors.Is(err, fs.ErrExist) {
			return name, err
		}
	}
	return name, err
}

// facts are what the JSON of a run has, as texts; what is empty is left out.
func (r *Run) facts() (map[string]string, error) {
	b, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var all map[string]any
	if err := d.Decode(&all); err != nil {
		return nil, err
	}
	facts := map[string]string{}
	for name, value := range all {
		if text := fmt.Sprint(value); text != "" && text != "0" && name != "export" {
			facts[name] = text
		}
	}
	return facts, nil
}

// Runs returns the runs of a root, oldest first, each as its last event has it. An arrival that has no run,
// since an earlier version recorded it or the process died, is one, too.
// If the chain of events is damaged, Runs returns an error along with what could be read; Events has details.
func Runs(ctx context.Context, s Store) ([]Run, error) {
	var runs []Run
	at := map[string]int{}        // place in runs, by ID
	recorded := map[string]bool{} // exports whose takeover or copy has a run of its own, by its type
	var commits []Event
	for e, err := range Events(ctx, s) {
		if err != nil {
			return withCommits(runs, commits, recorded), err
		}
		switch e.Kind {
		case KindRun:
			r := runOf(e)
			if r.Status == "complete" && !(r.Type == "copy" && r.Direction == "out") {
				recorded[r.Type+" "+r.Export] = true
			}
			if opened, ok := at[r.ID]; ok && r.ID != "" {
				runs[opened] = r
				continue
			}
			at[r.ID] = len(runs)
			runs = append(runs, r)
		case KindTaken, KindCopied:
			commits = append(commits, e)
		}
	}
	return withCommits(runs, commits, recorded), nil
}

// withCommits adds takeovers and copies of which only the arrival of the export was recorded.
func withCommits(runs []Run, commits []Event, recorded map[string]bool) []Run {
	var out []Run
	for _, e := range commits {
		kind := "take"
		if e.Kind == KindCopied {
			kind = "copy"
		}
		if recorded[kind+" "+e.Export] {
			continue
		}
		n, _ := strconv.ParseInt(e.Facts["payload-bytes"], 10, 64)
		out = append(out, Run{ID: e.Export, Started: StartOf(e.Export), Ended: e.Time, Direction: "in",
			Type:   kind,
			Status: "complete", Bytes: n, Export: e.Export, Detail: e.Facts["from"]})
	}
	out = append(out, runs...)
	slices.SortStableFunc(out, func(a, b Run) int { return a.Ended.Compare(b.Ended) })
	return out
}

func runOf(e Event) Run {
	number := func(name string) int64 { n, _ := strconv.ParseInt(e.Facts[name], 10, 64); return n }
	at := func(name string) time.Time { t, _ := time.Parse(time.RFC3339, e.Facts[name]); return t }
	r := Run{
		ID: e.Facts["run"], Started: at("started"), Ended: e.Time, Direction: e.Facts["direction"],
		Type:       e.Facts["type"],
		RecordType: e.Facts["record_type"], Status: e.Facts["status"], Records: number("records"),
		Failed: number("failed"),
		Bytes:  number("bytes"), Requests: number("requests"), TraceID: e.Facts["trace_id"], Export: e.Export,
		Operator: e.Facts["operator"], Version: e.Facts["version"], Destination: e.Facts["destination"],
		Detail: e.Facts["detail"], Pull: e.Facts["pull"], Receipts: number("receipts"),
		recordsFile: e.Facts["records-file"],
	}
	r.recordsSum, _ = digest.Parse(e.Facts["records-sha256"])
	return r
}

// Arrival reports whether a run brought an export's records into the root, and the ledger does not list them:
// they are what the archive holds. A pull's are in the ledger, run by run.
func (r Run) Arrival() bool {
	return (r.Type == "take" || r.Type == "copy") && r.Direction == "in" && r.Status == "complete" &&
		r.Export != "" && r.Pull == ""
}
