package e2e

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdall/schemas"
)

// A hostileCase is a container that was made to do harm, and what must come of it. docs/hostile.md is
// generated from them.
type hostileCase struct {
	name    string
	outcome string // of all entries, for the page
	exit    int
	codes   []string // findings that say so
	whole   bool     // the container is kept byte for byte

	file     string            // the container's name; attachments.zip if empty
	data     bool              // it is the data files, else the attachments
	received map[string]string // of data files: what must be kept of them, by name
	entries  []hostileEntry
	holds    []hostileEntry // what is in it, where that is not entries
	many     bool           // too many for a row of the attachments, and a copy, each

	// make makes the container; hostileZIP if nil, or hostileTar by the name
	make func(t *testing.T, entries []hostileEntry) []byte
}

const (
	hostileMemory = 400 << 20 // peak of a process
	hostileDisk   = 64 << 20  // beside four times the container
	hostileTime   = 2 * time.Minute
)

// Each of these is a whole takeover by the real program, from a real server: what is in the container must be
// in the archive, as a document or refused with its bytes, in bounded memory, disk and time, and nothing
// anywhere else.
func TestHostileContainers(t *testing.T) {
	for _, c := range hostileCases(t) {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newHostileWorld(t, c)
			w.take(t)
			w.checkEntries(t)
			w.checkCopies(t)
			w.checkOutside(t)
			if t.Failed() {
				t.Log(w.taken)
			}
		})
	}
}

// A hostileWorld is a directory for one takeover: what it may write to, and what it may not.
type hostileWorld struct {
	hostileCase
	container []byte
	master    string
	dir       string // holds nothing that the program may write to but root, home and tmp
	taken     outcome
	bag       string
}

func newHostileWorld(t *testing.T, c hostileCase) *hostileWorld {
	t.Helper()
	if c.file == "" {
		c.file = "attachments.zip"
	}
	if c.make == nil && strings.HasSuffix(c.file, ".tar") {
		c.make = hostileTar
	} else if c.make == nil {
		c.make = hostileZIP
	}
	w := &hostileWorld{hostileCase: c, dir: filepath.Join(t.TempDir(), "a", "b", "c", "d")}
	for _, d := range []string{"root", "home", "tmp", "work", "outside"} {
		if err := os.MkdirAll(filepath.Join(w.dir, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for i := range c.entries { // names that lead to where this test would see them
		c.entries[i].name = strings.ReplaceAll(c.entries[i].name, "OUTSIDE", filepath.Join(w.dir, "outside"))
	}
	w.container = c.make(t, c.entries)
	if c.holds != nil {
		w.entries = c.holds
	}
	w.serve(t)
	return w
}

// serve serves the three parts until the test ends, and writes the master CSV.
func (w *hostileWorld) serve(t *testing.T) {
	t.Helper()
	objects := map[string][]byte{"data.zip": hostileZIP(t, w.tables()), "cvs.zip": hostileZIP(t, nil)}
	names := []string{"data.zip", w.file, "cvs.zip"}
	if w.data {
		names = []string{w.file, "attachments.zip", "cvs.zip"}
		objects["attachments.zip"] = hostileZIP(t, nil)
	}
	objects[w.file] = w.container
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		content, ok := objects[strings.TrimPrefix(r.URL.Path, "/")]
		if !ok {
			http.NotFound(rw, r)
			return
		}
		rw.Header().Set("ETag", fmt.Sprintf(`"%x"`, len(content)))
		http.ServeContent(rw, r, "", time.Time{}, bytes.NewReader(content))
	}))
	t.Cleanup(s.Close)
	w.master = filepath.Join(w.dir, "master.csv")
	line := fmt.Sprintf("%[1]s/%[2]s,%[1]s/%[3]s,%[1]s/%[4]s\n", s.URL, names[0], names[1], names[2])
	writeFile(t, w.master, "Data files,Attachments,Internal CVs\n"+line)
}

