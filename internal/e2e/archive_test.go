package e2e

import (
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// A sample is an export taken once for all tests that only read it.
type sample struct {
	once  sync.Once
	root  string
	bag   string
	taken taken
	truth truth
}

var undisturbed sample

// get takes the export of 120 people without any fault.
func (s *sample) get(t *testing.T) *sample {
	t.Helper()
	s.once.Do(func() {
		dir := filepath.Join(shared, "sample")
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		p, stop := simulate(t, dir, "--people", "120", "--seed", "7")
		defer stop()
		s.root = filepath.Join(dir, "archives")
		s.taken = decode[taken](
			t, holdall(t, 0, "take", p.master, "--to", s.root, "--allow-private", "--json"),
		)
		s.bag, s.truth = s.taken.Location, readTruth(t, p.truth)
	})
	if s.bag == "" {
		t.Fatal("the sample could not be taken; see the first test that tried")
	}
	return s
}

func sha256Of(t testing.TB, r io.Reader) string {
	t.Helper()
	h := sha256.New()
	if _, err := io.Copy(h, r); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(h.Sum(nil))
}

func openZstd(t testing.TB, path string) io.Reader {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	z, err := zstd.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { z.Close(); f.Close() })
	return z
}

// glob fails the test when nothing matches.
func glob(t testing.TB, elem ...string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(elem...))
	if err != nil || len(found) == 0 {
		t.Fatalf("nothing matches %s (%v)", filepath.Join(elem...), err)
	}
	return found
}

// files lists all regular files below dir.
func files(t testing.TB, dir string) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			all = append(all, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// documents returns the index of a bag without what depends on where a document was packed.
func documents(t testing.TB, bag string) []string {
	t.Helper()
	rows, err := csv.NewReader(openZstd(t, filepath.Join(bag, "data/documents/index.csv.zst"))).ReadAll()
	if err != nil || len(rows) < 2 {
		t.Fatalf("index.csv.zst has %d rows: %v", len(rows), err)
	}
	var keep []int
	for i, heading := range rows[0] {
		if !slices.Contains([]string{"pack", "offset", "stored_size", "method"}, heading) {
			keep = append(keep, i)
		}
	}
	var all []string
	for _, row := range rows[1:] {
		var kept []string
		for _, i := range keep {
			kept = append(kept, row[i])
		}
		all = append(all, strings.Join(kept, "\t"))
	}
	slices.Sort(all)
	return all
}

// tableDigests returns the SHA-256 of each received CSV, and of each table's rows as a query gives them.
func tableDigests(t testing.TB, bag string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, path := range glob(t, bag, "data/received/tables/*.zst") {
		all[filepath.Base(path)] = sha256Of(t, openZstd(t, path))
	}
	for _, path := range glob(t, bag, "data/tables/*") {
		table := filepath.Base(path)
		o := holdall(t, 0, "query", bag, "select * from "+table+" order by all", "--format", "csv")
		all[table] = sha256Of(t, strings.NewReader(o.stdout))
	}
	return all
}
