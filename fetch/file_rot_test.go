package fetch

import (
	"io"
	"os"
	"path/filepath"
	"testing"
)

// Wherever a bit of what is kept of a listing's files rots between two runs, the next run has every byte.
func TestWhatIsKeptOfAListingMayRot(t *testing.T) {
	s := newFaultServer(t)
	l := serveListing(s, "csv", 5, 100, func(int) int { return 600 })
	f, m := newTestFetcher(t, nil), s.master(t, "", "/list", "")
	for _, pattern := range []string{"*.files", "*.segment-*"} {
		for _, part := range []int{0, 1, 2, 3, 5, 7, 9} { // tenths of the file
			dir := t.TempDir()
			r, err := take(t, f, m, dir)
			if err != nil {
				t.Fatal(err)
			}
			r.Close()
			paths, err := filepath.Glob(filepath.Join(dir, "spool", pattern))
			if err != nil {
				t.Fatal(err)
			}
			if len(paths) == 0 {
				paths, _ = filepath.Glob(filepath.Join(dir, pattern))
			}
			if len(paths) != 1 {
				t.Fatalf("%d files are named %s", len(paths), pattern)
			}
			b, err := os.ReadFile(paths[0])
			if err != nil {
				t.Fatal(err)
			}
			b[len(b)*part/10] ^= 4
			if err := os.WriteFile(paths[0], b, 0o600); err != nil {
				t.Fatal(err)
			}
			if r, err = take(t, f, m, dir); err != nil {
				t.Errorf("%s, %d tenths: %v", pattern, part, err)
				continue
			}
			for file, err := range r.Objects[0].Files(t.Context()) {
				if err != nil {
					t.Fatal(err)
				}
				rc, err := r.Objects[0].OpenFile(file)
				if err != nil {
					t.Fatal(err)
				}
				got, err := readAll(rc)
				if Rotted(err) {
					if _, err = r.Objects[0].RestoreFile(t.Context(), file); err != nil {
						t.Fatalf("%s, %d tenths: restore %s: %v", pattern, part, file.Name, err)
					}
					if rc, err = r.Objects[0].OpenFile(file); err != nil {
						t.Fatal(err)
					}
					got, err = readAll(rc)
				}
				if err != nil || string(got) != string(l.bodies[l.names[file.Index]]) {
					t.Errorf("%s, %d tenths: %s has %d bytes, %v", pattern, part, file.Name, len(got), err)
				}
			}
			r.Close()
		}
	}
}

func readAll(rc io.ReadCloser) ([]byte, error) {
	defer rc.Close()
	return io.ReadAll(rc)
}

// Likewise where the listing's link is gone: what is whole is taken from the spool, and else a new link is
// asked for.
func TestWhatIsKeptOfAListingMayRotAndItsLinkBeGone(t *testing.T) {
	asked := 0
	for part := range 10 { // tenths of the file
		s := newFaultServer(t)
		serveListing(s, "csv", 5, 100, func(int) int { return 600 })
		f, dir := newTestFetcher(t, shortBudget), t.TempDir()
		m := s.master(t, "", "/list", "")
		r, err := take(t, f, m, dir)
		if err != nil {
			t.Fatal(err)
		}
		r.Close()
		paths, err := filepath.Glob(filepath.Join(dir, "*.files"))
		if err != nil || len(paths) != 1 {
			t.Fatalf("%d journals of files, %v", len(paths), err)
		}
		b, err := os.ReadFile(paths[0])
		if err != nil {
			t.Fatal(err)
		}
		b[len(b)*part/10] ^= 4
		if err := os.WriteFile(paths[0], b, 0o600); err != nil {
			t.Fatal(err)
		}
		p := f.offline(t, m, dir)
		if p.Sources[0].answeredFrom == "" {
			asked++
			continue // the run ends with the link's failure, and asks for a new one
		}
		r, err = f.Start(t.Context(), p, dir)
		if err == nil {
			err = r.Wait()
		}
		if err != nil {
			t.Fatalf("%d tenths: %v", part, err)
		}
		for file, err := range r.Objects[0].Files(t.Context()) {
			if err != nil {
				t.Fatalf("%d tenths: %v", part, err)
			}
			rc, err := r.Objects[0].OpenFile(file)
			if err != nil {
				t.Fatalf("%d tenths: %v", part, err)
			}
			if _, err := readAll(rc); err != nil {
				t.Errorf("%d tenths: %s: %v", part, file.Name, err)
			}
		}
		r.Close()
	}
	if asked == 0 || asked == 10 {
		t.Errorf("a new link is asked for %d times of 10, want where a file's record has rotted", asked)
	}
}