// tables are the ten CSVs, with a row for each document that must come of the container.
func (w *hostileWorld) tables() []hostileEntry {
	var all []hostileEntry
	for _, s := range schemas.Recruitly() {
		var rows bytes.Buffer
		out := csv.NewWriter(&rows)
		var headings []string
		for _, c := range s.Columns {
			headings = append(headings, c.Heading)
		}
		out.Write(headings)
		row := func(cells map[string]string) {
			var line []string
			for _, c := range s.Columns {
				line = append(line, cells[c.Name])
			}
			out.Write(line)
		}
		switch s.Name {
		case "candidates":
			row(map[string]string{"candidate_id": "c-1", "reference": "CA-1", "full_name": "Ilse Varga"})
		case "users":
			row(map[string]string{"user_id": "u-1", "full_name": "Birk Solheim"})
		case "attachments":
			for i, e := range w.entries {
				if e.refused != "" || e.nothing || w.many {
					continue
				}
				row(map[string]string{"attachment_id": fmt.Sprintf("f-%d", i), "record_id": "c-1",
					"record_type": "CANDIDATE", "file_name": e.archivedName(), "file_path": e.archivedName(),
					"file_size": strconv.Itoa(len(e.archived()))})
			}
		}
		out.Flush()
		all = append(all, hostileEntry{name: s.File, content: rows.String(), method: deflated})
	}
	return all
}

func (e *hostileEntry) archivedName() string {
	if e.gotName != "" {
		return e.gotName
	}
	return e.name
}

func (e *hostileEntry) archived() string {
	if e.got != "" {
		return e.got
	}
	return e.content
}

// run runs the program with the world's own directories, and checks what it took.
func (w *hostileWorld) run(t *testing.T, args ...string) outcome {
	t.Helper()
	r := startWith(t, []string{"HOME=" + filepath.Join(w.dir, "home"), "TMPDIR=" + filepath.Join(w.dir,
		"tmp"),
		"XDG_CACHE_HOME="}, args...)
	var disk, memory int64
	done, watched := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(watched)
		for {
			disk, memory = max(disk, diskUsed(w.dir)), max(memory, memoryPeak(r.cmd.Process.Pid))
			select {
			case <-done:
				return
			case <-time.After(10 * time.Millisecond):
			}
		}
	}()
	timer := time.AfterFunc(hostileTime, func() { r.cmd.Process.Kill() })
	o := r.wait()
	timer.Stop()
	close(done)
	<-watched
	if most := hostileDisk + 4*int64(len(w.container)); disk > most || memory > hostileMemory {
		t.Errorf("%s took %d MiB of memory and %d MiB of disk, want at most %d and %d", args[0], memory>>20,
			disk>>20, hostileMemory>>20, most>>20)
	}
	t.Logf("%s: exit %d, %s, %d MiB of memory, %d MiB of disk", args[0], o.code, o.wall, memory>>20, disk>>20)
	return o
}

// memoryPeak is the most that a process had in memory so far (proc(5), VmHWM); 0 when it has ended. What
// wait(2) tells is at least what this process had when it started the other.
func memoryPeak(pid int) int64 {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	_, rest, _ := strings.Cut(string(b), "VmHWM:")
	kib, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
	n, _ := strconv.ParseInt(kib, 10, 64)
	return n << 10
}

// diskUsed adds up the blocks of all files below dir, while others write them.
func diskUsed(dir string) (total int64) {
	filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil
		}
		var s syscall.Stat_t
		if syscall.Lstat(path, &s) == nil {
			total += s.Blocks * 512
		}
		return nil
	})
	return total
}

// besidesThePoint are findings about rows that name no file for sure, and about tables that are not there.
var besidesThePoint = []string{
	"attachment-unclear", "file-unlisted", "match-ambiguous", "encoding-guessed", "table-empty",
	"duplicate-content", "cells-damaged",
	"table-missing", "columns-missing", "attachment-missing", "headings-unknown", "table-unknown",
	"table-repeated",
}

func (w *hostileWorld) take(t *testing.T) {
	t.Helper()
	w.taken = w.run(t, "take", w.master, "--to", filepath.Join(w.dir, "root"), "--tenant", "hostile",
		"--allow-private", "--json")
	if w.taken.code != w.exit {
		t.Fatalf("want exit %d, got:\n%s", w.exit, w.taken)
	}
	got := decode[taken](t, w.taken)
	if got.State != "complete" {
		t.Fatalf("state %s\n%s", got.State, w.taken)
	}
	w.bag = got.Location
	var codes []string
	for _, f := range got.Findings {
		if !slices.Contains(besidesThePoint, f.Code) {
			codes = append(codes, f.Severity+" "+f.Code)
		}
	}
	slices.Sort(codes)
	if d := cmp.Diff(w.codes, codes); d != "" {
		t.Errorf("findings (-want +got):\n%s", d)
	}
	o := w.run(t, "verify", w.bag, "--level", "deep")
	if o.code != w.exit || !strings.Contains(o.stdout, ": valid") {
		t.Errorf("verify: %s", o)
	}
	if code, out := reader(t, "verify", w.bag); code != 0 {
		t.Errorf("the reader of the format: exit code %d: %s", code, out)
	}
}
