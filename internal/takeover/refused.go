package takeover

import (
	"cmp"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"holdall/archive"
	"holdall/fetch"
	"holdall/fetch/link"
	"holdall/internal/filetype"
	"holdall/internal/unpack"
	"holdall/query"
)

// A refusedFile takes the entries of one object that are not taken over as documents: their stored bytes, one
// behind the other, go into one file of the bag, and what they are into rows that become
// data/documents/refused.csv. Two million encrypted entries are one file, and one finding.
type refusedFile struct {
	t    *takeover
	o    *fetch.Object
	name string // in the bag

	out *archive.File // nil until something is kept
	at  int64         // bytes in it
	// bytes that may yet be kept: of a ZIP as many as it has, since entries that overlap could ask for more
	room int64
	rows *spillFile
	csv  *csv.Writer
	sums map[unpack.Refusal]*refusedSum
	lost int // entries of which the bytes could not be kept
}

type refusedSum struct {
	count, kept, lost int // entries; those whose bytes are kept, or could not be
	examples          []string
	ids               []string
}

func (t *takeover) refusedPath(number int) string {
	return filepath.Join(t.run.path("entries"), fmt.Sprintf("refused-%02d.csv.gz", number))
}

func (t *takeover) newRefused(o *fetch.Object) (*refusedFile, error) {
	rows, err := createSpill(t.refusedPath(o.Source.Number))
	if err != nil {
		return nil, err
	}
	name := fmt.Sprintf("data/documents/refused/%s%d.raw", o.Source.Part[:1], o.Source.Number)
	if err := t.bag.Discard(name); err != nil {
		// of an earlier process: which rows are in it is not known any more
		return nil, errors.Join(err, rows.Close())
	}
	return &refusedFile{
		t: t, o: o, name: name, rows: rows, csv: csv.NewWriter(rows), sums: map[unpack.Refusal]*refusedSum{},
	}, nil
}

// add records an entry and keeps its stored bytes, where it has any that can be read.
func (f *refusedFile) add(s *origin, c container, e unpack.Entry) error {
	if e.Refused == unpack.RefusedDirectory {
		return nil // nothing is lost
	}
	kept, err := f.writeContent(s, c, e)
	if err != nil {
		return fmt.Errorf("keep the refused entry %d of %s: %w", e.Index, s.name, err)
	}
	where, offset := f.name, strconv.FormatInt(f.at-kept, 10)
	if kept < 0 {
		where, offset = "", ""
	}
	sum := f.sums[e.Refused]
	if sum == nil {
		sum = &refusedSum{}
		f.sums[e.Refused] = sum
	}
	if sum.count++; len(sum.examples) < 5 {
		sum.examples, sum.ids = append(sum.examples, e.Name), append(sum.ids, s.docID(e.Index))
	}
	if kept > 0 {
		sum.kept++
	} else if hasBytes(s, e) {
		sum.lost++
		f.lost++
	}
	crc := ""
	if e.HasCRC {
		crc = fmt.Sprintf("%08x", e.CRC32)
	}
	return f.csv.Write([]string{strconv.Itoa(f.o.Source.Number), s.inside, strconv.Itoa(e.Index), e.Name,
		fmt.Sprintf("%x", e.RawName),
		string(e.Refused), where, offset, strconv.FormatInt(max(kept, 0), 10), strconv.Itoa(int(e.Method)),
		strconv.FormatInt(e.Size, 10), crc})
}

// writeContent appends an entry's stored bytes and returns how many they are: -1 when not even these can be
// read whole.
func (f *refusedFile) writeContent(s *origin, c container, e unpack.Entry) (int64, error) {
	if f.room == 0 {
		f.room = math.MaxInt64
		if s.kind == filetype.ZIP && !s.object.Source.Listing {
			f.room = max(s.size, 1<<20)
		}
	}
	if !hasBytes(s, e) || e.CompressedSize > f.room {
		return -1, nil
	}
	r, err := c.OpenRaw(e)
	if isCorrupt(err) || errors.Is(err, unpack.ErrLimit) {
		return -1, nil
	} else if err != nil {
		return -1, err
	}
	defer r.Close()
	if f.out == nil {
		if f.out, err = f.t.bag.Create(f.name); err != nil {
			return -1, err
		}
	}
	n, err := io.Copy(f.out, r)
	f.at += n
	f.room -= n
	if isCorrupt(err) || errors.Is(err, unpack.ErrLimit) {
		return -1, nil
	}
	return n, err
}

