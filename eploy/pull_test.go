package eploy

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"holdall/internal/eploysim"
)

const secret = "s3cret-of-the-key-9417"

// world is a system and a directory that a pull of it goes to.
type world struct {
	t   *testing.T
	s   *eploysim.System
	o   Options
	log []string
}

// quickDir is a directory in memory where there is one: everything is synced a thousand times.
func quickDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "holdall-eploy-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func newWorld(t *testing.T, c eploysim.Config) *world {
	t.Helper()
	if c.Records == nil {
		c.Records = eploysim.Small(60)
	}
	if c.Keys == nil {
		c.Keys = []eploysim.Key{{ID: "key", Secret: secret}}
	}
	s, err := eploysim.New(c)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, s: s}
	w.o = Options{URL: "https://demo.eploy.net/api", Credentials: Credentials{"key", secret},
		Dir: quickDir(t), Reserve: -1,
		Transport: s.Transport(), Talk: func(f string, _ ...any) { w.log = append(w.log, f) }}
	return w
}

// pull pulls to the end, however many days that takes.
func (w *world) pull() (r *Result, pauses int) {
	w.t.Helper()
	for {
		r, err := Pull(w.t.Context(), w.o)
		var p *Paused
		if !errors.As(err, &p) {
			if err != nil {
				w.t.Fatal(err)
			}
			return r, pauses
		}
		if pauses++; pauses > 200 {
			w.t.Fatal("it never ends")
		}
		time.Sleep(time.Until(p.ResumeAfter))
	}
}

// check compares what was pulled with what the system has, and searches everything written for the key.
func (w *world) check(r *Result) {
	w.t.Helper()
	if x := w.s.Writes(); len(x) > 0 {
		w.t.Errorf("something was written: %q", x)
	}
	x, err := Open(w.o.Dir)
	if err != nil {
		w.t.Fatal(err)
	}
	defer x.Close()
	for _, name := range eploysim.Types() {
		w.checkType(x, name)
	}
	for name, n := range r.Types {
		if !n.Complete {
			w.t.Errorf("%s is not complete: %+v, %+v", name, n, r.Findings)
		}
	}
	w.checkFiles(r)
	w.searchSecret()
}

