package takeover

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"holdall/fetch/failure"
	"holdall/query"
)

// The answers of a server say too little to tell two exports apart, or say something else of the same one.
// Whatever it says, the archive that is named must be the one of these bytes, and the same bytes make no
// second archive.
func TestAnExportIsRecognisedByWhatItIs(t *testing.T) {
	notes := func(text string) string { return zipOf(t, "abc000/note.txt", text) }
	type state struct{ etag, notes string }
	for _, tc := range []struct {
		name          string
		first, second state
		same          bool
		again         bool // the bytes are fetched again to find out
	}{
		{"the same ETag", state{"", notes("one")}, state{"", notes("one")}, true, false},
		{
			"another ETag for the same bytes, as after a second upload", state{`"a1"`, notes("one")},
			state{`"b2"`, notes("one")}, true, false,
		},
		{
			"no ETag, and the date of the same export", state{"-", notes("one")}, state{"-", notes("one")},
			true, false,
		},
		{
			"no ETag, and another export of the same size and date", state{"-", notes("one")},
			state{"-", notes("two")}, false, true,
		},
		{
			"an ETag that the server gives to whatever it serves", state{`"fix"`, notes("one")},
			state{`"fix"`, notes("two")}, false, true,
		},
		{
			"a weak ETag of another export of the same size", state{`W/"1"`, notes("one")},
			state{`W/"1"`, notes("two")}, false, true,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(
				t,
				map[string]string{
					"/data.zip": people(t, "Ada", "Ben"),
					"/cvs.zip":  zipOf(t, "Ada Example.pdf", "%PDF-1.4 cv"),
				},
			)
			s.put("/att.zip", tc.first.notes).etag = tc.first.etag
			root := t.TempDir()
			one := mustTake(t, s.master("s1", "/data.zip", "/att.zip", "/cvs.zip"), options(t, root))
			s.put("/att.zip", tc.second.notes).etag = tc.second.etag
			two := mustTake(t, s.master("s2", "/data.zip", "/att.zip", "/cvs.zip"), options(t, root))
			if same := one.Export == two.Export; same != tc.same {
				t.Errorf("archived as %s and %s, want the same: %v", one.Export, two.Export, tc.same)
			}
			if fetched := two.FetchedBytes > 0; fetched != tc.again {
				t.Errorf("%d bytes fetched the second time, want some: %v", two.FetchedBytes, tc.again)
			}
			ids, err := os.ReadDir(filepath.Join(root, "exports"))
			if want := map[bool]int{true: 1, false: 2}[tc.same]; err != nil || len(ids) != want {
				t.Errorf("%d archives (%v), want %d", len(ids), err, want)
			}
		})
	}
}

// A change in the middle of a large object, whose server gives no ETag, is beyond every sample: the bytes
// decide.
func TestSamplesOfALargeObjectAreWhereChangesShow(t *testing.T) {
	t.Parallel()
	big := strings.Repeat("The quick brown fox jumps over the lazy dog. ", 60_000)
	body := func(text string) string { return "%PDF-1.4 " + big + text + big }
	s := newSite(t, map[string]string{"/data.zip": people(t, "Ada")})
	put := func(text string) {
		s.put("/att.tar", tarOf(t, "abc000/a.pdf", body(text))).etag = "-"
	}
	root := t.TempDir()
	put("one")
	one := mustTake(t, s.master("s1", "/data.zip", "/att.tar"), options(t, root))
	before := s.requests("/att.tar")
	if again := mustTake(
		t, s.master("s1", "/data.zip", "/att.tar"), options(t, root),
	); again.Export != one.Export || again.FetchedBytes != 0 {
		t.Errorf("the same object: %+v, want %s, recognised by samples", again, one.Export)
	}
	if n := s.requests("/att.tar") - before; n > 11 {
		t.Errorf("%d requests to recognise an object, want at most 11", n)
	}
}

func TestAnArchiveAnswersForASilentLinkOnlyIfItIsTheVeryLink(t *testing.T) {
	t.Parallel()
	s := newSite(t, map[string]string{"/data.zip": people(t, "Ada"), "/att.zip": zipOf(t, "a.txt", "one")})
	root := t.TempDir()
	m := s.master("s1", "/data.zip", "/att.zip")
	one := mustTake(t, m, options(t, root))
	for _, p := range []string{"/data.zip", "/att.zip"} {
		s.put(p, "").odd = func(_ int, w http.ResponseWriter, _ *http.Request) bool {
			http.Error(w, "gone", http.StatusGone)
			return true
		}
	}
	o := quick(t, root)
	said := talkOf(&o)
	if again := mustTake(t, m, o); again.Export != one.Export {
		t.Errorf("the very links, which are dead: archived as %s, want %s", again.Export, one.Export)
	}
	if !strings.Contains(said(), "no longer answers") {
		t.Errorf("nothing says that nobody could be asked:\n%s", said())
	}
	// The same places, and another signature: another export may be meant.
	wantCode(t, s.master("s2", "/data.zip", "/att.zip"), quick(t, root), failure.LinkGone)
}

