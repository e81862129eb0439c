package takeover

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"holdall/archive"
	"holdall/fetch"
	"holdall/fetch/failure"
	"holdall/internal/diskspace"
)

// A takeover whose spool lies elsewhere goes on without the flag, says where it is gone, and finds it again
// where it was moved.
func TestTheSpoolIsRememberedWithTheRun(t *testing.T) {
	t.Parallel()
	var busy atomic.Bool
	busy.Store(true)
	s := newSite(
		t, map[string]string{"/data.zip": people(t, "Ada"), "/f/a.txt": "letter a", "/f/b.txt": "letter b"},
	)
	s.put(
		"/list.csv", "File Name,Link\r\na.txt,"+s.URL+"/f/a.txt?sig=s1\r\nb.txt,"+s.URL+"/f/b.txt?sig=s1\r\n",
	)
	s.put("/f/b.txt", "letter b").odd = func(_ int, w http.ResponseWriter, _ *http.Request) bool {
		if busy.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		return busy.Load()
	}
	root, elsewhere := t.TempDir(), t.TempDir()
	o := quick(t, root)
	o.Spool = elsewhere
	m := s.master("s1", "/data.zip", "/list.csv")
	r := wantCode(t, m, o, failure.Network)
	if r.State != StateIncomplete || r.KeptBytes < int64(len("letter a")+len(people(t, "Ada"))) {
		t.Errorf("after a busy file: %+v, want what is kept to be counted", r)
	}
	all, err := List(t.Context(), mustStore(t, root), WorkIn(root))
	if err != nil || len(all) != 1 || all[0].Unfinished == nil {
		t.Fatalf("list of a root with one unfinished takeover: %+v, %v", all, err)
	}
	u := all[0].Unfinished
	if !strings.HasPrefix(u.Spool, elsewhere) || u.Lost || u.Stopped == nil ||
		u.Stopped.Code != failure.Network || u.Received != r.KeptBytes || len(u.Links) != 2 ||
		!u.Links[0].Complete || u.Links[1].Complete || u.Links[1].Files != 1 ||
		strings.Contains(u.Links[1].URL, "s1") {
		t.Errorf("unfinished takeover: %+v, stopped %+v", u, u.Stopped)
	}

	moved := filepath.Join(t.TempDir(), "moved")
	if err := os.Rename(elsewhere, moved); err != nil {
		t.Fatal(err)
	}
	o = quick(t, root)
	r2 := wantCode(t, m, o, failure.Usage)
	if r2 != nil {
		t.Errorf("with the spool gone: %+v", r2)
	}
	busy.Store(false)
	o.Spool = moved
	before := s.requests("/f/a.txt")
	done := mustTake(t, m, o)
	if done.Documents.Attachments != 2 || s.requests("/f/a.txt") != before {
		t.Errorf(
			"%d attachments, %d requests for a file that was here", done.Documents.Attachments,
			s.requests("/f/a.txt")-before,
		)
	}
}

func TestWithoutTheFlagTheSpoolElsewhereIsGoneOnWith(t *testing.T) {
	t.Parallel()
	var busy atomic.Bool
	busy.Store(true)
	s := newSite(
		t,
		map[string]string{
			"/data.zip": people(t, "Ada"), "/att.zip": zipOf(t, "a.txt", strings.Repeat("x", 100)),
		},
	)
	s.put("/list.csv", "File Name,Link\r\na.txt,"+s.URL+"/f/a.txt?sig=s1\r\n")
	s.put("/f/a.txt", "letter a").odd = func(_ int, w http.ResponseWriter, _ *http.Request) bool {
		if busy.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		return busy.Load()
	}
	root := t.TempDir()
	o := quick(t, root)
	o.Spool = t.TempDir()
	m := s.master("s1", "/data.zip", "/att.zip", "/list.csv")
	wantCode(t, m, o, failure.Network)
	busy.Store(false)
	o = quick(t, root)
	done := mustTake(t, m, o)
	if done.ReusedBytes == 0 {
		t.Error("nothing was reused of what waits elsewhere")
	}
	if left, err := os.ReadDir(filepath.Join(root, ".work")); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestADamagedRunDoesNotStopATakeover(t *testing.T) {
	t.Parallel()
	s := newSite(t, map[string]string{"/data.zip": people(t, "Ada"), "/att.zip": zipOf(t, "a.txt", "one")})
	for name, spoil := range map[string]func(run string) error{
		"run.json is garbled": func(run string) error {
			return os.WriteFile(run+"/run.json", []byte("{\"sta"), 0o600)
		},
		"run.json is lost": func(run string) error { return os.Remove(run + "/run.json") },
		"spool.json is garbled": func(run string) error {
			return os.WriteFile(
				run+"/spool/spool.json", []byte("]"), 0o600,
			)
		},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			ctx, cancel := context.WithCancel(t.Context())
			o := options(t, root)
			o.Progress = func(p Progress) {
				if p.Phase == "archiving" || p.Phase == "verifying" {
					cancel()
				}
			}
			m := s.master("s1", "/data.zip", "/att.zip")
			if _, err := Take(ctx, m, o); err == nil {
				t.Fatal("the takeover was not interrupted")
			}
			runs, err := filepath.Glob(root + "/.work/*")
			if err != nil || len(runs) != 1 {
				t.Fatalf("runs: %v, %v", runs, err)
			}
			if err := spoil(runs[0]); err != nil {
				t.Fatal(err)
			}
			o = options(t, root)
			said := talkOf(&o)
			r := mustTake(t, m, o)
			if r.Documents.Attachments != 1 {
				t.Errorf("%+v", r)
			}
			if !strings.Contains(said(), runs[0]) {
				t.Errorf("the damage is not told:\n%s", said())
			}
		})
	}
}

