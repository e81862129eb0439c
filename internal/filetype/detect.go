package filetype

import (
	"bytes"
	"encoding/binary"
	"io"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// Detect says what an object is from its first bytes; 512 are enough, a tar needs at least 262.
//
// Bytes decide, never names. What is compressed is looked into as far as the bytes go: gzip is TarGzip
// only when a tar begins in it. zstd cannot be decoded from a part of a block, so it is TarZstd unless a
// complete block shows otherwise. A ZIP with junk in front is recognised when its first entry begins within
// the bytes given.
func Detect(first []byte) Type {
	switch {
	case startsZIP(first):
		return ZIP
	case bytes.HasPrefix(first, []byte{0x1f, 0x8b, 8}):
		return detectGzip(first)
	case startsZstd(first):
		return detectZstd(first)
	case startsTar(first):
		return Tar
	}
	if kind := detectText(decodeText(first)); kind != Unknown {
		return kind
	}
	if zipAfterJunk(first) {
		return ZIP
	}
	return Unknown
}

// startsZIP knows the four ways a ZIP may begin: an entry, an empty directory, and the two marks of
// once-spanned archives.
func startsZIP(b []byte) bool {
	for _, magic := range []string{"PK\x03\x04", "PK\x05\x06", "PK\x07\x08PK\x03\x04", "PK00PK\x03\x04"} {
		if bytes.HasPrefix(b, []byte(magic)) {
			return true
		}
	}
	return false
}

// zipAfterJunk looks for a local header whose fields make sense, so that four chance bytes do not count.
func zipAfterJunk(b []byte) bool {
	for {
		i := bytes.Index(b, []byte("PK\x03\x04"))
		if i < 0 || len(b) < i+30 {
			return false
		}
		h := b[i:]
		version, method, name := h[4], binary.LittleEndian.Uint16(h[8:]), binary.LittleEndian.Uint16(h[26:])
		if version <= 63 && method <= 99 && name > 0 {
			return true
		}
		b = b[i+4:]
	}
}

func startsZstd(b []byte) bool {
	if len(b) < 4 {
		return false
	}
	magic := binary.LittleEndian.Uint32(b)
	// a frame, or a skippable frame as pzstd writes first
	return magic == 0xfd2fb528 || magic&^0xf == 0x184d2a50
}

func detectGzip(first []byte) Type {
	z, err := gzip.NewReader(bytes.NewReader(first))
	if err != nil {
		return Unknown
	}
	if startsTar(readSome(z)) {
		return TarGzip
	}
	return Unknown
}

func detectZstd(first []byte) Type {
	z, err := zstd.NewReader(
		bytes.NewReader(first), zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxMemory(1<<27),
	)
	if err != nil {
		return Unknown
	}
	defer z.Close()
	inner, err := io.ReadAll(io.LimitReader(z, TarBlock))
	if err != nil || startsTar(inner) { // cut too early to tell, or a tar
		return TarZstd
	}
	return Unknown
}

// readSome returns what the cut stream yields of its first tar block.
func readSome(r io.Reader) []byte {
	var block [TarBlock]byte
	n, _ := io.ReadFull(r, block[:])
	return block[:n]
}

const TarBlock = 512

// startsTar knows POSIX and GNU headers by their magic, and older ones by their checksum.
func startsTar(b []byte) bool {
	if len(b) < 262 {
		return false
	}
	if string(b[257:262]) == "ustar" {
		return true
	}
	return len(b) >= TarBlock && b[0] != 0 && TarChecksumFits(b[:TarBlock])
}

// TarChecksumFits compares a header's checksum field, six octal digits, with the sum of its bytes
// (POSIX.1-1988 ustar).
func TarChecksumFits(block []byte) bool {
	field := strings.Trim(string(block[148:156]), " \x00")
	want := 0
	for _, c := range field {
		if c < '0' || c > '7' {
			return false
		}
		want = want*8 + int(c-'0')
	}
	sum := 8 * int(' ')
	for i, c := range block {
		if i < 148 || i >= 156 {
			sum += int(c)
		}
	}
	return field != "" && sum == want
}

// decodeText returns text without its byte order mark, UTF-16 as UTF-8.
func decodeText(b []byte) string {
	switch {
	case bytes.HasPrefix(b, []byte("\xef\xbb\xbf")):
		return string(b[3:])
	case bytes.HasPrefix(b, []byte("\xff\xfe")):
		return decodeUTF16(b[2:], binary.LittleEndian)
	case bytes.HasPrefix(b, []byte("\xfe\xff")):
		return decodeUTF16(b[2:], binary.BigEndian)
	}
	return string(b)
}

func decodeUTF16(b []byte, order binary.ByteOrder) string {
	units := make([]uint16, len(b)/2)
	for i := range units {
		units[i] = order.Uint16(b[2*i:])
	}
	return string(utf16.Decode(units))
}

func detectText(s string) Type {
	if !LooksLikeText(s) {
		return Unknown
	}
	s = strings.TrimLeft(s, " \t\r\n")
	switch {
	case s == "", strings.HasPrefix(s, "%PDF-"), strings.HasPrefix(s, `{\rtf`):
		return Unknown
	case s[0] == '<':
		return detectMarkup(s)
	case startsJSON(s):
		return JSON
	case startsCSV(s):
		return CSV
	}
	return Unknown
}

// LooksLikeText refuses control characters; bytes that are not UTF-8 may be an older encoding.
func LooksLikeText(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool {
		return r < ' ' && r != '\t' && r != '\r' && r != '\n' && r != utf8.RuneError
	}) < 0
}