func TestADamagedArchiveDoesNotAnswerForItsExport(t *testing.T) {
	t.Parallel()
	s := newSite(t, map[string]string{"/data.zip": people(t, "Ada"), "/att.zip": zipOf(t, "a.txt", "one")})
	root := t.TempDir()
	m := s.master("s1", "/data.zip", "/att.zip")
	one := mustTake(t, m, options(t, root))
	packs, err := filepath.Glob(filepath.Join(one.Location, "data/documents/attachments-*.zip"))
	if err != nil || len(packs) != 1 {
		t.Fatalf("packs: %v, %v", packs, err)
	}
	if err := os.Remove(packs[0]); err != nil {
		t.Fatal(err)
	}
	two := mustTake(t, m, options(t, root))
	if two.Export == one.Export {
		t.Errorf("the export is said to be archived as %s, whose documents are gone", one.Export)
	}
}

func TestADamagedArchiveKeepsNothingFromBeingTakenOrListed(t *testing.T) {
	t.Parallel()
	s := newSite(t, map[string]string{"/data.zip": people(t, "Ada"), "/att.zip": zipOf(t, "a.txt", "one")})
	for _, tc := range []struct {
		name    string
		damaged bool // List says so
		spoil   func(bag string) error
	}{
		{
			"its record is cut", true,
			func(bag string) error { return os.Truncate(bag+"/custody/completeness.json", 40) },
		},
		{
			"its record is lost", true,
			func(bag string) error { return os.Remove(bag + "/custody/completeness.json") },
		},
		{
			"its manifest is lost", false,
			func(bag string) error { return os.Remove(bag + "/manifest-sha256.txt") },
		},
		{"its folder cannot be read", true, func(bag string) error { return os.Chmod(bag, 0) }},
		{"a file lies in its place", false, func(bag string) error {
			return os.Rename(bag, bag+"-old.txt")
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if tc.name == "its folder cannot be read" && os.Getuid() == 0 {
				t.Skip("root reads everything")
			}
			root := t.TempDir()
			m := s.master("s1", "/data.zip", "/att.zip")
			one := mustTake(t, m, options(t, root))
			if err := tc.spoil(one.Location); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { os.Chmod(one.Location, 0o700) })
			s2 := newSite(
				t, map[string]string{"/data.zip": people(t, "Bea"), "/att.zip": zipOf(t, "b.txt", "two")},
			)
			two := mustTake(t, s2.master("s2", "/data.zip", "/att.zip"), options(t, root))
			all, err := List(t.Context(), mustStore(t, root), WorkIn(root))
			if err != nil {
				t.Fatal(err)
			}
			damaged, listed := false, false
			for _, x := range all {
				damaged = damaged || x.State == StateDamaged && x.Damage != ""
				listed = listed || x.Export == two.Export && x.State == StateComplete
			}
			if damaged != tc.damaged || !listed {
				t.Errorf(
					"listed as damaged: %v, want %v; the new export listed: %v", damaged, tc.damaged, listed,
				)
			}
		})
	}
}

type recogniseCase struct {
	name    string
	etags   bool
	change  string // this file, to other content of the same length
	names   []string
	same    bool
	fetched int // requests for a file
}

var recogniseCases = []recogniseCase{
	{name: "in another order", names: []string{"c.txt", "a.txt", "b.txt"}, same: true, fetched: 1},
	{
		name: "that tells ETags", etags: true, names: []string{"a.txt", "b.txt", "c.txt"}, same: true,
		fetched: 0,
	},
	{
		name: "one of whose files was replaced", names: []string{"a.txt", "b.txt", "c.txt"},
		change: "/f/b.txt", fetched: 1,
	},
	{name: "with a file less", names: []string{"a.txt", "c.txt"}, fetched: 1},
}

