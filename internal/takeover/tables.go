package takeover

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"holdall/archive"
	"holdall/fetch/master"
	"holdall/internal/digest"
	"holdall/internal/filetype"
	"holdall/internal/unpack"
	"holdall/query"
	"holdall/schemas"
)

// A TableRecord is what the archive says of a table: how it was received, read and kept.
type TableRecord struct {
	query.TableReport
	Received StoredFile   `json:"received"`                   // the CSV, zstd-compressed
	Further  []StoredFile `json:"received_further,omitempty"` // the other files of a table in several
	Parquet  StoredFile   `json:"parquet"`
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

// name gives out a name in the bag for a received file, unlike all others before, and one that fits: folders
// are dropped, and a second Users.csv becomes Users-2.csv.
func (ts *tables) name(received string, fits func(name string) bool) string {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	base := safeName(path.Base(strings.ReplaceAll(received, `\`, "/")))
	ext := path.Ext(base)
	name := base
	for n := 2; ts.names[strings.ToLower(name)] || !fits(name); n++ {
		name = fmt.Sprintf("%s-%d%s", strings.TrimSuffix(base, ext), n, ext)
	}
	ts.names[strings.ToLower(name)] = true
	return name
}

// safeName keeps what the bag's names may hold and at most 60 characters.
func safeName(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < 128 && (r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' ||
			r == '_' || r == '-') {
			return r
		}
		return '-'
	}, s)
	s = strings.TrimRight(strings.TrimLeft(s, ".-"), ".")
	if len(s) > 60 {
		ext := path.Ext(s)
		s = strings.TrimRight(s[:60-min(len(ext), 10)]+ext[:min(len(ext), 10)], ".")
	}
	switch {
	case s == "":
		return "unnamed"
	case archive.CheckName(s) != nil: // reserved on Windows, or by the archive
		return "file-" + s + "-"
	}
	return s
}

// looksLikeCSV reports whether a file of the data part is a CSV: by its name's end; of a text with another
// end, by its being named like one of the ten; else by its headings.
func looksLikeCSV(name string, first []byte) bool {
	kind := filetype.Detect(first)
	switch strings.ToLower(path.Ext(name)) {
	case ".csv", ".tsv", ".tab":
		return kind == filetype.CSV || kind == filetype.Unknown || len(first) == 0
	case ".txt", ".dat", "":
		_, known := schemas.ByFile(schemas.Recruitly(), name)
		if known && (kind == filetype.CSV || kind == filetype.Unknown && mayBeText(first)) {
			return true
		}
	}
	// Whatever it is called, or if nothing says what: a file with the headings of a known table is that
	// table.
	return (kind == filetype.CSV || kind == filetype.Unknown) && master.IsTable(first)
}

// mayBeText reports whether a file's beginning has delimiters and none of what only binary files have.
func mayBeText(first []byte) bool {
	return bytes.ContainsAny(first, ",;\t|") && !bytes.ContainsAny(first, "\x00\x01\x02\x03") &&
		!bytes.HasPrefix(first, []byte("%PDF-"))
}

// extract writes an entry's content to a file, asking for its bytes again once if the container says they are
// wrong. Content that stays wrong is kept as it came, with a finding. meanwhile, if not nil, reads what is
// written; it is called once, and its error does not count.
func (t *takeover) extract(
	ctx context.Context, o *origin, c container, e unpack.Entry, plain string,
	meanwhile func(io.ReaderAt) error,
) (first []byte, err error) {
	f, err := os.Create(plain)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	out := newGrowingFile(f)
	var reading errgroup.Group
	if meanwhile != nil {
		reading.Go(func() error { return meanwhile(out) })
	}
	defer func() {
		out.end(cmp.Or(err, io.EOF))
		_ = reading.Wait()
	}()
	var start bytes.Buffer
	tries := 0
	err = t.read(ctx, o, c, e, func(r io.Reader, damaged bool) error {
		if tries++; tries > 1 {
			out.end(errWrittenAgain)
		}
		start.Reset()
		if err := f.Truncate(0); err != nil {
			return err
		}
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return err
		}
		_, err := io.Copy(out, io.TeeReader(r, &headWriter{&start, 4096}))
		if damaged && err == nil {
			t.findings.add(query.Finding{Code: query.DamagedInSource, Severity: query.SeverityError,
				Detail: fmt.Sprintf(
					"%s does not fit the checksum in its container: ask the vendor for this file again",
					e.Name,
				)})
		}
		return err
	})
	return start.Bytes(), err
}

// errWrittenAgain says that what was written first does not count.
var errWrittenAgain = errors.New("it is written again")

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

// keepReceived stores a received file in a folder of the bag. What an earlier process stored under the file's
// name may be another file: several data objects are unpacked at once, and which of two files of one name
// comes first differs from process to process. Then the next name is taken.
func (t *takeover) keepReceived(folder, received, from string) (StoredFile, error) {
	var sum digest.Sum
	var err error
	path := func(name string) string { return folder + name + ".zst" }
	name := t.tables.name(received, func(name string) bool {
		c, ok := t.bag.HasZstd(path(name))
		if ok && err == nil && sum == (digest.Sum{}) {
			sum, err = localSum(from)
		}
		return !ok || err != nil || sum == c.ContentSHA256
	})
	if err != nil {
		return StoredFile{}, err
	}
	return t.keepFile(path(name), from)
}

// keepFile stores a local file, zstd-compressed, in the bag, in place of what an earlier process stored under
// that name if that is another file.
func (t *takeover) keepFile(name, from string) (StoredFile, error) {
	if c, ok := t.bag.HasZstd(name); ok {
		sum, err := localSum(from)
		if err != nil || sum == c.ContentSHA256 {
			return storedZstd(name, c), err
		}
		if err := t.bag.Discard(name); err != nil {
			return StoredFile{}, err
		}
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

// keepTable stores a loaded table's Parquet file in the bag, unless an earlier process did. What that wrote
// is rebuilt where it differs: another version of this program may have written what this one's record does
// not describe.
func (t *takeover) keepTable(table, name string) (StoredFile, error) {
	local := t.db.File(table)
	if info, ok := t.bag.Has(name); ok {
		sum, err := localSum(local)
		if err != nil || sum == info.SHA256 {
			return stored(name, info), err
		}
		if err := t.bag.Discard(name); err != nil {
			return StoredFile{}, err
		}
	}
	return t.copyIn(name, local)
}

func localSum(path string) (digest.Sum, error) {
	f, err := os.Open(path)
	if err != nil {
		return digest.Sum{}, err
	}
	defer f.Close()
	w := digest.NewWriter()
	_, err = io.Copy(w, f)
	return w.Sum(), err
}

// writeParquet stores a table that no CSV brings as Parquet in the bag, in place of what an earlier process
// wrote.
func (t *takeover) writeParquet(ctx context.Context, table, name string) error {
	if err := t.bag.Discard(name); err != nil {
		return err
	}
	tmp := filepath.Join(t.run.path("tmp"), safeName(table)+".parquet")
	defer os.Remove(tmp)
	if _, err := t.db.WriteParquet(ctx, table, tmp); err != nil {
		return fmt.Errorf("write %s as parquet: %w", table, err)
	}
	_, err := t.copyIn(name, tmp)
	return err
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
	return StoredFile{
		Path: name, Bytes: c.Stored.Size, SHA256: c.Stored.SHA256, ContentBytes: c.ContentSize,
		ContentSHA256: c.ContentSHA256,
	}
}

func stored(name string, info archive.Info) StoredFile {
	return StoredFile{Path: name, Bytes: info.Size, SHA256: info.SHA256}
}
