package fetch

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"holdall/fetch/link"
)

func TestThreePartsArriveWhole(t *testing.T) {
	s := newFaultServer(t)
	bodies := map[link.Part][]byte{
		link.PartData: zipLike(300<<10, 1), link.PartAttachments: zipLike(30<<20+12345, 2),
		link.PartCVs: zipLike(9<<20, 3),
	}
	s.put("/data.zip", bodies[link.PartData])
	s.put("/attachments.zip", bodies[link.PartAttachments])
	s.put("/cvs.zip", bodies[link.PartCVs])
	m := s.master(t, "/data.zip", "/attachments.zip", "/cvs.zip")
	dir := t.TempDir()
	f := newTestFetcher(t, nil)
	r, err := take(t, f, m, dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range r.Objects {
		wantBytes(t, o, bodies[o.Source.Part])
	}
	p := r.Progress()
	if p.Done != p.Total || p.Fetched != p.Total || p.Reused != 0 {
		t.Errorf("progress at the end: %+v", p)
	}
	for _, q := range s.log() {
		if !strings.HasPrefix(q, "GET ") {
			t.Errorf("request %s, want GET only", q)
		}
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}

	t.Run("a second run asks for nothing more than the probes", func(t *testing.T) {
		r, err := take(t, f, m, dir)
		if err != nil {
			t.Fatal(err)
		}
		if p := r.Progress(); p.Fetched != 0 || p.Reused != p.Total {
			t.Errorf("progress %+v, want everything reused", p)
		}
		r.Close()
	})
	t.Run("a complete spool needs no network", func(t *testing.T) {
		s.Close()
		p := f.offline(t, m, dir)
		match, err := MatchSpool(dir, p)
		if err != nil || match.Complete != 3 {
			t.Errorf("MatchSpool = %+v, %v; want 3 complete", match, err)
		}
		r := mustFinish(t, f, p, dir)
		for _, o := range r.Objects {
			wantBytes(t, o, bodies[o.Source.Part])
		}
		r.Close()
	})
}

// mustFinish fetches a plan to its end.
func mustFinish(t *testing.T, f *Fetcher, p *Plan, dir string) *Run {
	t.Helper()
	r, err := f.Start(context.Background(), p, dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Wait(); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestAReaderGetsTheTailFirstAndEverythingInTheEnd(t *testing.T) {
	s := newFaultServer(t)
	body := zipLike(40<<20+77, 4)
	s.put("/attachments.zip", body)
	f := newTestFetcher(t, func(o *Options) { o.MaxRate = 20 << 20 })
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	p, err := f.Plan(ctx, s.master(t, "", "/attachments.zip", ""))
	if err != nil {
		t.Fatal(err)
	}
	r, err := f.Start(ctx, p, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	o := r.Objects[0]
	tail := make([]byte, 22)
	if n, err := o.ReadAt(tail, int64(len(body)-22)); n != 22 || err != nil {
		t.Fatalf("ReadAt the tail = %d, %v", n, err)
	}
	if !bytes.Equal(tail, body[len(body)-22:]) {
		t.Error("the tail differs")
	}
	if done := r.Progress().Done; done > 12<<20 {
		t.Errorf("the tail came after %d bytes of others", done)
	}
	got, err := io.ReadAll(io.NewSectionReader(o, 0, int64(len(body))))
	if err != nil || !bytes.Equal(got, body) {
		t.Errorf("read from front to back: %v, equal %v", err, bytes.Equal(got, body))
	}
	if n, err := o.ReadAt(make([]byte, 10), int64(len(body)-4)); n != 4 || err != io.EOF {
		t.Errorf("ReadAt across the end = %d, %v; want 4, EOF", n, err)
	}
	if err := r.Wait(); err != nil {
		t.Error(err)
	}
	if p := r.Progress(); p.Fetched != int64(len(body)) {
		t.Errorf("fetched %d of %d bytes; want each once", p.Fetched, len(body))
	}
}

func TestAReaderGetsAConnectionWhenAllAreBusy(t *testing.T) {
	s := newFaultServer(t)
	body := zipLike(48<<20, 5)
	s.put("/attachments.zip", body).fault = func(
		_ int, o *served, w http.ResponseWriter, r *http.Request,
	) bool {
		o.serve(throttle(w, 6<<20), r)
		return true
	}
	f := newTestFetcher(t, func(o *Options) { o.Connections = 2 })
	p, err := f.Plan(t.Context(), s.master(t, "", "/attachments.zip", ""))
	if err != nil {
		t.Fatal(err)
	}
	r, err := f.Start(t.Context(), p, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for r.Progress().Done < 2<<20 {
		time.Sleep(time.Millisecond)
	}
	// Both connections have megabytes of their spans before them.
	tail := make([]byte, 1000)
	if _, err := r.Objects[0].ReadAt(tail, int64(len(body)-len(tail))); err != nil ||
		!bytes.Equal(tail, body[len(body)-len(tail):]) {
		t.Errorf("ReadAt the tail: %v, or other bytes", err)
	}
	if done := r.Progress().Done; done > 8<<20 {
		t.Errorf("the tail came after %d bytes of others", done)
	}
}