// A run that was sealed and killed before the ledger had its line is finished by whatever takeover comes
// next.
func TestTheLedgerLineThatAKilledRunDidNotWriteIsWrittenByTheNext(t *testing.T) {
	t.Parallel()
	s := newSite(t, map[string]string{"/data.zip": people(t, "Ada"), "/att.zip": zipOf(t, "a.txt", "one")})
	root := t.TempDir()
	o := options(t, root)
	m := s.master("s1", "/data.zip", "/att.zip")
	if err := os.WriteFile(filepath.Join(root, "ledger"), nil, 0o600); err != nil {
		// where the ledger should be
		t.Fatal(err)
	}
	if _, err := Take(t.Context(), m, o); err == nil {
		t.Fatal("the ledger cannot be written, and the takeover says that all is well")
	}
	exports, err := filepath.Glob(root + "/exports/*/bagit.txt")
	if err != nil || len(exports) != 1 {
		t.Fatalf("exports: %v, %v", exports, err)
	}
	if err := os.Remove(filepath.Join(root, "ledger")); err != nil {
		t.Fatal(err)
	}
	s.Close() // nothing of it needs the network
	o = quick(t, root)
	r := mustTake(t, m, o)
	store := mustStore(t, root)
	var taken []string
	for e, err := range archive.Events(t.Context(), store) {
		if err != nil {
			t.Fatal(err)
		}
		taken = append(taken, e.Kind+" "+e.Export)
	}
	if len(taken) != 1 || taken[0] != "taken "+r.Export {
		t.Errorf("ledger: %v, want one line for %s", taken, r.Export)
	}
}

func TestReceiptsThatCannotBeWrittenEndTheTakeoverAndAreWrittenByTheNext(t *testing.T) {
	t.Parallel()
	var failed atomic.Pointer[error]
	l := &receiptLog{failed: func(err error) { failed.Store(&err) }}
	path := filepath.Join(t.TempDir(), "receipts.jsonl")
	if err := l.open(path); err != nil {
		t.Fatal(err)
	}
	l.add(fetch.Receipt{Object: 1})
	file := l.file
	closed, err := os.Open(os.DevNull) // cannot be written to
	if err != nil {
		t.Fatal(err)
	}
	l.file = closed
	l.add(fetch.Receipt{Object: 2})
	if failed.Load() == nil || l.worse(nil) == nil {
		t.Fatal("a receipt could not be written, and nobody was told")
	}
	if _, err := os.Stat(path + ".reserve"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the room set aside is still taken: %v", err)
	}
	l.file = file // there is room again
	if err := l.close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if n := strings.Count(string(b), "\n"); err != nil || n != 2 {
		t.Errorf("%d receipts (%v), want both:\n%s", n, err, b)
	}
}

