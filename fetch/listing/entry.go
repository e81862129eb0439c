package listing

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"holdall/fetch/link"
)

// HideTokens makes the name that a listing gives valid text, without what may grant access: that would lie in
// the archive forever.
func (l *Entry) HideTokens() {
	l.Name = link.WithoutTokens(l.Name, l.Link)
	if valid := strings.ToValidUTF8(l.Name, "\uFFFD"); valid != l.Name {
		l.RawName, l.Name = []byte(l.Name), valid
	}
}

// Label is the name that the listing gives, or else the one in the link; it may be empty. A name that comes
// with the file goes before the link's.
func (l Entry) Label() string {
	if l.Name != "" {
		return l.Name
	}
	return link.NameIn(l.Link)
}

// An Entry is one file as its listing describes it.
type Entry struct {
	Link     link.Link
	Name     string // as text; may be empty, or hold slashes
	RawName  []byte // the name as received, where that is something else
	Size     int64  // -1 when not given
	ETag     string
	Modified time.Time
}

// Summary sums up what the listing says about a file: its name, and the size, ETag and date by which another
// file in the same place would show.
func (l Entry) Summary() uint64 {
	var at int64
	if !l.Modified.IsZero() {
		at = l.Modified.UnixNano()
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%s\x00%d\x00%d", l.Name, l.ETag, at, l.Size))
	return binary.LittleEndian.Uint64(sum[:])
}

// Identified reports whether the listing says about a file what another one at its place would not have.
func (l Entry) Identified() bool { return l.ETag != "" || l.Size >= 0 && !l.Modified.IsZero() }
