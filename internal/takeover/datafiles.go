package takeover

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"holdall/internal/diskspace"
	"holdall/internal/filetype"
	"holdall/internal/unpack"
	"holdall/query"
	"holdall/schemas"
)

// data loads the files of a container of data, then those of the containers in it, if it has no tables of its
// own.
func (u *unpacker) data(ctx context.Context, s *origin) error {
	var files []unpack.Entry
	x, err := u.scanOrKeep(ctx, s, func() { files = nil }, func(e unpack.Entry) error {
		files = append(files, e)
		return u.list.add(s.record(e, ""))
	})
	if x == nil {
		return err
	}
	d := &dataFiles{in: u, s: s, c: x.c}
	if err := d.loadAll(ctx, files); err != nil {
		return err
	}
	if err := s.waitWhole(ctx); err != nil {
		return err
	}
	if err := u.takeRest(ctx, s, x, func(e unpack.Entry) error {
		if err := u.list.add(s.record(e, "")); err != nil {
			return err
		}
		if slices.ContainsFunc(files, func(f unpack.Entry) bool { return f.Name == e.Name }) {
			// an earlier version of it
			return d.load(ctx, e, true)
		}
		_, err := d.loadParts(ctx, []unpack.Entry{e})
		return err
	}); err != nil {
		return err
	}
	return d.unwrap(ctx)
}

// dataFiles are the files of one container of data.
type dataFiles struct {
	in     *unpacker
	s      *origin
	c      container
	inner  []unpack.Entry // containers among them
	tables int            // loaded
}

// loadAll loads the tables that owners come from first, where their names tell: packing waits for them.
func (d *dataFiles) loadAll(ctx context.Context, files []unpack.Entry) error {
	slices.SortStableFunc(files, func(a, b unpack.Entry) int { return order(a) - order(b) })
	missing := map[string]bool{"attachments": true, "candidates": true}
	for _, parts := range groupTableParts(files) {
		waits, err := d.loadParts(ctx, parts)
		if err != nil {
			return err
		}
		if table, ok := tableOf(parts[0].Name); ok && !waits && !isPiece(parts[0].Name) {
			delete(missing, table)
		}
		if len(missing) == 0 && len(d.inner) == 0 {
			d.in.t.ownerTables.loaded(d.s.object.Source.Number)
		}
	}
	return nil
}

func isPiece(name string) bool { return containerLike.MatchString(name) }

// tableOf returns which of the known tables a file is by its name, whatever it is wrapped in.
func tableOf(name string) (string, bool) {
	name = uncompressedName(stem(name))
	if ext := strings.ToLower(path.Ext(name)); ext == ".zip" || ext == ".tar" {
		name = name[:len(name)-len(ext)]
	}
	table, ok := schemas.ByFile(schemas.Recruitly(), name)
	return table.Name, ok
}

// order is 0 for a table that owners are found in.
func order(e unpack.Entry) int {
	if name, ok := tableOf(e.Name); ok && (name == "attachments" || name == "candidates") {
		return 0
	}
	return 1
}

// load keeps one file of the data part as received and, where it is a CSV, loads it. One that cannot be read
// at all is refused. aside says that it is an earlier version of another file: it is kept, and not loaded.
func (d *dataFiles) load(ctx context.Context, e unpack.Entry, aside bool) error {
	f, err := d.extract(ctx, e, !aside)
	if f == nil || err != nil {
		return err
	}
	defer os.Remove(f.plain)
	return d.keepOrLoad(ctx, f, aside)
}

// otherDir is where files of the data part are kept that are no tables.
const otherDir = "data/received/other/"

// A dataFile is a file of the data part on the local disk, unwrapped.
type dataFile struct {
	name  string      // as received, without the suffix of what it was wrapped in
	plain string      // path of its content
	first []byte      // of the content
	ahead *query.Scan // of a CSV that was looked at while it was written; may be nil
}

