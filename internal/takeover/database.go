package takeover

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"holdall/archive"
	"holdall/internal/scratch"
	"holdall/query"
)

// OpenDatabase opens an archived export for SQL: views of the archive's own Parquet files. The catalog of
// them is made when it is not there, or was made by another version: in dir, where it stays for the next
// time. Archives of before the Parquet files gave the received texts back are read from their CSVs once;
// what comes of that stays in dir as well.
func OpenDatabase(
	ctx context.Context, bag *archive.Bag, dir string, o query.OpenOptions, talk func(string, ...any),
) (*query.DB, error) {
	path := filepath.Join(dir, bag.ID()+".duckdb")
	files := filesOf(bag, path, &o)
	db, err := query.Open(ctx, path, files, o)
	if err == nil || !errors.Is(err, query.ErrOutdated) && !errors.Is(err, fs.ErrNotExist) {
		return db, err
	}
	if err := makeWritable(dir); err != nil {
		return nil, err
	}
	if err := makeDatabase(ctx, bag, path, talk); err != nil {
		return nil, fmt.Errorf("make the database of %s from the archive: %w", bag.ID(), err)
	}
	return query.Open(ctx, path, files, o)
}

// filesOf finds the files that a catalog at path names: in the bag, in the cache of a bag that is
// elsewhere, to which they are fetched when they are first read, or, by names without a folder, alongside
// the catalog.
func filesOf(bag *archive.Bag, path string, o *query.OpenOptions) query.Resolver {
	names := map[string]string{}
	if bag.HasCache() {
		o.Fetch = func(ctx context.Context, local string) error {
			_, err := bag.LocalFile(ctx, names[local])
			return err
		}
	}
	return func(name string) (string, error) {
		if !strings.Contains(name, "/") {
			return filepath.Join(query.Files(path), name), nil
		}
		local, err := bag.CachedPath(name)
		if errors.Is(err, errors.ErrUnsupported) {
			return filepath.Join(bag.Location(), filepath.FromSlash(name)), nil
		}
		names[local] = name
		return local, err
	}
}

// makeDatabase makes what OpenDatabase opens.
func makeDatabase(ctx context.Context, bag *archive.Bag, path string, talk func(string, ...any)) error {
	s, err := readStatus(ctx, bag)
	if err != nil {
		return err
	}
	if s.Catalog != nil {
		return query.WriteCatalog(ctx, path, *s.Catalog)
	}
	talk("making the tables of %s from the CSVs in the archive, in %s", bag.ID(), filepath.Dir(path))
	work, err := scratch.Make(filepath.Dir(path), query.BuildPrefix)
	if err != nil {
		return err
	}
	defer work.Remove()
	_, err = rebuild(ctx, bag, s, path, work.Path, 0, loadReceived, (*query.Builder).Finish)
	return err
}

// makeWritable makes dir, and finds out whether files can be made in it.
func makeWritable(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	probe, err := scratch.Make(dir, query.BuildPrefix)
	if err != nil {
		return err
	}
	return probe.Remove()
}

// rebuilt is what making the database again says of an archive.
type rebuilt struct {
	rows     map[string]int64 // by table
	findings []FindingCount
}

// rebuild makes the tables again from nothing but the bag, in the way that the takeover made them, with
// temporary files in tmp, and so many of the engine's threads, or one a core for 0. load loads one of them;
// finish is called with the Builder, whose database would appear at path.
func rebuild(
	ctx context.Context, bag *archive.Bag, s *Status, path, tmp string, threads int, load loadTable,
	finish func(*query.Builder, context.Context) error,
) (*rebuilt, error) {
	b, err := query.Create(ctx, path, query.BuildOptions{
		TempDir: tmp, Threads: threads, DateOrder: s.DateOrder, Snapshot: s.Created,
		Meta: meta(s.Software, s.Source), Schema: schemaOf(s.Source),
	})
	if err != nil {
		return nil, err
	}
	defer b.Close()
	r := &rebuilt{rows: map[string]int64{}}
	for _, t := range s.Records {
		if err := reload(ctx, bag, b, t, filepath.Join(tmp, "table.csv"), load, r); err != nil {
			return nil, err
		}
	}
	if err := loadIndex(ctx, bag, b); err != nil {
		return nil, err
	}
	if err := b.AddFindings(ctx, s.taking(ctx, bag)); err != nil {
		return nil, err
	}
	if err := b.LoadRefused(ctx, s.refusedEntries(ctx, bag)); err != nil {
		return nil, err
	}
	if err := b.Reconcile(ctx, s.Parts); err != nil {
		return nil, err
	}
	if r.findings, err = b.FindingCounts(ctx); err != nil {
		return nil, err
	}
	return r, finish(b, ctx)
}

// A loadTable loads a table, of which plain is the file that was received.
type loadTable func(
	ctx context.Context, b *query.Builder, t TableRecord, plain string,
) (*query.TableReport, error)

// loadReceived loads a table as if it was received today.
func loadReceived(
	ctx context.Context, b *query.Builder, t TableRecord, plain string,
) (*query.TableReport, error) {
	if strings.HasSuffix(t.File, ndjson) {
		return b.LoadNDJSON(ctx, t.File, plain)
	}
	return b.LoadCSV(ctx, t.File, plain)
}

// reload loads a table from the CSV that was received.
func reload(
	ctx context.Context, bag *archive.Bag, b *query.Builder, t TableRecord, plain string, load loadTable,
	r *rebuilt,
) error {
	defer os.Remove(plain)
	in, err := bag.OpenZstd(ctx, t.Received.Path, t.Received.ContentBytes, t.Received.ContentSHA256)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(plain)
	if err != nil {
		return err
	}
	if _, err = io.Copy(out, in); err == nil {
		err = t.addFurther(ctx, bag, out)
	}
	if err := errors.Join(err, out.Close()); err != nil {
		return fmt.Errorf("read %s: %w", t.Received.Path, err)
	}
	report, err := load(ctx, b, t, plain)
	if err != nil {
		return err
	}
	r.rows[report.Table] = report.Rows
	return nil
}

func loadIndex(ctx context.Context, bag *archive.Bag, b *query.Builder) error {
	in, err := bag.OpenIndexCSV(ctx)
	if err != nil {
		return err
	}
	return errors.Join(b.LoadDocuments(ctx, in), in.Close())
}

func meta(software, source string) map[string]string {
	return map[string]string{"software": software, "source": source}
}
