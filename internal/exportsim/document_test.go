package exportsim

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"fmt"
	"image/jpeg"
	"image/png"
	"io"
	"mime/multipart"
	"net/mail"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"

	"holdall/internal/testneed"
)

// manyScripts is a document with a line of each locale in it.
func manyScripts(format string, target int) content {
	p := content{format: format, title: "All scripts", target: target, key: 0xABCDEF}
	for i := range locales {
		l := &locales[i]
		p.lines = append(p.lines, l.cvTitle, l.name(l.women[0], l.surnames[0]).full, l.greeting)
	}
	return p
}

func writeTemp(t *testing.T, name string, b []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	var stderr bytes.Buffer
	cmd := exec.Command(name, args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s%s", name, args, err, out, stderr.Bytes())
	}
	return string(out)
}

// wantLines fails for each line that text lacks, whatever spaces and marks of direction a program put in.
func wantLines(t *testing.T, text string, lines []string) {
	t.Helper()
	text = bare(text)
	for _, line := range lines {
		if !strings.Contains(text, bare(line)) {
			t.Errorf("%q is not in the text", line)
		}
	}
}

func bare(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || unicode.Is(unicode.Bidi_Control, r) {
			return -1
		}
		return r
	}, s)
}

func TestPdftotextReadsEveryScript(t *testing.T) {
	pdftotext := testneed.Command(t, "pdftotext", "Debian poppler-utils")
	for _, tc := range []struct {
		name string
		key  uint64
	}{{"plain content", 1}, {"compressed content", 3}} {
		t.Run(tc.name, func(t *testing.T) {
			p := manyScripts("pdf", 60_000)
			p.key = tc.key
			b := p.write(pictures{})
			if len(b) < 55_000 || len(b) > 65_000 {
				t.Errorf("got %d bytes, want about 60,000", len(b))
			}
			wantLines(t, run(t, pdftotext, "-enc", "UTF-8", writeTemp(t, "cv.pdf", b), "-"), p.lines)
		})
	}
}

func TestPdfimagesFindsTheScan(t *testing.T) {
	pdfimages := testneed.Command(t, "pdfimages", "Debian poppler-utils")
	p := manyScripts("pdf", 90_000)
	if out := run(
		t, pdfimages, "-list", writeTemp(t, "cv.pdf", p.write(pictures{})),
	); !strings.Contains(out, "jpeg") {
		t.Errorf("no JPEG in the PDF:\n%s", out)
	}
}

func TestALockedPDFAsksForAPassword(t *testing.T) {
	pdftotext := testneed.Command(t, "pdftotext", "Debian poppler-utils")
	p := manyScripts("pdf", 10_000)
	p.locked = true
	out, err := exec.Command(pdftotext, writeTemp(t, "cv.pdf", p.write(pictures{})), "-").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "password") {
		t.Errorf("pdftotext says %v: %s", err, out)
	}
}

func TestLibreOfficeReadsDOCXAndRTF(t *testing.T) {
	if testing.Short() {
		t.Skip("starts LibreOffice")
	}
	soffice := testneed.Command(t, "soffice", "Debian libreoffice-writer")
	dir := t.TempDir()
	var files []string
	for _, format := range []string{"docx", "rtf"} {
		path := filepath.Join(dir, format+"."+format)
		if err := os.WriteFile(path, manyScripts(format, 40_000).write(pictures{}), 0o600); err != nil {
			t.Fatal(err)
		}
		files = append(files, path)
	}
	run(
		t, soffice,
		append(
			[]string{
				"-env:UserInstallation=file://" + t.TempDir(), "--headless", "--convert-to",
				"txt:Text (encoded):UTF8", "--outdir", dir,
			},
			files...,
		)...,
	)
	for _, format := range []string{"docx", "rtf"} {
		b, err := os.ReadFile(filepath.Join(dir, format+".txt"))
		if err != nil {
			t.Errorf("%s was not converted: %v", format, err)
			continue
		}
		wantLines(t, string(b), manyScripts(format, 0).lines)
	}
}

