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
	"sync"
	"syscall"

	"holdall/archive"
	"holdall/fetch"
	"holdall/internal/digest"
	"holdall/internal/unpack"
	"holdall/query"
	"holdall/schemas"
)

// A TableRecord is what the archive says of a table: how it was received, read and kept.
type TableRecord struct {
	query.TableReport
	Received StoredFile `json:"received"` // the CSV, zstd-compressed
	Parquet  StoredFile `json:"parquet"`
}

// A StoredFile is a file of the bag: as stored and, where that is compressed, its content.
type StoredFile struct {
	Path          string     `json:"path"`
	Bytes         int64      `json:"bytes"`
	SHA256        digest.Sum `json:"sha256"`
	ContentBytes  int64      `json:"content_bytes,omitempty"`
	ContentSHA256 digest.Sum `json:"content_sha256,omitzero"`
}

// tables collects the tables as they are loaded.
type tables struct {
	mu    sync.Mutex
	all   []TableRecord   // guarded by mu
	names map[string]bool // received names given out, guarded by mu
}

func newTables() *tables { return &tables{names: map[string]bool{}} }

func (ts *tables) add(r TableRecord) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	ts.all = append(ts.all, r)
}

func (ts *tables) list() []TableRecord {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	return ts.all
}

func (ts *tables) counts() map[string]TableCount {
	counts := map[string]TableCount{}
	for _, r := range ts.list() {
		counts[r.Table] = TableCount{Rows: r.Rows, File: r.File}
	}
	return counts
}

