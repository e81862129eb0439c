package fetch

import (
	"net/http"
	"strings"
)

// Identity is what a server says about an object that must not change while it is fetched.
type Identity struct {
	Size         int64             `json:"size"` // -1 when not given
	ETag         string            `json:"etag,omitempty"`
	LastModified string            `json:"last_modified,omitempty"` // as received
	Checksums    map[string]string `json:"checksums,omitempty"`     // header name, lower case, to value
	// the Content-Encoding that the bytes come in, as stated
	Encoding string `json:"encoding,omitempty"`
	// the store keeps another encoding, of which its digests are
	Transcoded bool `json:"transcoded,omitempty"`
}

// checksumHeaders are the headers in which servers tell digests of a whole object. (Content-MD5 and
// Content-Digest are of the message, so they count only with status 200.)
var checksumHeaders = []string{
	"Repr-Digest", "X-Amz-Checksum-Sha256", "X-Amz-Checksum-Crc64nvme", "X-Amz-Checksum-Crc32c",
	"X-Amz-Checksum-Crc32",
	"X-Amz-Checksum-Sha1", "X-Goog-Hash",
}

// storedEncoding is where Google's store tells how it keeps an object. When it serves another form,
// X-Goog-Hash and ETag are still those of what it keeps (cloud.google.com/storage/docs/transcoding).
const storedEncoding = "X-Goog-Stored-Content-Encoding"

// identityOf reads an identity from a response to a GET; size is what its bounds say.
func identityOf(h http.Header, status int, size int64) Identity {
	id := Identity{
		Size: size, ETag: strings.TrimSpace(h.Get("ETag")),
		LastModified: strings.TrimSpace(h.Get("Last-Modified")),
	}
	id.Encoding = strings.Join(encodings(h.Get("Content-Encoding")), ", ")
	if stored, ok := h[storedEncoding]; ok && strings.Join(encodings(stored[0]), ", ") != id.Encoding {
		id.Transcoded = true
		return id
	}
	names := checksumHeaders
	if status == http.StatusOK {
		names = append([]string{"Content-Md5"}, names...)
	}
	for _, name := range names {
		if v := h.Values(name); len(v) > 0 {
			if id.Checksums == nil {
				id.Checksums = map[string]string{}
			}
			id.Checksums[strings.ToLower(name)] = strings.Join(v, ", ")
		}
	}
	return id
}

// strong returns the ETag when it vouches for every byte (RFC 9110, section 8.8.1), else nothing.
func (id Identity) strong() string {
	if strings.HasPrefix(id.ETag, "W/") || strings.Trim(id.ETag, `"`) == "" {
		return ""
	}
	return id.ETag
}

// versioned reports whether the server says anything by which a change would show, besides the size.
func (id Identity) versioned() bool { return id.strong() != "" || id.LastModified != "" }

// changed says in what other differs from id, or nothing when they may be the same object. What only one of
// them tells does not count.
func (id Identity) changed(other Identity) string {
	if id.Size >= 0 && other.Size >= 0 && id.Size != other.Size {
		return itsSize
	}
	if a, b := id.strong(), other.strong(); a != "" && b != "" {
		if a != b {
			return "its ETag"
		}
		return "" // the same strong ETag outweighs every date
	}
	if id.ETag != "" && other.ETag != "" && id.ETag != other.ETag {
		return "its ETag"
	}
	if id.LastModified != "" && other.LastModified != "" && id.LastModified != other.LastModified {
		return "its Last-Modified"
	}
	return ""
}

// same reports whether two identities, met at different times or places, are certainly of one object: by a
// checksum of the content or a strong ETag, each with the size, which at the same place need not be given
// both times; and at the same place also by size and date.
func (id Identity) same(other Identity, samePlace bool) bool {
	oneSize := id.Size != other.Size && (id.Size < 0 || other.Size < 0)
	if id.Size != other.Size && !(oneSize && samePlace) || id.Size < 0 && !id.versioned() {
		return false
	}
	for name, sum := range id.Checksums {
		if o, ok := other.Checksums[name]; ok {
			return o == sum
		}
	}
	if a, b := id.strong(), other.strong(); a != "" || b != "" {
		return a == b
	}
	return samePlace && !oneSize && id.changed(other) == ""
}
