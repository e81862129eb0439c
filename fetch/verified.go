package fetch

import (
	"holdall/internal/digest"
)

// Verified says what is known about a complete object.
type Verified struct {
	Size   int64      `json:"size"`
	SHA256 digest.Sum `json:"sha256"`
	// Check says how the bytes were verified: "repr-digest", "x-amz-checksum-sha256", "etag-md5",
	// "etag-multipart", "zip-crc32", …; "size" and "none" verify nothing.
	Check string `json:"check"`

	// Contradicts is a checksum of the server's that the bytes do not match, or "content-encoding" for the
	// checks of that, though Check proves them, or is CheckDamaged, CheckUnproven or CheckCutOff; or empty.
	Contradicts string `json:"contradicts,omitempty"`

	// Of an object that came in a Content-Encoding, Size and SHA256 are those of its content, and these of
	// what was received.
	Encoding       string     `json:"encoding,omitempty"`
	Received       int64      `json:"received,omitempty"`
	ReceivedSHA256 digest.Sum `json:"received_sha256,omitzero"`
}

// Values of Check for an object whose bytes nothing proves, and that Contradicts speaks against.
const (
	CheckDamaged  = "damaged"  // two separate fetches brought the same bytes
	CheckUnproven = "unproven" // they could not be fetched twice
	CheckCutOff   = "cut"      // every response broke off there, in two runs; Contradicts is "length"
)

// CheckOneEnd is the Check of an object whose length nobody gave, and whose link worked once: its one answer
// ended there. Contradicts is empty.
const CheckOneEnd = "one-end"

// isCutOff reports whether an object was accepted though its server claims a greater length.
func (v Verified) isCutOff() bool { return v.Contradicts == contradictsLength }
