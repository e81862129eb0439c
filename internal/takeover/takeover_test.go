package takeover

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdall/archive"
	"holdall/fetch/failure"
	"holdall/fetch/link"
	"holdall/fetch/master"
	"holdall/internal/digest"
	"holdall/internal/exportsim"
	"holdall/query"
)

func TestEveryShapeOfExportComesOutWhole(t *testing.T) {
	for _, shape := range exportsim.Shapes() {
		t.Run(string(shape), func(t *testing.T) {
			t.Parallel()
			x, s := platform(t, exportsim.Config{Seed: 7, People: 40, Shape: shape})
			root := t.TempDir()
			r := take(t, s, options(t, root))
			if r.Faulty() {
				t.Errorf("a clean export has findings: %+v", r.Findings)
			}
			checkWhole(t, x, root, r)
			left, err := os.ReadDir(filepath.Join(root, ".work"))
			if err != nil || len(left) > 0 {
				t.Errorf("working files left behind: %v, %v", left, err)
			}
		})
	}
}

func TestATakeoverStoppedAgainAndAgainComesOutWhole(t *testing.T) {
	x, s := platform(t, exportsim.Config{Seed: 8, People: 60, Rate: 3 << 20})
	root := t.TempDir()
	random := rand.New(rand.NewPCG(8, 8))
	stops, received := 0, int64(0)
	for range 12 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(random.IntN(1200))*time.Millisecond)
		r, err := Take(ctx, MasterCSV{Raw: s.MasterCSV()}, options(t, root))
		cancel()
		if err == nil {
			t.Logf("done after %.1f s", r.Seconds)
			break
		}
		if ctx.Err() == nil {
			t.Fatalf("take failed though it was not stopped: %v", err)
		}
		stops++
		if r != nil {
			received = max(received, r.FetchedBytes)
		}
	}
	if stops < 3 || received == 0 {
		t.Errorf(
			"it was stopped %d times, and had received at most %d bytes then: want three times or more, "+
				"in the middle",
			stops, received,
		)
	}
	r := take(t, s, options(t, root))
	checkWhole(t, x, root, r)
}

func TestAnExportThatIsArchivedIsNotFetchedAgain(t *testing.T) {
	// The rate keeps what a probe leaves in the sockets' buffers small.
	x, s := platform(t, exportsim.Config{Seed: 9, People: 60, Rate: 4 << 20})
	root := t.TempDir()
	first := take(t, s, options(t, root))
	before := s.Stats().Bytes
	again := take(t, s, options(t, root))
	if again.Export != first.Export {
		t.Errorf("taken again as %s, though it is archived as %s", again.Export, first.Export)
	}
	if again.FetchedBytes != 0 {
		t.Errorf("%d bytes are said to have been fetched again", again.FetchedBytes)
	}
	var size int64
	for _, o := range x.Truth().Objects {
		size += o.Size
	}
	if sent := s.Stats().Bytes - before; sent > size/2 {
		t.Errorf("%d of %d bytes were sent for an export that is archived", sent, size)
	}
}

// An export whose master CSV leads to a listing of part ZIPs is known again when the listing's link has died.
func TestAnArchivedListingOfZIPsIsKnownAgain(t *testing.T) {
	x, s := platform(t, exportsim.Config{Seed: 13, People: 20, Shape: exportsim.ShapeParts})
	m, err := master.Read(s.MasterCSV())
	if err != nil {
		t.Fatal(err)
	}
	lists := map[link.Part]string{}
	for _, l := range m.Links {
		lists[l.Part] += "\"" + l.Link.Secret() + "\"\n"
	}
	dead := false
	lister := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		list, ok := lists[link.Part(path.Base(r.URL.Path))]
		if !ok || dead {
			http.Error(w, "gone", http.StatusGone)
			return
		}
		io.WriteString(w, "URL\n"+list)
	}))
	defer lister.Close()
	raw := []byte(
		"Data,Attachments,Internal CVs\n" + lister.URL + "/data," + lister.URL + "/attachments," +
			lister.URL + "/cvs\n",
	)
	root := t.TempDir()
	first, err := Take(t.Context(), MasterCSV{Raw: raw}, options(t, root))
	if err != nil {
		t.Fatal(err)
	}
	checkWhole(t, x, root, first)
	dead = true
	again, err := Take(t.Context(), MasterCSV{Raw: raw}, options(t, root))
	if err != nil || again.Export != first.Export {
		t.Errorf("with a dead link to the listing: %+v, %v; want the export %s", again, err, first.Export)
	}
}

