package takeover

import (
	"bufio"
	"compress/bzip2"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"holdall/internal/filetype"
	"holdall/internal/unpack"
	"holdall/query"
)

// Some exports are wrapped once more: a ZIP of ZIPs, tables that are gzipped one by one, a container cut into
// pieces. What is wrapped is unwrapped, once. An ordinary document that happens to be a ZIP, a workbook or a
// portfolio, is none of that.

// mostWrapped is how many containers an object may hold that are looked into.
const mostWrapped = 1000

// containerName fits the names that containers and pieces of them have.
var containerLike = regexp.MustCompile(`(?i)\.(zip|tar|tgz|tzst|tar\.gz|tar\.zst|\d{3,4}|z\d{2,3})$`)

// wrapped returns the entries of a container that are containers themselves: all of them, when by their names
// all may be, and none is somebody's document. Else it returns nil.
func (in *intake) wrapped(ctx context.Context, s *origin, known *entryTable) ([]unpack.Entry, error) {
	if s.inside != "" || len(known.entries) == 0 || len(known.entries) > mostWrapped {
		return nil, nil
	}
	for _, name := range known.all {
		if !containerLike.MatchString(name) {
			return nil, nil
		}
	}
	var inner []unpack.Entry
	for m, err := range in.t.db.Match(ctx, known.toMatch(s, true)) {
		if err != nil {
			return nil, fmt.Errorf("find the owners of the documents in %s: %w", s.name, err)
		}
		if m.OwnerID != "" || m.AttachmentID != "" {
			return nil, nil
		}
		inner = append(inner, known.entry(m))
	}
	slices.SortFunc(inner, func(a, b unpack.Entry) int { return a.Index - b.Index })
	return inner, nil
}

// unwrap takes over the documents of the containers in a container. What turns out to be none is returned, to
// be taken over as a document itself.
func (in *intake) unwrap(
	ctx context.Context, s *origin, c container, inner []unpack.Entry,
) (*entryTable, error) {
	plain := newEntryTable()
	groups, volumes, err := in.inspect(ctx, s, c, inner)
	if err != nil {
		return nil, err
	}
	for _, g := range groups {
		entries := pick(inner, g)
		err := in.within(
			ctx, s, c, entries, volumes[g[0]],
			func(inside *origin) error { return in.documents(ctx, inside) },
		)
		if errors.Is(err, errNotContainer) {
			for _, e := range entries {
				plain.add(e)
			}
			err = nil
		}
		if err != nil {
			return nil, err
		}
	}
	slices.SortFunc(plain.entries, func(a, b compactEntry) int { return a.index - b.index })
	return plain, nil
}

// inspect finds out which entries are pieces of one container.
func (in *intake) inspect(
	ctx context.Context, s *origin, c container, inner []unpack.Entry,
) ([][]int, map[int]bool, error) {
	var pieces []piece
	for _, e := range inner {
		first, err := in.t.first(ctx, s, c, e)
		if err != nil {
			return nil, nil, err
		}
		pieces = append(pieces, piece{e.Name, filetype.Detect(first)})
	}
	groups, volumes := split(pieces)
	return groups, volumes, nil
}

func pick(entries []unpack.Entry, at []int) []unpack.Entry {
	var some []unpack.Entry
	for _, i := range at {
		some = append(some, entries[i])
	}
	return some
}

// within extracts a container that lies in another, in one piece or several, and hands it to use. It returns
// errNotContainer when it is none, also behind one compression.
func (in *intake) within(
	ctx context.Context, s *origin, c container, entries []unpack.Entry, volumes bool,
	use func(*origin) error,
) error {
	f, err := os.CreateTemp(in.t.run.path("tmp"), "inner-*.bin")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	var starts []int64
	at := int64(0)
	for _, e := range entries {
		starts = append(starts, at)
		err := in.t.read(ctx, s, c, e, func(r io.Reader, _ bool) error {
			if err := f.Truncate(starts[len(starts)-1]); err != nil {
				return err
			}
			at, err = f.Seek(starts[len(starts)-1], io.SeekStart)
			if err != nil {
				return err
			}
			n, err := io.Copy(f, r)
			at += n
			return err
		})
		if err != nil {
			return err
		}
	}
	inside := in.extracted(s, c, entries)
	if volumes {
		inside.volumes = starts
	}
	whole := in.whole
	in.whole = false
	defer func() { in.whole = in.whole || whole }()
	err = inside.use(f, at, f.Name()+".unpacked", use)
	if errors.Is(err, errNotDecompressed) {
		if err = in.heal(ctx, inside, fmt.Errorf("%w: %w", unpack.ErrFormat, err)); err == nil {
			err = errNotContainer
		}
	}
	if err == nil && in.whole && inside.alone {
		if _, kept := in.t.bag.Has(inside.keptName()); !kept {
			_, err = in.t.copyIn(inside.keptName(), f.Name())
		}
	}
	return err
}

