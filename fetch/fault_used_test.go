package fetch

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"holdall/fetch/failure"
)

// What files of a listing do whose links work once.
var usedFaults = []faultCase{
	{
		name: "a listed file's link works once, and its answer has no length", test: testListedOnceUnframed,
		outcome: "it is kept as it came, and named: nothing proves its end",
	},
	{
		name: "a listed file's link works once, and is used up by an answer that " +
			"fails", test: testListedUsedUp,
		outcome: "`link-expired`, with all others here; a new master CSV brings it",
	},
	{
		name: "a listed file's link is used up by an answer that fails, with each new " +
			"link", test: testListedGoneAgain,
		outcome: "named missing when it has been so with two links",
	},
	{
		name: "the same, and the secrets of the links are in their paths", test: testListedGoneAgainInPath,
		outcome: "named missing when it has been so with two links",
	},
	{
		name: "a link's only answer has no bytes, and so has that of the next link", test: testEmptyOnce,
		outcome: "`link-gone` for the first one; with the second one the object is empty",
	},
}

// namedLinks is a listing of text lines, with what each link is asked for from name.
func namedLinks(s *faultServer, query string, names ...string) {
	var list strings.Builder
	for _, name := range names {
		fmt.Fprintf(&list, "%s/u/%s?sig=%s&%s\n", s.URL, url.PathEscape(name), secret, query)
	}
	s.put("/list", []byte(list.String()))
}

