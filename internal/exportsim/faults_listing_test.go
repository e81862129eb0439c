package exportsim

import (
	"bytes"
	"encoding/csv"
	"net"
	"strings"
	"testing"

	"holdall/internal/digest"
)

func TestFaultsDoWhatTheySay(t *testing.T) {
	e := prepare(t, Config{Seed: 31, People: 12})
	link := func(s *Server) string { return links(t, s.MasterCSV())["cvs.zip"] }
	want := get(t, link(serveWith(t, e))).body
	if len(want) < 200_000 {
		t.Fatal("the object is too small for these tests")
	}
	for _, tc := range faultTests {
		t.Run(tc.name, func(t *testing.T) {
			s := serveWith(t, e, tc.name+"@cvs")
			if r := get(t, links(t, s.MasterCSV())["data.zip"]); r.StatusCode != 200 ||
				digest.Of(r.body) != e.Truth().Objects[0].SHA256 {
				t.Error("an object that the fault does not name has it too")
			}
			tc.check(t, faulty{s, client(t), link(s), want})
		})
	}
}

// serveWith serves e with faults.
func serveWith(t *testing.T, e *Export, faults ...string) *Server {
	t.Helper()
	f := *e
	f.cfg.Faults = faults
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s, err := f.Serve(ln)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestReplacedTarsAndGzipsCanStillBeRead(t *testing.T) {
	e := prepare(t, Config{Seed: 32, People: 10, Shape: ShapeTar})
	for _, fault := range []string{"replaced", "replaced-same-size"} {
		s := serveWith(t, e, fault)
		for _, o := range e.Truth().Objects[1:] {
			b := get(t, links(t, s.MasterCSV())[o.Name]).body
			if digest.Of(b) == o.SHA256 || (int64(len(b)) == o.Size) != (fault == "replaced-same-size") {
				t.Errorf("%s %s: %d bytes, it had %d", fault, o.Name, len(b), o.Size)
			}
			if n := countTar(t, b); n != e.Truth().Documents[o.Part].Documents {
				t.Errorf("%s %s: %d documents", fault, o.Name, n)
			}
		}
	}
}

func TestListingFaults(t *testing.T) {
	e := prepare(t, Config{Seed: 33, People: 12, Shape: ShapeListing})
	n := e.Truth().Documents["attachments"].Documents
	read := func(fault string) (s *Server, all []listedLink) {
		s = serveWith(t, e, fault)
		for name, link := range links(t, s.MasterCSV()) {
			if strings.HasSuffix(name, "attachments.csv") {
				all = readListing(t, "csv", link, get(t, link).body)
			}
		}
		return s, all
	}
	count := func(all []listedLink, is func(reply) bool) (n int) {
		for _, l := range all {
			if is(get(t, l.link)) {
				n++
			}
		}
		return n
	}
	if _, all := read("listing-duplicates=3"); len(all) != n+n/3 {
		t.Errorf("listing-duplicates: %d links to %d files", len(all), n)
	}
	_, all := read("listing-equal-names=3")
	equal := 0
	for _, l := range all {
		if strings.HasPrefix(l.name, "document.") {
			equal++
		}
	}
	if equal != n/3 {
		t.Errorf("listing-equal-names: %d of %d", equal, n)
	}
	_, all = read("listing-gone=5")
	if got := count(all, func(r reply) bool { return r.StatusCode == 404 }); got != n/5 {
		t.Errorf("listing-gone: %d of %d", got, n)
	}
	_, all = read("listing-empty-files=5")
	if got := count(all, func(r reply) bool { return r.StatusCode == 200 && len(r.body) == 0 }); got != n/5 {
		t.Errorf("listing-empty-files: %d of %d", got, n)
	}
	s, all := read("expire=1@files")
	get(t, all[0].link)
	wantStatus(t, get(t, all[0].link), 403, "expired")
	for name, link := range links(t, s.MasterCSV()) {
		if strings.HasSuffix(name, "attachments.csv") {
			if fresh := readListing(t, "csv", link, get(t, link).body); get(
				t, fresh[0].link,
			).StatusCode != 200 {
				t.Error("a fresh listing has dead links")
			}
		}
	}
}

func TestMasterFaults(t *testing.T) {
	e := prepare(t, Config{Seed: 34, People: 10})
	for _, tc := range []struct {
		fault string
		comma rune
		rows  int
		part  string // of the master CSV
	}{
		{"master-wide", ',', 2, "Data Files,Attachments,Internal CVs"},
		{"master-semicolon", ';', 4, "\ufeffPart;File;Link;Expires"},
		{"master-two-links", ',', 3, "Attachments"},
		{"master-renamed", ',', 4, "Download here"},
		{"link-hyperlink", ',', 4, `=HYPERLINK(""http`},
		{"link-escaped", ',', 4, "&amp;X-Amz-Signature="},
		{"link-plus", ',', 4, "%252Feu-west-2%252F"},
		{"link-safelinks", ',', 4, "https://safelinks.example/?url=http%3A%2F%2F127.0.0.1"},
	} {
		t.Run(tc.fault, func(t *testing.T) {
			master := get(t, serveWith(t, e, tc.fault).MasterURL()).body
			r := csv.NewReader(bytes.NewReader(master))
			r.Comma = tc.comma
			rows, err := r.ReadAll()
			if err != nil || len(rows) != tc.rows || !bytes.Contains(master, []byte(tc.part)) {
				t.Errorf("%d rows, %v, %q in %s", len(rows), err, tc.part, master)
			}
		})
	}
	s := serveWith(t, e, "html@master.csv")
	wantStatus(t, get(t, s.MasterURL()), 200, "Please sign in")
}

func TestEveryFaultHasATestAndADescription(t *testing.T) {
	tested := map[string]bool{}
	for _, tc := range faultTests {
		name, _, _ := strings.Cut(tc.name, "=")
		tested[name] = true
	}
	seen := map[string]bool{}
	for _, f := range FaultNames() {
		if seen[f.Name] {
			t.Errorf("there are two faults %s", f.Name)
		}
		seen[f.Name] = true
		if f.Description == "" {
			t.Errorf("%s has no description", f.Name)
		}
		if !tested[f.Name] && !strings.HasPrefix(f.Name, "listing-") &&
			!strings.HasPrefix(f.Name, "master-") && !strings.HasPrefix(f.Name, "link-") {
			t.Errorf("%s has no test", f.Name)
		}
	}
}
