package e2e

import (
	"encoding/csv"
	"io"
	"testing"
)

// records reads a CSV as rows by heading.
func records(t *testing.T, r *csv.Reader) (all []map[string]string) {
	t.Helper()
	headings, err := r.Read()
	if err != nil {
		t.Fatal(err)
	}
	for {
		line, err := r.Read()
		if err == io.EOF {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		row := map[string]string{}
		for i, h := range headings {
			row[h] = line[i]
		}
		all = append(all, row)
	}
}
