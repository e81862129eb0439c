package eploy

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
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
	return j.eachReceipt(l, func(_ *Receipt, id string, record json.RawMessage) error {
		return use(id,
			record)
	})
}

// eachReceipt is each with the receipts that records came with.
func (j *journal) eachReceipt(l *listing,
	use func(r *Receipt, id string, record json.RawMessage) error) error {
	for _, r := range j.all {
		if r.Rejected != "" || r.Status != http.StatusOK || !l.bears(r.Step) {
			continue
		}
		err := j.recordsIn(r, l, func(id string, record json.RawMessage) error { return use(r, id, record) })
		if err != nil {
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

// Records calls use for each record of a type as the system had it last, in the order of these answers.
// Those that have vanished are left out.
func (x *Pulled) Records(table string, use func(id string, record json.RawMessage) error) error {
	for _, l := range x.pull.listings {
		if l.table() != table {
			continue
		}
		g := x.pull.of[l.name]
		place, last := 0, map[string]int{} // of each record's last answer: they are many, and are not held
		err := x.pull.journal.each(l, func(id string, _ json.RawMessage) error {
			if place++; g.have[id] {
				last[id] = place
			}
			return nil
		})
		if err != nil {
			return err
		}
		place = 0
		err = x.pull.journal.each(l, func(id string, record json.RawMessage) error {
			if place++; last[id] == place {
				return use(id, record)
			}
			return nil
		})
		if err != nil {
			return err
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
	SHA256    string // as received
}

// Check compares the content with what was received. What differs is removed, so that the next Pull receives
// it again, and the error is a *Failure.
func (d *Document) Check() error {
	f, err := os.Open(d.Path)
	if err != nil {
		return err
	}
	sum := sha256.New()
	_, err = io.Copy(sum, f)
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	if hex.EncodeToString(sum.Sum(nil)) == d.SHA256 {
		return nil
	}
	if err := os.Remove(d.Path); err != nil {
		return err
	}
	return &Failure{Code: CodeNetwork, Retryable: true,
		Hint:    "run the same command again to have it received again",
		Message: fmt.Sprintf("file %s has changed on this disk since it was received", d.ID)}
}

// Documents calls use for each file whose content is here, CVs first.
func (x *Pulled) Documents(use func(Document) error) error {
	files, err := x.pull.files()
	if err != nil {
		return err
	}
	for _, f := range files {
		if r := x.pull.contents.of[f.id]; r != nil {
			if err := use(Document{ID: f.id, Name: f.name, CV: f.cv, OwnerType: f.ownerType, OwnerID: f.owner,
				Created: f.created, Path: filepath.Join(x.Dir, r.File), SHA256: r.SHA256}); err != nil {
				return err
			}
		}
	}
	return nil
}

// Replaced calls use for the path of each content that a file had before it was replaced.
func (x *Pulled) Replaced(use func(path string) error) error {
	c := &x.pull.contents
	for _, id := range slices.Sorted(maps.Keys(c.replaced)) {
		for _, r := range c.replaced[id] {
			if now := c.of[id]; now == nil || now.SHA256 == r.SHA256 {
				continue
			}
			if err := use(filepath.Join(x.Dir, r.File)); err != nil {
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