// name gives out a name in the bag for a received file, unlike all others before: folders are dropped, and a second
// Users.csv becomes Users-2.csv.
func (ts *tables) name(received string) string {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	base := safeName(path.Base(strings.ReplaceAll(received, `\`, "/")))
	ext := path.Ext(base)
	name := base
	for n := 2; ts.names[strings.ToLower(name)]; n++ {
		name = fmt.Sprintf("%s-%d%s", strings.TrimSuffix(base, ext), n, ext)
	}
	ts.names[strings.ToLower(name)] = true
	return name
}

// safeName keeps what the bag's names may hold and at most 60 characters.
func safeName(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < 128 && (r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '_' || r == '-') {
			return r
		}
		return '-'
	}, s)
	s = strings.TrimLeft(s, ".-")
	if len(s) > 60 {
		ext := path.Ext(s)
		s = s[:60-min(len(ext), 10)] + ext[:min(len(ext), 10)]
	}
	if s == "" {
		return "unnamed"
	}
	return s
}

// loadData brings the files of a data object into the bag, and the CSVs among them into the database.
func (t *takeover) loadData(ctx context.Context, o *fetch.Object) error {
	c, err := open(ctx, o, t.deadFile(o))
	if errors.Is(err, errNotContainer) {
		return t.keepUnknown(ctx, o)
	}
	if err != nil {
		return t.broken(o, err)
	}
	list, err := t.custody.list(o.Source.Number)
	if err != nil {
		return err
	}
	defer list.close()
	var files []unpack.Entry
	for e, err := range c.Entries() {
		if err != nil {
			return t.broken(o, err)
		}
		if err := list.add(record(o.Source.Number, e, "")); err != nil {
			return err
		}
		if e.Refused != "" {
			if err := t.refuse(ctx, o, c, e, ""); err != nil {
				return err
			}
			continue
		}
		files = append(files, e)
	}
	if err := list.close(); err != nil {
		return err
	}
	return t.loadFiles(ctx, o, c, files)
}

// loadFiles loads the tables that owners come from first, where their names tell: packing waits for them.
func (t *takeover) loadFiles(ctx context.Context, o *fetch.Object, c container, files []unpack.Entry) error {
	slices.SortStableFunc(files, func(a, b unpack.Entry) int { return order(a) - order(b) })
	missing := map[string]bool{"attachments": true, "candidates": true}
	for _, e := range files {
		if err := t.loadFile(ctx, o, c, e); err != nil {
			return err
		}
		table, _ := schemas.ByFile(schemas.Recruitly(), e.Name)
		delete(missing, table.Name)
		if len(missing) == 0 {
			t.owners.know(o.Source.Number)
		}
	}
	return nil
}

// order is 0 for a table that owners are found in.
func order(e unpack.Entry) int {
	if t, ok := schemas.ByFile(schemas.Recruitly(), e.Name); ok && (t.Name == "attachments" || t.Name == "candidates") {
		return 0
	}
	return 1
}

// loadFile keeps one file of the data part as received and, where it is a CSV, loads it.
func (t *takeover) loadFile(ctx context.Context, o *fetch.Object, c container, e unpack.Entry) error {
	plain := filepath.Join(t.run.path("tmp"), fmt.Sprintf("data-%02d-%06d.csv", o.Source.Number, e.Index))
	defer os.Remove(plain)
	first, err := t.extract(ctx, o, c, e, plain)
	if err != nil {
		return err
	}
	if !looksLikeCSV(e.Name, first) {
		t.found.add(query.Finding{Code: query.FileUnexpected, Severity: query.SeverityInfo,
			Detail: fmt.Sprintf("%s in the data part is not a CSV: kept as received", e.Name)})
		_, err := t.keepFile("data/received/other/"+t.tables.name(e.Name)+".zst", plain)
		return err
	}
	name := t.tables.name(e.Name)
	report, err := t.db.LoadCSV(ctx, e.Name, plain)
	if err != nil {
		return t.keepUnloaded(ctx, e, name, plain, fmt.Errorf("load %s: %w", e.Name, err))
	}
	record := TableRecord{TableReport: *report}
	if record.Received, err = t.keepFile("data/received/tables/"+name+".zst", plain); err != nil {
		return err
	}
	if record.Parquet, err = t.writeParquet(ctx, report.Table, "data/tables/"+safeName(report.Table)+"/part-00000.parquet"); err != nil {
		return err
	}
	t.tables.add(record)
	return nil
}

// keepUnloaded keeps a CSV that cannot be made a table as it was received: that must not keep an export from being archived.
func (t *takeover) keepUnloaded(ctx context.Context, e unpack.Entry, name, plain string, cause error) error {
	if ctx.Err() != nil || errors.Is(cause, syscall.ENOSPC) || strings.Contains(cause.Error(), "No space left") {
		return cause
	}
	t.found.add(query.Finding{Code: query.TableUnreadable, Severity: query.SeverityError,
		Detail: fmt.Sprintf("%s could not be made a table and is kept as received: %v", e.Name, cause)})
	_, err := t.keepFile("data/received/tables/"+name+".zst", plain)
	return err
}

func looksLikeCSV(name string, first []byte) bool {
	switch unpack.Detect(first) {
	case unpack.KindCSV, unpack.KindUnknown:
		return strings.EqualFold(path.Ext(name), ".csv")
	}
	return len(first) == 0 && strings.EqualFold(path.Ext(name), ".csv")
}

// extract writes an entry's content to a file, asking for its bytes again once if the container says they are wrong.
// Content that stays wrong is kept as it came, with a finding.
func (t *takeover) extract(ctx context.Context, o *fetch.Object, c container, e unpack.Entry, plain string) (first []byte, err error) {
	f, err := os.Create(plain)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	var start bytes.Buffer
	err = t.read(ctx, o, c, e, func(r io.Reader, damaged bool) error {
		start.Reset()
		if err := f.Truncate(0); err != nil {
			return err
		}
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return err
		}
		_, err := io.Copy(f, io.TeeReader(r, &headWriter{&start, 4096}))
		if damaged && err == nil {
			t.found.add(query.Finding{Code: query.DamagedInSource, Severity: query.SeverityError,
				Detail: fmt.Sprintf("%s does not fit the checksum in its container: ask the vendor for this file again", e.Name)})
		}
		return err
	})
	return start.Bytes(), err
}

// headWriter keeps the first n bytes written.
type headWriter struct {
	buf *bytes.Buffer
	n   int
}

func (w *headWriter) Write(p []byte) (int, error) {
	if room := w.n - w.buf.Len(); room > 0 {
		w.buf.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}

// keepFile stores a local file, zstd-compressed, in the bag.
func (t *takeover) keepFile(name, from string) (StoredFile, error) {
	if c, ok := t.bag.HasZstd(name); ok { // finished by an earlier process
		return storedZstd(name, c), nil
	}
	f, err := os.Open(from)
	if err != nil {
		return StoredFile{}, err
	}
	defer f.Close()
	z, err := t.bag.CreateZstd(name)
	if err != nil {
		return StoredFile{}, err
	}
	defer z.Close()
	if _, err := io.Copy(z, f); err != nil {
		return StoredFile{}, err
	}
	c, err := z.Commit()
	return storedZstd(name, c), err
}

// writeParquet stores a table of the database as Parquet in the bag.
func (t *takeover) writeParquet(ctx context.Context, table, name string) (StoredFile, error) {
	if info, ok := t.bag.Has(name); ok {
		return stored(name, info), nil
	}
	tmp := filepath.Join(t.run.path("tmp"), safeName(table)+".parquet")
	defer os.Remove(tmp)
	if _, err := t.db.WriteParquet(ctx, table, tmp); err != nil {
		return StoredFile{}, fmt.Errorf("write %s as parquet: %w", table, err)
	}
	return t.copyIn(name, tmp)
}

// copyIn stores a local file in the bag as it is.
func (t *takeover) copyIn(name, from string) (StoredFile, error) {
	in, err := os.Open(from)
	if err != nil {
		return StoredFile{}, err
	}
	defer in.Close()
	return t.writeIn(name, func(w io.Writer) error {
		_, err := io.Copy(w, in)
		return err
	})
}

// writeIn stores what write writes in the bag, unless an earlier process did.
func (t *takeover) writeIn(name string, write func(io.Writer) error) (StoredFile, error) {
	f, err := t.bag.Create(name)
	if err != nil {
		return StoredFile{}, err
	}
	defer f.Close()
	if err := write(f); err != nil {
		return StoredFile{}, err
	}
	info, err := f.Commit()
	return stored(name, info), err
}

func storedZstd(name string, c archive.Compressed) StoredFile {
	return StoredFile{Path: name, Bytes: c.Stored.Size, SHA256: c.Stored.SHA256, ContentBytes: c.ContentSize, ContentSHA256: c.ContentSHA256}
}

func stored(name string, info archive.Info) StoredFile {
	return StoredFile{Path: name, Bytes: info.Size, SHA256: info.SHA256}
}
