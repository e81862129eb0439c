package archive

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"holdall/internal/digest"
)

// A fileRecord says that a file of the bag was synced under its name with this length and digest.
type fileRecord struct {
	Name   string     `json:"name"`
	Size   int64      `json:"size"`
	SHA256 digest.Sum `json:"sha256"`

	// Of the content, where the file holds it zstd-compressed.
	Content *contentRecord `json:"content,omitempty"`
	// Of the parts in which an object store takes the file, where it is too long to be taken whole.
	Parts []digest.Sum `json:"parts,omitempty"`
	// Where the file is a pack.
	Pack *packRecord `json:"pack,omitempty"`

	blocks []uint32 // what readBack compares; known to the process that wrote the file
}

type contentRecord struct {
	Size   int64      `json:"size"`
	SHA256 digest.Sum `json:"sha256"`
}

type packRecord struct {
	Part       string `json:"part"`
	Number     int    `json:"number"`
	Rows       int    `json:"rows"`
	RowsOffset int64  `json:"rows_offset"` // of the data of _pack.csv in the pack
	RowsSize   int64  `json:"rows_size"`
	RowsCRC32  uint32 `json:"rows_crc32"`
}

type sealRecord struct {
	ID        string `json:"id"`
	Documents int    `json:"documents"`
	Payload   int64  `json:"payload"` // bytes under data/
}

// An entry is one line of a staging journal; one of its fields is set.
type entry struct {
	File *fileRecord `json:"file,omitempty"`
	// the file of that name is no longer part of the bag
	Drop     string      `json:"drop,omitempty"`
	Sealed   *sealRecord `json:"sealed,omitempty"`   // the bag is finished
	Unsealed bool        `json:"unsealed,omitempty"` // no longer
	// the bag is being committed there: it no longer changes
	Committing string `json:"committing,omitempty"`
	Delivering string `json:"delivering,omitempty"` // finished files are put there before the commit
	Delivered  string `json:"delivered,omitempty"`  // the file of that name has been put there
}

// A journal is an append-only file of entries. An entry is durable when append returns. After an error
// nothing more is appended: the file may end in half a line, which the next process drops only if it is the
// last.
type journal struct {
	f   *os.File
	err error
}

// openJournal reads the entries and drops a torn last line: its append never returned success.
func openJournal(path string) (*journal, []entry, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, nil, err
	}
	b, err := io.ReadAll(f)
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	whole := bytes.LastIndexByte(b, '\n') + 1
	entries, good, err := parseJournal(b[:whole])
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("%w: %s: %w", ErrDamaged, path, err), f.Close())
	}
	if err := f.Truncate(int64(good)); err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	if _, err := f.Seek(int64(good), io.SeekStart); err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	return &journal{f: f}, entries, nil
}

// parseJournal returns the entries and how many bytes they fill. A last line that is not JSON is torn; one
// before it is damage.
func parseJournal(b []byte) (entries []entry, good int, err error) {
	for good < len(b) {
		end := good + bytes.IndexByte(b[good:], '\n') + 1
		var e entry
		if err := json.Unmarshal(b[good:end], &e); err != nil {
			if end == len(b) {
				return entries, good, nil
			}
			return nil, 0, fmt.Errorf("line %d: %w", len(entries)+1, err)
		}
		entries = append(entries, e)
		good = end
	}
	return entries, good, nil
}

func (j *journal) append(e entry) error {
	if j.err != nil {
		return j.err
	}
	b, err := json.Marshal(e)
	if err != nil {
		return err
	}
	if _, err := j.f.Write(append(b, '\n')); err != nil {
		j.err = fmt.Errorf("write the staging journal: %w", err)
	} else if err := j.f.Sync(); err != nil {
		j.err = fmt.Errorf("sync the staging journal: %w", err)
	}
	return j.err
}

func (j *journal) close() error { return j.f.Close() }

// sizeOf returns a regular file's size, or -1 where there is none.
func sizeOf(path string) (int64, error) {
	fi, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return -1, nil
	}
	if err != nil {
		return 0, err
	}
	if !fi.Mode().IsRegular() {
		return -1, nil
	}
	return fi.Size(), nil
}
