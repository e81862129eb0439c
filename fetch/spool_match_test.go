package fetch

import (
	"bytes"
	"fmt"
	"net/http"
	"testing"
	"time"
)

// What ties the next plan to what has been received, where a server says other things about an object each
// time, or none.
func TestMatchSpoolByContent(t *testing.T) {
	const large = 300_000 // more than a probe looks at
	date := time.Date(2026, 3, 2, 11, 0, 0, 0, time.UTC)
	unframed := func(_ int, o *served, w http.ResponseWriter, _ *http.Request) bool {
		return endless(w, o.body)
	}
	edge := func(o *served) { o.etag = fmt.Sprintf(`"edge %s"`, o.mod) }
	tests := []struct {
		name      string
		size      int
		first     func(o *served)
		then      func(o *served) // what changes until the second plan
		otherPath bool            // the second link has another secret in its path
		want      Match           // its counts but for the bytes
	}{
		{"another ETag behind the very link", large, edge,
			func(o *served) { o.etag = `"of another edge"` }, false, Match{Alike: 1}},
		{"another ETag, and other bytes", large, edge, func(o *served) {
			o.etag, o.body = `"new"`, zipLike(large, 9)
		}, false, Match{Different: 1}},
		{"another ETag, and another length", large, edge, func(o *served) {
			o.etag, o.body = `"new"`, append(bytes.Clone(o.body), 0)
		}, false, Match{Different: 1}},
		{"another ETag, by a link of another secret", large, edge,
			func(o *served) { o.etag = `"b"` }, true, Match{}},
		{"size, date and beginning, by a link of another secret", large,
			func(o *served) { o.etag, o.mod = "", date }, func(*served) {}, true,
			Match{Same: 1, Complete: 1}},
		{"another date, by a link of another secret", large, func(o *served) { o.etag, o.mod = "", date },
			func(o *served) { o.mod = date.Add(time.Hour) }, true, Match{}},
		{"a small object of which nothing is said, by a link of another secret", 5000,
			func(o *served) { o.etag, o.mod, o.fault = "", time.Time{}, unframed }, func(*served) {}, true,
			Match{Same: 1, Complete: 1}},
		{"another small object of which nothing is said", 5000,
			func(o *served) { o.etag, o.mod, o.fault = "", time.Time{}, unframed },
			func(o *served) { o.body = zipLike(5000, 9) }, true, Match{}},
		{"a large object of which nothing is said", large,
			func(o *served) { o.etag, o.mod, o.fault = "", time.Time{}, unframed }, func(*served) {}, true,
			Match{}},
		{"the same ETag, and no length any more", large, edge, func(o *served) {
			o.fault = func(_ int, o *served, w http.ResponseWriter, _ *http.Request) bool {
				return raw(w, "HTTP/1.0 200 OK\r\nETag: "+o.etag+"\r\n\r\n", o.body)
			}
		}, false, Match{Same: 1, Complete: 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, dir := newFaultServer(t), t.TempDir()
			path := "/" + secret + "0/attachments.zip"
			o := s.put(path, zipLike(tt.size, 5))
			tt.first(o)
			r, err := take(t, newTestFetcher(t, nil), s.master(t, "", path, ""), dir)
			if err != nil {
				t.Fatal(err)
			}
			r.Close()
			s.mu.Lock()
			tt.then(o)
			if tt.otherPath {
				path = "/" + secret + "1/attachments.zip"
				s.objects[path] = o
			}
			s.mu.Unlock()
			f := newTestFetcher(t, nil)
			defer f.Close()
			p, err := f.Plan(t.Context(), s.master(t, "", path, ""))
			if err != nil {
				t.Fatal(err)
			}
			got, err := MatchSpool(dir, p)
			got.Bytes = 0
			if err != nil || got != tt.want {
				t.Errorf("%+v, %v; want %+v", got, err, tt.want)
			}
		})
	}
}