// extract writes one file of the data part to the local disk. It returns nil for one that is refused, kept as
// it is, or left for unwrap. alone says that it will be a table by itself if it is one.
func (d *dataFiles) extract(ctx context.Context, e unpack.Entry, alone bool) (*dataFile, error) {
	t := d.in.t
	f := &dataFile{name: e.Name, plain: filepath.Join(
		t.run.path("tmp"),
		fmt.Sprintf("data-%02d-%s-%06d.csv", d.s.object.Source.Number, d.s.inside, e.Index),
	)}
	taken := false
	defer func() {
		if !taken {
			_ = os.Remove(f.plain) // its directory is removed in any case
		}
	}()
	var scan func(io.ReaderAt) error
	if alone {
		scan = func(text io.ReaderAt) error { return d.scanAhead(ctx, f, text) }
	}
	var err error
	f.first, err = t.extract(ctx, d.s, d.c, e, f.plain, scan)
	if isCorrupt(err) {
		e.Refused = unpack.RefusedBroken
		return nil, d.in.refused.add(d.s, d.c, e)
	}
	if err != nil {
		return nil, err
	}
	if decompressor(f.first) != nil {
		if err := d.decompress(ctx, e, f); err != nil || f.first == nil {
			return nil, err
		}
	}
	switch format := otherFormat(f.first); {
	case format != "":
		if _, ok := tableOf(f.name); ok || !isOffice(f.first) {
			return nil, d.keepWrapped(e, f.plain, fmt.Errorf("it is %s, which is not read", format))
		}
	case filetype.Detect(f.first).IsContainer(), isPiece(f.name) && bytes.IndexByte(f.first, 0) >= 0:
		d.inner = append(d.inner, e)
		return nil, nil
	}
	taken = true
	return f, nil
}

// scanAhead looks at a CSV while it is written, if by its beginning it is one.
func (d *dataFiles) scanAhead(ctx context.Context, f *dataFile, text io.ReaderAt) error {
	head := make([]byte, 4096)
	n, err := text.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if head = head[:n]; !looksLikeCSV(f.name, head) || decompressor(head) != nil || otherFormat(head) != "" {
		return nil
	}
	f.ahead, err = d.in.t.db.ScanCSV(ctx, partsName([]*dataFile{f}), text)
	return err
}

// decompress puts the content of a compressed file in its place. f.first is nil then if the file is kept as
// it is, or left for unwrap.
func (d *dataFiles) decompress(ctx context.Context, e unpack.Entry, f *dataFile) error {
	unpacked := f.plain + ".unpacked"
	defer os.Remove(unpacked)
	f.first = nil
	if err := decompressFile(f.plain, unpacked); errors.Is(err, errNotDecompressed) {
		one := d.in.innerOrigin(d.s, d.c, []unpack.Entry{e})
		err := d.in.refetchUntilProven(ctx, one, fmt.Errorf("%w: %w", unpack.ErrFormat, err))
		if err != nil {
			return err
		}
		return d.keepWrapped(e, f.plain, err)
	} else if err != nil {
		return err
	}
	first, err := readHead(unpacked)
	if err != nil {
		return err
	}
	if filetype.Detect(first).IsContainer() {
		d.inner = append(d.inner, e)
		return nil
	}
	if f.name = uncompressedName(f.name); path.Ext(f.name) == "" {
		f.name += ".csv"
	}
	if first == nil {
		first = []byte{}
	}
	f.first = first
	return os.Rename(unpacked, f.plain)
}

// keepWrapped keeps a file that holds a table, it seems, in a form that cannot be read.
func (d *dataFiles) keepWrapped(e unpack.Entry, plain string, cause error) error {
	t := d.in.t
	kept, err := t.keepReceived(otherDir, e.Name, plain)
	if err != nil {
		return err
	}
	table, _ := tableOf(e.Name)
	t.reportUnopened(
		query.SeverityError, table,
		"%s in %s could not be unwrapped: %v; it is kept as received in %s", e.Name, displayName(d.s), cause,
		kept.Path,
	)
	return nil
}

func (d *dataFiles) keepOrLoad(ctx context.Context, f *dataFile, aside bool) error {
	if !aside && looksLikeCSV(f.name, f.first) {
		return d.loadTable(ctx, []*dataFile{f})
	}
	t := d.in.t
	why := "is not a CSV"
	if aside {
		why = "is there twice, the second time outside the directory"
	}
	kept, err := t.keepReceived(otherDir, f.name, f.plain)
	if err != nil {
		return err
	}
	x := query.Finding{Code: query.FileUnexpected, Severity: query.SeverityInfo,
		Detail: fmt.Sprintf("%s in the data part %s: kept as received in %s", f.name, why, kept.Path)}
	if table, ok := tableOf(f.name); ok && !aside {
		x.Table = table
	}
	t.findings.add(x)
	return nil
}

