package exportsim

import (
	"archive/zip"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"holdall/internal/digest"
)

func TestEveryMistakeIsInTheTruthAndInTheExport(t *testing.T) {
	e := prepare(t, Config{Seed: 4, People: 100, Mistakes: true})
	kinds := map[string]int{}
	for _, m := range e.Truth().Mistakes {
		kinds[m.Kind]++
	}
	for _, kind := range []string{MistakeNoFile, MistakeUnlisted, MistakeNoCV, MistakeStrayCV, MistakeSize,
		MistakeEmpty, MistakeHTML, MistakeXML, MistakeType, MistakeLocked, MistakeSameBytes,
		MistakeSameName, MistakeUnsafeName, MistakeCRC, MistakeEncrypted, MistakeSymlink, MistakeDangling,
		MistakeDuplicateKey, MistakeLongRow, MistakeShortRow, MistakeNumberInWords} {
		if kinds[kind] == 0 {
			t.Errorf("no mistake of kind %s", kind)
		}
	}
	z, err := zip.OpenReader(filepath.Join(e.dir, "attachments.zip"))
	if !errors.Is(err, zip.ErrInsecurePath) && err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	entries := map[string][]*zip.File{}
	for _, f := range z.File {
		entries[f.Name] = append(entries[f.Name], f)
	}
	for _, m := range e.Truth().Mistakes {
		if m.Table != "attachments" && m.Kind != MistakeSymlink {
			continue
		}
		got := describe(entries[m.File])
		want := map[string]string{
			MistakeNoFile: "absent", MistakeCRC: "wrong crc", MistakeEncrypted: "encrypted",
			MistakeSymlink: "symlink", MistakeEmpty: "empty", MistakeHTML: "<", MistakeXML: "<",
			MistakeSameName: "twice",
		}[m.Kind]
		if want != "" && got != want {
			t.Errorf("%s of kind %s is %s, want %s", m.File, m.Kind, got, want)
		}
	}
}

func describe(files []*zip.File) string {
	switch {
	case len(files) == 0:
		return "absent"
	case len(files) > 1:
		return "twice"
	case files[0].Flags&1 != 0:
		return "encrypted"
	case files[0].Mode()&os.ModeSymlink != 0:
		return "symlink"
	case files[0].UncompressedSize64 == 0:
		return "empty"
	}
	r, err := files[0].Open()
	if err != nil {
		return err.Error()
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	switch {
	case errors.Is(err, zip.ErrChecksum):
		return "wrong crc"
	case err != nil:
		return err.Error()
	case b[0] == '<':
		return "<"
	}
	return "fine"
}

func TestWriteTruthIsJSONWithEveryDocument(t *testing.T) {
	e := prepare(t, Config{People: 10})
	var b strings.Builder
	if err := e.WriteTruth(&b); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Truth
		Files []Document `json:"files"`
	}
	if err := json.Unmarshal([]byte(b.String()), &got); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(e.Truth(), got.Truth); d != "" {
		t.Errorf("truth (-want +got):\n%s", d)
	}
	if d := cmp.Diff(documents(t, e), got.Files); d != "" {
		t.Errorf("files (-want +got):\n%s", d)
	}
}

func TestWriteFilesWritesEveryByte(t *testing.T) {
	for _, shape := range Shapes() {
		t.Run(string(shape), func(t *testing.T) {
			e, dir := prepare(t, Config{People: 10, Shape: shape}), t.TempDir()
			if err := e.WriteFiles(dir); err != nil {
				t.Fatal(err)
			}
			for _, o := range e.Truth().Objects {
				b, err := os.ReadFile(filepath.Join(dir, o.Name))
				if err != nil || digest.Of(b) != o.SHA256 {
					t.Errorf("%s: %v, digest %v, want %v", o.Name, err, digest.Of(b), o.SHA256)
				}
			}
			if shape != ShapeListing {
				return
			}
			n := map[string]int{}
			for _, d := range documents(t, e) {
				b, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(looseName(d, n[d.Part]))))
				if err != nil || digest.Of(b) != d.SHA256 {
					t.Errorf("%s: %v, digest %v, want %v", d.Entry, err, digest.Of(b), d.SHA256)
				}
				n[d.Part]++
			}
		})
	}
}
