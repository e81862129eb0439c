package fetch

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"holdall/fetch/failure"
	"holdall/fetch/link"
	"holdall/fetch/listing"
)

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

func testPagesRedirected(t *testing.T) {
	s := newFaultServer(t)
	want := map[string]string{}
	for i, page := range []string{"/list", "/list2"} {
		at := fmt.Sprintf("/store/%d/", i)
		body := fmt.Sprintf("<!DOCTYPE html><html><body><a href=\"%d.pdf?sig=%s\">%d.pdf</a>\n", i, secret, i)
		if i == 0 {
			body += "<a rel=\"next\" href=\"/list2?sig=" + secret + "\">more</a>\n"
		}
		s.put(at+"page.html", []byte(body+"</body></html>"))
		answers(s.put(page, nil), func(_ int, w http.ResponseWriter, r *http.Request) bool {
			http.Redirect(w, r, at+"page.html?sig="+secret, http.StatusFound)
			return true
		})
		want[fmt.Sprintf("%d.pdf", i)] = fmt.Sprintf("%%PDF-1.7\n%s", strings.Repeat(at, 100))
		s.put(fmt.Sprintf("%s%d.pdf", at, i), []byte(want[fmt.Sprintf("%d.pdf", i)]))
	}
	r, err := take(t, newTestFetcher(t, nil), s.master(t, "", "/list", ""), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := filesOf(t, r); !maps.Equal(got, want) {
		t.Errorf("got %d files", len(got))
	}
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

// What grants access is not a name, wherever in a link it stands.
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
