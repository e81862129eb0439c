package fetch

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"holdall/fetch/failure"
	"holdall/fetch/link"
	"holdall/fetch/listing"
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
		name: "a listed file ends before the size that the listing tells, and the answer looks whole",
		test: testListedShortOnce, outcome: "every byte is right",
	},
	{
		name: "a listed file has another size than the listing tells, each time", test: testListedOtherSize,
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
		name: "a listing says that it goes on, and not where", test: testListingGoesOn,
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
		t.Fatalf("Wait = %v, want one file not here yet", err)
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

// endless answers with a body whose end is told by nothing but the end of the connection.
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

func testPageEmptyAgain(t *testing.T) {
	s := newFaultServer(t)
	l := serveListing(s, "html", 6, 100, func(int) int { return 600 })
	page := s.objects["/list"].body
	answers(s.objects["/list"], func(n int, w http.ResponseWriter, _ *http.Request) bool {
		if n == 1 { // enough to be recognised, and no more
			head := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", len(page))
			return raw(w, head, page[:300])
		}
		return n < 4 && endless(w, nil)
	})
	r, err := take(t, newTestFetcher(t, nil), s.master(t, "", "/list", ""), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	wantFiles(t, r, l)
}

func testListedOnePath(t *testing.T) {
	s := newFaultServer(t)
	only := atomic.Pointer[string]{}
	first := "tokA"
	only.Store(&first)
	var list strings.Builder
	for _, k := range []string{"tokA", "tokB", "tokC"} {
		fmt.Fprintf(&list, "%s/get?sig=%s&token=%s\n", s.URL, secret, k)
	}
	answers(s.put("/get", nil), func(_ int, w http.ResponseWriter, r *http.Request) bool {
		token := r.URL.Query().Get("token")
		if o := only.Load(); o != nil && *o != token {
			w.WriteHeader(http.StatusServiceUnavailable)
			return true
		}
		w.Header().Set("Content-Disposition", `attachment; filename="file of `+token+`.pdf"`)
		io.WriteString(w, "%PDF-1.7\n"+strings.Repeat(token+" ", 300))
		return true
	})
	s.put("/list", []byte(list.String()))
	dir, m := t.TempDir(), s.master(t, "", "/list", "")
	r, err := take(t, newTestFetcher(t, shortBudget), m, dir)
	if err == nil {
		t.Fatal("no error, though two files are busy")
	}
	r.Close()
	only.Store(nil)
	if r, err = take(t, newTestFetcher(t, nil), m, dir); err != nil {
		t.Fatal(err)
	}
	got, _ := filesOf(t, r)
	for _, k := range []string{"tokA", "tokB", "tokC"} {
		if want := "%PDF-1.7\n" + strings.Repeat(k+" ", 300); got["file of "+k+".pdf"] != want {
			t.Errorf("file of %s: %.40q, of %v", k, got["file of "+k+".pdf"], len(got))
		}
	}
	if n := s.objects["/get"].n; n > 40 {
		t.Errorf("%d requests", n)
	}
}

func testListedOtherExport(t *testing.T) {
	s := newFaultServer(t)
	l := serveListing(s, "csv", 10, 100, func(i int) int { return 600 })
	answers(
		s.objects[l.names[9]],
		func(_ int, w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(503); return true },
	)
	dir := t.TempDir()
	if _, err := take(t, newTestFetcher(t, shortBudget), s.master(t, "", "/list", ""), dir); err == nil {
		t.Fatal("no error")
	}
	os.Remove(filepath.Join(dir, "lock"))
	for i, n := range l.names { // other contents, of the same sizes
		l.bodies[n] = append([]byte("%PDF-1.7\n"), zipLike(600, uint64(i+50))...)[:600]
		s.put(n, l.bodies[n])
	}
	s.put(
		"/fresh", bytes.ReplaceAll(l.page("csv", l.names, ""), []byte("?sig="), []byte("?X-Amz-Date=2&sig=")),
	)
	r, err := take(t, newTestFetcher(t, nil), s.master(t, "", "/fresh", ""), dir)
	if err != nil {
		t.Fatal(err)
	}
	wantFiles(t, r, l)
}

func testPageCutOnce(t *testing.T) {
	for _, form := range []string{"json", "xml", "html", "csv"} {
		s := newFaultServer(t)
		path, cut := "/list", "/list10"
		l := serveListing(s, form, 25, 10, func(i int) int { return 300 })
		if form == "xml" || form == "csv" { // of one page
			path, cut = "/", "/"
			s.put("/", l.page(form, l.names, ""))
		}
		page := s.objects[cut]
		answers(page, func(n int, w http.ResponseWriter, r *http.Request) bool {
			if n > 1 {
				return false
			}
			http.NewResponseController(w).Flush() // without a length
			w.Write(page.body[:len(page.body)*2/3])
			return true
		})
		r, err := take(t, newTestFetcher(t, nil), s.master(t, "", "", path), t.TempDir())
		if err != nil {
			t.Errorf("%s: %v", form, err)
			continue
		}
		wantFiles(t, r, l)
		if page.n < 2 {
			t.Errorf("%s: the page that was cut was asked for %d times", form, page.n)
		}
	}
}

func testPageCut(t *testing.T) {
	s := newFaultServer(t)
	serveListing(s, "json", 25, 100, func(i int) int { return 300 })
	s.put("/list", s.objects["/list"].body[:1500])
	_, err := take(t, newTestFetcher(t, shortBudget), s.master(t, "", "/list", ""), t.TempDir())
	if e, ok := err.(*failure.Error); !ok || e.Code.Exit() != 3 ||
		!strings.Contains(e.Message, "breaks off") {
		t.Errorf("Wait = %v, want a listing that breaks off", err)
	}
}

func testListingGoesOn(t *testing.T) {
	for name, end := range map[string]string{
		"a token": `"nextPageToken":"abc"`, "a flag": `"has_more":true`, "a number": `"total":7`,
	} {
		s := newFaultServer(t)
		l := serveListing(s, "json", 5, 100, func(i int) int { return 300 })
		body := bytes.TrimSuffix(bytes.TrimSpace(s.objects["/list"].body), []byte("}"))
		s.put("/list", append(body, []byte(","+end+"}")...))
		r, err := take(t, newTestFetcher(t, nil), s.master(t, "", "/list", ""), t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		wantFiles(t, r, l)
		if len(r.Objects[0].ListingNotes()) == 0 {
			t.Errorf("a listing that tells %s of further files counts as complete", name)
		}
	}
}

func testListingCircle(t *testing.T) {
	s := newFaultServer(t)
	l := serveListing(s, "xml", 5, 100, func(i int) int { return 300 })
	page := l.page("xml", l.names, "")
	more := bytes.Replace(
		page, []byte("<Contents>"),
		[]byte("<IsTruncated>true</IsTruncated><NextContinuationToken>t1</NextContinuationToken><Contents>"),
		1,
	)
	s.put("/", more) // whatever is asked for
	r, err := take(t, newTestFetcher(t, nil), s.master(t, "", "/", ""), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Objects[0].ListingNotes()) == 0 {
		t.Error("a listing that says that more follows, and shows the same again, counts as complete")
	}
	if bodies, _ := filesOf(t, r); len(bodies) != 5 {
		t.Errorf("%d files, want 5", len(bodies))
	}
}

// What grants access is no name, wherever in a link it stands.
func TestNamesInLinks(t *testing.T) {
	for _, tc := range []struct{ link, told, want string }{
		{"https://f.example.com/d/9c1b7e5f3a2d4c6b8e0f1a3c5d7e9b1f2a4c6e80", "", ""},
		{"https://f.example.com/d/9c1b7e5f3a2d4c6b8e0f1a3c5d7e9b1f2a4c6e80.pdf", "", ""},
		{"https://f.example.com/d/eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9", "", ""},
		{"https://f.example.com/d/9c1b7e5f3a2d4c6b8e0f1a3c5d7e9b1f/letter.pdf", "", "letter.pdf"},
		{"https://f.example.com/cvs/65f1c2d3e4a5b6c7d8e9f0a1.pdf", "", "65f1c2d3e4a5b6c7d8e9f0a1.pdf"},
		{
			"https://f.example.com/cvs/3fa85f64-5717-4562-b3fc-2c963f66afa6.pdf", "",
			"3fa85f64-5717-4562-b3fc-2c963f66afa6.pdf",
		},
		{
			"https://f.example.com/cvs/Lebenslauf2024JohannSchmidt1990.pdf", "",
			"Lebenslauf2024JohannSchmidt1990.pdf",
		},
		{
			"https://f.example.com/cvs/CV_Ada_Example_2024_final_v2.docx", "",
			"CV_Ada_Example_2024_final_v2.docx",
		},
		{
			"https://f.example.com/k/9c1b7e5f3a2d4c6b8e0f1a3c5d7e9b1f.pdf?sig=x", "",
			"9c1b7e5f3a2d4c6b8e0f1a3c5d7e9b1f.pdf",
		},
		{"https://f.example.com/d/9c1b7e5f3a2d4c6b8e0f1a3c5d7e9b1f", "9c1b7e5f3a2d4c6b8e0f1a3c5d7e9b1f", ""},
		{
			"https://f.example.com/d/9c1b7e5f3a2d4c6b8e0f1a3c5d7e9b1f",
			"9c1b7e5f3a2d4c6b8e0f1a3c5d7e9b1f/cv.pdf", "cv.pdf",
		},
		{
			"https://f.example.com/d/9c1b7e5f3a2d4c6b8e0f1a3c5d7e9b1f/demo7f3a2d4c6b8e0f1a3c5d7e9b1f2a4c6" +
				"e80.pdf",
			"", "demo7f3a2d4c6b8e0f1a3c5d7e9b1f2a4c6e80.pdf",
		},
		{
			"https://f.example.com/d/9c1b7e5f3a2d4c6b8e0f1a3c5d7e9b1f/cv.pdf",
			"9c1b7e5f3a2d4c6b8e0f1a3c5d7e9b1f/cv.pdf", "cv.pdf",
		},
		{
			"https://f.example.com/cvs/demo7f3a2d4c6b8e0f1a3c5d7e9b1f2a4c6e80/cv.pdf?sig=x",
			"demo7f3a2d4c6b8e0f1a3c5d7e9b1f2a4c6e80/cv.pdf", "demo7f3a2d4c6b8e0f1a3c5d7e9b1f2a4c6e80/cv.pdf",
		},
	} {
		href, err := link.New(tc.link)
		if err != nil {
			t.Fatal(err)
		}
		l := listing.Entry{Link: href, Name: tc.told}
		if l.HideTokens(); l.Label() != tc.want {
			t.Errorf("the file at %s, told as %q, is named %q, want %q", tc.link, tc.told, l.Label(), tc.want)
		}
	}
}
