package takeoversim

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"hash/crc32"
	"path"
	"strings"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/unicode/norm"
)

// A zipStyle is the hand of a ZIP's writer. The zero style deflates.
type zipStyle struct {
	stored   bool
	streamed bool   // sizes stand in data descriptors
	local    string // put in front of the names in local headers

	encrypted *Document // the entry that opens with a password only

	names   string // how names are written; see entryName
	comment bool   // of the archive, and of each entry
	extra   bool   // fields with times and owners, as Info-ZIP writes them
	zip64   bool   // sizes and offsets stand in ZIP64 fields, though they need not
	bare    bool   // data descriptors have no signature
	folders bool   // have entries of their own
}

// with returns the style with a change.
func (z zipStyle) with(change func(*zipStyle)) zipStyle {
	change(&z)
	return z
}

// hand is how the writer of a part's ZIPs writes.
func (c *Choices) hand(part string) zipStyle {
	return zipStyle{
		names: c.laterPick(part+"-entry-names", 0.25, "cp437", "windows-1252", "unflagged", "decomposed",
			"backslash", "dot", "absolute", "top-folder"),
		comment: c.laterOdd(part+"-zip-comment", 0.05),
		extra:   c.laterOdd(part+"-extra-fields", 0.1),
		zip64:   c.laterOdd(part+"-zip64", 0.08),
		bare:    c.laterOdd(part+"-bare-descriptors", 0.3),
		folders: c.laterOdd(part+"-folders", 0.1),
	}
}

