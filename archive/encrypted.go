package archive

import (
	"bytes"
	"encoding/binary"
	"regexp"
)

// isLocked reports whether a document is encrypted: it cannot be read without a password, or says that it
// could not.
func isLocked(media string, head, tail []byte, c *content) (bool, error) {
	switch {
	case media == "application/pdf":
		return pdfEncrypted(tail, c)
	case isZIP(head):
		return zipEncrypted(head, tail), nil
	case bytes.HasPrefix(head, []byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")):
		return oleEncrypted(c)
	}
	return false, nil
}

func isZIP(head []byte) bool { return bytes.HasPrefix(head, []byte("PK\x03\x04")) }

// pdfTail has room for startxref and most trailers: readers look for it in the last 1,024 bytes.
const pdfTail = 2 << 10

var (
	startXRef  = regexp.MustCompile(`startxref\s+(\d{1,12})`)
	encryptKey = regexp.MustCompile(`/Encrypt\s*(\d+\s+\d+\s+R|<<)`)
)

// pdfEncrypted looks for /Encrypt in the trailer (ISO 32000-1, 7.5.5), or in the dictionary of a
// cross-reference stream (7.5.8).
func pdfEncrypted(tail []byte, c *content) (bool, error) {
	tail = tail[max(0, len(tail)-pdfTail):]
	if trailer := bytes.LastIndex(tail, []byte("trailer")); trailer >= 0 && encryptKey.Match(tail[trailer:]) {
		return true, nil
	}
	refs := startXRef.FindAllSubmatch(tail, -1)
	if refs == nil {
		return false, nil
	}
	var off int64
	for _, digit := range refs[len(refs)-1][1] {
		off = off*10 + int64(digit-'0')
	}
	if off >= c.size {
		return false, nil
	}
	dict, err := section(c, off, 64<<10)
	if err != nil {
		return false, err
	}
	if bytes.HasPrefix(bytes.TrimSpace(dict), []byte("xref")) {
		i := bytes.Index(dict, []byte("trailer"))
		if i < 0 {
			return false, nil
		}
		dict = dict[i:]
		if end := bytes.Index(dict, []byte("startxref")); end >= 0 {
			dict = dict[:end]
		}
	} else if end := bytes.Index(dict, []byte("stream")); end >= 0 {
		dict = dict[:end]
	}
	return encryptKey.Match(dict), nil
}

// zipEncrypted looks at bit 0 of the flags of the first entry and of those whose directory lines are in the
// tail.
func zipEncrypted(head, tail []byte) bool {
	if len(head) >= 8 && binary.LittleEndian.Uint16(head[6:])&1 != 0 {
		return true
	}
	for rest := tail; ; {
		i := bytes.Index(rest, []byte("PK\x01\x02"))
		if i < 0 || len(rest) < i+centralHeaderSize {
			return false
		}
		// A version needed of at most 6.3 distinguishes a directory line from the same bytes in content.
		line := rest[i:]
		if binary.LittleEndian.Uint16(line[6:])&0xff <= 63 && binary.LittleEndian.Uint16(line[8:])&1 != 0 {
			return true
		}
		rest = rest[i+4:]
	}
}

// oleEncrypted looks for the stream that holds an encrypted office document (MS-OFFCRYPTO 2.3.4.4).
func oleEncrypted(c *content) (bool, error) { return hasStream(c, "EncryptedPackage") }
