package archive

import (
	"fmt"
	"regexp"
	"time"

	"holdall/internal/digest"
)

// A State says what is known of a document's bytes.
type State string

// The states.
const (
	StateOK        State = "ok"
	StateDamaged   State = "damaged-in-source" // the vendor's own checksum does not fit the bytes received
	StateLocked    State = "locked"            // encrypted or password-protected
	StateEmpty     State = "empty"
	StateErrorPage State = "error-page" // an HTML or XML error stored in the document's place
)

// A Document is what is known of a document before its bytes are stored.
type Document struct {
	ID              string // unique in the bag, [a-z0-9-], at most 80 characters
	Part            string // attachments or cvs; empty means the packer's own
	OwnerType       string // CANDIDATE, COMPANY, …; empty when unknown
	OwnerID         string
	AttachmentID    string
	OriginalName    string // as text
	OriginalNameRaw []byte // as received; may be nil where it is the UTF-8 of OriginalName
	ReceivedIn      string // the container: "attachments-01 attachments.zip"
	Modified        time.Time
	MatchedBy       string // how the owner was found: id, path, name-size, name-owner; empty when it was not
	Damaged         bool   // the container's checksum does not fit: the state will be damaged-in-source
}

// A Row is one line of the index: a Document and where its bytes are.
type Row struct {
	Document
	Pack       string // path from the bag's root
	Offset     int64  // of the entry's data in the pack
	StoredSize int64
	Size       int64
	Method     string // stored, deflated
	CRC32      uint32
	SHA256     digest.Sum // of the content
	MediaType  string     // from the bytes
	State      State
	TextState  string // reserved for text extraction; "" for now
}

// The methods by which a document's bytes are kept.
const (
	methodStored   = "stored"
	methodDeflated = "deflated"
)

var (
	documentID = regexp.MustCompile(`^[a-z0-9][a-z0-9-]*$`)
	partName   = regexp.MustCompile(`^[a-z][a-z0-9]{0,19}$`)
)

func (d *Document) check(part string) error {
	if !documentID.MatchString(d.ID) || len(d.ID) > maxID {
		return fmt.Errorf("document ID %q: want 1 to %d characters of [a-z0-9-]", d.ID, maxID)
	}
	if d.Part != part && d.Part != "" {
		return fmt.Errorf("document %s belongs to part %q, not to %q", d.ID, d.Part, part)
	}
	return nil
}