// extracted is the origin of a container that lies in one piece or several in another.
func (in *intake) extracted(s *origin, c container, entries []unpack.Entry) *origin {
	_, listed := c.(*listingOf)
	return &origin{
		object: s.object, name: s.name + "/" + stem(entries[0].Name),
		inside: fmt.Sprintf("%06d", entries[0].Index), alone: listed,
		refetch: in.refetchEntries(s, c, entries),
		wait:    func(context.Context) error { return nil },
	}
}

// use hands an extracted container to use, from behind one compression if it has one. It returns
// errNotContainer when it is none.
func (s *origin) use(f *os.File, size int64, scratch string, use func(*origin) error) error {
	s.bytes, s.size = f, size
	first, err := headOf(f)
	if err != nil {
		return err
	}
	s.kind = filetype.Detect(first)
	if s.volumes != nil {
		s.kind = filetype.ZIP
	}
	if decompressor(first) != nil && s.kind == filetype.Unknown {
		defer os.Remove(scratch)
		if _, err := decompress(f, size, scratch); err != nil {
			return err
		}
		unpacked, err := os.Open(scratch)
		if err != nil {
			return err
		}
		defer unpacked.Close()
		info, err := unpacked.Stat()
		if err != nil {
			return err
		}
		if first, err = headOf(unpacked); err != nil {
			return err
		}
		s.bytes, s.size, s.kind = unpacked, info.Size(), filetype.Detect(first)
	}
	if !isContainer(s.kind) && s.kind != filetype.CSV || isOffice(first) {
		return errNotContainer
	}
	return use(s)
}

func headOf(f *os.File) ([]byte, error) {
	head := make([]byte, 4096)
	n, err := f.ReadAt(head, 0)
	if err == io.EOF {
		err = nil
	}
	return head[:n], err
}

// isOffice tells office documents, which are ZIPs, by their first entry.
func isOffice(first []byte) bool {
	if len(first) < 30 || string(first[:4]) != "PK\x03\x04" {
		return false
	}
	name := string(first[30:min(len(first), 30+int(first[26])+int(first[27])<<8)])
	return name == "mimetype" || name == "[Content_Types].xml" || strings.HasPrefix(name, "_rels/") ||
		strings.HasPrefix(name, "docProps/") || strings.HasPrefix(name, "word/") ||
		strings.HasPrefix(name, "xl/")
}

// decompressor opens what one file was compressed with; nil when it was not.
func decompressor(first []byte) func(io.Reader) (io.Reader, func(), error) {
	switch {
	case len(first) > 2 && string(first[:3]) == "\x1f\x8b\x08":
		return func(r io.Reader) (io.Reader, func(), error) {
			z, err := gzip.NewReader(r)
			return z, func() {}, err
		}
	case len(first) > 3 && string(first[:3]) == "BZh":
		return func(r io.Reader) (io.Reader, func(), error) { return bzip2.NewReader(r), func() {}, nil }
	case len(first) > 3 && string(first[:4]) == "\x28\xb5\x2f\xfd":
		return func(r io.Reader) (io.Reader, func(), error) {
			z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(128<<20))
			if err != nil {
				return nil, nil, err
			}
			return z, z.Close, nil
		}
	}
	return nil
}

// errNotDecompressed says that what looks compressed cannot be decompressed.
var errNotDecompressed = errors.New("cannot be decompressed")

// decompress writes the content of a compressed file to another; false when it is not compressed. It has the
// limits that entries of containers have.
func decompress(from io.ReaderAt, size int64, to string) (bool, error) {
	first := make([]byte, 4)
	n, err := from.ReadAt(first, 0)
	if err != nil && err != io.EOF {
		return false, err
	}
	with := decompressor(first[:n])
	if with == nil {
		return false, nil
	}
	out, err := os.Create(to)
	if err != nil {
		return true, err
	}
	defer out.Close()
	src := &sourceReader{r: io.NewSectionReader(from, 0, size)}
	r, release, err := with(bufio.NewReaderSize(src, 256<<10))
	if err != nil {
		return true, errors.Join(src.err, fmt.Errorf("%w: %w", errNotDecompressed, err))
	}
	defer release()
	w := &countingWriter{w: out}
	most := min(unpack.DefaultLimits.EntrySize, unpack.DefaultLimits.EntryRatio*size+1<<20)
	written, err := io.Copy(w, io.LimitReader(r, most))
	switch {
	case w.err != nil:
		return true, w.err
	case src.err != nil:
		return true, src.err
	case err != nil && errors.Is(err, gzip.ErrHeader) && written > 0: // padding behind the last member
	case err != nil:
		return true, fmt.Errorf("%w: after %d bytes: %w", errNotDecompressed, written, err)
	case written == most:
		return true, fmt.Errorf(
			"%w: it has more than %d bytes, which is suspicious", errNotDecompressed, most,
		)
	}
	return true, out.Close()
}