// Listings are signed anew each time, and their order means nothing. A file is asked for once, whatever comes
// of it: its link may work no second time.
func TestAListingIsRecognisedByItsFiles(t *testing.T) {
	files := map[string]string{"/f/a.txt": "letter a", "/f/b.txt": "letter b", "/f/c.txt": "letter c"}
	csv := func(s *site, secret string, etags bool, names ...string) string {
		var b strings.Builder
		b.WriteString("File Name,ETag,Link\r\n")
		for _, n := range names {
			tag := ""
			if etags {
				tag = fmt.Sprintf("%08x", sumOf([]byte(files["/f/"+n])))
			}
			fmt.Fprintf(&b, "%s,%s,%s/f/%s?sig=%s\r\n", n, tag, s.URL, n, secret)
		}
		return b.String()
	}
	for _, tc := range recogniseCases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, map[string]string{"/data.zip": people(t, "Ada")})
			for p, body := range files {
				s.put(p, body).etag = map[bool]string{
					true: fmt.Sprintf(`"%08x"`, sumOf([]byte(body))), false: "-",
				}[tc.etags]
			}
			s.put("/list.csv", csv(s, "s1", tc.etags, "a.txt", "b.txt", "c.txt"))
			root := t.TempDir()
			one := mustTake(t, s.master("s1", "/data.zip", "/list.csv"), options(t, root))
			if one.Documents.Attachments != 3 {
				t.Fatalf("%d attachments, want 3: %+v", one.Documents.Attachments, one.Findings)
			}
			if tc.change != "" {
				s.put(tc.change, "LETTER x").etag = "-"
			}
			s.put("/list.csv", csv(s, "s2", tc.etags, tc.names...))
			before := s.requests("/f/a.txt")
			two := mustTake(t, s.master("s2", "/data.zip", "/list.csv"), options(t, root))
			if same := one.Export == two.Export; same != tc.same {
				t.Errorf("archived as %s and %s, want the same: %v", one.Export, two.Export, tc.same)
			}
			if n := s.requests("/f/a.txt") - before; n != tc.fetched {
				t.Errorf("a file that did not change is asked for %d times, want %d", n, tc.fetched)
			}
		})
	}
}

func TestAnExportWithoutDocumentsIsRecognised(t *testing.T) {
	t.Parallel()
	for name, paths := range map[string][]string{
		"empty ZIPs": {"/data.zip", "/none.zip", "/void.zip"}, "no links": {"/data.zip"},
		"empty bucket": {"/data.zip", "/bucket.xml"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t,
				map[string]string{"/data.zip": people(t), "/none.zip": zipOf(t), "/void.zip": zipOf(t),
					"/bucket.xml": `<?xml version="1.0"?><ListBucketResult><Name>b</Name><IsTruncated>` +
						`false</IsTruncated></ListBucketResult>`})
			root := t.TempDir()
			one := mustTake(t, s.master("s1", paths...), options(t, root))
			two := mustTake(t, s.master("s1", paths...), options(t, root))
			if one.Export != two.Export || one.Documents.Attachments+one.Documents.CVs != 0 {
				t.Errorf("%+v, then %s", one, two.Export)
			}
		})
	}
}

// A listing that goes on where nobody can follow is taken as far as it goes, and nobody is told that this is
// all.
func TestAListingThatIsNotCompleteIsNamed(t *testing.T) {
	t.Parallel()
	s := newSite(
		t,
		map[string]string{
			"/data.zip": people(t, "Ada"), "/f/a.txt": "letter a",
			"/f/Candidates.csv": "Candidate Id,First Name\r\n1,Ada\r\n",
		},
	)
	s.put("/list.json", `{"files":[{"name":"a.txt","url":"`+s.URL+`/f/a.txt?sig=s1"}],"has_more":true}`)
	s.put(
		"/tables.json",
		`{"files":[{"name":"Candidates.csv","url":"`+s.URL+
			`/f/Candidates.csv?sig=s1"}],"nextPageToken":"k2"}`,
	)
	for name, m := range map[string]MasterCSV{
		"of documents":  s.master("s1", "/data.zip", "/list.json"),
		"of data files": s.master("s1", "/tables.json"),
	} {
		t.Run(name, func(t *testing.T) {
			r := mustTake(t, m, options(t, t.TempDir()))
			if !slices.ContainsFunc(
				r.Findings,
				func(f FindingCount) bool {
					return f.Code == query.ListingIncomplete && f.Severity == "error"
				},
			) {
				t.Errorf("findings: %+v", r.Findings)
			}
		})
	}
}

// A file that the server denies twice while its neighbours are served is missing; one whose bytes are not as
// listed is kept.
func TestWhatBecomesOfOddListedFiles(t *testing.T) {
	t.Parallel()
	s := newSite(
		t, map[string]string{"/data.zip": people(t, "Ada"), "/f/a.txt": "letter a", "/f/b.txt": "letter b"},
	)
	s.put(
		"/list.csv",
		"File Name,Size,Link\r\na.txt,8,"+s.URL+"/f/a.txt?sig=s1\r\nb.txt,90,"+s.URL+
			"/f/b.txt?sig=s1\r\nc.txt,8,"+s.URL+"/f/c.txt?sig=s1\r\n",
	)
	r := mustTake(t, s.master("s1", "/data.zip", "/list.csv"), options(t, t.TempDir()))
	codes := map[query.Code]int{}
	for _, f := range r.Findings {
		codes[f.Code] = f.Count
	}
	if r.Documents.Attachments != 2 || codes[query.FileUnavailable] != 1 || codes[query.FileDiffers] != 1 {
		t.Errorf("%d attachments, findings %+v", r.Documents.Attachments, r.Findings)
	}
	if n := s.requests("/f/c.txt"); n != 3 {
		t.Errorf("a file that is not there was asked for %d times, want 3", n)
	}
}
