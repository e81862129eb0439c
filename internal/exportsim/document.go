package exportsim

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"fmt"
	"hash/crc32"
	"mime"
	"mime/quotedprintable"
	"path"
	"strings"
	"unicode/utf16"
)

// mediaTypes are the types of the documents by extension, without the dot.
var mediaTypes = map[string]string{
	"pdf":  "application/pdf",
	"docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
	"doc":  "application/msword",
	"rtf":  "application/rtf",
	"txt":  "text/plain",
	"jpg":  "image/jpeg",
	"png":  "image/png",
	"eml":  "message/rfc822",
}

func extension(name string) string { return strings.ToLower(strings.TrimPrefix(path.Ext(name), ".")) }

// write returns the document as a file of its format.
func (p content) write(pics pictures) []byte {
	switch p.format {
	case "pdf":
		return p.pdf(pics)
	case "docx":
		return p.docx(pics)
	case "doc":
		return compoundFile("WordDocument", p.utf16(), p.target, p.key)
	case "rtf":
		return p.rtf(pics)
	case "txt":
		return []byte(p.text())
	case "jpg":
		b, _ := pics.JPEG(p.target, p.key)
		return b
	case "png":
		return pics.PNG(p.target, p.key)
	case "eml":
		return p.eml(pics)
	}
	panic("exportsim: no format " + p.format)
}

// mark is a line that no other document has: without it two short letters might be the same.
func (p content) mark() string { return fmt.Sprintf("Document %016x", p.key) }

func (p content) text() string { return strings.Join(p.lines, "\n") + "\n" + p.mark() + "\n" }

func (p content) utf16() []byte {
	var b []byte
	for _, u := range utf16.Encode([]rune(p.text())) {
		b = append(b, byte(u), byte(u>>8))
	}
	return b
}

// picture returns a JPEG for what of the target the text has not filled, or nothing where that is too little
// for one.
func (p content) picture(pics pictures, filled int) ([]byte, int) {
	if p.target-filled < 3000 {
		return nil, 0
	}
	return pics.JPEG(p.target-filled, p.key)
}

func (p content) rtf(pics pictures) []byte {
	var b bytes.Buffer
	b.WriteString(`{\rtf1\ansi\ansicpg1252\deff0{\fonttbl{\f0 Arial;}}\f0\fs22` + "\n")
	for _, line := range append(p.lines[:len(p.lines):len(p.lines)], p.mark()) {
		for _, u := range utf16.Encode([]rune(line)) {
			switch {
			case u == '\\' || u == '{' || u == '}':
				b.WriteByte('\\')
				b.WriteByte(byte(u))
			case u < 128:
				b.WriteByte(byte(u))
			default:
				fmt.Fprintf(&b, `\u%d?`, int16(u))
			}
		}
		b.WriteString("\\par\n")
	}
	if pic, side := p.picture(pics, b.Len()+p.target/2); pic != nil {
		fmt.Fprintf(&b, "{\\pict\\jpegblip\\picw%d\\pich%d\n%x}\n", side, side, pic)
	}
	b.WriteString("}\n")
	return b.Bytes()
}

func (p content) eml(pics pictures) []byte {
	var b bytes.Buffer
	boundary := fmt.Sprintf("=_%016x", p.key)
	fmt.Fprintf(&b,
		"From: %s <sender@example.org>\r\nTo: desk@example.com\r\nSubject: %s\r\nDate: Tue, 03 Mar 2026 "+
			"10:15:00 +0000\r\nMessage-ID: <%016x@example.org>\r\nMIME-Version: 1.0\r\n",
		mime.QEncoding.Encode("utf-8", p.lines[0]), mime.QEncoding.Encode("utf-8", p.title), p.key)
	fmt.Fprintf(
		&b,
		"Content-Type: multipart/mixed; boundary=\"%s\"\r\n\r\n--%s\r\nContent-Type: text/plain; "+
			"charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n",
		boundary, boundary,
	)
	q := quotedprintable.NewWriter(&b)
	q.Write([]byte(strings.ReplaceAll(p.text(), "\n", "\r\n")))
	q.Close()
	if pic, _ := p.picture(pics, b.Len()+p.target/4); pic != nil {
		fmt.Fprintf(
			&b,
			"\r\n--%s\r\nContent-Type: image/jpeg\r\nContent-Disposition: attachment; "+
				"filename=\"scan.jpg\"\r\nContent-Transfer-Encoding: base64\r\n\r\n",
			boundary,
		)
		encoded := base64.StdEncoding.EncodeToString(pic)
		for ; len(encoded) > 76; encoded = encoded[76:] {
			b.WriteString(encoded[:76] + "\r\n")
		}
		b.WriteString(encoded)
	}
	fmt.Fprintf(&b, "\r\n--%s--\r\n", boundary)
	return b.Bytes()
}

