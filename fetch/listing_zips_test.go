package fetch

import (
	"testing"

	"holdall/fetch/failure"
	"holdall/fetch/master"
	"holdall/internal/filetype"
)

func TestAListingOfZIPsIsTheZIPs(t *testing.T) {
	s := newFaultServer(t)
	bodies := map[string][]byte{
		"/attachments-1.zip": zipLike(2<<20+3, 1), "/attachments-2.zip": zipLike(5000, 2),
		"/cvs.zip": zipLike(100, 3), "/portfolio.pdf": []byte("%PDF-1.7"),
	}
	for path, body := range bodies {
		s.put(path, body)
	}
	putListingsOfZIPs(s)
	for _, tc := range []struct {
		path string
		want []string // of the attachments
	}{
		{"/list", []string{"/attachments-1.zip", "/attachments-2.zip"}},
		{"/page", []string{"/attachments-2.zip"}}, {"/mixed", nil},
	} {
		t.Run(tc.path, func(t *testing.T) {
			m, dir := s.master(t, "", tc.path, "/cvs.zip"), t.TempDir()
			r, err := take(t, newTestFetcher(t, nil), m, dir)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			if tc.want == nil {
				if !r.Objects[0].Source.Listing {
					t.Error("a listing of documents is not one any more")
				}
				return
			}
			want := append(tc.want, "/cvs.zip")
			if len(r.Objects) != len(want) {
				t.Fatalf("%d objects, want %d", len(r.Objects), len(want))
			}
			for i, o := range r.Objects {
				if o.Source.Number != i+1 || o.Source.Kind != filetype.ZIP {
					t.Errorf("object %d: number %d, kind %s", i, o.Source.Number, o.Source.Kind)
				}
				wantBytes(t, o, bodies[want[i]])
			}
			r.Close()
			wantNoSecret(t, dir)
			testDeadButComplete(t, s, m, dir, bodies, want)
		})
	}
}

// putListingsOfZIPs serves a CSV and a page that lead to ZIPs, and one that leads to a document as well.
func putListingsOfZIPs(s *faultServer) {
	signed := func(path string) string { return path + "?sig=" + secret }
	s.put(
		"/list",
		[]byte(
			"Name,URL\nattachments-1.zip,"+s.URL+signed("/attachments-1.zip")+"\nattachments-2.zip,"+s.URL+
				signed("/attachments-2.zip")+"\n",
		),
	)
	s.put(
		"/page",
		[]byte(
			`<!DOCTYPE html><html><body><a href="`+signed("/attachments-2.zip")+
				`">Download</a></body></html>`,
		),
	)
	s.put(
		"/mixed",
		[]byte(
			"Name,URL\na.zip,"+s.URL+signed("/attachments-2.zip")+"\nportfolio.pdf,"+s.URL+
				signed("/portfolio.pdf")+"\n",
		),
	)
}

// testDeadButComplete resumes a spool that holds all of m, whose links do not answer any more.
func testDeadButComplete(
	t *testing.T, s *faultServer, m *master.CSV, dir string, bodies map[string][]byte, want []string,
) {
	s.mu.Lock()
	served := s.objects
	s.objects = nil
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.objects = served
		s.mu.Unlock()
	}()
	f := newTestFetcher(t, nil)
	p, err := f.Plan(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range p.Sources {
		if s.Err == nil || s.Err.Code != failure.LinkGone {
			t.Errorf("%s: %v, want %s", s.Link, s.Err, failure.LinkGone)
		}
	}
	if err := f.AnswerFrom(dir, p); err != nil {
		t.Fatal(err)
	}
	if match, err := MatchSpool(dir, p); match.Complete != len(want) || err != nil {
		t.Errorf("MatchSpool = %+v, %v; want %d complete", match, err, len(want))
	}
	r, err := f.Start(t.Context(), p, dir)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := r.Wait(); err != nil || len(r.Objects) != len(want) {
		t.Fatalf("%d objects, %v; want %d", len(r.Objects), err, len(want))
	}
	for i, o := range r.Objects {
		if o.Source.Number != i+1 || "/"+o.Source.Link.FileName() != want[i] {
			t.Errorf("object %d: number %d, %s", i, o.Source.Number, o.Source.Link)
		}
		wantBytes(t, o, bodies[want[i]])
	}
	r.Close()
	remove(t, dir+"/object-01.journal")
	for i, src := range f.offline(t, m, dir).Sources {
		if complete := src.Identity.Size >= 0; complete != (i == 1) {
			t.Errorf("source %d, while the first object is not whole: complete is %t", i+1, complete)
		}
	}
}
