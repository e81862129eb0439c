package takeover

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"holdall/fetch/link"
	"holdall/internal/filetype"
	"holdall/internal/unpack"
	"holdall/query"
)

// Some exports are wrapped once more: a ZIP of ZIPs, tables that are gzipped one by one, a container cut into
// pieces. What is wrapped is unwrapped, once. An ordinary document that happens to be a ZIP, a workbook or a
// portfolio, is none of that.

// maxInner is how many containers an object may hold that are looked into.
const maxInner = 1000

// containerName fits the names that containers and pieces of them have.
var containerLike = regexp.MustCompile(`(?i)\.(zip|tar|tgz|tzst|tar\.gz|tar\.zst|\d{3,4}|z\d{2,3})$`)

// innerContainers returns the entries of a container that are containers themselves: all of them, when by
// their names all may be, and none is somebody's document. Else it returns nil. One that is named for a
// person is that person's document, unless the table of attachments says what was attached, and it is none of
// it: then each holds what one person has.
func (u *unpacker) innerContainers(
	ctx context.Context, s *origin, known *entryTable,
) ([]unpack.Entry, error) {
	if s.inside != "" || len(known.entries) == 0 || len(known.entries) > maxInner {
		return nil, nil
	}
	for _, name := range known.all {
		if !containerLike.MatchString(name) {
			return nil, nil
		}
	}
	listed := s.object.Source.Part == link.PartAttachments && u.t.tables.counts()["attachments"].Rows > 0
	var inner []unpack.Entry
	for m, err := range u.t.db.Match(ctx, known.toMatch(s, true)) {
		if err != nil {
			return nil, fmt.Errorf("find the owners of the documents in %s: %w", s.name, err)
		}
		if m.AttachmentID != "" || m.OwnerID != "" && !listed {
			return nil, nil
		}
		inner = append(inner, known.entry(m))
	}
	slices.SortFunc(inner, func(a, b unpack.Entry) int { return a.Index - b.Index })
	return inner, nil
}

// unpackInner takes over the documents of the containers in a container. What turns out to be none is
// returned, to be taken over as a document itself.
func (u *unpacker) unpackInner(
	ctx context.Context, s *origin, c container, inner []unpack.Entry,
) (*entryTable, error) {
	plain := newEntryTable(s)
	groups, volumes, err := u.groupPieces(ctx, s, c, inner)
	if err != nil {
		return nil, err
	}
	for _, g := range groups {
		entries := selectAt(inner, g)
		err := u.withInner(
			ctx, s, c, entries, volumes[g[0]],
			func(inside *origin) error { return u.documents(ctx, inside) },
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

// groupPieces finds out which entries are pieces of one container.
func (u *unpacker) groupPieces(
	ctx context.Context, s *origin, c container, inner []unpack.Entry,
) ([][]int, map[int]bool, error) {
	var pieces []piece
	for _, e := range inner {
		first, err := u.t.readHead(ctx, s, c, e)
		if err != nil {
			return nil, nil, err
		}
		pieces = append(pieces, piece{e.Name, filetype.Detect(first)})
	}
	groups, volumes := groupSplit(pieces)
	return groups, volumes, nil
}

func selectAt(entries []unpack.Entry, at []int) []unpack.Entry {
	var some []unpack.Entry
	for _, i := range at {
		some = append(some, entries[i])
	}
	return some
}

// withInner extracts a container that lies in another, in one piece or several, and hands it to use. It
// returns errNotContainer when it is not one, even behind one compression.
func (u *unpacker) withInner(
	ctx context.Context, s *origin, c container, entries []unpack.Entry, volumes bool,
	use func(*origin) error,
) error {
	f, err := os.CreateTemp(u.t.run.path("tmp"), "inner-*.bin")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	var starts []int64
	at := int64(0)
	for _, e := range entries {
		starts = append(starts, at)
		err := u.t.read(ctx, s, c, e, func(r io.Reader, _ bool) error {
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
	inside := u.innerOrigin(s, c, entries)
	if volumes {
		inside.volumes = starts
	}
	whole := u.whole
	u.whole = false
	defer func() { u.whole = u.whole || whole }()
	err = inside.useExtracted(f, at, f.Name()+".unpacked", use)
	if errors.Is(err, errNotDecompressed) {
		if err = u.refetchUntilProven(ctx, inside, fmt.Errorf("%w: %w", unpack.ErrFormat, err)); err == nil {
			err = errNotContainer
		}
	}
	if err == nil {
		u.t.entryLists.open(u.o.Source.Number, entries)
	}
	if err == nil && u.whole && inside.alone {
		if _, kept := u.t.bag.Has(inside.keptPath()); !kept {
			_, err = u.t.copyIn(inside.keptPath(), f.Name())
		}
	}
	return err
}

// innerOrigin is the origin of a container that lies in one piece or several in another.
func (u *unpacker) innerOrigin(s *origin, c container, entries []unpack.Entry) *origin {
	_, listed := c.(*listingContainer)
	return &origin{
		ownerFolder: containerLike.ReplaceAllString(entries[0].Name, "") + "/",
		object:      s.object, name: s.name + "/" + stem(entries[0].Name),
		inside: fmt.Sprintf("%06d", entries[0].Index), alone: listed,
		refetch:   u.refetchEntries(s, c, entries),
		waitWhole: func(context.Context) error { return nil },
	}
}

// useExtracted hands an extracted container to use, from behind one compression if it has one. It returns
// errNotContainer when it is not one.
func (s *origin) useExtracted(f *os.File, size int64, scratch string, use func(*origin) error) error {
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
	if !s.kind.IsContainer() && s.kind != filetype.CSV || isOffice(first) {
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

// useDecompressed looks into an object that is neither a container nor a table: it may be one, compressed. It
// returns errNotContainer when it is not.
func (u *unpacker) useDecompressed(ctx context.Context, s *origin, use func(*origin) error) error {
	if err := s.waitWhole(ctx); err != nil {
		return err
	}
	first := make([]byte, 4)
	if n, _ := s.bytes.ReadAt(first, 0); decompressor(first[:n]) == nil {
		return u.useEmbeddedZIP(s, use)
	}
	f, err := os.Open(u.o.Path())
	if err != nil {
		return err
	}
	defer f.Close()
	inside := &origin{
		object: s.object, name: s.name, inside: "000000",
		waitWhole: func(context.Context) error { return nil },
	}
	scratch := filepath.Join(u.t.run.path("tmp"), fmt.Sprintf("unpacked-%02d.bin", u.o.Source.Number))
	err = inside.useExtracted(f, s.size, scratch, use)
	if errors.Is(err, errNotDecompressed) {
		return u.keepUnreadable(s, fmt.Errorf("%w: %w", unpack.ErrFormat, err))
	}
	return err
}

// useEmbeddedZIP looks for a ZIP behind more than its first bytes, such as the program of a self-extracting
// one.
func (u *unpacker) useEmbeddedZIP(s *origin, use func(*origin) error) error {
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

// reportUnopened reports something wrapped that is not unwrapped, and is kept. table is the one that it
// seems to be, or nothing.
func (t *takeover) reportUnopened(severity query.Severity, table, format string, args ...any) {
	t.findings.add(query.Finding{
		Code: query.ContainerUnopened, Severity: severity, Table: table, Detail: fmt.Sprintf(format, args...),
	})
}
