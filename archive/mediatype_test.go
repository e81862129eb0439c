package archive_test

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"

	"holdall/archive"
)

func zipOf(t testing.TB, flags uint16, names ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, name := range names {
		f, err := w.CreateRaw(&zip.FileHeader{
			Name: name, Method: zip.Store, Flags: flags, CompressedSize64: 1, UncompressedSize64: 1,
		})
		if err != nil {
			t.Fatal(err)
		}
		f.Write([]byte("x"))
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// ole is the beginning of a compound file with a directory entry of that name.
func ole(stream string) []byte {
	b := append([]byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"), make([]byte, 1016)...)
	for _, c := range stream {
		b = append(b, byte(c), 0)
	}
	return append(b, make([]byte, 512)...)
}

// TestStatesAndMediaTypesComeFromTheBytes: long because it is one table of cases.
func TestStatesAndMediaTypesComeFromTheBytes(t *testing.T) {
	const (
		pdfHead  = "%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\n"
		docx     = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
		pdfType  = "application/pdf"
		wordHTML = `<html xmlns:o="urn:schemas-microsoft-com:office:office"><body>CV</body></html>`
	)
	// 360 KB: spilled, with the small limits of the second round
	filler := strings.Repeat("<</Nothing/here>>\n", 20_000)
	xref := func(dict string) string {
		return pdfHead + fmt.Sprintf(
			"xref\n0 1\n0000000000 65535 f \ntrailer\n%s\nstartxref\n%d\n%%%%EOF\n", dict, len(pdfHead),
		)
	}
	xrefStream := func(dict string) string {
		return pdfHead + fmt.Sprintf(
			"7 0 obj\n%s\nstream\nabc/Encrypt 9 0 R\nendstream endobj\n%s\nstartxref\n%d\n%%%%EOF\n", dict,
			filler, len(pdfHead),
		)
	}
	for _, tc := range []struct {
		name, file, content string
		damaged             bool
		media               string
		state               archive.State
	}{
		{"an empty file", "cv.pdf", "", false, "application/x-empty", archive.StateEmpty},
		{"a PDF", "cv.pdf", xref("<</Size 1>>"), false, pdfType, archive.StateOK},
		{
			"a PDF whose metadata only is in the clear", "cv.pdf", xref("<</Size 1/EncryptMetadata false>>"),
			false, pdfType, archive.StateOK,
		},
		{
			"an encrypted PDF", "cv.pdf", xref("<</Size 1/Encrypt 8 0 R>>"), false, pdfType,
			archive.StateLocked,
		},
		{
			"an encrypted PDF with a cross-reference stream", "cv.pdf",
			xrefStream("<</Type/XRef/Encrypt 8 0 R>>"), false, pdfType, archive.StateLocked,
		},
		{
			"a PDF with a cross-reference stream", "cv.pdf", xrefStream("<</Type/XRef>>"), false, pdfType,
			archive.StateOK,
		},
		{
			"a PDF whose startxref leads nowhere", "cv.pdf", pdfHead + "startxref\n99999999999\n%%EOF", false,
			pdfType, archive.StateOK,
		},
		{
			"what the vendor's checksum does not fit", "cv.pdf", xref("<<>>"), true, pdfType,
			archive.StateDamaged,
		},
		{
			"an HTML page as PDF", "cv.pdf", "<!DOCTYPE html><html><body>Sign in</body></html>", false,
			"text/html", archive.StateErrorPage,
		},
		{
			"an XML error as DOCX", "CV.DOCX",
			`<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>`, false, "text/xml",
			archive.StateErrorPage,
		},
		{
			"a JSON error as JPEG", "photo.jpg", `{"error":"expired"}`, false, "application/json",
			archive.StateErrorPage,
		},
		{
			"an error without a name", "", `<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>`,
			false, "text/xml", archive.StateErrorPage,
		},
		{
			"an HTML page that says it is one", "cv.html", "<!DOCTYPE html><html><body>CV</body></html>",
			false, "text/html", archive.StateOK,
		},
		{"HTML that Word saved as .doc", "cv.doc", wordHTML, false, "text/html", archive.StateOK},
		{
			"a DOCX", "cv.docx", string(zipOf(t, 0, "[Content_Types].xml", "word/document.xml")), false, docx,
			archive.StateOK,
		},
		{
			"a DOCX whose parts stand in another order", "cv.docx",
			string(zipOf(
				t, 0,
				append(
					strings.Fields(strings.Repeat("customXml/item.xml ", 200)), "[Content_Types].xml",
					"word/document.xml",
				)...,
			)),
			false, docx, archive.StateOK,
		},
		{"a ZIP", "a.zip", string(zipOf(t, 0, "a.txt")), false, "application/zip", archive.StateOK},
		{
			"an encrypted ZIP", "a.zip", string(zipOf(t, 1, "a.txt")), false, "application/zip",
			archive.StateLocked,
		},
		{
			"an old Word file", "cv.doc", string(ole("WordDocument")), false, "application/msword",
			archive.StateOK,
		},
		{
			"an encrypted office file", "cv.docx", string(ole("EncryptedPackage")), false,
			"application/x-ole-storage", archive.StateLocked,
		},
		{"an RTF", "cv.rtf", `{\rtf1 CV}`, false, "text/rtf", archive.StateOK},
		{"a JPEG", "p.jpg", "\xff\xd8\xff\xe0\x00\x10JFIF", false, "image/jpeg", archive.StateOK},
		{"a PNG", "p.png", "\x89PNG\r\n\x1a\n0000", false, "image/png", archive.StateOK},
		{
			"an HEIC", "p.heic", "\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic", false, "image/heic",
			archive.StateOK,
		},
		{
			"a mail", "m.eml",
			"From: a@example.com\r\nTo: b@example.org\r\nSubject: CV\r\nMIME-Version: 1.0\r\nMessage-ID: " +
				"<1@example.com>\r\nDate: Mon, 2 Feb 2026 10:00:00 +0000\r\n\r\nHello\r\n",
			false, "message/rfc822", archive.StateOK,
		},
		{"a text", "cv.txt", "Wanda Example, welder", false, "text/plain", archive.StateOK},
		{"anything", "x.bin", "\x00\x01\x02\x03\xfe", false, "application/octet-stream", archive.StateOK},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, inMemory := range []int64{16 << 20, 0} { // and spilled to disk
				b, err := archive.NewSmallBuilder(t.TempDir(), 1<<20, 100, inMemory, 1<<30)
				if err != nil {
					t.Fatal(err)
				}
				defer b.Close()
				row, err := packer(t, b, "cvs").Add(
					context.Background(),
					archive.Document{ID: "d", OriginalName: tc.file, Damaged: tc.damaged},
					strings.NewReader(tc.content),
				)
				if err != nil {
					t.Fatal(err)
				}
				if row.MediaType != tc.media || row.State != tc.state {
					t.Errorf(
						"in memory up to %d: %s, %s; want %s, %s", inMemory, row.MediaType, row.State,
						tc.media, tc.state,
					)
				}
			}
		})
	}
}
