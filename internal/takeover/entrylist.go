package takeover

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"sync"
	"time"
	"unicode/utf8"

	"holdall/internal/unpack"
)

// entryLists keeps the entry list of each container on disk until the archive is sealed: a million entries
// need no memory.
type entryLists struct {
	dir    string
	mu     sync.Mutex
	counts map[int]int64        // entries by container, guarded by mu
	opened map[int]map[int]bool // entries by container and index that were opened, guarded by mu
}

func newEntryLists(dir string) *entryLists {
	return &entryLists{dir: dir, counts: map[int]int64{}, opened: map[int]map[int]bool{}}
}

// open notes that an entry of a received object is a container, or a piece of one, whose own entries were
// taken over.
func (c *entryLists) open(number int, entries []unpack.Entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range entries {
		if c.opened[number] == nil {
			c.opened[number] = map[int]bool{}
		}
		c.opened[number][e.Index] = true
	}
}

func (c *entryLists) count(number int) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.counts[number]
}

// An EntryRecord is the line of an entry in custody/containers.jsonl.
type EntryRecord struct {
	Container      int       `json:"container"` // ObjectRecord.Number
	Index          int       `json:"index"`
	Name           string    `json:"name"`
	RawName        []byte    `json:"raw_name,omitempty"` // base64, where Name is not what was received
	Size           int64     `json:"size"`
	CompressedSize int64     `json:"compressed_size"`
	CRC32          string    `json:"crc32,omitempty"` // 8 hexadecimal digits
	Modified       time.Time `json:"modified,omitzero"`
	Method         uint16    `json:"method"`
	Offset         int64     `json:"offset"`
	// the entry of the object that holds the container, where it is not the object itself
	Inside   string         `json:"inside,omitempty"`
	Unlisted bool           `json:"unlisted,omitempty"` // no directory names it
	Opened   bool           `json:"opened,omitempty"`   // its own entries were taken over
	Refused  unpack.Refusal `json:"refused,omitempty"`
	DocID    string         `json:"doc_id,omitempty"`
}

// A nameRecord is a further line of an entry, where its own header has another name.
type nameRecord struct {
	Container int    `json:"container"`
	Inside    string `json:"inside,omitempty"`
	Index     int    `json:"index"`
	OwnName   []byte `json:"own_name"` // base64
}

// record is the line of an entry that became a document, or did not where docID is empty.
func (s *origin) record(e unpack.Entry, docID string) EntryRecord {
	r := EntryRecord{Container: s.object.Source.Number, Inside: s.inside, Index: e.Index, Name: e.Name,
		Size:           e.Size,
		CompressedSize: e.CompressedSize, Modified: e.Modified.UTC(), Method: e.Method, Offset: e.Offset,
		Unlisted: e.Unlisted,
		Refused:  e.Refused, DocID: docID}
	if string(e.RawName) != e.Name || !utf8.Valid(e.RawName) {
		r.RawName = e.RawName
	}
	if e.HasCRC {
		r.CRC32 = fmt.Sprintf("%08x", e.CRC32)
	}
	return r
}

// An entryList is the list of one container being written.
type entryList struct {
	lists  *entryLists
	number int
	file   *spillFile
	enc    *json.Encoder
}

func (c *entryLists) path(number int) string {
	return filepath.Join(c.dir, fmt.Sprintf("container-%02d.jsonl.gz", number))
}

func (c *entryLists) list(number int) (*entryList, error) {
	f, err := createSpill(c.path(number))
	if err != nil {
		return nil, err
	}
	return &entryList{lists: c, number: number, file: f, enc: newEncoder(f)}, nil
}

func (l *entryList) add(r EntryRecord) error {
	l.lists.mu.Lock()
	l.lists.counts[l.number]++
	l.lists.mu.Unlock()
	return l.enc.Encode(r)
}

// addLine adds a line that is not an entry's.
func (l *entryList) addLine(line any) error { return l.enc.Encode(line) }

// A listMark is a place in a list to go back to.
type listMark struct{ at, count int64 }

func (l *entryList) mark() (listMark, error) {
	at, err := l.file.mark()
	return listMark{at, l.lists.count(l.number)}, err
}

func (l *entryList) rewind(to listMark) error {
	l.lists.mu.Lock()
	l.lists.counts[l.number] = to.count
	l.lists.mu.Unlock()
	return l.file.rewind(to.at)
}

func (l *entryList) close() error { return l.file.Close() }

// writeTo writes a container's line and those of its entries to w.
func (c *entryLists) writeTo(w io.Writer, o ObjectRecord) error {
	if err := newEncoder(w).Encode(o); err != nil {
		return err
	}
	c.mu.Lock()
	opened := c.opened[o.Number]
	c.mu.Unlock()
	return copySpill(c.path(o.Number), func(list io.Reader) error {
		if len(opened) > 0 {
			return copyOpened(w, list, opened)
		}
		_, err := io.Copy(w, list)
		return err
	})
}

// copyOpened copies the list of a container in which entries were opened: these became no document.
func copyOpened(w io.Writer, list io.Reader, opened map[int]bool) error {
	enc := newEncoder(w)
	for in := bufio.NewReader(list); ; {
		line, err := in.ReadBytes('\n')
		if err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		var r EntryRecord
		if bytes.Contains(line, []byte(`"own_name":`)) || bytes.Contains(line, []byte(`"inside":`)) {
			_, err = w.Write(line)
		} else if err = json.Unmarshal(line, &r); err == nil {
			if opened[r.Index] {
				r.Opened, r.DocID = true, ""
			}
			err = enc.Encode(r)
		}
		if err != nil {
			return err
		}
	}
}

func newEncoder(w io.Writer) *json.Encoder {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc
}