// sourceReader and countingWriter keep the errors of the disk and of the fetch apart from those of the
// compression.
type sourceReader struct {
	r   io.Reader
	err error
}

func (s *sourceReader) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

type countingWriter struct {
	w   io.Writer
	err error
}

func (c *countingWriter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	if err != nil {
		c.err = err
	}
	return n, err
}

// uncompressedName is a file's name without the suffix of its compression.
func uncompressedName(name string) string {
	switch ext := strings.ToLower(path.Ext(name)); ext {
	case ".gz", ".zst", ".bz2", ".gzip", ".bzip2", ".zstd":
		return name[:len(name)-len(ext)]
	case ".tgz", ".tzst", ".tbz2":
		return name[:len(name)-len(ext)] + ".tar"
	}
	return name
}

// compressed looks into an object that is neither a container nor a table: it may be one, compressed. It
// returns errNotContainer when it is not.
func (in *intake) compressed(ctx context.Context, s *origin, use func(*origin) error) error {
	if err := s.wait(ctx); err != nil {
		return err
	}
	first := make([]byte, 4)
	if n, _ := s.bytes.ReadAt(first, 0); decompressor(first[:n]) == nil {
		return in.behindJunk(s, use)
	}
	f, err := os.Open(in.o.Path())
	if err != nil {
		return err
	}
	defer f.Close()
	inside := &origin{
		object: s.object, name: s.name, inside: "000000", wait: func(context.Context) error { return nil },
	}
	scratch := filepath.Join(in.t.run.path("tmp"), fmt.Sprintf("unpacked-%02d.bin", in.o.Source.Number))
	err = inside.use(f, s.size, scratch, use)
	if errors.Is(err, errNotDecompressed) {
		return in.unreadable(s, fmt.Errorf("%w: %w", unpack.ErrFormat, err))
	}
	return err
}

// behindJunk looks for a ZIP behind more than its first bytes, such as the program of a self-extracting one.
func (in *intake) behindJunk(s *origin, use func(*origin) error) error {
	c, err := unpack.OpenZIP(s.bytes, s.size, unpack.Limits{})
	if isCorrupt(err) {
		return errNotContainer
	} else if err != nil {
		return err
	}
	for e, err := range c.Entries() {
		if err != nil || e.Refused != "" && e.Refused != unpack.RefusedDirectory {
			return errNotContainer
		}
		r, err := c.OpenRaw(e)
		if isCorrupt(err) {
			return errNotContainer
		} else if err != nil {
			return err
		}
		r.Close()
		s.kind = filetype.ZIP
		return use(s)
	}
	return errNotContainer
}

// otherFormats are containers and compressions that are known, and not read.
var otherFormats = []struct{ magic, name string }{
	{"7z\xbc\xaf\x27\x1c", "a 7z archive"}, {"Rar!\x1a\x07", "a RAR archive"},
	{"\xfd7zXZ\x00", "compressed with xz"}, {"LZIP", "compressed with lzip"},
	{"\x04\x22\x4d\x18", "compressed with LZ4"}, {"MSCF", "a CAB archive"},
	{"\x1f\x9d", "compressed with compress"}, {"xar!", "a XAR archive"},
	{"SQLite format 3\x00", "an SQLite database"}, {"PAR1", "a Parquet file"},
}

// otherFormat says what bytes begin; "" when they are nothing of that kind.
func otherFormat(first []byte) string {
	for _, f := range otherFormats {
		if strings.HasPrefix(string(first), f.magic) {
			return f.name
		}
	}
	if isOffice(first) {
		return "an office document"
	}
	return ""
}

// unopened tells of something wrapped that is not unwrapped, and is kept.
func (t *takeover) unopened(severity query.Severity, format string, args ...any) {
	t.found.add(query.Finding{
		Code: query.ContainerUnopened, Severity: severity, Detail: fmt.Sprintf(format, args...),
	})
}
