package takeover

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"holdall/archive"
	"holdall/internal/scratch"
	"holdall/query"
)

// A Report is what Verify found out: what is wrong with the bag and, at level Deep, what reconciliation finds
// in it, which is what the takeover found.
type Report struct {
	*archive.Report
	Findings []FindingCount `json:"findings,omitempty"`
}

// Faulty reports whether a finding says that something promised is missing or damaged.
func (r *Report) Faulty() bool { return anyFault(r.Findings) }

// Verify checks an archive. At level Deep it also makes the tables again from the CSVs as received, and
// compares them cell by cell with the Parquet files, and what reconciliation finds with the record. dir is a
// directory for that; "" means the system's.
func Verify(
	ctx context.Context, bag *archive.Bag, level archive.Level, dir string, o archive.VerifyOptions,
) (*Report, error) {
	if level != archive.Deep {
		of, err := bag.VerifyWith(ctx, level, o)
		return &Report{Report: of}, err
	}
	c := &comparison{bag: bag}
	alongside, stop := context.WithCancel(ctx) // the one waits for the disk where the other calculates
	defer stop()
	compared := make(chan error, 1)
	go func() { compared <- c.run(alongside, dir) }()
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
	r.Findings = c.findings
	return r, nil
}

// verifyPrefix begins the names of the directories that tables are made in again.
const verifyPrefix = "holdall-verify-"

// A comparison holds what an archive says of its tables against what its CSVs make.
type comparison struct {
	bag      *archive.Bag
	status   *Status
	tmp      string
	faults   []archive.Fault
	findings []FindingCount // now
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
	again, err := rebuild(ctx, c.bag, c.status, path, c.tmp, c.compareParquet)
	if err != nil {
		return err
	}
	for _, t := range c.status.Records {
		if got := again.rows[t.Table]; got != t.Rows {
			c.fault(rowsMismatch, t.Received.Path, "the CSV has %d rows, the record says %d", got, t.Rows)
		}
	}
	for _, d := range differences(again.findings, c.status.Findings) {
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

// compareParquet compares each Parquet file of the archive with the table that was made again.
func (c *comparison) compareParquet(b *query.Builder, ctx context.Context) error {
	for _, t := range c.status.Records {
		c.compare(ctx, t.Parquet.Path, func(local string) ([]string, error) {
			got, err := query.CountParquet(ctx, local)
			if err != nil {
				return nil, err
			}
			if got != t.Rows {
				c.fault(rowsMismatch, t.Parquet.Path,
					"the Parquet file has %d rows, the record says %d", got, t.Rows)
				return nil, nil
			}
			if c.status.Catalog == nil { // an early archive, which kept texts in the CSV only
				return nil, nil
			}
			if same, err := sameContent(local, b.File(t.Table)); same || err != nil {
				return nil, err // as it is where the version is that of the takeover
			}
			return b.CompareTable(ctx, t.TableReport, local)
		})
	}
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
	local := filepath.Join(c.tmp, "part.parquet")
	defer os.Remove(local)
	var differ []string
	err := copyOut(ctx, c.bag, path, local)
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

// sameContent reports whether two files have the same bytes.
func sameContent(one, other string) (bool, error) {
	a, err := os.Open(one)
	if err != nil {
		return false, err
	}
	defer a.Close()
	b, err := os.Open(other)
	if err != nil {
		return false, err
	}
	defer b.Close()
	left, right := make([]byte, 256<<10), make([]byte, 256<<10)
	for {
		n, err := io.ReadFull(a, left)
		m, other := io.ReadFull(b, right)
		switch {
		case !bytes.Equal(left[:n], right[:m]):
			return false, nil
		case err == io.EOF || err == io.ErrUnexpectedEOF:
			return true, nil
		case err != nil || other != nil:
			return false, errors.Join(err, other)
		}
	}
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

// differences compares what reconciliation finds now with what it found then.
func differences(now, then []FindingCount) []string {
	var all []string
	counts := map[query.Code]int{}
	for _, f := range now {
		counts[f.Code] = f.Count
	}
	for _, f := range then {
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