const (
	docxTypes = `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">` +
		`<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>` +
		`<Default Extension="jpeg" ContentType="image/jpeg"/>` +
		`<Override PartName="/word/document.xml" ` +
		`ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/>` +
		`</Types>`
	docxRels = `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">` +
		`<Relationship Id="rId1" ` +
		`Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" ` +
		`Target="word/document.xml"/>` +
		`</Relationships>`
	docxMedia = `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">` +
		`<Relationship Id="rId1" ` +
		`Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/image" ` +
		`Target="media/image1.jpeg"/>` +
		`</Relationships>`
	docxHead = `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"` +
		` xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"` +
		` xmlns:wp="http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing"` +
		` xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"` +
		` xmlns:pic="http://schemas.openxmlformats.org/drawingml/2006/picture">` +
		`<w:body>`
	docxPicture = `<w:p><w:r><w:drawing><wp:inline><wp:extent cx="2880000" cy="2880000"/><wp:docPr ` +
		`id="1" name="Scan"/><a:graphic><a:graphicData ` +
		`uri="http://schemas.openxmlformats.org/drawingml/2006/picture"><pic:pic><pic:nvPicPr><pic:cNvPr ` +
		`id="1" name="Scan"/><pic:cNvPicPr/></pic:nvPicPr><pic:blipFill><a:blip r:embed="rId1"/>` +
		`<a:stretch><a:fillRect/></a:stretch></pic:blipFill><pic:spPr><a:xfrm><a:off x="0" y="0"/><a:ext ` +
		`cx="2880000" cy="2880000"/></a:xfrm><a:prstGeom prst="rect"><a:avLst/></a:prstGeom></pic:spPr>` +
		`</pic:pic></a:graphicData></a:graphic></wp:inline></w:drawing></w:r></w:p>`
	docxTail = `<w:sectPr/></w:body></w:document>`
)

func (p content) docx(pics pictures) []byte {
	var doc strings.Builder
	doc.WriteString(docxHead)
	for _, line := range append(p.lines[:len(p.lines):len(p.lines)], p.mark()) {
		doc.WriteString(`<w:p><w:r><w:t xml:space="preserve">` + escape(line) + "</w:t></w:r></w:p>\n")
	}
	pic, _ := p.picture(pics, 3000)
	if pic != nil {
		doc.WriteString(docxPicture)
	}
	doc.WriteString(docxTail)
	var b bytes.Buffer
	b.Grow(p.target + 8192)
	z := zip.NewWriter(&b)
	store(z, "[Content_Types].xml", []byte(docxTypes))
	store(z, "_rels/.rels", []byte(docxRels))
	w, _ := z.Create("word/document.xml")
	w.Write([]byte(doc.String()))
	if pic != nil {
		store(z, "word/_rels/document.xml.rels", []byte(docxMedia))
		store(z, "word/media/image1.jpeg", pic)
	}
	z.Close() // nothing fails into a buffer
	return b.Bytes()
}

func store(z *zip.Writer, name string, b []byte) {
	w, _ := z.CreateRaw(&zip.FileHeader{
		Name: name, Method: zip.Store, CRC32: crc32.ChecksumIEEE(b), CompressedSize64: uint64(len(b)),
		UncompressedSize64: uint64(len(b)),
	})
	w.Write(b)
}
