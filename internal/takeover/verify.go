package takeover

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"holdall/archive"
	"holdall/internal/digest"
	"holdall/internal/scratch"
	"holdall/query"
)

// A Report is what Verify found out: what is wrong with the bag and, at level Deep, what reconciliation finds
// in it, which is what the takeover found.
type Report struct {
	*archive.Report
	Findings []FindingCount `json:"findings,omitempty"`
	// OtherRules says that Findings follow rules of this version, which are not those of the takeover.
	OtherRules bool `json:"-"`
}

// Faulty reports whether a finding says that something promised is missing or damaged.
func (r *Report) Faulty() bool { return anyFault(r.Findings) }

// Verify checks an archive. At level Deep it also compares the Parquet files cell by cell with the CSVs as
// received, and what reconciliation finds in them with the record. dir is a directory for that; "" means the
// system's.
func Verify(
	ctx context.Context, bag *archive.Bag, level archive.Level, dir string, o archive.VerifyOptions,
) (*Report, error) {
	if level != archive.Deep {
		of, err := bag.VerifyWith(ctx, level, o)
		return &Report{Report: of}, err
	}
	c := &comparison{bag: bag, received: map[string]digest.Sum{}, done: make(chan struct{})}
	alongside, stop := context.WithCancel(ctx) // the one waits for the disk where the other calculates
	defer stop()
	compared := make(chan error, 1)
	go func() {
		err := c.run(alongside, dir)
		close(c.done)
		compared <- err
	}()
	o.KnownContent = c.hasRead
	of, err := bag.VerifyWith(ctx, level, o)
	if err != nil {
		stop()
		<-compared
		return &Report{Report: of}, err
	}
	r := &Report{Report: of}
	if err := <-compared; err != nil {
		if ctx.Err() != nil {
			return nil, err
		}
		if len(r.Faults) > 0 {
			return r, nil // the damage that is already named is why
		}
		c.fault("tables-unreadable", completenessFile, "%v", err)
	}
	r.Faults = append(r.Faults, c.faults...)
	r.Valid = len(r.Faults) == 0
	r.Findings, r.OtherRules = c.findings, c.status != nil && c.status.Rules != query.Rules
	return r, nil
}

// verifyPrefix begins the names of the directories that tables are compared in.
const verifyPrefix = "holdall-verify-"

// A comparison holds what an archive says of its tables against its CSVs.
type comparison struct {
	bag      *archive.Bag
	status   *Status
	tmp      string
	faults   []archive.Fault
	findings []FindingCount // now

	done     chan struct{}         // closed when all is compared; until then, run owns what is here
	received map[string]digest.Sum // the contents of received CSVs that were read to their end, by path
}

// hasRead waits for the end of run, and reports whether it has read a file with this content.
func (c *comparison) hasRead(path string, content digest.Sum) bool {
	<-c.done
	sum, ok := c.received[path]
	return ok && sum == content
}

func (c *comparison) fault(code archive.FaultCode, path, format string, args ...any) {
	c.faults = append(c.faults, archive.Fault{
		Code: code, Path: path, Documents: []string{}, Detail: fmt.Sprintf(format, args...),
	})
}

func (c *comparison) run(ctx context.Context, dir string) error {
	work, err := scratch.Make(dir, verifyPrefix)
	if err != nil {
		return err
	}
	defer work.Remove()
	c.tmp = work.Path
	if c.status, err = readStatus(ctx, c.bag); err != nil {
		return err
	}
	path := filepath.Join(c.tmp, "tables.duckdb")
	// Documents are hashed at the same time: more threads would wait for the cores that that needs.
	again, err := rebuild(ctx, c.bag, c.status, path, c.tmp, 1, c.load, c.compareRest)
	if err != nil {
		return err
	}
	for _, t := range c.status.Records {
		if got := again.rows[t.Table]; got != t.Rows {
			c.fault(rowsMismatch, t.Received.Path, "the CSV has %d rows, the record says %d", got, t.Rows)
		}
	}
	for _, d := range findingsDiffer(again.findings, c.status) {
		c.fault("findings-mismatch", completenessFile, "%s", d)
	}
	c.findings = again.findings
	return nil
}

// What is wrong with a table in an archive.
const (
	rowsMismatch      archive.FaultCode = "rows-mismatch"
	cellsMismatch     archive.FaultCode = "cells-mismatch"
	parquetUnreadable archive.FaultCode = "parquet-unreadable"
)