// detectMarkup tells HTML from other XML by the first tag that is neither a comment nor a processing
// instruction.
func detectMarkup(s string) Type {
	kind := Unknown
	for {
		s = strings.TrimLeft(s, " \t\r\n")
		var end string
		switch {
		case strings.HasPrefix(s, "<?"):
			kind, end = XML, "?>"
		case strings.HasPrefix(s, "<!--"):
			end = "-->"
		default:
			return detectTag(s, kind)
		}
		_, rest, found := strings.Cut(s, end)
		if !found {
			return kind
		}
		s = rest
	}
}

// htmlTags are those that pages begin with when their author left out <html>.
var htmlTags = map[string]bool{
	"html": true, "head": true, "body": true, "title": true, "meta": true, "link": true, "style": true,
	"script": true, "base": true, "div": true, "p": true, "h1": true, "h2": true, "h3": true, "center": true,
	"table": true, "pre": true,
	"form": true, "span": true, "a": true, "b": true, "br": true, "ul": true, "iframe": true,
	"noscript": true, "main": true,
}

func detectTag(s string, otherwise Type) Type {
	if !strings.HasPrefix(s, "<") {
		return otherwise
	}
	s = strings.ToLower(s[1:])
	if strings.HasPrefix(s, "!doctype") {
		words := strings.FieldsFunc(s, func(r rune) bool { return r <= ' ' || r == '>' })
		if len(words) > 1 && words[1] == "html" {
			return HTML
		}
		return XML
	}
	end := strings.IndexAny(s, " \t\r\n/>")
	if end < 0 {
		end = len(s)
	}
	switch name := s[:end]; {
	case htmlTags[name]:
		return HTML
	case name != "" && (name[0] >= 'a' && name[0] <= 'z' || name[0] == '_' || name[0] >= utf8.RuneSelf):
		return XML
	}
	return otherwise
}

func startsJSON(s string) bool {
	rest := strings.TrimLeft(s[1:], " \t\r\n")
	switch s[0] {
	case '{':
		return rest == "" || rest[0] == '"' || rest[0] == '}'
	case '[':
		return rest == "" || strings.IndexByte(`{["]-0123456789tfn`, rest[0]) >= 0
	}
	return false
}

// startsCSV tells a table from prose: in prose a comma or semicolon is followed by a space. Lines that each
// hold the same number of such separators are still a table, and so is a list of links.
func startsCSV(s string) bool {
	if strings.HasPrefix(s, "http://") || strings.HasPrefix(s, "https://") {
		return true
	}
	lines := strings.FieldsFunc(s, func(r rune) bool { return r == '\n' || r == '\r' })
	for _, sep := range []byte{',', ';', '\t', '|'} {
		tight, all := countSeparators(lines[0], sep)
		if tight > 0 {
			return true
		}
		if all == 0 || len(lines) < 2 {
			continue
		}
		if _, next := countSeparators(lines[1], sep); next == all {
			return true
		}
	}
	return false
}

// countSeparators counts outside quotes: those not followed by a space, and all.
func countSeparators(line string, sep byte) (tight, all int) {
	quoted := false
	for i := range len(line) {
		switch {
		case line[i] == '"':
			quoted = !quoted
		case quoted || line[i] != sep:
		default:
			all++
			if sep == '\t' || i+1 == len(line) || line[i+1] != ' ' {
				tight++
			}
		}
	}
	return tight, all
}
