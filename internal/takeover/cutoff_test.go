package takeover

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"holdall/fetch/failure"
	"holdall/query"
)

// breaksAt answers a request for an object as a server does whose copy of it ends at a byte, though it gives
// the length of the whole: with ranges, without, or in chunks that never end.
func breaksAt(t *testing.T, o *siteObject, at func() int, how string) {
	o.odd = func(n int, w http.ResponseWriter, r *http.Request) bool {
		from, end := 0, at()
		if how != "no ranges" {
			fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &from)
		}
		w.Header().Set("ETag", `"the-one"`)
		if how != "chunks" {
			w.Header().Set("Content-Length", fmt.Sprint(len(o.body)-from))
		}
		if r.Header.Get("Range") != "" && how != "no ranges" {
			total := fmt.Sprint(len(o.body))
			if how == "chunks" {
				total = "*"
			}
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%s", from, len(o.body)-1, total))
			w.WriteHeader(http.StatusPartialContent)
		}
		if from < end {
			w.Write(o.body[from:end])
		}
		http.NewResponseController(w).Flush()
		if end == len(o.body) {
			return true
		}
		panic(http.ErrAbortHandler)
	}
}

// An object of which the server has only the beginning would keep a takeover from ending forever. A second
// run that gets no further takes what there is, and says so.
func TestAnObjectThatAlwaysBreaksOff(t *testing.T) {
	for _, how := range []string{"ranges", "no ranges", "chunks"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			s := newSite(
				t,
				map[string]string{"/data.zip": people(t, "Ada"), "/cvs.zip": zipOf(t, "CA-1.txt", "a life")},
			)
			z := zipOf(t, "CA-1/terms.txt", noise(400_000), "CA-1/offer.txt", "an offer")
			o := s.put("/attachments.zip", z)
			end := strings.Index(z, "CA-1/offer.txt") + 40
			breaksAt(t, o, func() int { return end }, how)
			root, m := t.TempDir(), s.master("quiet", "/data.zip", "/attachments.zip", "/cvs.zip")
			wantCode(t, m, quick(t, root), failure.Network)
			r := mustTake(t, m, quick(t, root))
			if !r.Faulty() || r.Documents.Attachments == 0 || r.Documents.CVs != 1 {
				t.Errorf("%+v; want findings, the attachment that is whole, and the CV", r)
			}
			if !slices.ContainsFunc(r.Findings, isDamage) {
				t.Errorf("findings %+v; want %s", r.Findings, query.DamagedInSource)
			}
			mustVerify(t, root, r)
		})
	}
}

func isDamage(f FindingCount) bool { return f.Code == query.DamagedInSource }

// As long as a single byte more arrives, nothing is taken for the end.
func TestAnObjectThatBreaksOffLaterEachTime(t *testing.T) {
	s := newSite(
		t, map[string]string{"/data.zip": people(t, "Ada"), "/cvs.zip": zipOf(t, "CA-1.txt", "a life")},
	)
	z := zipOf(t, "CA-1/terms.txt", noise(400_000), "CA-1/offer.txt", "an offer")
	o := s.put("/attachments.zip", z)
	end := len(z) / 2
	breaksAt(t, o, func() int { return end }, "ranges")
	root, m := t.TempDir(), s.master("quiet", "/data.zip", "/attachments.zip", "/cvs.zip")
	for _, end = range []int{len(z) / 2, len(z)/2 + 1, len(z) - 1} {
		wantCode(t, m, quick(t, root), failure.Network)
	}
	end = len(z)
	r := mustTake(t, m, quick(t, root))
	if r.Documents.Attachments != 2 || slices.ContainsFunc(r.Findings, isDamage) {
		t.Errorf("%+v; want both attachments, and nothing damaged", r)
	}
}

// A cut-off object is asked for again by every run that still has something to do: the server may have it by
// then.
func TestACutOffObjectMayBeWholeLater(t *testing.T) {
	s := newSite(
		t, map[string]string{"/data.zip": people(t, "Ada"), "/cvs.zip": zipOf(t, "CA-1.txt", "a life")},
	)
	z := zipOf(t, "CA-1/terms.txt", noise(400_000), "CA-1/offer.txt", "an offer")
	o := s.put("/attachments.zip", z)
	end, busy := len(z)/2, true
	breaksAt(t, o, func() int { return end }, "ranges")
	s.objects["/cvs.zip"].odd = func(n int, w http.ResponseWriter, r *http.Request) bool {
		if busy {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		return busy
	}
	root, m := t.TempDir(), s.master("quiet", "/data.zip", "/attachments.zip", "/cvs.zip")
	opts := quick(t, root)
	opts.Fetch.RetryBudget = 3 * time.Second
	for range 2 { // the second of which takes what there is of the attachments
		wantCode(t, m, opts, failure.Network)
	}
	end, busy = len(z), false
	r := mustTake(t, m, quick(t, root))
	if r.Documents.Attachments != 2 || slices.ContainsFunc(r.Findings, isDamage) {
		t.Errorf("%+v; want both attachments, and nothing damaged", r)
	}
}