// hasBytes reports whether an entry is more than its place in the container. In a tar, the header is kept as
// well: a link has its target there.
func hasBytes(s *origin, e unpack.Entry) bool {
	return e.CompressedSize > 0 || s.kind == filetype.Tar || s.kind == filetype.TarGzip ||
		s.kind == filetype.TarZstd
}

// close makes all of it durable and reports it: one finding for each reason.
func (f *refusedFile) close() error {
	f.csv.Flush()
	if err := errors.Join(f.csv.Error(), f.rows.Close()); err != nil {
		return err
	}
	if f.out != nil {
		if _, err := f.out.Commit(); err != nil {
			return err
		}
	}
	for reason, sum := range f.sums {
		if reason != refusedLitter {
			f.t.findings.add(f.finding(reason, sum))
		}
	}
	return nil
}

// abandon drops what is not durable yet.
func (f *refusedFile) abandon() {
	f.rows.abandon()
	if f.out != nil {
		f.out.Close()
	}
}

func (f *refusedFile) finding(reason unpack.Refusal, sum *refusedSum) query.Finding {
	x := query.Finding{Code: query.EntryRefused, Severity: query.SeverityWarning}
	if reason == unpack.RefusedEncrypted {
		x.Code = query.LockedDocument
	}
	kept := ""
	switch {
	case sum.lost > 0:
		kept = fmt.Sprintf(
			"; the bytes of %d could not be kept apart: the container is kept whole in %s", sum.lost,
			keptPath(f.o, "data/received/containers/"),
		)
	case sum.kept > 0:
		kept = "; the bytes are kept in " + f.name
	}
	if sum.count == 1 {
		x.RecordID = sum.ids[0]
		x.Detail = fmt.Sprintf(
			"%s in %s (%s) is not taken over as a document (%s)%s", sum.examples[0], f.o.Source.Name,
			f.o.Source.Part, reason, kept,
		)
		return x
	}
	more := ""
	if sum.count > len(sum.examples) {
		more = ", …"
	}
	x.Detail = fmt.Sprintf("%d entries of %s (%s) are not taken over as documents (%s): %s%s%s", sum.count,
		f.o.Source.Name, f.o.Source.Part,
		reason, strings.Join(sum.examples, ", "), more, kept)
	return x
}

const refusedList = "data/documents/refused.csv"

// refusedColumns are those of data/documents/refused.csv.
var refusedColumns = []string{
	"container", "inside", "index", "name", "name_raw_hex", "reason", "kept_in", "offset", "stored_size",
	"method", "size", "crc32",
}