func testListedOnceUnframed(t *testing.T) {
	s := newFaultServer(t)
	for _, name := range []string{"a.pdf", "b.pdf"} {
		body := []byte("%PDF-1.7\n" + strings.Repeat(name, 100))
		answers(s.put("/u/"+name, body), func(n int, w http.ResponseWriter, _ *http.Request) bool {
			if n > 1 {
				w.WriteHeader(http.StatusGone)
				return true
			}
			return endless(w, body)
		})
	}
	namedLinks(s, "token=tok1", "a.pdf", "b.pdf")
	r, err := take(t, newTestFetcher(t, shortBudget), s.master(t, "", "/list", ""), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	got, odd := filesOf(t, r)
	for _, name := range []string{"a.pdf", "b.pdf"} {
		if got[name] != "%PDF-1.7\n"+strings.Repeat(name, 100) || !strings.Contains(odd[name], "only once") {
			t.Errorf("%s: %d bytes, said to be odd: %q", name, len(got[name]), odd[name])
		}
	}
}

// usedUp serves files of which b.pdf answers 500 to the first request by a link, and 410 to every other one,
// until good is set.
func usedUp(s *faultServer, good *atomic.Bool) {
	for _, name := range []string{"a.pdf", "b.pdf", "c.pdf"} {
		o := s.put("/u/"+name, []byte("%PDF-1.7\n"+strings.Repeat(name, 100)))
		if name != "b.pdf" {
			continue
		}
		seen := map[string]bool{}
		answers(o, func(_ int, w http.ResponseWriter, r *http.Request) bool {
			s.mu.Lock()
			used := seen[r.URL.RawQuery]
			seen[r.URL.RawQuery] = true
			s.mu.Unlock()
			switch {
			case good.Load() && !used:
				return false
			case used:
				w.WriteHeader(http.StatusGone)
			default:
				w.WriteHeader(http.StatusInternalServerError)
			}
			return true
		})
	}
}

func testListedUsedUp(t *testing.T) {
	s, good := newFaultServer(t), new(atomic.Bool)
	usedUp(s, good)
	f, dir := newTestFetcher(t, shortBudget), t.TempDir()
	namedLinks(s, "token=tok1", "a.pdf", "b.pdf", "c.pdf")
	r, err := take(t, f, s.master(t, "", "/list", ""), dir)
	if e, ok := err.(*failure.Error); !ok || e.Code.Exit() != 4 ||
		!strings.Contains(e.Message, "1 of the listing's 3 files") {
		t.Fatalf("Wait = %v, want a new link to be asked for", err)
	}
	r.Close()
	good.Store(true)
	namedLinks(s, "token=tok2", "a.pdf", "b.pdf", "c.pdf")
	r, err = take(t, f, s.master(t, "", "/list", ""), dir)
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := filesOf(t, r); got["b.pdf"] != "%PDF-1.7\n"+strings.Repeat("b.pdf", 100) {
		t.Errorf("b.pdf has %d bytes", len(got["b.pdf"]))
	}
}

func testListedGoneAgain(t *testing.T) {
	s := newFaultServer(t)
	usedUp(s, new(atomic.Bool))
	missingWithTheSecondLink(t, s, func(link int) {
		namedLinks(s, fmt.Sprint("token=tok", link), "a.pdf", "b.pdf", "c.pdf")
	})
}

func testListedGoneAgainInPath(t *testing.T) {
	s := newFaultServer(t)
	missingWithTheSecondLink(t, s, func(link int) {
		var list strings.Builder
		for _, name := range []string{"a.pdf", "b.pdf", "c.pdf"} {
			path := fmt.Sprintf("/%s%d/%s", secret, link, name)
			o := s.put(path, []byte("%PDF-1.7\n"+strings.Repeat(name, 100)))
			fmt.Fprintln(&list, s.link(path))
			if name == "b.pdf" {
				answers(o, func(n int, w http.ResponseWriter, _ *http.Request) bool {
					return n > 1 && answer(w, 410, nil) || answer(w, 500, nil)
				})
			}
		}
		s.put("/list", []byte(list.String()))
	})
}

// missingWithTheSecondLink takes the listing of three files that issue makes, with new links each time, until
// one of them is given up.
func missingWithTheSecondLink(t *testing.T, s *faultServer, issue func(link int)) {
	f, dir := newTestFetcher(t, shortBudget), t.TempDir()
	for link := 1; ; link++ {
		issue(link)
		r, err := take(t, f, s.master(t, "", "/list", ""), dir)
		if err == nil {
			if link != 2 {
				t.Errorf("it ended with link %d, want 2", link)
			}
			missing := 0
			for file, err := range r.Objects[0].Files(t.Context()) {
				if err != nil {
					t.Fatal(err)
				}
				if file.Err != nil {
					missing++
				}
			}
			if missing != 1 {
				t.Errorf("%d files are missing, want 1", missing)
			}
			return
		}
		r.Close()
		if link > 4 {
			t.Fatalf("it does not end: %v", err)
		}
	}
}

func testEmptyOnce(t *testing.T) {
	s, dir := newFaultServer(t), t.TempDir()
	s.put("/data.zip", zipOf(t, 3))
	for link := 1; link <= 2; link++ {
		path := fmt.Sprintf("/%s%d/attachments.zip", secret, link)
		answers(s.put(path, nil), func(n int, w http.ResponseWriter, _ *http.Request) bool {
			return n > 1 && answer(w, 410, nil)
		})
		for again := range 2 { // the second time all links are used up
			f := newTestFetcher(t, shortBudget)
			p, err := f.Plan(t.Context(), s.master(t, "/data.zip", path, ""))
			if err == nil {
				err = f.AnswerFrom(dir, p)
			}
			if err != nil {
				t.Fatal(err)
			}
			src := p.Sources[1]
			if empty := src.Err == nil; empty != (link == 2) {
				t.Fatalf("link %d, again %d: %v", link, again, src.Err)
			}
			if link == 1 && (src.Err.Code != failure.LinkGone ||
				strings.Contains(src.Err.Message, "no bytes") != (again == 0)) {
				t.Errorf("link %d, again %d: %v", link, again, src.Err)
			}
			r, err := f.Start(t.Context(), p, dir)
			if err == nil {
				err = r.Wait()
			}
			if err != nil {
				t.Fatal(err)
			}
			if link == 2 {
				wantBytes(t, r.Objects[1], nil)
			}
			r.Close()
		}
	}
}
