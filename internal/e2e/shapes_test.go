package e2e

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Whatever form the links serve and however the headings are written, the same documents and rows arrive.
func TestEveryShape(t *testing.T) {
	for _, tc := range []struct{ name, shape, dialect string }{
		{"one ZIP a part", "zip", "snake"},
		{"several ZIPs a part", "parts", "camel"},
		{"a listing of links", "listing", "title"},
		{"tar and tar.gz", "tar", "camel"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			p, _ := simulate(
				t, dir, "--people", "40", "--seed", "9", "--shape", tc.shape, "--dialect", tc.dialect,
			)
			root := filepath.Join(dir, "archives")
			got := decode[taken](
				t, holdall(t, 0, "take", p.master, "--to", root, "--allow-private", "--json"),
			)
			served := readTruth(t, p.truth)
			var want, found []string
			for _, d := range served.Files {
				want = append(want, d.SHA256.String())
			}
			for _, row := range decode[[]map[string]any](t, holdall(t, 0, "files", root, "--json")) {
				found = append(found, row["sha256"].(string))
			}
			slices.Sort(want)
			slices.Sort(found)
			if diff := cmp.Diff(want, found); diff != "" {
				t.Errorf("digests of documents (-served +archived):\n%.2000s", diff)
			}
			rows := map[string]int64{}
			for _, table := range got.Tables {
				rows[filepath.Base(table.File)] = table.Rows
			}
			for _, table := range served.Tables {
				if rows[table.File] != int64(table.Rows) {
					t.Errorf("%s: %d rows, want %d", table.File, rows[table.File], table.Rows)
				}
			}
			holdall(t, 0, "verify", root, "--level", "deep")
			if code, out := reader(t, "verify", exportIn(t, root), root); code != 0 {
				t.Errorf("the reader of the format: exit code %d: %s", code, out)
			}
		})
	}
}
