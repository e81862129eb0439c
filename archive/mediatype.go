package archive

import (
	"bytes"
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

// detectType sets the row's media type and state from the bytes.
func detectType(row *Row, c *content) error {
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
// they do not identify one.
func mediaType(head, tail []byte) string {
	if len(head) == 0 {
		return "application/x-empty"
	}
	name, _, _ := strings.Cut(mimetype.Detect(head).String(), ";")
	if name != typeZIP {
		return name
	}
	// The parts of an office document may come in any order: the directory at the end names them all.
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
		`(?i)<Error>\s*<Code>` +
			`|<title>[^<]{0,80}(error|not found|denied|forbidden|expired|sign in|log ?in)` +
			`|^\s*\{\s*"(error|message|code)"`,
	)
	officeText = regexp.MustCompile(`(?i)schemas-microsoft-com|mso-application|urn:oasis:names`)
)

// isErrorPage reports whether the text of a server's error was stored in a document's place. Word and Excel
// also save HTML and XML as .doc and .xls, and name themselves in it.
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

// oleStreams are streams that identify the program of an old office file where its header does not.
var oleStreams = []struct{ stream, name string }{
	{"WordDocument", "application/msword"}, {"PowerPoint Document", "application/vnd.ms-powerpoint"},
	{"Workbook", "application/vnd.ms-excel"}, {"__properties_version1.0", "application/vnd.ms-outlook"},
}

// oleType identifies the program by its streams.
func oleType(c *content) (string, error) {
	for _, o := range oleStreams {
		if has, err := hasStream(c, o.stream); has || err != nil {
			return o.name, err
		}
	}
	return typeOLE, nil
}

// hasStream searches for a stream's name, which is UTF-16 in the directory of a compound file (MS-CFB 2.6).
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

// indexBytes returns the offset at which what first occurs in r, or -1.
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