func TestExpiredLinksKeepWhatIsHereAndAFreshMasterGoesOn(t *testing.T) {
	x, err := exportsim.Prepare(
		t.Context(), exportsim.Config{Seed: 10, People: 120, Rate: 1 << 20, Faults: []string{"expire=3"}},
	)
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	s := serve(t, x)
	root := t.TempDir()
	o := options(t, root)
	o.Fetch.Connections = 4
	old := s.MasterCSV()
	r, err := Take(t.Context(), MasterCSV{Raw: old}, o)
	var fe *failure.Error
	if !errors.As(err, &fe) || fe.Code != failure.LinkExpired {
		t.Fatalf("take with links that die: error %v, want link-expired", err)
	}
	if r == nil || r.State != StateExpired {
		t.Fatalf("take with links that die: result %+v, want state expired", r)
	}
	var size int64
	for _, object := range x.Truth().Objects {
		size += object.Size
	}
	for try := 0; ; try++ { // the simulator lets each master's links die after a few requests
		r, err = Take(t.Context(), MasterCSV{Raw: s.MasterCSV()}, o)
		if err == nil {
			break
		}
		if try == 40 {
			t.Fatalf("still not done with fresh links: %v", err)
		}
	}
	if r.ReusedBytes == 0 {
		t.Error("nothing was reused of what had been fetched before")
	}
	checkWhole(t, x, root, r)
}

func TestLinksToAnotherExportStartANewArchive(t *testing.T) {
	before, first := platform(t, exportsim.Config{Seed: 11, People: 20})
	x, second := platform(t, exportsim.Config{Seed: 12, People: 20})
	root := t.TempDir()
	one := take(t, first, options(t, root))
	two := take(t, second, options(t, root))
	if one.Export == two.Export {
		t.Fatalf("both exports are archived as %s", one.Export)
	}
	checkWhole(t, before, root, one)
	checkWhole(t, x, root, two)
}

