package e2e

import (
	"bytes"
	"crypto/sha256"
	"encoding/csv"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// checkEntries looks for each entry of the container in the archive.
func (w *hostileWorld) checkEntries(t *testing.T) {
	t.Helper()
	if w.data {
		w.checkReceived(t)
		return
	}
	var want []string
	for i := range w.entries {
		e := &w.entries[i]
		switch {
		case e.nothing:
		case e.refused == "":
			want = append(want, fmt.Sprintf("document %q %s", e.archivedName(), short(e.archived())))
		case e.unkept || w.whole:
			want = append(want, fmt.Sprintf("refused %q %s", e.name, e.refused))
		case e.header.Typeflag != 0 || strings.Contains(w.file, ".tar"):
			want = append(want, fmt.Sprintf("refused %q %s, kept %s", e.name, e.refused, "headers"))
		default:
			want = append(want, fmt.Sprintf("refused %q %s, kept %s", e.name, e.refused,
				short(string(e.storedBytes(t)))))
		}
	}
	got := append(w.documents(t), w.refusals(t)...)
	slices.Sort(want)
	slices.Sort(got)
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("entries (-want +got):\n%.4000s", d)
	}
	w.checkWhole(t)
}

// checkWhole wants the container byte for byte where it is to be kept, and few files in any case.
func (w *hostileWorld) checkWhole(t *testing.T) {
	t.Helper()
	if n := len(files(t, w.bag)); n > 60 {
		t.Errorf("the archive has %d files", n)
	}
	kept, _ := filepath.Glob(filepath.Join(w.bag, "data/received/containers/*"))
	if w.whole != (len(kept) == 1) {
		t.Errorf("containers kept: %v, want one: %v", kept, w.whole)
	}
	for _, path := range kept {
		if b, err := os.ReadFile(path); err != nil || !bytes.Equal(b, w.container) {
			t.Errorf("%s is not the container as it was received (%v)", path, err)
		}
	}
}

// checkReceived looks for what must be kept of data files.
func (w *hostileWorld) checkReceived(t *testing.T) {
	t.Helper()
	got := map[string]string{}
	for _, path := range append(files(t, filepath.Join(w.bag, "data/received/tables")),
		files(t, filepath.Join(w.bag, "data/received"))...) {
		if !strings.HasSuffix(path, ".zst") {
			continue
		}
		b, err := io.ReadAll(openZstd(t, path))
		if err != nil {
			t.Fatal(err)
		}
		rel, _ := filepath.Rel(filepath.Join(w.bag, "data/received"), path)
		got[strings.TrimSuffix(rel, ".zst")] = short(string(b))
	}
	want := map[string]string{}
	for name, content := range w.received {
		want[name] = short(content)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("received (-want +got):\n%s", d)
	}
	var refused []string
	for _, e := range w.entries {
		if e.refused != "" {
			refused = append(refused, fmt.Sprintf("refused %q %s, kept %s", e.name, e.refused,
				short(string(e.storedBytes(t)))))
		}
	}
	if d := cmp.Diff(refused, w.refusals(t)); d != "" {
		t.Errorf("refused (-want +got):\n%s", d)
	}
	w.checkWhole(t)
}

func short(content string) string {
	return fmt.Sprintf("%d bytes %.8x", len(content), sha256.Sum256([]byte(content)))
}

// documents returns what the archive holds, by its names as received, having read each.
func (w *hostileWorld) documents(t *testing.T) (all []string) {
	t.Helper()
	index := openZstd(t, filepath.Join(w.bag, "data/documents/index.csv.zst"))
	for _, row := range records(t, csv.NewReader(index)) {
		name := row["original_name"]
		if raw := row["original_name_raw"]; raw != "" {
			name = unhex(t, raw)
		}
		all = append(all, fmt.Sprintf("document %q %s bytes %s", name, row["size"], row["sha256"][:16]))
	}
	return all
}

// refusals returns what was refused, having read the bytes that were kept of it.
func (w *hostileWorld) refusals(t *testing.T) (all []string) {
	t.Helper()
	f, err := os.Open(filepath.Join(w.bag, "data/documents/refused.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, row := range records(t, csv.NewReader(f)) {
		line := fmt.Sprintf("refused %q %s", unhex(t, row["name_raw_hex"]), row["reason"])
		if row["kept_in"] != "" && !w.whole {
			raw, err := os.ReadFile(filepath.Join(w.bag, row["kept_in"]))
			if err != nil {
				t.Fatal(err)
			}
			offset, _ := strconv.Atoi(row["offset"])
			size, _ := strconv.Atoi(row["stored_size"])
			kept := string(raw[offset : offset+size])
			switch {
			case !strings.Contains(w.file, ".tar"):
				kept = short(kept)
			case strings.Contains(kept, unhex(t, row["name_raw_hex"])):
				kept = "headers"
			}
			line += ", kept " + kept
		}
		all = append(all, line)
	}
	return all
}
