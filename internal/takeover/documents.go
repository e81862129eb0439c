package takeover

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"holdall/fetch"
	"holdall/internal/unpack"
	"holdall/query"
)

// packDocuments lists what an object of documents holds, finds the owners, and brings the documents into packs in the
// order in which they arrive. Owners come from the tables, so packing waits for them; fetching does not.
func (t *takeover) packDocuments(ctx context.Context, o *fetch.Object) error {
	c, err := open(ctx, o, t.deadFile(o))
	if errors.Is(err, errNotContainer) {
		return t.keepUnknown(ctx, o)
	}
	if err != nil {
		return t.broken(o, err)
	}
	known, err := t.listEntries(ctx, o, c)
	if err != nil {
		return t.broken(o, err)
	}
	if l, ok := c.(*listing); ok {
		if err := t.sameOrder(o, l); err != nil {
			return err
		}
	}
	complete, err := t.owners.wait(ctx)
	if err != nil {
		return err
	}
	if !complete {
		// Packed now, the documents would have no owners. Their bytes are what matters today.
		_, err := o.Wait(ctx)
		return err
	}
	packer, err := t.bag.Packer(string(o.Source.Part))
	if err != nil {
		return err
	}
	if err := t.packAll(ctx, o, c, packer, known); err != nil {
		return err
	}
	_, err = o.Wait(ctx)
	return err
}

// listEntries writes the container's entries into the custody record and returns those that are documents.
func (t *takeover) listEntries(ctx context.Context, o *fetch.Object, c container) (*entryTable, error) {
	list, err := t.custody.list(o.Source.Number)
	if err != nil {
		return nil, err
	}
	defer list.close()
	known := newEntryTable()
	for e, err := range c.Entries() {
		if err != nil {
			return nil, err
		}
		id := docID(o, e.Index)
		if e.Refused != "" {
			if err := t.refuse(ctx, o, c, e, id); err != nil {
				return nil, err
			}
			id = ""
		} else {
			known.add(e)
		}
		if err := list.add(record(o.Source.Number, e, id)); err != nil {
			return nil, err
		}
	}
	return known, list.close()
}

// docID is the same for the same entry in every process: part, container, place in its directory.
func docID(o *fetch.Object, index int) string {
	return fmt.Sprintf("%c%d-%06d", o.Source.Part[0], o.Source.Number, index)
}

func containerName(o *fetch.Object) string {
	return fmt.Sprintf("%02d %s", o.Source.Number, o.Source.Name)
}

// read hands an entry's content to use. Content that does not fit its container's checksum is fetched once more; if it
// stays as it was, that is how the vendor made it, and use gets it with damaged set.
func (t *takeover) read(ctx context.Context, o *fetch.Object, c container, e unpack.Entry, use func(r io.Reader, damaged bool) error) error {
	err := readOnce(c, e, func(r io.Reader) error { return use(r, false) })
	if !isCorrupt(err) {
		return err
	}
	const header = 64 << 10 // a local header with the longest name; fetching a little more does no harm
	if rerr := o.Refetch(ctx, e.Offset, e.CompressedSize+header); rerr == nil {
		if err = readOnce(c, e, func(r io.Reader) error { return use(r, false) }); !isCorrupt(err) {
			return err
		}
	} else if ctx.Err() != nil {
		return rerr
	}
	return readOnce(c, e, func(r io.Reader) error { return use(&lenient{r}, true) })
}

func readOnce(c container, e unpack.Entry, use func(io.Reader) error) error {
	r, err := c.Open(e)
	if err != nil {
		return err
	}
	return errors.Join(use(r), r.Close())
}

func isCorrupt(err error) bool {
	return errors.Is(err, unpack.ErrChecksum) || errors.Is(err, unpack.ErrFormat)
}

// lenient ends content where it becomes unreadable.
type lenient struct{ r io.Reader }

func (l *lenient) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	if isCorrupt(err) {
		err = io.EOF
	}
	return n, err
}

// entryTable holds what is needed to read the entries of a container again, in about 60 bytes an entry:
// the names stay in the database and in the custody record.
type entryTable struct {
	entries []compactEntry
	names   map[int][]byte // names as received, where they are not the name as text
	all     []string       // names as text, until they are handed to the database
}

type compactEntry struct {
	index                        int
	offset, size, compressedSize int64
	modified                     time.Time
	crc32                        uint32
	method                       uint16
	hasCRC                       bool
}

func newEntryTable() *entryTable { return &entryTable{names: map[int][]byte{}} }

func (k *entryTable) add(e unpack.Entry) {
	k.entries = append(k.entries, compactEntry{index: e.Index, offset: e.Offset, size: e.Size, compressedSize: e.CompressedSize,
		modified: e.Modified, crc32: e.CRC32, method: e.Method, hasCRC: e.HasCRC})
	k.all = append(k.all, e.Name)
	if string(e.RawName) != e.Name {
		k.names[e.Index] = e.RawName
	}
}

// toMatch yields the entries for query.Match, once.
func (k *entryTable) toMatch(o *fetch.Object) iter.Seq2[query.Entry, error] {
	return func(yield func(query.Entry, error) bool) {
		for i, e := range k.entries {
			if !yield(query.Entry{DocID: docID(o, e.index), Part: string(o.Source.Part), Container: o.Source.Number,
				Index: e.index, Offset: e.offset, Name: k.all[i], Size: e.size}, nil) {
				break
			}
		}
		k.all = nil
	}
}

// entry returns the entry that m was matched for. Entries stand in ascending index, though not without gaps.
func (k *entryTable) entry(m query.Matched) unpack.Entry {
	lo, hi := 0, len(k.entries)
	for lo < hi {
		if mid := (lo + hi) / 2; k.entries[mid].index < m.Index {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	e := k.entries[lo]
	raw, odd := k.names[e.index]
	if !odd {
		raw = []byte(m.Name)
	}
	return unpack.Entry{Index: e.index, Name: m.Name, RawName: raw, Size: e.size, CompressedSize: e.compressedSize,
		CRC32: e.crc32, HasCRC: e.hasCRC, Modified: e.modified, Offset: e.offset, Method: e.method}
}
