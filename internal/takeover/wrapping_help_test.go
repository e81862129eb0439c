package takeover

import (
	"encoding/csv"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/klauspost/compress/flate"

	"holdall/internal/digest"
)

func digestOf(s string) string { return digest.Of([]byte(s)).String() }

// refusedRows reads refused.csv, each row by its headings.
func refusedRows(t *testing.T, root string, r *Result) []map[string]string {
	t.Helper()
	f, err := os.Open(filepath.Join(root, "exports", r.Export, "data/documents/refused.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var rows []map[string]string
	for _, cells := range all[1:] {
		row := map[string]string{}
		for i, heading := range all[0] {
			row[heading] = cells[i]
		}
		rows = append(rows, row)
	}
	return rows
}

// keptContent reads a refused entry as FORMAT.md describes.
func keptContent(t *testing.T, root string, r *Result, row map[string]string) string {
	t.Helper()
	f, err := os.Open(filepath.Join(root, "exports", r.Export, row["kept_in"]))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	offset, _ := strconv.ParseInt(row["offset"], 10, 64)
	size, _ := strconv.ParseInt(row["stored_size"], 10, 64)
	var content io.Reader = io.NewSectionReader(f, offset, size)
	if row["method"] == "8" {
		content = flate.NewReader(content)
	}
	b, err := io.ReadAll(content)
	if err != nil {
		t.Fatalf("%s: %v", row["name"], err)
	}
	return string(b)
}
