package fetch

import (
	"errors"
	"net/http"
	"os"
	"testing"

	"holdall/fetch/failure"
	"holdall/fetch/link"
)

// flippedOnce serves body with one wrong byte to the first request, and later ones as later says.
func flippedOnce(
	t *testing.T, body []byte, later func(n int, o *served, w http.ResponseWriter, r *http.Request) bool,
) (*Run, *faultServer) {
	s := newFaultServer(t)
	o := s.put("/attachments.zip", body)
	o.fault = func(n int, o *served, w http.ResponseWriter, r *http.Request) bool {
		if n > 1 {
			return later(n, o, w, r)
		}
		bad := append([]byte(nil), o.body...)
		bad[700_000] ^= 8
		(&served{body: bad, etag: o.etag, mod: o.mod}).serve(w, r)
		return true
	}
	r, err := take(t, newTestFetcher(t, nil), s.master(t, "", "/attachments.zip", ""), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return r, s
}

func testBusyRefetch(t *testing.T) {
	body := zipLike(2<<20, 3)
	r, s := flippedOnce(t, body, func(n int, o *served, w http.ResponseWriter, r *http.Request) bool {
		switch n {
		case 2:
			return answer(w, http.StatusServiceUnavailable, nil)
		case 3:
			panic(http.ErrAbortHandler)
		case 4:
			return answer(w, http.StatusTooManyRequests, nil, "Retry-After", "0")
		}
		return false
	})
	if _, err := r.Objects[0].Refetch(t.Context(), 700_000, 1); err != nil {
		t.Fatalf("Refetch: %v", err)
	}
	wantBytes(t, r.Objects[0], body)
	if n := len(s.log()); n != 5 {
		t.Errorf("%d requests, want one, and four for the piece:\n%v", n, s.log())
	}
}

func testDeadRefetch(t *testing.T) {
	r, _ := flippedOnce(t, zipLike(2<<20, 3),
		func(n int, o *served, w http.ResponseWriter, r *http.Request) bool {
			return refuses(403, s3Error("AccessDenied", "Request has expired"))(o, w, r)
		})
	_, err := r.Objects[0].Refetch(t.Context(), 700_000, 1)
	var e *failure.Error
	if !errors.As(err, &e) || e.Code != failure.LinkExpired || e.Part != link.PartAttachments ||
		SameAgain(err) {
		t.Errorf("Refetch = %v, want that the link has expired", err)
	}
}

func testRottenPiece(t *testing.T) {
	s := newFaultServer(t)
	body := zipLike(2<<20, 3)
	s.put("/attachments.zip", body)
	r, err := take(t, newTestFetcher(t, nil), s.master(t, "", "/attachments.zip", ""), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	o := r.Objects[0]
	rot := func() {
		f, err := os.OpenFile(o.Path(), os.O_WRONLY, 0)
		if err == nil {
			_, err = f.WriteAt([]byte("rot"), 300_000)
		}
		if err := errors.Join(err, f.Close()); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // also where the piece is known to have come out the same twice
		rot()
		if _, err := o.Refetch(t.Context(), 300_000, 3); err != nil {
			t.Fatalf("Refetch: %v", err)
		}
		wantBytes(t, o, body)
	}
	if v, err := o.Wait(t.Context()); err != nil || v.Size != int64(len(body)) {
		t.Errorf("Wait = %+v, %v", v, err)
	}
}
