package archive

import (
	"bytes"
	"encoding/binary"
	"io"
	"path"
	"regexp"
	"strings"

	"github.com/gabriel-vasile/mimetype"
)

// compressedTypes are stored without a trial: their bytes are compressed already, and a viewer can read them
// by offset.
var compressedTypes = setOf(
	"application/pdf", typeDOCX, typeXLSX, typePPTX, typeZIP,
	"application/vnd.oasis.opendocument.text", "application/vnd.oasis.opendocument.spreadsheet",
	"application/vnd.oasis.opendocument.presentation", "application/epub+zip",
	"application/gzip", "application/x-7z-compressed", "application/x-rar-compressed", "application/x-bzip2",
	"application/x-xz",
	"application/zstd", "image/jpeg", "image/png", "image/gif", "image/webp", "image/heic", "image/heif",
	"image/avif",
	"image/jp2", "image/jxl", "video/mp4", "video/quicktime", "video/webm", "video/x-matroska", "audio/mpeg",
	"audio/mp4",
	"audio/x-m4a", "audio/ogg", "audio/flac",
)

const (
	typeZIP  = "application/zip"
	typeOLE  = "application/x-ole-storage"
	typeDOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
	typeXLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
	typePPTX = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
)

func setOf(names ...string) map[string]bool {
	set := map[string]bool{}
	for _, name := range names {
		set[name] = true
	}
	return set
}

// describe sets the row's media type and state from the bytes.
func describe(row *Row, c *content) error {
	head, err := section(c, 0, 64<<10)
	if err != nil {
		return err
	}
	tail, err := section(c, max(0, c.size-64<<10), 64<<10)
	if err != nil {
		return err
	}
	row.MediaType = mediaType(head, tail)
	if row.MediaType == typeOLE {
		if row.MediaType, err = oleType(c); err != nil {
			return err
		}
	}
	row.State = StateOK
	switch {
	case row.Damaged:
		row.State = StateDamaged
	case c.size == 0:
		row.State = StateEmpty
	case isErrorPage(row.OriginalName, row.MediaType, head):
		row.State = StateErrorPage
	default:
		locked, err := isLocked(row.MediaType, head, tail, c)
		if err != nil {
			return err
		}
		if locked {
			row.State = StateLocked
		}
	}
	return nil
}

// section returns at most n bytes from off.
func section(c *content, off, n int64) ([]byte, error) {
	n = min(n, c.size-off)
	if n <= 0 {
		return nil, nil
	}
	if c.buf != nil {
		return (*c.buf)[off : off+n], nil
	}
	b := make([]byte, n)
	_, err := io.ReadFull(io.NewSectionReader(c.at(), off, n), b)
	return b, err
}

// mediaType names the type of a document by its bytes, without parameters; application/octet-stream where
// they tell nothing.
func mediaType(head, tail []byte) string {
	if len(head) == 0 {
		return "application/x-empty"
	}
	name, _, _ := strings.Cut(mimetype.Detect(head).String(), ";")
	if name != typeZIP {
		return name
	}
	// The parts of an office document may stand in any order: the directory at the end names them all.
	for _, office := range []struct{ part, name string }{
		{"word/document.xml", typeDOCX}, {"xl/workbook.xml", typeXLSX}, {"ppt/presentation.xml", typePPTX},
	} {
		if bytes.Contains(tail, []byte(office.part)) && bytes.Contains(tail, []byte("[Content_Types].xml")) {
			return office.name
		}
	}
	return name
}

// binaryExtensions are those of documents that are never HTML, XML or JSON.
var binaryExtensions = setOf("pdf", "docx", "xlsx", "pptx", "odt", "ods", "odp", "rtf", "msg", "zip", "7z",
	"rar",
	"jpg", "jpeg", "png", "gif", "tif", "tiff", "bmp", "heic", "webp", "mp3", "mp4", "m4a", "mov", "wav",
	"doc", "dot", "xls", "ppt", "pps")

var (
	storageError = regexp.MustCompile(
		`(?i)<Error>\s*<Code>|<title>[^<]{0,80}(error|not found|denied|forbidden|expired|sign in|log ?in)|^\s*\{\s*"(error|message|code)"`,
	)
	officeText = regexp.MustCompile(`(?i)schemas-microsoft-com|mso-application|urn:oasis:names`)
)

// isErrorPage reports whether a text that a server answers errors with stands in a document's place. Word and
// Excel also save HTML and XML as .doc and .xls, and name themselves in it.
func isErrorPage(name, media string, head []byte) bool {
	switch media {
	case "text/html", "application/xhtml+xml", "text/xml", "application/json":
	default:
		return false
	}
	ext := extension(path.Base(strings.ReplaceAll(name, `\`, "/")))
	if !binaryExtensions[ext] {
		return ext == "" && storageError.Match(head)
	}
	return !officeText.Match(head)
}

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

// pdfTail is where startxref and most trailers stand: readers look for it in the last 1,024 bytes.
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
		// Version needed of at most 6.3 tells a directory line from the same bytes in somebody's content.
		line := rest[i:]
		if binary.LittleEndian.Uint16(line[6:])&0xff <= 63 && binary.LittleEndian.Uint16(line[8:])&1 != 0 {
			return true
		}
		rest = rest[i+4:]
	}
}

// oleStreams are streams by which an old office file is known, where its header alone does not tell.
var oleStreams = []struct{ stream, name string }{
	{"WordDocument", "application/msword"}, {"PowerPoint Document", "application/vnd.ms-powerpoint"},
	{"Workbook", "application/vnd.ms-excel"}, {"__properties_version1.0", "application/vnd.ms-outlook"},
}

// oleType looks for the streams of the office programs.
func oleType(c *content) (string, error) {
	for _, o := range oleStreams {
		if has, err := hasStream(c, o.stream); has || err != nil {
			return o.name, err
		}
	}
	return typeOLE, nil
}

// oleEncrypted looks for the stream that holds an encrypted office document (MS-OFFCRYPTO 2.3.4.4).
func oleEncrypted(c *content) (bool, error) { return hasStream(c, "EncryptedPackage") }

// hasStream looks for a stream's name, which stands in UTF-16 in the directory of a compound file (MS-CFB
// 2.6).
func hasStream(c *content, stream string) (bool, error) {
	var name []byte
	for _, letter := range []byte(stream) {
		name = append(name, letter, 0)
	}
	if c.buf != nil {
		return bytes.Contains(*c.buf, name), nil
	}
	i, err := indexBytes(c.reader(), name)
	return i >= 0, err
}

// indexBytes returns where what stands first in what r yields, or -1.
func indexBytes(r io.Reader, what []byte) (int64, error) {
	buf := make([]byte, copyBuffer)
	kept, base := 0, int64(0) // bytes carried over, and the offset of the first of them
	for {
		n, err := r.Read(buf[kept:])
		end := kept + n
		if i := bytes.Index(buf[:end], what); i >= 0 {
			return base + int64(i), nil
		}
		if err == io.EOF {
			return -1, nil
		}
		if err != nil {
			return -1, err
		}
		kept = min(end, len(what)-1)
		base += int64(end - kept)
		copy(buf, buf[end-kept:end])
	}
}
