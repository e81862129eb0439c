package eploy

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// each calls use for every record that was received in a listing, in the order received: the last one of an
// ID is how the system had it last.
func (j *journal) each(l *listing, use func(id string, record json.RawMessage) error) error {
	for _, r := range j.all {
		if r.Rejected != "" || r.Status != http.StatusOK || !l.bears(r.Step) {
			continue
		}
		if err := j.recordsIn(r, l, use); err != nil {
			return err
		}
	}
	return nil
}

// recordsIn calls use for each record in the answer that a receipt tells of.
func (j *journal) recordsIn(r *Receipt, l *listing, use func(id string, record json.RawMessage) error) error {
	body, err := j.body(r)
	if err != nil {
		return err
	}
	records := []json.RawMessage{body}
	if r.Method == http.MethodPost {
		x, err := parsePage(body)
		if err != nil {
			return err
		}
		records = x.Records
	}
	for _, record := range records {
		id, err := l.id(record)
		if err != nil {
			return err
		}
		if err := use(id, record); err != nil {
			return err
		}
	}
	return nil
}

// wholes begin the steps whose answers are whole records, below the listing's name.
var wholes = []string{"pages/", "again-", "changes-", "relist-", "relisted-", "one-", "get-one-",
	"get-relisted-"}

// bears reports whether a step's answer has whole records of the listing.
func (l *listing) bears(step string) bool {
	rest, ok := strings.CutPrefix(step, l.name+"/")
	return ok && slices.ContainsFunc(wholes, func(w string) bool { return strings.HasPrefix(rest, w) })
}

// A Pulled is what a directory holds after a pull that has ended.
type Pulled struct {
	Result *Result
	Dir    string
	pull   *pull
}

// Records calls use for each record of a type as the system had it last, in the order of their IDs' first
// receipt. Those that have vanished are left out.
func (x *Pulled) Records(table string, use func(id string, record json.RawMessage) error) error {
	for _, l := range x.pull.listings {
		if l.table() != table {
			continue
		}
		g := x.pull.of[l.name]
		last := map[string]json.RawMessage{}
		var order []string
		err := x.pull.journal.each(l, func(id string, record json.RawMessage) error {
			if !g.have[id] {
				return nil
			}
			if _, ok := last[id]; !ok {
				order = append(order, id)
			}
			last[id] = slices.Clone(record)
			return nil
		})
		if err != nil {
			return err
		}
		for _, id := range order {
			if err := use(id, last[id]); err != nil {
				return err
			}
		}
	}
	return nil
}

// Tables returns the names of what was listed: the 15 types and what hangs on them.
func (x *Pulled) Tables() []string {
	names := map[string]bool{}
	for _, g := range x.pull.of {
		names[g.table()] = true
	}
	return slices.Sorted(maps.Keys(names))
}

// Close releases the directory.
func (x *Pulled) Close() error { return x.pull.journal.close() }

// A Document is the content of a file, and whose it is.
type Document struct {
	ID        string
	Name      string
	CV        bool
	OwnerType int // number of the kind of record: 3 is a candidate; 0: not known
	OwnerID   string
	Created   string // without a zone
	Path      string // of the content
}

// Documents calls use for each file whose content is here, CVs first.
func (x *Pulled) Documents(use func(Document) error) error {
	files, err := x.pull.files()
	if err != nil {
		return err
	}
	for _, f := range files {
		if r := x.pull.contents.of[f.id]; r != nil {
			if err := use(Document{f.id, f.name, f.cv, f.ownerType, f.owner, f.created, filepath.Join(x.Dir,
				r.File)}); err != nil {
				return err
			}
		}
	}
	return nil
}

// Answers returns the paths of the files of answers; OpenAnswers reads one.
func (x *Pulled) Answers() ([]string, error) {
	return filepath.Glob(filepath.Join(x.Dir, "answers", "*.json.zst"))
}

// OpenAnswers reads what is in a file of answers: bodies, each followed by a line feed.
func OpenAnswers(path string) (io.ReadCloser, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	z, err := zstd.NewReader(f)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &answers{z, f}, nil
}

type answers struct {
	*zstd.Decoder
	f *os.File
}

func (a *answers) Close() error {
	a.Decoder.Close()
	return a.f.Close()
}

// Receipts is the path of the receipts.
func (x *Pulled) Receipts() string { return filepath.Join(x.Dir, receiptsName) }
