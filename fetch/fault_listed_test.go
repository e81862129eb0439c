package fetch

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"holdall/fetch/failure"
)

// What single files and pages of a listing do.
var listedFaults = []faultCase{
	{
		name: "a file of a listing is busy for longer than a run waits", test: testListedBusy,
		outcome: "the others arrive, exit code 3; the next run asks for that one alone",
	},
	{
		name: "one link of many has expired", test: testListedExpired,
		outcome: "`link-expired`, with all others here; a listing signed anew brings that one",
	},
	{
		name: "a file of a listing is answered 404 once", test: testListedGoneOnce,
		outcome: "every byte is right: what is missing must be so twice",
	},
	{
		name: "a page with status 200 comes in place of a listed file, in the midst of good ones",
		test: testListedPageOnce, outcome: "every byte is right: the file is asked for again",
	},
	{
		name: "a page with status 200 stays in place of a listed file", test: testListedPageStays,
		outcome: "it is kept as received, and named",
	},
	{
		name: "a listed file ends before the size that the listing gives, and the answer looks whole",
		test: testListedShortOnce, outcome: "every byte is right",
	},
	{
		name: "a listed file has another size than the listing gives, each time", test: testListedOtherSize,
		outcome: "it is kept as received, and named",
	},
	{
		name: "an answer without a length breaks off, and looks like its end", test: testListedUnframed,
		outcome: "every byte is right: such an answer must come twice",
	},
	{
		name: "all files of a listing have one path, and a run is killed when some are here",
		test: testListedOnePath, outcome: "every byte is right, each file by its own link",
	},
	{
		name: "another export's listing has files of the same names and sizes at the same places",
		test: testListedOtherExport, outcome: "the files of this one arrive",
	},
	{
		name: "a page of a listing is cut by its server, once", test: testPageCutOnce,
		outcome: "every file arrives",
	},
	{
		name: "a page of a listing is cut by its server, each time", test: testPageCut,
		outcome: "exit code 3: a listing that breaks off is not complete",
	},
	{
		name: "a page of a listing that named files comes without a byte when it is read again",
		test: testPageEmptyAgain, outcome: "every file arrives",
	},
	{
		name: "each page of a listing is redirected, and its links are relative to where that leads",
		test: testPagesRedirected, outcome: "every file arrives",
	},
	{
		name: "a listing says that it continues, but not where", test: testListingGoesOn,
		outcome: "what it names arrives, and it is named incomplete",
	},
	{
		name: "a listing's pages lead in a circle", test: testListingCircle,
		outcome: "every file arrives, and where more were said to follow the listing is named incomplete",
	},
}

// answers lets f answer for an object, unless it returns false.
func answers(o *served, f func(n int, w http.ResponseWriter, r *http.Request) bool) {
	o.fault = func(n int, _ *served, w http.ResponseWriter, r *http.Request) bool { return f(n, w, r) }
}

func status(code int) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) { w.WriteHeader(code) }
}

func shortBudget(o *Options) { o.RetryBudget = 2 * time.Second }

func testListedBusy(t *testing.T) {
	s := newFaultServer(t)
	l := serveListing(s, "csv", 20, 100, func(i int) int { return 600 })
	var busy atomic.Bool
	busy.Store(true)
	answers(s.objects[l.names[3]], func(_ int, w http.ResponseWriter, _ *http.Request) bool {
		if busy.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		return busy.Load()
	})
	f, dir, m := newTestFetcher(t, shortBudget), t.TempDir(), s.master(t, "", "/list", "")
	r, err := take(t, f, m, dir)
	if e, ok := err.(*failure.Error); !ok || e.Code.Exit() != 3 ||
		!strings.Contains(e.Message, "1 of the listing's 20 files") {
		t.Fatalf("Wait = %v, want one file that has not arrived yet", err)
	}
	r.Close()
	busy.Store(false)
	before := len(s.log())
	r, err = take(t, f, m, dir)
	if err != nil {
		t.Fatal(err)
	}
	wantFiles(t, r, l)
	if got := len(s.log()) - before; got != 2 {
		t.Errorf("%d requests, want the listing and what was missing", got)
	}
}

func testListedExpired(t *testing.T) {
	s := newFaultServer(t)
	l := serveListing(s, "csv", 20, 100, func(i int) int { return 600 })
	old := s.objects[l.names[5]]
	answers(old, func(_ int, w http.ResponseWriter, r *http.Request) bool {
		if strings.Contains(r.URL.RawQuery, "X-Amz-Date=2") {
			return false
		}
		w.WriteHeader(403)
		w.Write(s3Error("AccessDenied", "Request has expired"))
		return true
	})
	f, dir := newTestFetcher(t, nil), t.TempDir()
	r, err := take(t, f, s.master(t, "", "/list", ""), dir)
	if e, ok := err.(*failure.Error); !ok || e.Code != failure.LinkExpired {
		t.Fatalf("Wait = %v, want an expired link", err)
	}
	if p := r.Progress(); p.Fetched < 19*600 {
		t.Errorf("%d bytes fetched, want the other 19 files", p.Fetched)
	}
	r.Close()
	s.put(
		"/fresh", bytes.ReplaceAll(l.page("csv", l.names, ""), []byte("?sig="), []byte("?X-Amz-Date=2&sig=")),
	)
	if r, err = take(t, f, s.master(t, "", "/fresh", ""), dir); err != nil {
		t.Fatal(err)
	}
	wantFiles(t, r, l)
}