// entryName returns the bytes of an entry's name and whether they are flagged as UTF-8. Where a code page
// cannot write a document's name, nobody can know whose it is by that.
func (z zipStyle) entryName(f file) (name string, utf8 bool) {
	page := func(m *charmap.Charmap) string {
		var b []byte
		for _, r := range f.name {
			c, ok := m.EncodeRune(r)
			if !ok {
				c = '_'
				if f.doc != nil {
					f.doc.Certain = false
				}
			}
			b = append(b, c)
		}
		return string(b)
	}
	switch z.names {
	case "cp437":
		return page(charmap.CodePage437), false
	case "windows-1252":
		return page(charmap.Windows1252), false
	case "unflagged":
		return f.name, false
	case "decomposed":
		return norm.NFD.String(f.name), true
	case "backslash":
		return strings.ReplaceAll(f.name, "/", `\`), true
	case "dot":
		return "./" + f.name, true
	case "absolute":
		return "/" + f.name, true
	case "top-folder":
		return "Larchbrook export/" + f.name, true
	}
	return f.name, true
}

// withFolders adds an entry for each folder in front of what is in it.
func withFolders(files []file) []file {
	var all []file
	seen := map[string]bool{".": true}
	for _, f := range files {
		if dir := path.Dir(f.name); !seen[dir] {
			seen[dir] = true
			all = append(all, file{name: dir + "/"})
		}
		all = append(all, f)
	}
	return all
}

// zipped writes a ZIP by hand (APPNOTE.TXT, sections 4.3.7 to 4.3.16), since what is odd is what no library
// writes.
func zipped(files []file, style zipStyle) []byte {
	if style.folders {
		files = withFolders(files)
	}
	w := &zipWriter{style: style}
	for _, f := range files {
		w.entry(f)
	}
	return w.end(len(files))
}

type zipWriter struct {
	style          zipStyle
	out, directory bytes.Buffer
}

const fits32 = 0xffffffff // stands where a ZIP64 field has the number

var le = binary.LittleEndian

// A zipEntry is an entry as both its headers describe it.
type zipEntry struct {
	style             zipStyle
	wide              bool // sizes are in a ZIP64 field
	flags, method     uint16
	crc, stored, size uint32
	data              []byte // as stored
}

func (z zipStyle) describe(f file, isUTF8 bool) zipEntry {
	e := zipEntry{style: z, wide: z.zip64 && !z.streamed, method: zip.Deflate, data: deflated(f.data)}
	if z.stored || strings.HasSuffix(f.name, "/") {
		e.method, e.data = zip.Store, f.data
	}
	if isUTF8 {
		e.flags |= 0x800
	}
	if f.doc != nil && f.doc == z.encrypted {
		e.flags |= 1
		sum := sha256.Sum256(f.data)
		e.data = append(sum[:12:12], shuffled(e.data)...)
	}
	if z.streamed {
		e.flags |= 8
	}
	e.crc, e.stored, e.size = crc32.ChecksumIEEE(f.data), uint32(len(e.data)), uint32(len(f.data))
	return e
}

// header has the fields from the version needed to the sizes.
func (e zipEntry) header(local bool) []byte {
	b := le.AppendUint16(nil, 20)
	b = le.AppendUint16(le.AppendUint16(b, e.flags), e.method)
	b = le.AppendUint16(le.AppendUint16(b, 0x5a94), 0x5c62) // time and date
	switch {
	case local && e.style.streamed:
		return append(b, make([]byte, 12)...)
	case e.wide:
		return le.AppendUint32(le.AppendUint32(le.AppendUint32(b, e.crc), fits32), fits32)
	}
	return e.sizes(b)
}

func (e zipEntry) sizes(b []byte) []byte {
	return le.AppendUint32(le.AppendUint32(le.AppendUint32(b, e.crc), e.stored), e.size)
}

func (e zipEntry) extra() []byte {
	var b []byte
	if e.wide {
		b = le.AppendUint16(le.AppendUint16(b, 1), 16)
		b = le.AppendUint64(le.AppendUint64(b, uint64(e.size)), uint64(e.stored))
	}
	if e.style.extra { // extended timestamp, and owner (Info-ZIP's extrafld.txt)
		b = append(b, "UT\x05\x00\x03\x20\x30\xa5\x69"...)
		b = append(b, "ux\x0b\x00\x01\x04\xe8\x03\x00\x00\x04\xe8\x03\x00\x00"...)
	}
	return b
}

// entry writes an entry, and its line of the directory.
func (w *zipWriter) entry(f file) {
	name, isUTF8 := w.style.entryName(f)
	e, offset := w.style.describe(f, isUTF8), w.out.Len()
	w.out.WriteString("PK\x03\x04")
	w.out.Write(e.header(true))
	local := w.style.local + name
	w.out.Write(le.AppendUint16(le.AppendUint16(nil, uint16(len(local))), uint16(len(e.extra()))))
	w.out.WriteString(local)
	w.out.Write(e.extra())
	w.out.Write(e.data)
	if w.style.streamed {
		if !w.style.bare {
			w.out.WriteString("PK\x07\x08")
		}
		w.out.Write(e.sizes(nil))
	}
	comment := ""
	if w.style.comment {
		comment = "checked"
	}
	w.directory.WriteString("PK\x01\x02\x14\x03")
	w.directory.Write(e.header(false))
	w.directory.Write(le.AppendUint16(le.AppendUint16(nil, uint16(len(name))), uint16(len(e.extra()))))
	w.directory.Write(le.AppendUint16(nil, uint16(len(comment))))
	w.directory.Write(make([]byte, 8)) // disk, attributes
	w.directory.Write(le.AppendUint32(nil, uint32(offset)))
	w.directory.WriteString(name)
	w.directory.Write(e.extra())
	w.directory.WriteString(comment)
}

// end writes the directory and the records at the end.
func (w *zipWriter) end(n int) []byte {
	at, size := w.out.Len(), w.directory.Len()
	w.out.Write(w.directory.Bytes())
	count, place := uint16(n), uint32(at)
	if w.style.zip64 {
		record := w.out.Len()
		w.out.WriteString("PK\x06\x06")
		b := le.AppendUint16(le.AppendUint16(le.AppendUint64(nil, 44), 45), 45)
		b = append(b, make([]byte, 8)...) // disks
		b = le.AppendUint64(le.AppendUint64(b, uint64(n)), uint64(n))
		w.out.Write(le.AppendUint64(le.AppendUint64(b, uint64(size)), uint64(at)))
		w.out.WriteString("PK\x06\x07\x00\x00\x00\x00")
		w.out.Write(le.AppendUint32(le.AppendUint64(nil, uint64(record)), 1))
		count, place = 0xffff, fits32
	}
	comment := ""
	if w.style.comment {
		comment = "Made by the exporter; PK\x05\x06 begins the end of a ZIP."
	}
	w.out.WriteString("PK\x05\x06\x00\x00\x00\x00")
	w.out.Write(le.AppendUint16(le.AppendUint16(nil, count), count))
	w.out.Write(le.AppendUint32(le.AppendUint32(nil, uint32(size)), place))
	w.out.Write(le.AppendUint16(nil, uint16(len(comment))))
	w.out.WriteString(comment)
	return w.out.Bytes()
}

// shuffled stands for encrypted bytes.
func shuffled(b []byte) []byte {
	out := make([]byte, len(b))
	for i := range b {
		out[i] = b[len(b)-1-i] ^ byte(i*7+3)
	}
	return out
}

// shifted makes the end record tell a wrong place for the directory.
func shifted(b []byte, by int) []byte {
	at := len(b) - 6
	le.PutUint32(b[at:], le.Uint32(b[at:])+uint32(by))
	return b
}

// plainEnd leaves out what would stand behind the place of the directory in the end record, or in its place.
func plainEnd(z *zipStyle) { z.comment, z.zip64 = false, false }