func TestTheDatabaseIsMadeAgainFromTheArchive(t *testing.T) {
	_, s := platform(t, exportsim.Config{Seed: 13, People: 20, Mistakes: true})
	root := t.TempDir()
	r := take(t, s, options(t, root))
	count := func() string {
		db, err := OpenDatabase(
			t.Context(), openBag(t, root, r.Export), filepath.Join(root, "db"), query.OpenOptions{}, t.Logf,
		)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		rows, err := db.Query(t.Context(),
			`select string_agg(code || severity || coalesce(record_id, '') || detail, '|' order by all),
				(select count(*) from documents),
				(select md5(string_agg(c::varchar, '' order by c::varchar)) from candidates c)
			from findings`, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		if !rows.Next() {
			t.Fatal("no row")
		}
		v, err := rows.Strings()
		if err != nil {
			t.Fatal(err)
		}
		return v[0] + "\n" + v[1] + "\n" + v[2]
	}
	if _, err := os.Stat(filepath.Join(DatabasesIn(root), r.Export+".duckdb")); err != nil {
		t.Fatalf("the takeover left no database to compare with: %v", err)
	}
	before := count()
	if n := strings.Count(before, "|"); n < 10 {
		t.Errorf("only %d findings are compared:\n%s", n+1, before)
	}
	if err := os.RemoveAll(filepath.Join(root, "db")); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(count(), before); diff != "" {
		t.Errorf("database: made again -, made by the takeover +:\n%s", diff)
	}
}

func TestFindingsAreExactlyWhatWasSpoilt(t *testing.T) {
	x, s := platform(t, exportsim.Config{Seed: 14, People: 60, Mistakes: true})
	root := t.TempDir()
	r := take(t, s, options(t, root))
	if !r.Faulty() {
		t.Error("a spoilt export has no findings")
	}
	status, err := ReadStatus(t.Context(), openBag(t, root, r.Export))
	if err != nil {
		t.Fatal(err)
	}
	all := allFindings(t, status, openBag(t, root, r.Export))
	mistakes := x.Truth().Mistakes
	for _, m := range mistakes {
		if m.Code != "" && !slices.ContainsFunc(
			all, func(f query.Finding) bool { return string(f.Code) == m.Code && about(f, m) },
		) {
			t.Errorf("not found: %+v", m)
		}
	}
	for _, f := range all {
		if f.Severity != "info" && !slices.ContainsFunc(
			mistakes, func(m exportsim.Mistake) bool { return about(f, m) },
		) {
			t.Errorf("nobody made the mistake of this finding: %+v", f)
		}
	}
	report, err := Verify(t.Context(), openBag(t, root, r.Export), archive.Deep, t.TempDir(),
		archive.VerifyOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if !report.Valid {
		t.Errorf("the archive of a spoilt export is itself whole, yet: %+v", report.Faults)
	}
}

// about reports whether a finding speaks of what was spoilt: the record, the file, or for findings that
// count, the table.
func about(f query.Finding, m exportsim.Mistake) bool {
	switch f.Code {
	case "rows-ragged", "cells-rejected", "duplicate-key":
		return string(f.Code) == m.Code && f.Table == m.Table
	case "duplicate-content":
		return string(f.Code) == m.Code // names documents by their IDs only
	}
	return m.RecordID != "" && f.RecordID == m.RecordID || m.File != "" &&
		strings.Contains(f.Detail, path.Base(m.File))
}

func TestACSVThatCannotBeMadeATableIsKeptAndReported(t *testing.T) {
	dir := t.TempDir()
	bag, err := archive.NewBuilder(filepath.Join(dir, "bag"))
	if err != nil {
		t.Fatal(err)
	}
	defer bag.Close()
	plain, work := filepath.Join(dir, "plain.csv"), filepath.Join(dir, "work")
	if err := errors.Join(
		os.Mkdir(work, 0o700), os.WriteFile(plain, []byte("as,received"), 0o600),
	); err != nil {
		t.Fatal(err)
	}
	db, err := query.Create(
		t.Context(), filepath.Join(dir, "tables.duckdb"), query.BuildOptions{TempDir: work},
	)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := os.RemoveAll(work); err != nil { // so that no table can be made
		t.Fatal(err)
	}
	tk := &takeover{bag: bag, db: db, tables: newTables()}
	d := &dataFiles{in: &unpacker{t: tk}}
	if err := d.keepOrLoad(t.Context(), &dataFile{name: "Odd.csv", plain: plain, first: []byte("as,received")},
		false); err != nil {
		t.Fatal(err)
	}
	kept, ok := bag.HasZstd("data/received/tables/Odd.csv.zst")
	if !ok || kept.ContentSHA256 != digest.Of([]byte("as,received")) {
		t.Errorf("kept %+v, %v; want the bytes as received", kept, ok)
	}
	if f := tk.findings.held; len(f) != 1 || f[0].Code != "table-unreadable" || f[0].Severity != "error" {
		t.Errorf("findings %+v, want one table-unreadable", f)
	}
	if err := tk.unloaded(t.Context(), "Odd.csv", syscall.ENOSPC); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("with a full disk: %v; want that error, to try again later", err)
	}
}

// People save the link that they were mailed, and hand over that file: what it leads to is the master CSV.
func TestAFileWithNothingButTheLinkToTheMaster(t *testing.T) {
	x, s := platform(t, exportsim.Config{Seed: 15, People: 15})
	root := t.TempDir()
	r, err := Take(t.Context(), MasterCSV{Raw: []byte("<" + s.MasterURL() + ">\r\n")}, options(t, root))
	if err != nil || r.Faulty() {
		t.Fatalf("%v, findings %+v", err, r)
	}
	checkWhole(t, x, root, r)
}
