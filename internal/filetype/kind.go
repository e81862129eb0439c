// Package filetype says what a file or a received object is, by its first bytes and never by its name.
package filetype

// A Type says what a received object is, decided by its first bytes.
type Type string

// The kinds of object that a link may lead to.
const (
	ZIP     Type = "zip"
	Tar     Type = "tar"
	TarGzip Type = "tar.gz"
	TarZstd Type = "tar.zst"
	CSV     Type = "csv"
	HTML    Type = "html"
	XML     Type = "xml"
	JSON    Type = "json"
	Unknown Type = "unknown"
)

// HeadLen is how many of its first bytes say what an object is.
const HeadLen = 64 << 10

// IsContainer reports whether such a file holds others that can be unpacked.
func (t Type) IsContainer() bool {
	switch t {
	case ZIP, Tar, TarGzip, TarZstd:
		return true
	}
	return false
}
