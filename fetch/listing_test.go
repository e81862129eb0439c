package fetch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdall/fetch/failure"
)

func TestListingsArriveWhole(t *testing.T) {
	for _, form := range []string{"csv", "json", "html", "xml"} {
		t.Run(form, func(t *testing.T) { t.Parallel(); testListingArrives(t, form) })
	}
}

func testListingArrives(t *testing.T, form string) {
	s := newFaultServer(t)
	pageSize := 50
	if form == "csv" || form == "xml" {
		pageSize = 1000
	}
	l := serveListing(s, form, 120, pageSize, func(i int) int { return i * 137 % 5000 })
	dir := t.TempDir()
	m := s.master(t, "", "", "/list")
	if form == "xml" {
		s.put("/", l.page("xml", l.names, ""))
		m = s.master(t, "", "", "/")
	}
	f := newTestFetcher(t, nil)
	r, err := take(t, f, m, dir)
	if err != nil {
		t.Fatal(err)
	}
	wantFiles(t, r, l)
	if p := r.Progress(); p.Files != 120 || p.TotalFiles != 120 || p.Done != p.Total {
		t.Errorf("progress %+v", p)
	}
	v, err := r.Objects[0].Wait(context.Background())
	if err != nil || v.Size == 0 {
		t.Errorf("Wait = %+v, %v", v, err)
	}
	r.Close()
	wantNoSecret(t, dir)

	before := len(s.log())
	r, err = take(t, f, m, dir)
	if err != nil {
		t.Fatal(err)
	}
	wantFiles(t, r, l)
	for _, q := range s.log()[before:] {
		if strings.Contains(q, "/files/") {
			t.Errorf("the second run asked again: %s", q)
		}
	}
	again, _ := r.Objects[0].Wait(context.Background())
	if again != v {
		t.Errorf("the second run says %+v, the first %+v", again, v)
	}
	r.Close()

	s.Close()
	p := f.offline(t, m, dir)
	if match, err := MatchSpool(dir, p); match.Complete != 1 || err != nil {
		t.Errorf("MatchSpool = %+v, %v; want a complete one", match, err)
	}
	r = mustFinish(t, f, p, dir)
	wantFiles(t, r, l)
	r.Close()
}

