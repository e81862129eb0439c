package takeover

import (
	"context"
	"iter"
	"strings"
	"time"

	"holdall/internal/unpack"
	"holdall/query"
)

// packDocuments lists what an object of documents holds, finds the owners, and brings the documents into
// packs in the order in which they arrive. Owners come from the tables, so packing waits for them; fetching
// does not.
func (t *takeover) packDocuments(ctx context.Context, g objectGroup) error {
	return t.unpackObject(ctx, g, func(in *unpacker, s *origin) (err error) {
		if in.packer == nil {
			if in.packer, err = t.bag.Packer(string(s.object.Source.Part)); err != nil {
				return err
			}
		}
		return in.documents(ctx, s)
	})
}

// documents takes over the documents of a container.
func (u *unpacker) documents(ctx context.Context, s *origin) error {
	known := newEntryTable(s)
	x, err := u.scanOrKeep(ctx, s, func() { *known = *newEntryTable(s) }, func(e unpack.Entry) error {
		known.add(e)
		return u.list.add(s.record(e, s.docID(e.Index)))
	})
	if x == nil {
		return err
	}
	complete, err := u.t.ownerTables.wait(ctx)
	if err != nil {
		return err
	}
	if !complete {
		return nil // packed now, the documents would have no owners. Their bytes are what matters today
	}
	inner, err := u.innerContainers(ctx, s, known)
	if err != nil {
		return err
	}
	if inner != nil {
		if known, err = u.unpackInner(ctx, s, x.c, inner); err != nil {
			return err
		}
	}
	if err := u.pack(ctx, s, x.c, known); err != nil {
		return err
	}
	if err := s.waitWhole(ctx); err != nil {
		return err
	}
	late := newEntryTable(s)
	if err := u.takeRest(ctx, s, x, func(e unpack.Entry) error {
		late.add(e)
		return u.list.add(s.record(e, s.docID(e.Index)))
	}); err != nil {
		return err
	}
	return u.pack(ctx, s, x.c, late)
}

// entryTable holds what is needed to read the entries of a container again, in about 60 bytes an entry:
// the names stay in the database and in the custody record.
type entryTable struct {
	entries []compactEntry
	names   map[int][]byte // names as received, where they are not the name as text
	all     []string       // names as text, until they are handed to the database
	folder  string         // goes before the names where owners are looked for
}

type compactEntry struct {
	index                        int
	offset, size, compressedSize int64
	modified                     time.Time
	crc32                        uint32
	method                       uint16
	hasCRC                       bool
	unlisted, cut, modulo        bool
}

func newEntryTable(s *origin) *entryTable {
	return &entryTable{names: map[int][]byte{}, folder: s.ownerFolder}
}

func (k *entryTable) add(e unpack.Entry) {
	k.entries = append(k.entries,
		compactEntry{index: e.Index, offset: e.Offset, size: e.Size, compressedSize: e.CompressedSize,
			modified: e.Modified, crc32: e.CRC32, method: e.Method, hasCRC: e.HasCRC,
			unlisted: e.Unlisted, cut: e.Truncated, modulo: e.Modulo})
	k.all = append(k.all, e.Name)
	if string(e.RawName) != e.Name {
		k.names[e.Index] = e.RawName
	}
}

// toMatch yields the entries for query.Match. Their names are dropped with the last one unless they are to be
// kept.
func (k *entryTable) toMatch(s *origin, keep bool) iter.Seq2[query.Entry, error] {
	o := s.object
	return func(yield func(query.Entry, error) bool) {
		for i, e := range k.entries {
			if !yield(query.Entry{DocID: s.docID(e.index), Part: string(o.Source.Part),
				Container: o.Source.Number,
				Index:     e.index, Offset: e.offset, Name: k.folder + k.all[i], Size: e.size}, nil) {
				break
			}
		}
		if !keep {
			k.all = nil
		}
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
	name := strings.TrimPrefix(m.Name, k.folder)
	raw, odd := k.names[e.index]
	if !odd {
		raw = []byte(name)
	}
	return unpack.Entry{Index: e.index, Name: name, RawName: raw, Size: e.size,
		CompressedSize: e.compressedSize,
		CRC32:          e.crc32, HasCRC: e.hasCRC, Modified: e.modified, Offset: e.offset, Method: e.method,
		Unlisted: e.unlisted, Truncated: e.cut, Modulo: e.modulo}
}