// loadTable keeps the files of a table as received, and loads the table.
func (d *dataFiles) loadTable(ctx context.Context, files []*dataFile) error {
	t := d.in.t
	var record TableRecord
	keep := func(f *dataFile) (StoredFile, error) {
		return t.keepReceived("data/received/tables/", f.name, f.plain)
	}
	var keeping errgroup.Group // the file is compressed while it is loaded
	whole, err := files[0].plain, error(nil)
	if len(files) > 1 {
		if record.Received, record.Further, err = keepParts(files, keep); err == nil {
			whole, err = appendParts(files)
		}
		if err != nil {
			return err
		}
	} else {
		keeping.Go(func() (err error) {
			record.Received, err = keep(files[0])
			return err
		})
	}
	var ahead *query.Scan
	if len(files) == 1 {
		ahead = files[0].ahead
	}
	report, err := t.db.LoadScanned(ctx, partsName(files), whole, ahead)
	if kerr := keeping.Wait(); kerr != nil {
		return errors.Join(kerr, err)
	}
	if err != nil {
		return t.unloaded(ctx, partsName(files), err)
	}
	d.tables++
	record.TableReport = *report
	parquet := "data/tables/" + safeName(report.Table) + "/part-00000.parquet"
	if record.Parquet, err = t.keepTable(report.Table, parquet); err != nil {
		return err
	}
	t.tables.add(record)
	return nil
}

// unwrap opens the containers among the files: where there is no table alongside them, and where their names
// say that they hold one. Others, and what is wrapped twice, are kept.
func (d *dataFiles) unwrap(ctx context.Context) error {
	groups, volumes, err := d.in.groupPieces(ctx, d.s, d.c, d.inner)
	if err != nil {
		return err
	}
	for _, g := range groups {
		entries := selectAt(d.inner, g)
		_, named := tableOf(entries[0].Name)
		err := errNotContainer
		if d.s.inside == "" && (d.tables == 0 || named) {
			err = d.in.withInner(
				ctx, d.s, d.c, entries, volumes[g[0]],
				func(inside *origin) error { return d.in.data(ctx, inside) },
			)
		}
		if !errors.Is(err, errNotContainer) {
			if err != nil {
				return err
			}
			continue
		}
		for _, e := range entries {
			if err := d.keepInner(ctx, e, named || d.tables == 0); err != nil {
				return err
			}
		}
	}
	return nil
}

// keepInner keeps a container that is not opened.
func (d *dataFiles) keepInner(ctx context.Context, e unpack.Entry, missed bool) error {
	t := d.in.t
	plain := filepath.Join(
		t.run.path("tmp"),
		fmt.Sprintf("inner-%02d-%s-%06d.bin", d.s.object.Source.Number, d.s.inside, e.Index),
	)
	defer os.Remove(plain)
	if _, err := t.extract(ctx, d.s, d.c, e, plain, nil); err != nil {
		return err
	}
	severity := query.SeverityWarning
	if missed {
		severity = query.SeverityError
	}
	kept, err := t.keepReceived(otherDir, e.Name, plain)
	if err != nil {
		return err
	}
	table, _ := tableOf(e.Name)
	t.reportUnopened(
		severity, table,
		"%s in %s is a container, or a piece of one, and was not opened; it is kept as received in %s",
		e.Name, displayName(d.s), kept.Path,
	)
	return nil
}

// unloaded reports a CSV that cannot be made a table: that must not keep an export from being archived.
func (t *takeover) unloaded(ctx context.Context, received string, cause error) error {
	if ctx.Err() != nil || diskspace.IsFull(cause) {
		return cause
	}
	table, _ := tableOf(received)
	t.findings.add(query.Finding{Code: query.TableUnreadable, Severity: query.SeverityError, Table: table,
		Detail: fmt.Sprintf(
			"%s could not be made a table and is kept as received: %v", received, cause,
		)})
	return nil
}

func decompressFile(from, to string) error {
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	_, err = decompress(f, info.Size(), to)
	return err
}

func readHead(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return headOf(f)
}