func testListingLargeFiles(t *testing.T) {
	s := newFaultServer(t)
	l := serveListing(s, "json", 6, 100, func(i int) int {
		if i%2 == 1 {
			return 3<<20 + i
		}
		return 1000
	})
	o := s.objects[l.names[3]]
	first(3, broken(700_000))(nil, o)
	r, err := take(t, newTestFetcher(t, nil), s.master(t, "", "", "/list"), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	wantFiles(t, r, l)
	total := int64(0)
	for _, b := range l.bodies {
		total += int64(len(b))
	}
	if p := r.Progress(); p.Fetched > total+1<<20 {
		t.Errorf("fetched %d for %d bytes", p.Fetched, total)
	}
}

func testListingDeadLinks(t *testing.T) {
	s := newFaultServer(t)
	l := serveListing(s, "csv", 40, 100, func(i int) int { return 500 })
	always(refuses(404, nil))(nil, s.objects[l.names[7]])
	first(2, refuses(500, nil))(nil, s.objects[l.names[9]])
	first(
		1, func(o *served, w http.ResponseWriter, r *http.Request) bool { panic(http.ErrAbortHandler) },
	)(nil, s.objects[l.names[11]])
	dir := t.TempDir()
	f := newTestFetcher(t, nil)
	m := s.master(t, "", "/list", "")
	r, err := take(t, f, m, dir)
	if err != nil {
		t.Fatal(err)
	}
	for file, err := range r.Objects[0].Files(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
		if (file.Err != nil) != (file.Index == 7) || file.Index == 7 && (file.Err.Code != failure.LinkGone ||
			file.Size != -1) {
			t.Errorf("file %d: %v", file.Index, file.Err)
		}
	}
	r.Close()
	s.objects[l.names[7]].fault = nil
	before := len(s.log())
	r, err = take(t, f, m, dir)
	if err != nil {
		t.Fatal(err)
	}
	wantFiles(t, r, l)
	if got := len(s.log()) - before; got != 2 {
		t.Errorf("the next run made %d requests, want two: the listing and what was missing", got)
	}
}

func testListingExpires(t *testing.T) {
	s := newFaultServer(t)
	l := serveListing(s, "csv", 400, 1000, func(i int) int { return 500 })
	for i, n := range l.names {
		if i >= 100 {
			always(refuses(403, s3Error("AccessDenied", "Request has expired")))(nil, s.objects[n])
		}
	}
	_, err := take(t, newTestFetcher(t, nil), s.master(t, "", "", "/list"), t.TempDir())
	var e *failure.Error
	if !errors.As(err, &e) || e.Code != failure.LinkExpired {
		t.Errorf("Wait = %v, want expired links", err)
	}
	if got := len(s.log()); got > 101+maxFileConns+1 {
		t.Errorf("%d requests, want no more than one a connection after the expiry", got-101)
	}
}

func testListingOfPages(t *testing.T) {
	s := newFaultServer(t)
	l := serveListing(s, "csv", 40, 100, func(i int) int { return 500 })
	for _, n := range l.names {
		always(refuses(200, []byte(signInPage), "Content-Type", "text/html"))(nil, s.objects[n])
	}
	_, err := take(t, newTestFetcher(t, nil), s.master(t, "", "", "/list"), t.TempDir())
	var e *failure.Error
	if !errors.As(err, &e) || e.Code != failure.NotTheExport {
		t.Errorf("Wait = %v, want not-the-export", err)
	}
}

func testListingDuplicates(t *testing.T) {
	s := newFaultServer(t)
	l := serveListing(s, "csv", 10, 100, func(i int) int { return 500 })
	l.names = append(l.names, l.names[3], l.names[3])
	s.put("/list", l.page("csv", l.names, ""))
	r, err := take(t, newTestFetcher(t, nil), s.master(t, "", "", "/list"), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	wantFiles(t, r, l)
	if got := len(s.log()); got != 11 {
		t.Errorf("%d requests, want 11", got)
	}
}

func testListingBreaks(t *testing.T) {
	s := newFaultServer(t)
	l := serveListing(s, "json", 300, 1000, func(i int) int { return 100 })
	list := s.objects["/list"]
	list.fault = func(n int, o *served, w http.ResponseWriter, r *http.Request) bool {
		return n <= 6 && broken(7000)(list, w, r)
	}
	r, err := take(t, newTestFetcher(t, nil), s.master(t, "", "", "/list"), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	wantFiles(t, r, l)
}

func testFreshListing(t *testing.T) {
	s := newFaultServer(t)
	l := serveListing(s, "csv", 50, 100, func(i int) int { return 900 })
	for i, n := range l.names {
		if i >= 30 {
			always(refuses(403, s3Error("AccessDenied", "Request has expired")))(nil, s.objects[n])
		}
	}
	dir := t.TempDir()
	f := newTestFetcher(t, func(o *Options) { o.Connections = 1 })
	if _, err := take(t, f, s.master(t, "", "", "/list"), dir); err == nil {
		t.Fatal("no error")
	} else if err := err.(*failure.Error); err.Code != failure.LinkExpired {
		t.Fatal(err)
	}
	os.Remove(filepath.Join(dir, "lock"))
	for _, n := range l.names {
		s.objects[n].fault = nil
	}
	// Signed anew, the listing has other bytes and the links another parameter.
	s.put(
		"/fresh", bytes.ReplaceAll(l.page("csv", l.names, ""), []byte("?sig="), []byte("?X-Amz-Date=2&sig=")),
	)
	before := len(s.log())
	r, err := take(t, f, s.master(t, "", "", "/fresh"), dir)
	if err != nil {
		t.Fatal(err)
	}
	wantFiles(t, r, l)
	asked := map[string]bool{} // on a busy machine, some may be asked for twice
	for _, request := range s.log()[before:] {
		asked[request] = true
	}
	if len(asked) != 1+50 {
		t.Errorf("%d different requests, want one for the listing and one a file", len(asked))
	}
	// Another export may have files of the same names and sizes at the same places, so each is asked for, and
	// known by its ETag.
	if p := r.Progress(); p.Reused != 30*900 || p.Fetched != 20*900 {
		t.Errorf(
			"%d bytes reused and %d fetched, want the 30 files that were here and the 20 that were missing",
			p.Reused, p.Fetched,
		)
	}
}

func testListingKilled(t *testing.T) {
	s := newFaultServer(t)
	l := serveListing(s, "json", 400, 1000, func(i int) int {
		if i%100 == 50 {
			return 2 << 20
		}
		return 2000
	})
	for _, n := range l.names {
		o := s.objects[n]
		o.fault = func(_ int, o *served, w http.ResponseWriter, r *http.Request) bool {
			time.Sleep(20 * time.Millisecond)
			o.serve(throttle(w, 8<<20), r)
			return true
		}
	}
	dir := t.TempDir()
	m := s.master(t, "", "", "/list")
	kills := killAtRandom(t, m, dir, 6, 500*time.Millisecond)
	r, err := take(t, newTestFetcher(t, nil), m, dir)
	if err != nil {
		t.Fatal(err)
	}
	wantFiles(t, r, l)
	if p := r.Progress(); p.Fetched != 0 {
		t.Errorf("after %d kills and a run to the end, %d bytes were fetched again", kills, p.Fetched)
	}
	wantNoSecret(t, dir)
}

func testListingOddFiles(t *testing.T) {
	s := newFaultServer(t)
	l := &listedServer{faultServer: s, bodies: map[string][]byte{}}
	page := "Name,URL\n"
	for i, size := range []int{0, 1000, 0, 2000} {
		path := fmt.Sprintf("/files/%d/cv.pdf", i)
		l.names, l.bodies[path] = append(l.names, path), zipLike(max(size, 4), uint64(i))[:size]
		s.put(path, l.bodies[path])
		page += "cv.pdf," + l.signed(path) + "\n"
	}
	s.put("/list", []byte(page))
	r, err := take(t, newTestFetcher(t, nil), s.master(t, "", "", "/list"), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	wantFiles(t, r, l)
}