// listedOnce takes over a listing one of whose files is answered oddly the first time, and wants all of them
// right.
func listedOnce(t *testing.T, odd func(body []byte, w http.ResponseWriter)) {
	s := newFaultServer(t)
	l := serveListing(s, "csv", 30, 100, func(i int) int { return 600 })
	o := s.objects[l.names[8]]
	answers(o, func(n int, w http.ResponseWriter, _ *http.Request) bool {
		if n == 1 {
			odd(o.body, w)
		}
		return n == 1
	})
	r, err := take(t, newTestFetcher(t, nil), s.master(t, "", "/list", ""), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	wantFiles(t, r, l)
	if o.n < 2 {
		t.Errorf("the odd file was asked for %d times", o.n)
	}
}

func testListedGoneOnce(t *testing.T) {
	listedOnce(t, func(_ []byte, w http.ResponseWriter) { status(404)(w) })
}

func testListedPageOnce(t *testing.T) {
	listedOnce(t, func(_ []byte, w http.ResponseWriter) { io.WriteString(w, `{"error":"try later"}`) })
	listedOnce(t, func(_ []byte, w http.ResponseWriter) { io.WriteString(w, signInPage) })
}

func testListedShortOnce(t *testing.T) {
	listedOnce(t, func(body []byte, w http.ResponseWriter) { w.Write(body[:100]) })
	listedOnce(t, func([]byte, http.ResponseWriter) {})
}

// filesOf reads the names and contents of a listing's files, and what is odd about them.
func filesOf(t *testing.T, r *Run) (bodies map[string]string, odd map[string]string) {
	t.Helper()
	bodies, odd = map[string]string{}, map[string]string{}
	for f, err := range r.Objects[0].Files(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
		if f.Err != nil {
			t.Errorf("%s: %v", f.Name, f.Err)
			continue
		}
		rc, err := r.Objects[0].OpenFile(f)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(rc)
		if err != nil {
			t.Error(err)
		}
		rc.Close()
		bodies[f.Name], odd[f.Name] = string(b), f.Odd
	}
	return bodies, odd
}

func testListedPageStays(t *testing.T) {
	s := newFaultServer(t)
	l := serveListing(s, "csv", 30, 100, func(i int) int { return 600 })
	answers(
		s.objects[l.names[8]],
		func(_ int, w http.ResponseWriter, _ *http.Request) bool {
			io.WriteString(w, signInPage)
			return true
		},
	)
	r, err := take(t, newTestFetcher(t, shortBudget), s.master(t, "", "/list", ""), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	bodies, odd := filesOf(t, r)
	if bodies["cv 8.pdf"] != signInPage || odd["cv 8.pdf"] == "" || odd["cv 9.pdf"] != "" {
		t.Errorf("kept %q, odd %q", bodies["cv 8.pdf"], odd)
	}
}

func testListedOtherSize(t *testing.T) {
	s := newFaultServer(t)
	l := serveListing(s, "csv", 10, 100, func(i int) int { return 600 })
	s.put(l.names[2], []byte("%PDF-1.7 shorter"))
	r, err := take(t, newTestFetcher(t, nil), s.master(t, "", "/list", ""), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	bodies, odd := filesOf(t, r)
	if bodies["cv 2.pdf"] != "%PDF-1.7 shorter" || !strings.Contains(odd["cv 2.pdf"], "600") {
		t.Errorf("kept %q, odd %q", bodies["cv 2.pdf"], odd["cv 2.pdf"])
	}
}

// endless answers with a body whose end shows only in the end of the connection.
func endless(w http.ResponseWriter, body []byte) bool {
	return raw(w, "HTTP/1.0 200 OK\r\nContent-Type: application/pdf\r\n\r\n", body)
}

func testListedUnframed(t *testing.T) {
	s := newFaultServer(t)
	want := map[string]string{}
	var list strings.Builder
	for i := range 6 {
		name := fmt.Sprintf("cv %d.pdf", i)
		body := "%PDF-1.7\n" + strings.Repeat(name, 100)
		want[name] = body
		answers(s.put("/u/"+name, []byte(body)), func(n int, w http.ResponseWriter, _ *http.Request) bool {
			cut := len(body)
			if n == 1 && i == 3 {
				cut = 200
			}
			return endless(w, []byte(body[:cut]))
		})
		fmt.Fprintf(&list, "%s/u/%s?sig=%s\n", s.URL, url.PathEscape(name), secret)
	}
	s.put("/list", []byte(list.String()))
	r, err := take(t, newTestFetcher(t, nil), s.master(t, "", "/list", ""), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	got, _ := filesOf(t, r)
	for name, body := range want {
		if got[name] != body {
			t.Errorf("%s has %d bytes, want %d", name, len(got[name]), len(body))
		}
	}
}