// load takes a table as the archive has it, when every cell of its Parquet file is that of the received CSV.
// Where it is not, that is a fault, and the table is made again from the CSV, under the types that are
// recorded: what a later version would infer is no damage.
func (c *comparison) load(
	ctx context.Context, b *query.Builder, t TableRecord, plain string,
) (*query.TableReport, error) {
	c.received[t.Received.Path] = t.Received.ContentSHA256 // all of plain was compared with it
	for _, f := range t.Further {
		c.received[f.Path] = f.ContentSHA256
	}
	if c.status.Catalog == nil { // an early archive, which kept texts in the CSV only
		c.countRows(ctx, t)
		return loadReceived(ctx, b, t, plain)
	}
	local, err := c.localFile(ctx, t.Parquet.Path)
	if err == nil {
		report, err := b.LoadStored(ctx, t.File, plain, query.Stored{Report: t.TableReport, File: local})
		if err == nil && report.Rows != t.Rows {
			c.rowsDiffer(t, report.Rows)
		}
		if err == nil || !errors.Is(err, query.ErrStoredDiffers) {
			return report, err
		}
	}
	report, again := b.LoadStored(ctx, t.File, plain, query.Stored{Report: t.TableReport})
	if errors.Is(again, query.ErrStoredDiffers) {
		report, again = loadReceived(ctx, b, t, plain)
	}
	if again == nil && c.countRows(ctx, t) {
		c.compare(ctx, t.Parquet.Path, func(local string) ([]string, error) {
			return b.CompareTable(ctx, t.TableReport, local)
		})
	}
	return report, again
}

// countRows compares the rows of a Parquet file with the record, and reports whether it has so many.
func (c *comparison) countRows(ctx context.Context, t TableRecord) bool {
	ok := false
	c.compare(ctx, t.Parquet.Path, func(local string) ([]string, error) {
		got, err := query.CountParquet(ctx, local)
		if ok = err == nil && got == t.Rows; !ok && err == nil {
			c.rowsDiffer(t, got)
		}
		return nil, err
	})
	return ok
}

func (c *comparison) rowsDiffer(t TableRecord, got int64) {
	c.fault(
		rowsMismatch, t.Parquet.Path, "the Parquet file has %d rows, the record says %d", got, t.Rows,
	)
}

// compareRest compares the tables that come from no CSV.
func (c *comparison) compareRest(b *query.Builder, ctx context.Context) error {
	if c.status.Catalog == nil {
		return ctx.Err()
	}
	for _, table := range []string{"documents", "quarantine"} {
		if path, ok := c.status.Catalog.Parts[table]; ok {
			c.compare(ctx, path, func(local string) ([]string, error) {
				return b.CompareRows(ctx, table, local)
			})
		}
	}
	return ctx.Err()
}

// differencesTold is how many columns of a table a fault names.
const differencesTold = 5

// compare has a file of the archive compared, and records what differs.
func (c *comparison) compare(ctx context.Context, path string, with func(local string) ([]string, error)) {
	local, err := c.localFile(ctx, path)
	var differ []string
	if err == nil {
		differ, err = with(local)
	}
	if err != nil {
		c.fault(parquetUnreadable, path, "%v", err)
	}
	if n := len(differ) - differencesTold; n > 0 {
		differ = append(differ[:differencesTold:differencesTold], fmt.Sprintf("and in %d more columns", n))
	}
	if len(differ) > 0 {
		c.fault(cellsMismatch, path, "%s", strings.Join(differ, "; "))
	}
}

// localFile returns where a file of the archive is, or a copy of it, which stays until the end of run.
func (c *comparison) localFile(ctx context.Context, name string) (string, error) {
	local := filepath.Join(c.bag.Location(), filepath.FromSlash(name))
	if fi, err := os.Stat(local); err == nil && fi.Mode().IsRegular() {
		return local, nil
	}
	local = filepath.Join(c.tmp, "part-"+digest.Of([]byte(name)).String()+".parquet")
	if _, err := os.Stat(local); err == nil {
		return local, nil
	}
	if err := copyOut(ctx, c.bag, name, local); err != nil {
		return "", errors.Join(err, os.RemoveAll(local))
	}
	return local, nil
}

func copyOut(ctx context.Context, bag *archive.Bag, name, to string) error {
	in, err := bag.FS(ctx).Open(name)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = out.ReadFrom(in)
	return errors.Join(err, out.Close())
}

// findingsDiffer compares what reconciliation finds now with what it found then, if it found it by the same
// rules.
func findingsDiffer(now []FindingCount, s *Status) []string {
	if s.Rules != query.Rules {
		return nil
	}
	var all []string
	counts := map[query.Code]int{}
	for _, f := range now {
		counts[f.Code] = f.Count
	}
	for _, f := range s.Findings {
		if counts[f.Code] != f.Count {
			all = append(
				all, fmt.Sprintf("%s: %d now, %d when it was archived", f.Code, counts[f.Code], f.Count),
			)
		}
		delete(counts, f.Code)
	}
	for code, n := range counts {
		all = append(all, fmt.Sprintf("%s: %d now, none when it was archived", code, n))
	}
	return all
}