func TestTheDiskIsLookedAtBeforeTheFirstByte(t *testing.T) {
	t.Parallel()
	notes := zipOf(t, "a.bin", string(make([]byte, 50_000)))
	data := people(t, "Ada")
	s := newSite(t, map[string]string{"/data.zip": data, "/att.zip": notes})
	all := int64(len(data) + len(notes))
	archive := int64(len(notes) + tablesInArchive*len(data))
	for _, tc := range []struct {
		name  string
		free  map[string]int64 // by device; the spool is on "b"
		short bool
	}{
		{"room for all", map[string]int64{"a": archive + int64(len(data)), "b": all}, false},
		{"a byte too few for the spool", map[string]int64{"a": 1 << 30, "b": all - 1}, true},
		{
			"room for the archive, and a byte too few for the database",
			map[string]int64{"a": archive + int64(len(data)) - 1, "b": 1 << 30}, true,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			root := t.TempDir()
			o := quick(t, root)
			o.Spool = t.TempDir()
			o.space = func(dir string) (diskspace.Space, bool) {
				if strings.HasPrefix(dir, o.Spool) {
					return diskspace.Space{Free: tc.free["b"], Device: "b"}, true
				}
				return diskspace.Space{Free: tc.free["a"], Device: "a"}, true
			}
			m := s.master("s1", "/data.zip", "/att.zip")
			plan, err := Plan(t.Context(), m, o)
			if err != nil {
				t.Fatal(err)
			}
			if err := CheckDisk(plan.Disk); (err != nil) != tc.short {
				t.Errorf("planned: %v, want an error: %v", err, tc.short)
			}
			if !tc.short {
				mustTake(t, m, o)
				return
			}
			if r := wantCode(t, m, o, failure.DiskFull); r == nil || r.FetchedBytes != 0 {
				t.Errorf("%+v, want nothing fetched", r)
			}
		})
	}
}

func TestARootInsideOfAnArchiveIsRefusedBeforeAnythingIsWritten(t *testing.T) {
	t.Parallel()
	s := newSite(t, map[string]string{"/data.zip": people(t, "Ada"), "/att.zip": zipOf(t, "a.txt", "one")})
	root := t.TempDir()
	m := s.master("s1", "/data.zip", "/att.zip")
	one := mustTake(t, m, options(t, root))
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(one.Location, link); err != nil {
		t.Fatal(err)
	}
	before := treeSize(root)
	for _, to := range []string{
		one.Location, one.Location + "/data/new", link + "/x/y", root + "/exports", root + "/.work/z",
	} {
		wantCode(t, m, options(t, to), failure.Usage)
		if _, err := Plan(t.Context(), m, options(t, to)); err == nil {
			t.Errorf("%s is planned for", to)
		}
	}
	if after := treeSize(root); after != before {
		t.Errorf("%d bytes in the root, %d before", after, before)
	}
	mustTake(t, m, options(t, filepath.Join(root, "others"))) // alongside the exports is not an archive
}

// A listing may come in another order each time, while the archive in the making has numbered its files.
func TestAListingInAnotherOrderDoesNotMixItsFiles(t *testing.T) {
	t.Parallel()
	s := newSite(t, map[string]string{"/data.zip": people(t, "Ada")})
	names := []string{"a.txt", "b.txt", "c.txt", "d.txt"}
	var list strings.Builder
	list.WriteString("File Name,Link\r\n")
	for _, n := range names {
		s.put("/f/"+n, "letter "+n)
		list.WriteString(n + "," + s.URL + "/f/" + n + "?sig=s1\r\n")
	}
	s.put("/list.csv", list.String())
	root := t.TempDir()
	o := options(t, root)
	ctx, cancel := context.WithCancel(t.Context())
	o.Progress = func(p Progress) {
		if p.Phase == "verifying" {
			cancel()
		}
	}
	m := s.master("s1", "/data.zip", "/list.csv")
	if _, err := Take(ctx, m, o); err == nil {
		t.Fatal("the takeover was not interrupted")
	}
	lines := strings.SplitAfter(list.String(), "\r\n")
	s.put("/list.csv", lines[0]+lines[3]+lines[1]+lines[4]+lines[2])
	// What the spool has of the listing is complete; a list that is read again is what matters here.
	spools, err := filepath.Glob(root + "/.work/*/spool/object-*.index")
	if err != nil || len(spools) != 1 {
		t.Fatalf("listings in the spool: %v, %v", spools, err)
	}
	r := mustTake(t, m, options(t, root))
	got := map[string]string{}
	bag := openBag(t, root, r.Export)
	for row, err := range bag.Rows(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if got[row.OriginalName] != "" {
			t.Errorf("%s is there twice", row.OriginalName)
		}
		got[row.OriginalName] = row.SHA256.String()
	}
	if len(got) != len(names) {
		t.Errorf("documents: %v", got)
	}
}
