package archive

import (
	"fmt"
	"io/fs"
	"sync"

	"holdall/internal/digest"
)

// A library knows where each content of the bag is and which documents have been taken in, in about
// 120 bytes a document at the worst moment, when its tables have just grown.
type library struct {
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

// A location says where the bytes of a content are; their length and CRC-32 are known to whoever has the
// content.
type location struct {
	pack     uint32
	offset   uint32
	deflated uint32 // stored size where deflated; 0 where stored as it is
}

// contentKey is the beginning of a content's SHA-256: 160 bits, so that nobody finds two contents of one key.
type contentKey [20]byte

// idKey is the beginning of the SHA-256 of a document's ID: 96 bits, enough against chance.
type idKey [12]byte

// waiting marks a document whose row is not in any pack yet.
const waiting = ^uint32(0)

func newLibrary() *library {
	return &library{where: map[contentKey]location{}, ids: map[idKey]uint32{}}
}

func keyOf(id string) idKey {
	sum := digest.Of([]byte(id))
	return idKey(sum[:12])
}

// has reports whether the document's row is in a closed pack.
func (l *library) has(id string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	pack, ok := l.ids[keyOf(id)]
	return ok && pack != waiting && l.packs[pack].closed
}

// claim keeps an ID for a document that is being taken in.
func (l *library) claim(id string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, ok := l.ids[keyOf(id)]; ok {
		return fmt.Errorf("document %s: %w", id, fs.ErrExist)
	}
	l.ids[keyOf(id)] = waiting
	return nil
}

func (l *library) release(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.ids, keyOf(id))
}

// settle says in which pack a document's row stands.
func (l *library) settle(id string, pack uint32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ids[keyOf(id)] = pack
}

// addPack returns the number of a new file of documents.
func (l *library) addPack(name, part string, closed bool) uint32 {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.packs = append(l.packs, packState{name: name, part: part, closed: closed})
	return uint32(len(l.packs) - 1)
}

func (l *library) closePack(pack uint32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.packs[pack].closed = true
	l.closed++
}

// closedPacks grows with every pack that is closed.
func (l *library) closedPacks() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closed
}

func (l *library) pack(pack uint32) packState {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.packs[pack]
}

// find returns where a content is.
func (l *library) find(sum digest.Sum) (location, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	loc, ok := l.where[contentKey(sum[:20])]
	return loc, ok
}

// place says where a content is going to be, unless it has a place: then it returns that one and false.
func (l *library) place(sum digest.Sum, loc location) (location, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if old, ok := l.where[contentKey(sum[:20])]; ok {
		return old, false
	}
	l.where[contentKey(sum[:20])] = loc
	return loc, true
}

// placement returns the row's fields that a location gives.
func (l *library) placement(loc location, r *Row) {
	r.Pack = l.pack(loc.pack).name
	r.Offset = int64(loc.offset)
	r.Method, r.StoredSize = methodStored, r.Size
	if loc.deflated != 0 {
		r.Method, r.StoredSize = methodDeflated, int64(loc.deflated)
	}
}
