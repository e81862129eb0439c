package fetch

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"testing"

	"holdall/fetch/master"
	"holdall/internal/filetype"
	"holdall/internal/unpack"
)

// What a ZIP's server cannot know: it is fetched as it is, and read while it arrives.
var zipFaults = []faultCase{
	zipFault("a ZIP64, with more entries than 16 bits can count", "every document is right",
		func(t *testing.T) []byte {
			return zipOf(t, 70_000)
		}, map[string]string{"0": "document 0", "69999": "document 69999"}),
	zipFault("a million entries", "every document is right", func(t *testing.T) []byte {
		return zipOf(t, 1_000_000)
	}, map[string]string{"0": "document 0", "999999": "document 999999"}),
	zipFault("sizes and checksums that follow the content (data descriptors)", "every document is right",
		func(t *testing.T) []byte {
			var b bytes.Buffer
			w := zip.NewWriter(&b)
			e, err := w.Create("cv.txt") // not given its size before
			if err != nil {
				t.Fatal(err)
			}
			io.WriteString(e, "Curriculum vitae")
			return closed(t, w, &b)
		}, map[string]string{"cv.txt": "Curriculum vitae"}),
	zipFault("an entry whose CRC-32 does not fit, at its source",
		"the entry is told as damaged; the others are right", func(t *testing.T) []byte {
			return rawZIP(t, "a.txt", func(h *zip.FileHeader) { h.CRC32++ })
		}, map[string]string{"a.txt": "checksum", "good.txt": "good"}),
	zipFault("an encrypted entry", "kept as it is, and told as locked; the others are right",
		func(t *testing.T) []byte {
			return rawZIP(t, "a.txt", func(h *zip.FileHeader) { h.Flags |= 1 })
		}, map[string]string{"a.txt": "refused: encrypted", "good.txt": "good"}),
	zipFault("names in CP437", "the names are read as such; every document is right",
		func(t *testing.T) []byte {
			return rawZIP(t, "r\x82sum\x82.txt", func(h *zip.FileHeader) { h.NonUTF8 = true })
		}, map[string]string{"résumé.txt": "content", "good.txt": "good"}),
	zipFault("a ZIP that was cut at its source",
		"its entries are read by their own headers, and it is told as damaged", func(t *testing.T) []byte {
			b := rawZIP(t, "a.txt", nil)
			return b[:len(b)-30]
		}, map[string]string{"": "format", "a.txt": "content", "good.txt": "good"}),
	zipFault("a ZIP without its directory, with sizes that follow the content",
		"its entries are read by their own headers, and it is told as damaged", func(t *testing.T) []byte {
			b := zipOf(t, 3)
			return b[:bytes.Index(b, []byte("PK\x01\x02"))]
		}, map[string]string{"": "format", "0": "document 0", "2": "document 2"}),
	zipFault("two ZIPs, one behind the other",
		"every document of both is right; those of the first are told as named by no directory",
		func(t *testing.T) []byte {
			return append(rawZIP(t, "a.txt", nil), zipOf(t, 3)...)
		}, map[string]string{"a.txt": "unlisted: content", "good.txt": "unlisted: good", "2": "document 2"}),
	zipFault("an entry that a rewritten directory leaves out",
		"the entry is read, and told as named by no directory", func(t *testing.T) []byte {
			first := rawZIP(t, "old.txt", nil)
			return append(first[:bytes.Index(first, []byte("PK\x01\x02"))], zipOf(t, 2)...)
		}, map[string]string{"old.txt": "unlisted: content", "1": "document 1"}),
	zipFault("a directory that is not where the end of the ZIP says", "every document is right",
		func(t *testing.T) []byte {
			b := rawZIP(t, "a.txt", nil)
			at := bytes.LastIndex(b, []byte("PK\x05\x06")) + 16
			binary.LittleEndian.PutUint32(b[at:], binary.LittleEndian.Uint32(b[at:])-21)
			return b
		}, map[string]string{"a.txt": "content", "good.txt": "good"}),
	zipFault("an entry with another name in its own header",
		"every document is right, under the directory's name", func(t *testing.T) []byte {
			b := rawZIP(t, "a.txt", nil)
			b[30] = 'X'
			return b
		}, map[string]string{"a.txt": "content", "good.txt": "good"}),
	zipFault("a page behind a ZIP, as some servers send", "every document is right",
		func(t *testing.T) []byte {
			return append(rawZIP(t, "a.txt", nil), bytes.Repeat([]byte("<p>Bad Gateway</p>"), 9000)...)
		}, map[string]string{"a.txt": "content", "good.txt": "good"}),
	zipFault("junk in front of a ZIP", "every document is right", func(t *testing.T) []byte {
		return append(
			[]byte("MZ this is what a self-extracting archive begins with\x00\x00"),
			rawZIP(t, "a.txt", nil)...,
		)
	}, map[string]string{"a.txt": "content", "good.txt": "good"}),
	zipFault("entries that lie over each other",
		"one of them is read, the others are refused; what no record leads to any more is read, and told",
		func(t *testing.T) []byte {
			b := rawZIP(t, "a.txt", nil)
			// The second record of the directory leads to the first entry, too.
			second := bytes.LastIndex(b, []byte("PK\x01\x02"))
			binary.LittleEndian.PutUint32(b[second+42:], 0)
			return b
		}, map[string]string{"a.txt": "content", "good.txt": "unlisted: good"}),
}

