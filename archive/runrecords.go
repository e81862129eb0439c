package archive

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"strings"

	"github.com/klauspost/compress/zstd"

	"holdall/internal/digest"
)

// A RecordPack collects the records of a run, compressed: some 50 bytes of memory each.
type RecordPack struct {
	b      bytes.Buffer
	z      *zstd.Encoder
	enc    *json.Encoder
	n      int64
	failed int64
}

// NewRecordPack returns an empty RecordPack.
func NewRecordPack() *RecordPack { return &RecordPack{} }

// Add adds a record.
func (p *RecordPack) Add(r RunRecord) (err error) {
	if p.enc == nil {
		if p.z, err = zstd.NewWriter(&p.b, zstd.WithEncoderConcurrency(1)); err != nil {
			return err
		}
		p.enc = json.NewEncoder(p.z)
		p.enc.SetEscapeHTML(false)
	}
	p.n++
	if r.Status == "failed" {
		p.failed++
	}
	return p.enc.Encode(r)
}

// Len is the number of records.
func (p *RecordPack) Len() int64 { return p.n }

// Failed is how many of them have the status failed.
func (p *RecordPack) Failed() int64 { return p.failed }

// bytes ends the pack: nothing can be added any more.
func (p *RecordPack) bytes() ([]byte, error) {
	err := p.z.Close()
	return p.b.Bytes(), err
}

// RunRecords yields the records that the ledger lists of a run, verified: a file that was changed is an error
// before its first record.
func RunRecords(ctx context.Context, s Store, r Run) iter.Seq2[RunRecord, error] {
	return func(yield func(RunRecord, error) bool) {
		if r.recordsFile == "" {
			return
		}
		if err := eachRecord(ctx, s, r, func(x RunRecord) bool { return yield(x, nil) }); err != nil {
			yield(RunRecord{}, fmt.Errorf("ledger: records of run %s: %w", r.ID, err))
		}
	}
}

// namesRecords reports whether the name of the file of records is one that AppendRun gives.
func (r *Run) namesRecords() bool {
	return strings.HasPrefix(r.recordsFile, ledgerDir+"records/") && CheckStoreName(r.recordsFile) == nil
}

// maxRecords is the longest file of records that is read: some millions of records, compressed.
const maxRecords = 1 << 30

func eachRecord(ctx context.Context, s Store, r Run, use func(RunRecord) bool) error {
	if !r.namesRecords() {
		return errors.New("the event names no file of records")
	}
	b, err := readAll(ctx, s, r.recordsFile, maxRecords)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s is gone", s.Location(r.recordsFile))
	}
	if err != nil {
		return err
	}
	if digest.Of(b) != r.recordsSum {
		return fmt.Errorf("%s was changed", s.Location(r.recordsFile))
	}
	z, err := zstd.NewReader(bytes.NewReader(b))
	if err != nil {
		return err
	}
	defer z.Close()
	lines := bufio.NewReader(z)
	for {
		line, err := lines.ReadBytes('\n')
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		var x RunRecord
		if err := json.Unmarshal(line, &x); err != nil {
			return err
		}
		if !use(x) {
			return nil
		}
	}
}