// writeRefused writes refused.csv from the rows of all objects.
func (t *takeover) writeRefused(w io.Writer) error {
	out := csv.NewWriter(w)
	out.Write(refusedColumns)
	out.Flush()
	if err := out.Error(); err != nil {
		return err
	}
	objects := slices.Clone(t.fetching.Objects)
	slices.SortFunc(
		objects, func(a, b *fetch.Object) int { return cmp.Compare(a.Source.Number, b.Source.Number) },
	)
	for _, o := range objects {
		err := copySpill(t.refusedPath(o.Source.Number), func(rows io.Reader) error {
			_, err := io.Copy(w, rows)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// refusedEntries yields what is in the way of calling something missing: entries that came, and were refused.
func (t *takeover) refusedEntries() iter.Seq2[query.Refused, error] {
	return func(yield func(query.Refused, error) bool) {
		if t.fetching == nil {
			return
		}
		for _, o := range t.fetching.Objects {
			part := func(int) string { return string(o.Source.Part) }
			more := true
			err := copySpill(t.refusedPath(o.Source.Number), func(rows io.Reader) error {
				more = readRefused(csv.NewReader(rows), part, yield)
				return nil
			})
			if err != nil {
				yield(query.Refused{}, err)
			}
			if err != nil || !more {
				return
			}
		}
	}
}

// refusedEntries yields the refused entries of an archive.
func (s *Status) refusedEntries(ctx context.Context, bag *archive.Bag) iter.Seq2[query.Refused, error] {
	parts := map[int]string{}
	for _, o := range s.Objects {
		parts[o.Number] = o.Part
	}
	return func(yield func(query.Refused, error) bool) {
		f, err := bag.FS(ctx).Open(refusedList)
		if errors.Is(err, fs.ErrNotExist) {
			return
		}
		if err != nil {
			yield(query.Refused{}, err)
			return
		}
		defer f.Close()
		rows := csv.NewReader(f)
		if _, err := rows.Read(); err != nil && err != io.EOF { // the headings
			yield(query.Refused{}, fmt.Errorf("read %s: %w", refusedList, err))
			return
		}
		readRefused(rows, func(container int) string { return parts[container] }, yield)
	}
}

// readRefused yields rows of refused.csv. part gives the part that a container belongs to. It is false when
// yield was.
func readRefused(
	rows *csv.Reader, part func(container int) string, yield func(query.Refused, error) bool,
) bool {
	rows.ReuseRecord = true
	for {
		row, err := rows.Read()
		if err == io.EOF {
			return true
		}
		if err == nil && len(row) < len(refusedColumns) {
			err = fmt.Errorf("a row has %d cells", len(row))
		}
		if err != nil {
			yield(query.Refused{}, fmt.Errorf("read the list of refused entries: %w", err))
			return false
		}
		if unpack.Refusal(row[5]) == refusedLitter {
			continue
		}
		number, _ := strconv.Atoi(row[0])
		size, _ := strconv.ParseInt(row[10], 10, 64)
		r := query.Refused{
			Part: part(number), Name: strings.Clone(row[3]), Reason: strings.Clone(row[5]),
			Size: max(size, 0),
		}
		if !yield(r, nil) {
			return false
		}
	}
}

// unopened makes f speak of a whole part: its content is here and was not looked into, so that nothing of it
// is called missing.
func unopened(part link.Part, f query.Finding) query.Finding {
	if part == link.PartAttachments || part == link.PartCVs {
		f.Table, f.RecordID = query.DocumentsTable, string(part)
	}
	return f
}

// keepUnknown keeps an object that is not a container as it was received.
func (t *takeover) keepUnknown(ctx context.Context, o *fetch.Object) error {
	if _, err := o.Wait(ctx); err != nil {
		return err
	}
	first := make([]byte, 512)
	n, _ := o.ReadAt(first, 0)
	if format := otherFormat(first[:n]); format != "" {
		t.findings.add(unopened(o.Source.Part, query.Finding{
			Code: query.ContainerUnopened, Severity: query.SeverityError,
			Detail: fmt.Sprintf("the link %q serves %s, %s, which is not read: it is kept as received in "+
				"%s; unpack it, or ask for ZIPs", o.Source.Label, o.Source.Name, format,
				keptPath(o, "data/received/other/")),
		}))
		return t.keepObject(ctx, o, "data/received/other/")
	}
	t.findings.add(unopened(o.Source.Part, query.Finding{
		Code: query.ObjectUnrecognised, Severity: query.SeverityWarning,
		Detail: fmt.Sprintf(
			"the link %q serves %s, which is neither a ZIP, a tar, a listing nor a CSV: kept as received",
			o.Source.Label, o.Source.Kind,
		),
	}))
	return t.keepObject(ctx, o, "data/received/other/")
}

// keepObject copies a whole object into the bag.
func (t *takeover) keepObject(ctx context.Context, o *fetch.Object, folder string) error {
	name := keptPath(o, folder)
	if _, ok := t.bag.Has(name); ok {
		return nil
	}
	if v, err := o.Wait(ctx); err == nil && v.Encoding != "" && v.Contradicts != "" && unverified(v) {
		_, err := t.copyIn(name, o.ReceivedPath()) // only that is all of it
		return err
	}
	_, err := t.copyIn(name, o.Path())
	return err
}

func keptPath(o *fetch.Object, folder string) string {
	return folder + safeName(fmt.Sprintf("%02d-%s", o.Source.Number, o.Source.Name))
}

// reportDeadFile reports a file of a listing whose link is dead.
func (t *takeover) reportDeadFile(o *fetch.Object) func(fetch.File) {
	return func(f fetch.File) {
		t.findings.add(query.Finding{Code: query.FileUnavailable, Severity: query.SeverityError,
			RecordID: docID(o, f.Index),
			Detail:   fmt.Sprintf("%s in %s could not be fetched: %v", f.Name, o.Source.Name, f.Err)})
	}
}

// keepContainers keeps the received containers, byte for byte, when the user asked for it.
func (t *takeover) keepContainers(ctx context.Context) error {
	if !t.KeepContainers {
		return nil
	}
	for _, o := range t.fetching.Objects {
		if err := t.keepObject(ctx, o, "data/received/containers/"); err != nil &&
			!errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}