// documentChecks say whether bytes are a document of a format, with these lines in it where that can be seen.
var documentChecks = map[string]func(t *testing.T, b []byte, lines []string){
	"jpg": func(t *testing.T, b []byte, _ []string) {
		if _, err := jpeg.Decode(bytes.NewReader(b)); err != nil {
			t.Error(err)
		}
	},
	"png": func(t *testing.T, b []byte, _ []string) {
		if _, err := png.Decode(bytes.NewReader(b)); err != nil {
			t.Error(err)
		}
	},
	"docx": func(t *testing.T, b []byte, lines []string) {
		z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := z.Open("word/document.xml"); err != nil {
			t.Error(err)
		}
	},
	"eml": func(t *testing.T, b []byte, _ []string) {
		m, err := mail.ReadMessage(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		_, boundary, _ := strings.Cut(m.Header.Get("Content-Type"), "boundary=")
		parts := 0
		for r := multipart.NewReader(m.Body, strings.Trim(boundary, `"`)); ; parts++ {
			if _, err := r.NextPart(); err != nil {
				break
			}
		}
		if parts != 2 {
			t.Errorf("the mail has %d parts, want a text and a picture", parts)
		}
	},
	"txt": func(t *testing.T, b []byte, lines []string) { wantLines(t, string(b), lines) },
	"rtf": func(t *testing.T, b []byte, _ []string) {
		if !bytes.HasPrefix(b, []byte(`{\rtf1`)) ||
			bytes.Count(b, []byte("{")) != bytes.Count(b, []byte("}")) {
			t.Error("not an RTF")
		}
	},
	"pdf": func(t *testing.T, b []byte, _ []string) {
		if !bytes.HasPrefix(b, []byte("%PDF-")) || !bytes.HasSuffix(b, []byte("%%EOF\n")) {
			t.Error("not a PDF")
		}
	},
	"doc": func(t *testing.T, b []byte, lines []string) {
		if !bytes.HasPrefix(b, []byte("\xD0\xCF\x11\xE0")) {
			t.Error("not a compound file")
		}
	},
}

func TestDocumentsAreWhatTheySay(t *testing.T) {
	const target = 50_000
	for format := range mediaTypes {
		t.Run(format, func(t *testing.T) {
			p := manyScripts(format, target)
			b := p.write(pictures{7})
			documentChecks[format](t, b, p.lines)
			if !bytes.Equal(b, p.write(pictures{7})) {
				t.Error("the same document made other bytes")
			}
			p.key++
			if bytes.Equal(b, p.write(pictures{7})) {
				t.Error("another document made the same bytes")
			}
			if format != "txt" && (len(b) < target*8/10 || len(b) > target*13/10) {
				t.Errorf("got %d bytes, want about %d", len(b), target)
			}
		})
	}
}

func TestFileKnowsACompoundFile(t *testing.T) {
	file := testneed.Command(t, "file", "Debian file")
	for _, size := range []int{0, 5000, 300_000, 9_000_000} {
		b := compoundFile("WordDocument", []byte("text"), size, 1)
		if out := run(t, file, writeTemp(t, "old.doc", b)); !strings.Contains(out, "Composite Document") &&
			!strings.Contains(out, "CDFV2") {
			t.Errorf("%d bytes: file says %s", size, out)
		}
	}
}

func TestStockProgramsReadTheContainers(t *testing.T) {
	unzip, python := testneed.Command(t, "unzip", "Debian unzip"), testneed.Command(
		t, "python3", "Debian python3",
	)
	readers := map[Shape]func(t *testing.T, path string) string{
		ShapeZIP: func(t *testing.T, path string) string {
			run(t, unzip, "-tq", path)
			return run(
				t, python, "-c",
				"import sys, zipfile; z = zipfile.ZipFile(sys.argv[1]); assert z.testzip() is None; "+
					"print(len(z.namelist()))",
				path,
			)
		},
		ShapeTar: func(t *testing.T, path string) string {
			return run(
				t, python, "-c",
				"import sys, tarfile; print(sum(m.isfile() and len(t.extractfile(m).read()) == m.size for "+
					"t in [tarfile.open(sys.argv[1])] for m in t))",
				path,
			)
		},
	}
	for shape, read := range readers {
		t.Run(string(shape), func(t *testing.T) {
			e := prepare(t, Config{Seed: 21, People: 20, Shape: shape})
			for _, o := range e.Truth().Objects {
				if o.Part == "data" {
					continue
				}
				got := strings.TrimSpace(read(t, filepath.Join(e.dir, o.Name)))
				if want := fmt.Sprint(e.Truth().Documents[o.Part].Documents); got != want {
					t.Errorf("%s has %s documents, want %s", o.Name, got, want)
				}
			}
		})
	}
}

// 70,000 entries do not fit into the old end record.
func TestAZIPOfManyEntries(t *testing.T) {
	const n = 70_000
	path := filepath.Join(t.TempDir(), "many.zip")
	z, err := createZIP(path, "many.zip")
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if err := z.add(
			fmt.Sprintf("d%d/%d.txt", i%100, i), entryKind(i%2), DefaultNow,
			[]byte(fmt.Sprint("content ", i)),
		); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := z.finish(); err != nil {
		t.Fatal(err)
	}
	r, err := zip.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if len(r.File) != n {
		t.Fatalf("got %d entries, want %d", len(r.File), n)
	}
	for _, i := range []int{0, 1, n / 2, n - 1} {
		f, err := r.File[i].Open()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(f)
		if want := fmt.Sprint("content ", i); err != nil || string(b) != want {
			t.Errorf("entry %d holds %q, %v; want %q", i, b, err, want)
		}
		f.Close()
	}
	if got := r.File[5].Modified.UTC(); got.Sub(DefaultNow).Abs() > 2*time.Second {
		t.Errorf("time of an entry is %v, want %v", got, DefaultNow)
	}
}

// countTar reads a tar, gzipped or not, and returns how many files it has.
func countTar(t *testing.T, b []byte) (n int) {
	t.Helper()
	var r io.Reader = bytes.NewReader(b)
	if b[0] == 0x1f {
		z, err := gzip.NewReader(r)
		if err != nil {
			t.Fatal(err)
		}
		r = z
	}
	for tr := tar.NewReader(r); ; n++ {
		_, err := tr.Next()
		if err == io.EOF {
			return n
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, tr); err != nil {
			t.Fatal(err)
		}
	}
}
