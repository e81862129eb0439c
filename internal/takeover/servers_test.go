package takeover

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"holdall/fetch/failure"
	"holdall/fetch/link"
	"holdall/internal/containertest"
)

// A manner is how a server answers the n-th request for an object; false where it answers as servers should.
type manner func(w http.ResponseWriter, r *http.Request, n int, content []byte) bool

// servedBy serves a whole delivery by a server of that manner and returns the master CSV.
func servedBy(t *testing.T, m manner) (master []byte) {
	t.Helper()
	plain := delivery{}.serve(t)
	good := "http://" + strings.Split(strings.SplitN(string(plain), "http://", 2)[1], "/")[0]
	var mu sync.Mutex
	asked := map[string]int{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked[r.URL.Path]++
		n := asked[r.URL.Path]
		mu.Unlock()
		resp, err := http.Get(good + r.URL.Path)
		if err != nil {
			t.Error(err)
			return
		}
		defer resp.Body.Close()
		content, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Error(err)
			return
		}
		w.Header().Set("ETag", fmt.Sprintf(`"%d"`, len(content)))
		if !m(w, r, n, content) {
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
		}
	}))
	t.Cleanup(s.Close)
	return []byte(strings.ReplaceAll(string(plain), good, s.URL))
}

func as(encoding string, encode func(testing.TB, []byte) []byte, t *testing.T) manner {
	return func(w http.ResponseWriter, r *http.Request, n int, content []byte) bool {
		w.Header().Set("Content-Encoding", encoding)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(encode(t, content)))
		return true
	}
}

// However a server serves an export, everything of it arrives.
func TestAnExportIsTakenFromServersAsTheyAre(t *testing.T) {
	for _, tc := range []struct {
		name  string
		m     manner
		codes []string
	}{
		{name: "it keeps the objects gzipped", m: as("gzip", containertest.Gzip[[]byte], t)},
		{name: "it keeps the objects as zstd", m: as("zstd", containertest.Zstd[[]byte], t)},
		{name: "it calls ZIPs gzip", m: as("gzip", func(_ testing.TB, b []byte) []byte { return b }, t)},
		{name: "each link works once",
			m: func(w http.ResponseWriter, r *http.Request, n int, content []byte) bool {
				if n > 1 {
					w.WriteHeader(http.StatusGone)
				}
				return n > 1
			}},
		{name: "the objects are still being prepared",
			m: func(w http.ResponseWriter, r *http.Request, n int, content []byte) bool {
				if n < 3 {
					w.WriteHeader(http.StatusAccepted)
				}
				return n < 3
			}},
		{
			name: "its first answers are empty",
			m:    func(w http.ResponseWriter, r *http.Request, n int, content []byte) bool { return n == 1 },
		},
		{name: "it says nothing of where its ranges lie",
			m: func(w http.ResponseWriter, r *http.Request, n int, content []byte) bool {
				if r.Header.Get("Range") == "" {
					return false
				}
				w.WriteHeader(http.StatusPartialContent)
				w.Write(content)
				return true
			}},
		{name: "it tells a checksum of something else",
			m: func(w http.ResponseWriter, r *http.Request, n int, content []byte) bool {
				w.Header().Set("X-Amz-Checksum-Sha256", base64.StdEncoding.EncodeToString(make([]byte, 32)))
				return false
			}, codes: []string{"warning checksum-contradicted"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			r, err := Take(t.Context(), MasterCSV{Raw: servedBy(t, tc.m)}, options(t, root))
			if err != nil {
				t.Fatal(err)
			}
			checkDelivered(t, root, r, whole(), tc.codes...)
		})
	}
}

// A part that is still being prepared is not yet: the others are received, and the next run resumes just
// that part.
func TestAPartThatIsBeingPreparedIsNotYet(t *testing.T) {
	var mu sync.Mutex
	ready, asked := false, map[string]int{}
	master := servedBy(t, func(w http.ResponseWriter, r *http.Request, n int, content []byte) bool {
		mu.Lock()
		defer mu.Unlock()
		asked[r.URL.Path]++
		if ready || !strings.Contains(r.URL.Path, "attachments") {
			return false
		}
		w.Header().Set("Retry-After", "1200")
		w.WriteHeader(http.StatusAccepted)
		return true
	})
	root := t.TempDir()
	o := options(t, root)
	o.Fetch.RetryBudget = 2 * time.Second
	r, err := Take(t.Context(), MasterCSV{Raw: master}, o)
	var fe *failure.Error
	if !errors.As(err, &fe) || fe.Code != failure.Busy || fe.Part != link.PartAttachments ||
		time.Until(fe.ResumeAfter) < 19*time.Minute {
		t.Fatalf(
			"take: %v (to be resumed after %v); want that the attachments are not ready", err, fe.ResumeAfter,
		)
	}
	if r.State != StateIncomplete {
		t.Errorf("state %s, want incomplete", r.State)
	}
	mu.Lock()
	ready = true
	mu.Unlock()
	r, err = Take(t.Context(), MasterCSV{Raw: master}, options(t, root))
	if err != nil {
		t.Fatal(err)
	}
	checkDelivered(t, root, r, whole())
}

// A part whose server is away for longer than a probe waits is followed in the same run, while the others are
// received.
func TestAPartThatAnswersLateIsTakenInTheSameRun(t *testing.T) {
	for _, part := range []string{"data", "attachments", "cvs"} {
		t.Run(part, func(t *testing.T) {
			t.Parallel()
			var mu sync.Mutex
			began := time.Now()
			served := 0
			master := servedBy(t, func(w http.ResponseWriter, r *http.Request, n int, content []byte) bool {
				if !strings.Contains(r.URL.Path, part) {
					return false
				}
				if time.Since(began) < 8*time.Second {
					w.WriteHeader(http.StatusServiceUnavailable)
					return true
				}
				mu.Lock()
				defer mu.Unlock()
				served++
				return false
			})
			root := t.TempDir()
			o := options(t, root)
			o.Fetch.RetryBudget = 6 * time.Second
			r, err := Take(t.Context(), MasterCSV{Raw: master}, o)
			if err != nil {
				t.Fatalf("take: %v", err)
			}
			checkDelivered(t, root, r, whole())
			if served != 1 {
				t.Errorf("the late part was served %d times, want once", served)
			}
		})
	}
}

// One that stays away ends the run as not yet, with the others here.
func TestAPartThatStaysAwayIsNotYet(t *testing.T) {
	master := servedBy(t, func(w http.ResponseWriter, r *http.Request, n int, content []byte) bool {
		if strings.Contains(r.URL.Path, "cvs") {
			w.WriteHeader(http.StatusServiceUnavailable)
			return true
		}
		return false
	})
	o := options(t, t.TempDir())
	o.Fetch.RetryBudget = 2 * time.Second
	began := time.Now()
	r, err := Take(t.Context(), MasterCSV{Raw: master}, o)
	var fe *failure.Error
	if !errors.As(err, &fe) || !fe.Retryable() || fe.Part != link.PartCVs || r.State != StateIncomplete {
		t.Fatalf("take: %v, %+v; want that the CVs have not arrived yet", err, r)
	}
	if d := time.Since(began); d > 45*time.Second {
		t.Errorf("the run ended after %s", d)
	}
}
