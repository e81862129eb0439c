package archive

import (
	"fmt"
	"io/fs"
	"sync"

	"holdall/internal/digest"
)

// A contentIndex is the table, in memory, of where each content of the bag is and which documents have been
// added. It takes about 120 bytes a document at worst, when its maps have just grown.
type contentIndex struct {
	mu     sync.Mutex // guards what follows
	packs  []packState
	closed int // how many of them are
	where  map[contentKey]location
	ids    map[idKey]uint32 // the pack whose _pack.csv has the document's row, or waiting
}

// A packState is a file that holds documents: a pack, or a document that is a file of its own.
type packState struct {
	name   string
	part   string
	closed bool // and durable
}

// A location is where the bytes of a content are; the content itself has their length and CRC-32.
type location struct {
	pack     uint32
	offset   uint32
	deflated uint32 // stored size where deflated; 0 where stored as it is
}

// contentKey is the beginning of a content's SHA-256: 160 bits, too many to construct a collision.
type contentKey [20]byte

// idKey is the beginning of the SHA-256 of a document's ID: 96 bits, enough against chance.
type idKey [12]byte

// waiting marks a document whose row is in no pack yet.
const waiting = ^uint32(0)

func newContentIndex() *contentIndex {
	return &contentIndex{where: map[contentKey]location{}, ids: map[idKey]uint32{}}
}

func keyOf(id string) idKey {
	sum := digest.Of([]byte(id))
	return idKey(sum[:12])
}

// has reports whether the document's row is in a closed pack.
func (l *contentIndex) has(id string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	pack, ok := l.ids[keyOf(id)]
	return ok && pack != waiting && l.packs[pack].closed
}

// claim reserves an ID for a document that is being added.
func (l *contentIndex) claim(id string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, ok := l.ids[keyOf(id)]; ok {
		return fmt.Errorf("document %s: %w", id, fs.ErrExist)
	}
	l.ids[keyOf(id)] = waiting
	return nil
}

func (l *contentIndex) release(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.ids, keyOf(id))
}

// setPack records which pack has a document's row.
func (l *contentIndex) setPack(id string, pack uint32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ids[keyOf(id)] = pack
}

// addPack returns the number of a new file of documents.
func (l *contentIndex) addPack(name, part string, closed bool) uint32 {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.packs = append(l.packs, packState{name: name, part: part, closed: closed})
	return uint32(len(l.packs) - 1)
}

func (l *contentIndex) closePack(pack uint32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.packs[pack].closed = true
	l.closed++
}

// closedPacks counts the packs that were closed.
func (l *contentIndex) closedPacks() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closed
}

func (l *contentIndex) pack(pack uint32) packState {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.packs[pack]
}

// find returns where a content is.
func (l *contentIndex) find(sum digest.Sum) (location, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	loc, ok := l.where[contentKey(sum[:20])]
	return loc, ok
}

// add records where a content is going to be. If it already has a location, add returns that and false.
func (l *contentIndex) add(sum digest.Sum, loc location) (location, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if old, ok := l.where[contentKey(sum[:20])]; ok {
		return old, false
	}
	l.where[contentKey(sum[:20])] = loc
	return loc, true
}

// locate sets the fields of the row that a location determines.
func (l *contentIndex) locate(loc location, r *Row) {
	r.Pack = l.pack(loc.pack).name
	r.Offset = int64(loc.offset)
	r.Method, r.StoredSize = methodStored, r.Size
	if loc.deflated != 0 {
		r.Method, r.StoredSize = methodDeflated, int64(loc.deflated)
	}
}
