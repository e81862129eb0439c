package takeoversim

import (
	"bytes"
	"compress/flate"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/klauspost/compress/zstd"
)

// archivedDocument is a document as an archive has it.
type archivedDocument struct {
	id, part, name, owner, row, state string
	content                           []byte
}

// readDocuments reads the documents of a bag through its index, as FORMAT.md tells a stranger to.
func readDocuments(bag string) ([]archivedDocument, error) {
	raw, err := os.ReadFile(filepath.Join(bag, "data/documents/index.csv.zst"))
	if err != nil {
		return nil, err
	}
	text, err := unzstd(raw)
	if err != nil {
		return nil, err
	}
	rows, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err != nil || len(rows) == 0 {
		return nil, fmt.Errorf("read the index: %w", err)
	}
	column := map[string]int{}
	for i, h := range rows[0] {
		column[h] = i
	}
	var all []archivedDocument
	for _, row := range rows[1:] {
		get := func(name string) string { return row[column[name]] }
		content, err := readDocument(bag, get)
		if err != nil {
			return nil, fmt.Errorf("document %s: %w", get("doc_id"), err)
		}
		all = append(all,
			archivedDocument{
				id: get("doc_id"), part: get("part"), name: get("original_name"), owner: get("owner_id"),
				row: get("attachment_id"), state: get("state"), content: content})
	}
	return all, nil
}

func readDocument(bag string, get func(string) string) ([]byte, error) {
	f, err := os.Open(filepath.Join(bag, get("pack")))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	offset, err1 := strconv.ParseInt(get("offset"), 10, 64)
	stored, err2 := strconv.ParseInt(get("stored_size"), 10, 64)
	if err1 != nil || err2 != nil {
		return nil, fmt.Errorf("its place is %q, %q", get("offset"), get("stored_size"))
	}
	var r io.Reader = io.NewSectionReader(f, offset, stored)
	if get("method") == "deflated" {
		r = flate.NewReader(r)
	}
	content, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	if sum := sha256.Sum256(content); hex.EncodeToString(sum[:]) != get("sha256") {
		return nil, fmt.Errorf("its content is not what the index says")
	}
	return content, nil
}

func unzstd(b []byte) ([]byte, error) {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return d.DecodeAll(b, nil)
}

// leaks names the files and directories under root that hold one of the secrets, zstd looked into.
func leaks(root string, secrets []string) []string {
	var found []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if filepath.Ext(path) == ".zst" {
			if plain, err := unzstd(b); err == nil {
				b = append(b, plain...)
			}
		}
		for _, s := range secrets {
			if bytes.Contains(b, []byte(s)) || bytes.Contains([]byte(path), []byte(s)) {
				found = append(found, path)
			}
		}
		return nil
	})
	if err != nil {
		found = append(found, err.Error())
	}
	return found
}

// Altered reports whether a bag holds an object that is not, byte for byte, what the server has, because a
// bit was flipped in transit where no check of the format looks: nobody can recognise it as the same again.
func (w *World) Altered(bag string) bool {
	raw, err := os.ReadFile(filepath.Join(bag, "custody/containers.jsonl"))
	if err != nil {
		return false
	}
	for line := range bytes.Lines(raw) {
		var is struct{ Name, SHA256 string }
		if json.Unmarshal(line, &is) != nil {
			return false
		}
		for _, o := range w.objects[w.server.state.Generation] {
			flips := slices.ContainsFunc(o.faults, func(f fault) bool { return f.name == "flip" })
			sum := sha256.Sum256(o.data)
			if o.path == is.Name && flips && is.SHA256 != hex.EncodeToString(sum[:]) {
				return true
			}
		}
	}
	return false
}
