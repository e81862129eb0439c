package filetype

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"encoding/binary"
	"io"
	"strings"
	"testing"
	"unicode/utf16"

	"holdall/internal/containertest"
)

func TestDetect(t *testing.T) {
	csv := "Candidate Id,First Name,Email\r\nC-1,Åse,ase@example.com\r\n"
	for _, tc := range []struct {
		name  string
		first string
		want  Type
	}{
		{"a zip", smallZip(t), ZIP},
		{"an empty zip", "PK\x05\x06" + strings.Repeat("\x00", 18), ZIP},
		{"a zip once spanned", "PK\x07\x08" + smallZip(t), ZIP},
		{"a zip behind a shell stub", "#!/bin/sh\nexit 1\x00\n" + smallZip(t), ZIP},
		{"four chance bytes are no zip", "\x00\x01PK\x03\x04" + strings.Repeat("\xff", 40), Unknown},
		{"a POSIX tar", smallTar(t), Tar},
		{"a tar cut to 262 bytes", smallTar(t)[:262], Tar},
		{"a tar older than POSIX", containertest.OldTar(), Tar},
		{"a gzipped tar", containertest.Gzip(t, smallTar(t)), TarGzip},
		{"a gzipped table is no container", containertest.Gzip(t, strings.Repeat(csv, 40)), Unknown},
		{"a tar in zstd", containertest.Zstd(t, smallTar(t)), TarZstd},
		{"zstd cut inside its first block may be a tar", containertest.Zstd(t, smallTar(t))[:20], TarZstd},
		{"a table in zstd is no tar", containertest.Zstd(t, strings.Repeat(csv, 40)), Unknown},
		{"a table", csv, CSV},
		{"a table with a byte order mark", "\xef\xbb\xbf" + csv, CSV},
		{"a table in UTF-16", utf16LE(csv), CSV},
		{"a table in Windows-1252", "Name;Stra\xdfe\r\n", CSV},
		{"a table with semicolons", "Name;URL\r\nData files;https://files.example.com/d\r\n", CSV},
		{"a heading alone, cut", "Candidate Id,First Na", CSV},
		{"a table written with spaces", "part, link\ndata, https://files.example.com/d\n", CSV},
		{"a list of links", "https://files.example.com/1\nhttps://files.example.com/2\n", CSV},
		{"a sentence", "Sorry, this link has expired.", Unknown},
		{"a sign-in page", "\n <!DOCTYPE html>\n<html><title>Sign in</title>", HTML},
		{"a page that begins with a comment", "<!-- proxy --> <HTML>", HTML},
		{"a page without html", "<title>Index of /</title>", HTML},
		{"XHTML", `<?xml version="1.0"?><!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0//EN"><html>`, HTML},
		{"an S3 error", `<?xml version="1.0" encoding="UTF-8"?>` + "\n<Error><Code>AccessDenied</Code>", XML},
		{"an S3 listing without declaration", "<ListBucketResult xmlns=\"x\">", XML},
		{"a JSON object", "\xef\xbb\xbf{ \"error\": \"expired\" }", JSON},
		{"a JSON list", "[\n  {\"url\": \"https://files.example.com/1\"}]", JSON},
		{"a PDF", "%PDF-1.7\n1 0 obj\n<</Type,/Catalog>>", Unknown},
		{"RTF", `{\rtf1\ansi{\fonttbl;Arial;}`, Unknown},
		{"zeros", strings.Repeat("\x00", 512), Unknown},
		{"nothing", "", Unknown},
	} {
		t.Run(tc.name, func(t *testing.T) {
			first := []byte(tc.first)
			if got := Detect(first[:min(len(first), 512)]); got != tc.want {
				t.Errorf("Detect = %q, want %q", got, tc.want)
			}
		})
	}
}

func FuzzDetect(f *testing.F) {
	f.Add([]byte("<?xml ?><html>"))
	f.Add([]byte("a,b\n1,2"))
	f.Add([]byte("\x1f\x8b\x08"))
	f.Fuzz(func(t *testing.T, first []byte) { Detect(first) })
}

func smallZip(t testing.TB) string {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	f, err := w.Create("a.txt")
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(f, "content")
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func smallTar(t testing.TB) string {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.WriteHeader(&tar.Header{Name: "a.txt", Mode: 0o644, Size: 7}); err != nil {
		t.Fatal(err)
	}
	io.WriteString(w, "content")
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func utf16LE(s string) string {
	b := []byte{0xff, 0xfe}
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return string(b)
}
