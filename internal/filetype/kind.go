// Package unpack reads the containers an export arrives in: ZIP and tar, made by others and not to be
// trusted.
//
// A container is read through an io.ReaderAt whose ReadAt may wait until the bytes are there, so that entries
// are checked and handed on while the rest still arrives. Names are data here, never paths.
package filetype

// A Kind says what a received object is, decided by its first bytes.
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