// zipFault is a row whose object is a ZIP that must arrive as it is, and of whose entries these must be read
// so.
func zipFault(name, outcome string, build func(*testing.T) []byte, want map[string]string) faultCase {
	return faultCase{
		name: name, outcome: outcome,
		world: func(t *testing.T, w *faultWorld) *master.CSV {
			w.object = w.put("/attachments.zip", build(t))
			return w.master(t, "", "/attachments.zip", "")
		},
		while: func(t *testing.T, w *faultWorld, r *Run) {
			got := readZIP(t, r.Objects[0], int64(len(w.object.body)), want)
			for name, content := range want {
				if got[name] != content {
					t.Errorf("entry %q: %q, want %q", name, got[name], content)
				}
			}
		},
	}
}

// readZIP reads those entries of a ZIP, while it arrives, and then those that no directory names. The entry
// "" stands for the ZIP itself; what is left of a damaged one is read.
func readZIP(t *testing.T, o *Object, size int64, wanted map[string]string) map[string]string {
	got := map[string]string{}
	z, err := unpack.OpenZIP(o, size, unpack.Limits{})
	if err != nil {
		got[""] = damage(err)
		if z, err = unpack.Recover(o, size, filetype.ZIP, unpack.Limits{}); err != nil {
			t.Fatal(err)
		}
	}
	take := func(e unpack.Entry) error {
		switch _, ok := wanted[e.Name]; {
		case !ok:
		case e.Refused != "":
			got[e.Name] = "refused: " + string(e.Refused)
		case e.Unlisted && got[""] == "":
			got[e.Name] = "unlisted: " + readEntry(t, z, e)
		default:
			got[e.Name] = readEntry(t, z, e)
		}
		return nil
	}
	for e, err := range z.Entries() {
		if err != nil {
			got[""] = damage(err)
			return got
		}
		take(e)
	}
	if _, err := z.Rest(take); err != nil {
		t.Error(err)
	}
	return got
}

func readEntry(t *testing.T, z unpack.Container, e unpack.Entry) string {
	r, err := z.Open(e)
	if err != nil {
		return damage(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		return damage(err)
	}
	return string(b)
}

func damage(err error) string {
	switch {
	case errors.Is(err, unpack.ErrChecksum):
		return "checksum"
	case errors.Is(err, unpack.ErrFormat):
		return "format"
	}
	return err.Error()
}

// zipOf is a ZIP of n small documents.
func zipOf(t *testing.T, n int) []byte {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for i := range n {
		add(t, w, &zip.FileHeader{Name: fmt.Sprint(i)}, fmt.Sprintf("document %d", i))
	}
	return closed(t, w, &b)
}

// rawZIP is a ZIP of two documents, of which the first one's header can be changed.
func rawZIP(t *testing.T, name string, change func(*zip.FileHeader)) []byte {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	h := zip.FileHeader{Name: name}
	if change == nil {
		change = func(*zip.FileHeader) {}
	}
	addChanged(t, w, &h, "content", change)
	add(t, w, &zip.FileHeader{Name: "good.txt"}, "good")
	return closed(t, w, &b)
}

func add(t *testing.T, w *zip.Writer, h *zip.FileHeader, content string) {
	addChanged(t, w, h, content, func(*zip.FileHeader) {})
}

func addChanged(
	t *testing.T, w *zip.Writer, h *zip.FileHeader, content string, change func(*zip.FileHeader),
) {
	h.CRC32, h.CompressedSize64, h.UncompressedSize64 = crc32.ChecksumIEEE(
		[]byte(content),
	), uint64(len(content)), uint64(len(content))
	change(h)
	e, err := w.CreateRaw(h)
	if err == nil {
		_, err = io.WriteString(e, content)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func closed(t *testing.T, w *zip.Writer, b *bytes.Buffer) []byte {
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
