package master

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"holdall/fetch/failure"
	"holdall/fetch/link"
	"holdall/schemas"
)

var (
	zipMagic  = []byte("PK\x03\x04")
	gzipMagic = []byte("\x1f\x8b\x08")
)

// unpacked returns the CSV in what was handed over: as it is, or out of the gzip, the ZIP or the workbook
// that it was put into.
func (m *CSV) unpacked() ([]byte, error) {
	raw := m.Raw
	for range 2 { // a workbook may have been compressed by a mail program
		switch {
		case bytes.HasPrefix(raw, gzipMagic):
			plain, err := gunzip(raw)
			if err != nil {
				return nil, &failure.Error{Code: failure.NotTheExport,
					Message: "the master CSV is compressed, and cannot be decompressed",
					Hint:    "download it again from the link in the export e-mail", Err: err}
			}
			m.Notes = append(m.Notes, "the master CSV is compressed (gzip); it was decompressed")
			raw = plain
		case bytes.HasPrefix(raw, zipMagic), bytes.HasPrefix(raw, []byte("PK\x05\x06")):
			inner, err := m.unzip(raw)
			if err != nil {
				return nil, err
			}
			raw = inner
		default:
			return raw, nil
		}
	}
	return raw, nil
}

func gunzip(raw []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	return readMember(z)
}

// readMember reads what is decompressed, which may be far more than what it was made of.
func readMember(r io.Reader) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, MaxSize+1))
	if err == nil && len(b) > MaxSize {
		err = fmt.Errorf("more than %d bytes", MaxSize)
	}
	return b, err
}

// unzip returns the CSV of a ZIP: a workbook's cells, or the one CSV that a mail program or a browser has put
// into it.
func (m *CSV) unzip(raw []byte) ([]byte, error) {
	z, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		return nil, &failure.Error{
			Code: failure.NotTheExport, Hint: hintMaster, Err: err,
			Message: "this is a ZIP or a workbook that is cut off or damaged, not a master CSV",
		}
	}
	files := map[string]*zip.File{}
	var content []*zip.File // all but folders and what Macs add
	for _, f := range z.File {
		files[f.Name] = f
		hidden := strings.HasPrefix(path.Base(f.Name), ".") || strings.HasPrefix(f.Name, "__MACOSX/")
		if !hidden && !strings.HasSuffix(f.Name, "/") {
			content = append(content, f)
		}
	}
	if files["xl/workbook.xml"] != nil || files["xl/workbook.bin"] != nil {
		return m.workbook(files)
	}
	if e := mistakenZIP(files, content); e != nil {
		return nil, e
	}
	if len(content) == 1 {
		if b, err := readZIPMember(content[0]); err == nil && (bytes.HasPrefix(b, zipMagic) ||
			link.In(new(CSV).decode(b))) {
			m.Notes = append(m.Notes, "the master CSV came in a ZIP; it was taken out")
			return b, nil
		}
	}
	return nil, notMaster("a ZIP", hintSmallFile)
}

func readZIPMember(f *zip.File) ([]byte, error) {
	if f.UncompressedSize64 > MaxSize {
		return nil, errors.New("too large")
	}
	r, err := f.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return readMember(r)
}

// zipForms are documents that are ZIPs, by a file in them.
var zipForms = []struct{ file, what, hint string }{
	{"word/document.xml", "a Word document", hintOpenLink},
	{"ppt/presentation.xml", "a presentation", hintOpenLink},
	{"Index/Document.iwa", "a document of Apple Numbers, Pages or Keynote", hintSaveAsCSV},
	{"Index.zip", "a document of Apple Numbers, Pages or Keynote", hintSaveAsCSV},
	{"content.xml", "a document of LibreOffice or OpenOffice (such as .ods)", hintSaveAsCSV},
}

// mistakenZIP names a ZIP that cannot be a master CSV put into one.
func mistakenZIP(files map[string]*zip.File, content []*zip.File) *failure.Error {
	for _, f := range zipForms {
		if files[f.file] != nil {
			return notMaster(f.what, f.hint)
		}
	}
	for _, f := range content {
		if t, ok := schemas.ByFile(schemas.Recruitly(), f.Name); ok &&
			strings.EqualFold(path.Ext(f.Name), ".csv") {
			return notMaster("a ZIP of the export itself (it holds "+t.File+")", hintSmallFile)
		}
	}
	return nil
}

// MaxSize is the largest master CSV read.
const MaxSize = 64 << 20

// ReadAll reads the bytes of a master CSV, as it came. More than MaxSize of them are none (Mistaken).
func ReadAll(r io.Reader) ([]byte, error) {
	raw, err := io.ReadAll(io.LimitReader(r, MaxSize+1))
	if err != nil {
		return nil, err
	}
	if len(raw) > MaxSize {
		return nil, Mistaken(raw, fmt.Sprintf("more than %d MB", MaxSize>>20))
	}
	return raw, nil
}
