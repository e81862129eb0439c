package fetch

import (
	"holdall/internal/digest"
)

// Verified says what is known about a complete object.
type Verified struct {
	Size   int64      `json:"size"`
	SHA256 digest.Sum `json:"sha256"`
	// what was compared: "repr-digest", "x-amz-checksum-sha256", "etag-md5", "etag-multipart", "size", …
	Rung string `json:"rung"`

	// Contradicts is a checksum of the server's that the bytes do not match, or "content-encoding" for the
	// checks of that, though Rung proves them, or is RungDamaged, RungUnproven or RungCut; or empty.
	Contradicts string `json:"contradicts,omitempty"`

	// Of an object that came in a Content-Encoding, Size and SHA256 are those of its content, and these of
	// what was received.
	Encoding       string     `json:"encoding,omitempty"`
	Received       int64      `json:"received,omitempty"`
	ReceivedSHA256 digest.Sum `json:"received_sha256,omitzero"`
}

// The rungs of an object whose bytes nothing proves, and that Contradicts speaks against.
const (
	RungDamaged  = "damaged"  // they came the same from two separate fetches
	RungUnproven = "unproven" // they could not be asked for twice
	RungCut      = "cut"      // every answer broke off there, in two runs: Contradicts is the length
)

// isCut reports whether an object was taken though its server tells that there is more of it.
func (v Verified) isCut() bool { return v.Contradicts == contradictsLength }
