package fetch

import (
	"bytes"

	"holdall/internal/unpack"
)

// looksLikeListing reports whether an object that begins so is a page of links, one a file, and not a table or a message.
func looksLikeListing(k unpack.Kind, first []byte) bool {
	switch k {
	case unpack.KindXML:
		return bytes.Contains(first, []byte("<ListBucketResult"))
	}
	return false
}