func (w *world) checkType(x *Pulled, name string) {
	w.t.Helper()
	truth := w.s.Truth(name)
	wrong := 0
	err := x.Records(name, func(id string, record json.RawMessage) error {
		n, err := strconv.Atoi(id)
		if err != nil {
			return err
		}
		want, ok := truth[n]
		if !ok || !sameJSON(want.JSON, string(record)) {
			if wrong++; wrong < 3 {
				w.t.Errorf("%s %s is\n%s, want\n%s", name, id, record, want.JSON)
			}
		}
		delete(truth, n)
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	if len(truth) > 0 {
		w.t.Errorf("%d of %s are missing", len(truth), name)
	}
	if wrong > 2 {
		w.t.Errorf("%d of %s are wrong", wrong, name)
	}
}

// sameJSON compares members and values without regard to order: a whitelist of parts does not order them.
func sameJSON(a, b string) bool {
	if a == b {
		return true
	}
	var x, y any
	if json.Unmarshal([]byte(a), &x) != nil || json.Unmarshal([]byte(b), &y) != nil {
		return false
	}
	p, err1 := json.Marshal(x)
	q, err2 := json.Marshal(y)
	return err1 == nil && err2 == nil && bytes.Equal(p, q)
}

func (w *world) checkFiles(r *Result) {
	w.t.Helper()
	files := w.s.Truth("files")
	x, err := Open(w.o.Dir)
	if err != nil {
		w.t.Fatal(err)
	}
	defer x.Close()
	err = x.Documents(func(d Document) error {
		id, err := strconv.Atoi(d.ID)
		if err != nil {
			return err
		}
		got, err := os.ReadFile(d.Path)
		if err != nil || !bytes.Equal(got, w.s.Content(id)) || d.Check() != nil {
			w.t.Errorf("file %d: %d bytes, %v", id, len(got), err)
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	if r.Files != len(files) {
		w.t.Errorf("%d files, want %d", r.Files, len(files))
	}
}

// searchSecret looks for the key and for tokens in everything that was written or said.
func (w *world) searchSecret() {
	w.t.Helper()
	err := filepath.WalkDir(w.o.Dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if bytes.Contains(b, []byte(secret)) || bytes.Contains(b, []byte("Bearer")) || bytes.Contains(b,
			[]byte("access_token")) || bytes.Contains(b, []byte(eploysim.StoreSignature)) {
			w.t.Errorf("%s holds a secret", path)
		}
		return err
	})
	if err != nil || strings.Contains(strings.Join(w.log, "\n"), secret) {
		w.t.Errorf("%v, or the key was said", err)
	}
}

func codes(r *Result) map[FindingCode]int {
	n := map[FindingCode]int{}
	for _, f := range r.Findings {
		n[f.Code]++
	}
	return n
}

// eachUnknown runs a pull against a system for each position of each switch of what the vendor's guide
// leaves open.
func TestWhateverTheGuideLeavesOpen(t *testing.T) {
	tests := []struct {
		name     string
		config   eploysim.Config
		findings []FindingCode
	}{
		{"as is likeliest", eploysim.Config{}, nil},
		{"version 42 has pages of 100", eploysim.Config{Version: 42, Records: eploysim.Small(400)}, nil},
		{"an order that is shuffled now and then", behave("order=shuffled"), nil},
		{"an order that is stable", behave("order=id"), nil},
		{"beyond the limit, 429 with Retry-After", behave("over-limit=429-retry-after"), nil},
		{"beyond the limit, 403", behave("over-limit=403"), nil},
		{"beyond the limit, 503", behave("over-limit=503"), nil},
		{"beyond the limit, success with nothing in it", behave("over-limit=200-empty"), nil},
		{"token requests count", behave("token-counts"), nil},
		{"scopes that are not granted are dropped", behave("ungranted-scope=dropped"), nil},
		{"unknown parts are refused without a name", behave("unknown-block=400"),
			[]FindingCode{BlockRefused}},
		{"unknown parts are ignored", behave("unknown-block=ignored"), nil},
		{"pages that are too long are refused", old(behave("oversize=400")), nil},
		{"the page size has the guide's other spelling", behave("page-size-key=RecordPerPage"), nil},
		{"dates cannot be compared", behave("date-compare=refused"), []FindingCode{DatesIncomparble}},
		{"a filter by date is ignored", behave("date-compare=ignored"), nil},
		{"files must be asked for by kind of record", behave("files-unbound=refused"),
			[]FindingCode{FilesUnlisted}},
		{"a record that is gone is a bad request", gone(behave("missing=400")),
			[]FindingCode{RecordsVanished}},
		{"a record that is gone is null", gone(behave("missing=200-null")), []FindingCode{RecordsVanished}},
		{"questions are no part of records", behave("no-questions"), nil},
		{"some records are counted and not shown", behave("hidden-every=13"), []FindingCode{TotalDiffers}},
		{"the system's midnight is New York's", behave("zone=America/New_York"), nil},
		{"contents are base64 in JSON", behave("file-encoding=base64"), nil},
		{"contents are elsewhere", behave("file-encoding=redirect"), nil},
		{"contents take ten minutes", behave("slow-contents=10m"), nil},
		{"records cannot be searched by ID", paged(behave("id-filter=refused")), nil},
		{"a filter by ID finds nothing", paged(behave("id-filter=empty")), nil},
		{"a filter by ID is ignored", paged(behave("id-filter=ignored")), nil},
		{"dates are compared to nothing", behave("date-compare=empty"), []FindingCode{DatesIncomparble}},
		{"GET leaves out what has no value", behave("sparse-get"), nil},
		{"contents are at another likely place", behave("file-content=files/{id}/download"), nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				tt.config.DayLimit = 250
				if tt.config.Records == nil {
					tt.config.Records = eploysim.Small(60)
				}
				w := newWorld(t, tt.config)
				r, _ := w.pull()
				if tt.config.Behaviour.FilesUnbound == "" {
					w.check(r)
				}
				for _, code := range tt.findings {
					if codes(r)[code] == 0 {
						t.Errorf("no finding %s among %+v", code, r.Findings)
					}
				}
			})
		})
	}
}

func behave(s string) (c eploysim.Config) {
	if err := c.Behaviour.Set(s); err != nil {
		panic(err)
	}
	return c
}

func old(c eploysim.Config) eploysim.Config {
	c.Version, c.Records = 46, eploysim.Small(300)
	return c
}

// paged is with pages enough for an unstable order to hide records.
func paged(c eploysim.Config) eploysim.Config {
	c.Version, c.Records = 42, eploysim.Small(400)
	return c
}

func gone(c eploysim.Config) eploysim.Config {
	c.Events = []eploysim.Event{{At: 120, Kind: "delete", Type: "candidates", Count: 3}}
	return c
}

func TestWhateverHappensMeanwhile(t *testing.T) {
	candidates := func(kind string, n int) []eploysim.Event {
		return []eploysim.Event{{At: 30, Kind: kind, Type: "candidates", Count: n}, {At: 90, Kind: kind,
			Type: "candidates", Count: n}}
	}
	tests := []struct {
		name     string
		events   []eploysim.Event
		findings []FindingCode
	}{
		{"records come", candidates("insert", 3), nil},
		{"records change at the same moment", candidates("update", 5), nil},
		{"records vanish", candidates("delete", 3), []FindingCode{RecordsVanished}},
		{"records are anonymised", candidates("anonymise", 3), nil},
		{"files come, change and vanish", []eploysim.Event{{At: 100, Kind: "insert", Type: "files", Count: 3},
			{At: 101, Kind: "update", Type: "files", Count: 3}, {At: 102, Kind: "delete", Type: "files",
				Count: 3}}, nil},
		{"files are replaced under their IDs", []eploysim.Event{{At: 100, Kind: "replace", Type: "files",
			Count: 5},
			{At: 130, Kind: "replace", Type: "files", Count: 5}}, []FindingCode{FileReplaced}},
		{"a type fails for a while", []eploysim.Event{{At: 10, Kind: "fail", Type: "candidates", Count: 7}},
			nil},
		{"contents fail for a while", []eploysim.Event{{At: 80, Kind: "fail", Type: "contents", Count: 8}},
			nil},
		{"the token ends before its time", []eploysim.Event{{At: 20, Kind: "expire-token"}, {At: 60,
			Kind: "expire-token"}}, nil},
		{"an error page comes with status 200", []eploysim.Event{{At: 20, Kind: "error-page", Count: 2},
			{At: 90, Kind: "error-page"}}, nil},
		{"answers break off", []eploysim.Event{{At: 20, Kind: "cut", Count: 2}, {At: 90, Kind: "cut",
			Count: 3}}, nil},
		{"answers never come", []eploysim.Event{{At: 20, Kind: "stall", Count: 2}, {At: 90, Kind: "stall"}},
			nil},
		{"a neighbour uses everything up", []eploysim.Event{{At: 50, Kind: "neighbour", Count: 1000}}, nil},
		{"the limit is raised", []eploysim.Event{{At: 50, Kind: "raise-limit", Count: 5000}}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, eploysim.Config{DayLimit: 250, Events: tt.events})
				r, _ := w.pull()
				w.check(r)
				for _, code := range tt.findings {
					if codes(r)[code] == 0 {
						t.Errorf("no finding %s among %+v", code, r.Findings)
					}
				}
			})
		})
	}
}

func TestAPullThatHasEndedAsksForNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, eploysim.Config{})
		w.pull()
		asked := len(w.s.Requests())
		r, err := Pull(context.Background(), w.o)
		if err != nil || !r.Complete() || len(w.s.Requests()) != asked {
			t.Errorf("%v, and %d more requests", err, len(w.s.Requests())-asked)
		}
	})
}
