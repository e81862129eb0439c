package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"holdall/internal/testneed"
)

// checkCopies copies the documents out, and wants each under a safe name of its own.
func (w *hostileWorld) checkCopies(t *testing.T) {
	t.Helper()
	if w.many {
		return
	}
	out := filepath.Join(w.dir, "work", "copies")
	if o := w.run(t, "files", w.bag, "--to", out); o.code != 0 {
		t.Errorf("files: %s", o)
		return
	}
	var want, got []string
	for i := range w.entries {
		if e := &w.entries[i]; e.refused == "" && !e.nothing {
			want = append(want, short(e.archived()))
		}
	}
	folded := map[string]bool{}
	for _, path := range files(t, out) {
		rel, err := filepath.Rel(out, path)
		if err != nil || rel == "index.csv" {
			continue
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, short(string(b)))
		if key := strings.ToUpper(rel); folded[key] {
			t.Errorf("two copies are called %s", rel)
		} else {
			folded[key] = true
		}
		if problem := unsafeName(rel); problem != "" {
			t.Errorf("a copy is called %q: %s", rel, problem)
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if d := cmp.Diff(want, got); d != "" && !w.data {
		t.Errorf("copies (-want +got):\n%.4000s", d)
	}
}

// unsafeName says why a path cannot be on one of the usual systems; "" if it can.
func unsafeName(path string) string {
	for _, e := range strings.Split(path, "/") {
		base, _, _ := strings.Cut(strings.ToUpper(e), ".")
		base = strings.TrimRight(base, " ")
		switch {
		case len(e) > 255:
			return "longer than 255 bytes"
		case e == "" || e == "." || e == "..":
			return "not a name"
		case strings.TrimRight(e, ". ") != e:
			return "ends in a dot or a space"
		case strings.ContainsAny(e, "\\:*?\"<>|") || strings.ContainsFunc(e, func(r rune) bool {
			return r < 32 ||
				r == 127
		}):
			return "a character that Windows forbids"
		case slices.Contains([]string{"CON", "PRN", "AUX", "NUL"}, base),
			len(base) == 4 && (base[:3] == "COM" || base[:3] == "LPT") && base[3] > '0' && base[3] <= '9':
			return "a device of Windows"
		}
	}
	return ""
}

// checkOutside looks for anything that was written where nothing may be, links included.
func (w *hostileWorld) checkOutside(t *testing.T) {
	t.Helper()
	top := w.dir
	for range 4 {
		top = filepath.Dir(top)
	}
	filepath.WalkDir(top, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(w.dir, path)
		first, _, _ := strings.Cut(rel, "/")
		ours := slices.Contains([]string{"root", "home", "tmp", "work", "master.csv"}, first)
		if !ours && !d.IsDir() || !d.IsDir() && !d.Type().IsRegular() {
			t.Errorf("%s was written (%s)", path, d.Type())
		}
		return nil
	})
	if left, _ := os.ReadDir(filepath.Join(w.dir, "tmp")); len(left) > 0 {
		t.Errorf("left in the directory for temporary files: %v", left)
	}
}

// What the program opens for writing, makes, links or renames while it deals with hostile names is below the
// directories that it was given.
func TestHostileNamesAreNoPaths(t *testing.T) {
	strace := testneed.Command(t, "strace", "Debian strace")
	var c hostileCase
	for _, names := range hostileNames() {
		c.entries = append(c.entries, names.entries...)
	}
	w := newHostileWorld(t, c)
	root, copies := filepath.Join(w.dir, "root"), filepath.Join(w.dir, "work", "copies")
	traced := func(args ...string) {
		t.Helper()
		trace := filepath.Join(w.dir, "work", "trace")
		args = append([]string{"-f", "-qq", "-y", "-xx", "-s", "100000", "-e", "signal=none", "-e",
			"trace=open,openat,creat,truncate,rename,renameat,renameat2,mkdir,mkdirat,link,linkat,symlink,symlinkat",
			"-o", trace, program}, args...)
		cmd := exec.Command(strace, args...)
		cmd.Env = []string{"HOME=" + filepath.Join(w.dir, "home"), "TMPDIR=" + filepath.Join(w.dir, "tmp")}
		out, _ := cmd.CombinedOutput() // the exit code is that of findings
		ops := 0
		for _, o := range readTrace(t, trace, w.dir) {
			writes := o.changes() || strings.Contains(o.flags, "O_WRONLY") || strings.Contains(o.flags,
				"O_RDWR")
			for _, path := range []string{o.path, o.path2} {
				if !writes || path == "" || strings.HasPrefix(path, "/dev/") || strings.HasPrefix(path,
					"/proc/") {
					continue
				}
				rel, err := filepath.Rel(w.dir, path)
				first, _, _ := strings.Cut(rel, "/")
				if ops++; err != nil || !slices.Contains([]string{"root", "home", "tmp", "work"}, first) {
					t.Errorf("%s %s (%s)", o.call, path, o.flags)
				}
			}
		}
		if ops < 50 {
			t.Errorf("%d operations were seen, want those of a whole run: %s", ops, out)
		}
	}
	traced("take", w.master, "--to", root, "--tenant", "hostile", "--allow-private")
	traced("files", root, "--to", copies)
	want := 1 // the list
	for _, e := range c.entries {
		if !e.nothing {
			want++
		}
	}
	if n := len(files(t, copies)); n != want {
		t.Errorf("%d files, want %d: a copy of each document, and a list", n, want)
	}
	w.checkOutside(t)
}
