package exportsim

import (
	"archive/zip"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdall/internal/digest"
	"holdall/schemas"
)

func prepare(t testing.TB, cfg Config) *Export {
	t.Helper()
	e, err := Prepare(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// table reads one CSV of an export: a map from heading to cell for each record.
func table(t testing.TB, e *Export, file string) []map[string]string {
	t.Helper()
	z, err := zip.OpenReader(filepath.Join(e.dir, "data.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	f, err := z.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := csv.NewReader(f)
	all, err := r.ReadAll()
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	all[0][0] = strings.TrimPrefix(all[0][0], "\ufeff")
	var rows []map[string]string
	for _, record := range all[1:] {
		row := map[string]string{}
		for i, cell := range record {
			if _, ok := row[all[0][i]]; !ok { // five headings repeat
				row[all[0][i]] = cell
			}
		}
		rows = append(rows, row)
	}
	return rows
}

func documents(t testing.TB, e *Export) []Document {
	t.Helper()
	var all []Document
	for d, err := range e.Documents() {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, d)
	}
	return all
}

func TestTheSameSeedMakesTheSameBytes(t *testing.T) {
	for _, shape := range Shapes() {
		t.Run(string(shape), func(t *testing.T) {
			cfg := Config{Seed: 11, People: 15, Shape: shape, Mistakes: true}
			one, two := prepare(t, cfg), prepare(t, cfg)
			if d := cmp.Diff(one.Truth(), two.Truth()); d != "" {
				t.Errorf("two exports of one seed differ (-one +two):\n%s", d)
			}
			if d := cmp.Diff(documents(t, one), documents(t, two)); d != "" {
				t.Errorf("documents of one seed differ (-one +two):\n%s", d)
			}
			cfg.Seed++
			other := prepare(t, cfg)
			for i, o := range other.Truth().Objects {
				if o.SHA256 == one.Truth().Objects[i].SHA256 {
					t.Errorf("%s is the same for another seed", o.Name)
				}
			}
		})
	}
}

func TestPrepareFindsWhatItMadeBefore(t *testing.T) {
	cfg := Config{Seed: 2, People: 10, Dir: t.TempDir()}
	one := prepare(t, cfg)
	before, err := os.Stat(filepath.Join(one.dir, "data.zip"))
	if err != nil {
		t.Fatal(err)
	}
	again := prepare(t, cfg)
	after, err := os.Stat(filepath.Join(again.dir, "data.zip"))
	if err != nil {
		t.Fatal(err)
	}
	if !os.SameFile(before, after) {
		t.Error("the objects were made again")
	}
	if d := cmp.Diff(one.Truth(), again.Truth()); d != "" {
		t.Errorf("the truth was not found again (-made +found):\n%s", d)
	}
	if err := os.Truncate(filepath.Join(one.dir, "cvs.zip"), 100); err != nil {
		t.Fatal(err)
	}
	mended := prepare(t, cfg)
	if info, err := os.Stat(filepath.Join(mended.dir, "cvs.zip")); err != nil || info.Size() == 100 {
		t.Errorf("a damaged object was kept: %v, %v", info, err)
	}
	left, err := os.ReadDir(cfg.Dir)
	if err != nil || len(left) != 1 {
		t.Errorf("Dir holds %v, %v; want one export", left, err)
	}
}

func TestPrepareStopsWhenTold(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	dir := t.TempDir()
	if _, err := Prepare(ctx, Config{People: 10, Dir: dir}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestPrepareRefusesWhatMakesNoSense(t *testing.T) {
	for _, cfg := range []Config{
		{People: -1}, {People: MaxPeople + 1}, {Shape: "rar"}, {Dialect: "kebab"}, {Listing: "yaml"},
		{Faults: []string{"gremlins"}},
		{Faults: []string{"busy=often"}}, {Rate: -1}, {Now: time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC)},
	} {
		if e, err := Prepare(context.Background(), cfg); err == nil {
			e.Close()
			t.Errorf("Prepare(%+v) succeeded", cfg)
		}
	}
}

// A clean export must lead to no finding worse than an info, so everything in it must fit together.
func TestACleanExportFitsTogether(t *testing.T) {
	for _, people := range []int{1, 10, 110} {
		t.Run(fmt.Sprint(people, " people"), func(t *testing.T) {
			e := prepare(t, Config{Seed: 5, People: people})
			keys := keysOf(t, e)
			checkReferences(t, e, keys)
			checkDocuments(t, e)
			checkUnambiguousDates(t, e)
		})
	}
}

var prefixes = map[string]string{"candidates": "CA-", "contacts": "CT-", "companies": "CY-", "jobs": "JB-"}

// keysOf returns all keys by table, and fails on one that stands twice.
func keysOf(t *testing.T, e *Export) map[string]map[string]bool {
	t.Helper()
	keys := map[string]map[string]bool{}
	for _, s := range schemas.Recruitly() {
		keys[s.Name] = map[string]bool{}
		key, _ := s.PrimaryKey()
		references := map[string]bool{}
		for i, row := range table(t, e, s.File) {
			id := row[key.Heading]
			if len(id) != 36 || id[:4] != e.Truth().Tenant {
				t.Errorf("%s row %d: id %q is not the tenant and 32 digits", s.File, i, id)
			}
			if keys[s.Name][id] {
				t.Errorf("%s row %d: id %q stands twice", s.File, i, id)
			}
			keys[s.Name][id] = true
			if p, ok := prefixes[s.Name]; ok {
				ref := row["Reference"]
				if !strings.HasPrefix(ref, p) || references[ref] {
					t.Errorf("%s row %d: reference %q is wrong or stands twice", s.File, i, ref)
				}
				references[ref] = true
			}
		}
		if len(keys[s.Name]) == 0 {
			t.Errorf("%s is empty", s.File)
		}
	}
	return keys
}

func checkReferences(t *testing.T, e *Export, keys map[string]map[string]bool) {
	t.Helper()
	keys["folders"] = map[string]bool{}
	for _, row := range table(t, e, "Folder_Records.csv") {
		keys["folders"][row["Folder Id"]] = true
	}
	kinds := map[string]string{
		"CANDIDATE": "candidates", "CONTACT": "contacts", "COMPANY": "companies", "JOB": "jobs",
		"USER": "users",
	}
	for _, s := range schemas.Recruitly() {
		for i, row := range table(t, e, s.File) {
			for _, c := range s.Columns {
				target := c.References
				if target == "*" {
					target = kinds[row["Record Type"]]
				}
				target, _, _ = strings.Cut(target, ".")
				if c.References == "folder_records.folder_id" {
					target = "folders"
				}
				v := row[c.Heading]
				if keys[target] == nil || v == "" || c.Type == "JSON" {
					continue
				}
				if !keys[target][v] {
					t.Errorf("%s row %d: %s %q is not in %s", s.File, i, c.Heading, v, target)
				}
			}
		}
	}
	for i, row := range table(t, e, "Tasks.csv") {
		var links []link
		if err := json.Unmarshal([]byte(row["Linked Records"]), &links); err != nil {
			t.Fatalf("Tasks.csv row %d: %v", i, err)
		}
		for _, l := range links {
			if k := keys[kinds[l.Type]]; k != nil && !k[l.ID] {
				t.Errorf("Tasks.csv row %d: %s %s does not exist", i, l.Type, l.ID)
			}
		}
	}
}

// checkDocuments holds Attachments.csv and the candidates' Has CV against the documents.
func checkDocuments(t *testing.T, e *Export) {
	t.Helper()
	byID, cvs := map[string]Document{}, map[string]int{}
	entries := map[string]bool{}
	for _, d := range documents(t, e) {
		if k := d.Part + "/" + strings.ToLower(d.Entry); entries[k] {
			t.Errorf("two entries are called %s", d.Entry)
		} else {
			entries[k] = true
		}
		if d.Part == "cvs" {
			cvs[d.OwnerID]++
		} else {
			byID[d.AttachmentID] = d
		}
	}
	for i, row := range table(t, e, "Attachments.csv") {
		d, ok := byID[row["Attachment Id"]]
		if !ok || fmt.Sprint(d.Size) != row["File Size"] || d.OwnerID != row["Record Id"] ||
			d.MediaType != row["Content Type"] || row["File Path"] != "" && row["File Path"] != d.Entry {
			t.Errorf("Attachments.csv row %d is of no document: %v, %+v", i, row, d)
		}
		delete(byID, row["Attachment Id"])
	}
	if len(byID) > 0 {
		t.Errorf("%d attachments have no row", len(byID))
	}
	for i, row := range table(t, e, "Candidates.csv") {
		if (row["Has CV"] == "Yes") != (cvs[row["Candidate Id"]] > 0) {
			t.Errorf(
				"Candidates.csv row %d: Has CV is %s, there are %d", i, row["Has CV"],
				cvs[row["Candidate Id"]],
			)
		}
	}
}

// checkUnambiguousDates looks in each file for a date whose day can be no month.
func checkUnambiguousDates(t *testing.T, e *Export) {
	t.Helper()
	for _, s := range schemas.Recruitly() {
		found := false
		for _, row := range table(t, e, s.File) {
			for _, c := range s.Columns {
				if v := row[c.Heading]; (c.Type == "DATE" || c.Type == "TIMESTAMP") && len(v) >= 10 &&
					v[:2] > "12" {
					found = true
				}
			}
		}
		if !found {
			t.Errorf("%s: whether its dates are day first cannot be told", s.File)
		}
	}
}

// What happened to a card must have happened in order, before the export, and as its own columns say.
func TestStatusLogsMakeSense(t *testing.T) {
	e := prepare(t, Config{Seed: 6, People: 100})
	london, err := time.LoadLocation("Europe/London")
	if err != nil {
		t.Fatal(err)
	}
	columns := map[string]string{
		"SHORTLIST": "Shortlist Date", "CV_SENT": "CV Sent Date", "INTERVIEW": "Interview Date",
		"OFFER": "Offer Date",
	}
	placements, logs := 0, 0
	for i, row := range table(t, e, "Job_Pipelines.csv") {
		if row["Status Code"] == "PLACED" {
			placements++
		}
		if row["Status Log"] == "" {
			continue
		}
		logs++
		var log []struct {
			State string    `json:"currentStateId"`
			At    time.Time `json:"addedOn"`
		}
		if err := json.Unmarshal([]byte(row["Status Log"]), &log); err != nil {
			t.Fatal(err)
		}
		last, lastStage := time.Time{}, -1
		for _, l := range log {
			stage := strings.Index(
				" SOURCED APPLIED SHORTLIST CV_SENT INTERVIEW OFFER PLACED ", " "+l.State+" ",
			)
			if stage <= lastStage || !l.At.After(last) || l.At.After(DefaultNow) {
				t.Errorf("row %d: log is out of order: %v", i, log)
			}
			last, lastStage = l.At, stage
			if c, ok := columns[l.State]; ok && row[c] != l.At.In(london).Format("02/01/2006 15:04:05") {
				t.Errorf("row %d: %s is %q, the log says %v", i, c, row[c], l.At)
			}
		}
		if log[len(log)-1].State != row["Status Code"] {
			t.Errorf(
				"row %d: log ends with %s, the card stands at %s", i, log[len(log)-1].State,
				row["Status Code"],
			)
		}
	}
	if placements == 0 || logs == 0 {
		t.Errorf("%d placements and %d logs: too dull", placements, logs)
	}
}

func TestDialectsTellTheSame(t *testing.T) {
	title := prepare(t, Config{Seed: 8, People: 40})
	rows := map[schemas.Dialect][]map[string]string{schemas.Title: table(t, title, "Candidates.csv")}
	for _, d := range []schemas.Dialect{schemas.Camel, schemas.Snake} {
		e := prepare(t, Config{Seed: 8, People: 40, Dialect: d})
		if diff := cmp.Diff(documents(t, title), documents(t, e)); diff != "" {
			t.Errorf("the documents depend on the dialect (-title +%s):\n%s", d, diff)
		}
		for i, tt := range e.Truth().Tables {
			if tt.Rows != title.Truth().Tables[i].Rows {
				t.Errorf(
					"%s has %d rows in %s and %d in title", tt.File, tt.Rows, d, title.Truth().Tables[i].Rows,
				)
			}
		}
		rows[d] = table(t, e, "Candidates.csv")
	}
	london, err := time.LoadLocation("Europe/London")
	if err != nil {
		t.Fatal(err)
	}
	summer := false
	for i, row := range rows[schemas.Title] {
		at, err := time.ParseInLocation("02/01/2006 15:04:05", row["Created On"], london)
		if err != nil {
			t.Fatal(err)
		}
		summer = summer || at.Hour() != at.UTC().Hour()
		if got, want := rows[schemas.Camel][i]["createdOn"], at.UTC().Format(
			"2006-01-02T15:04:05Z",
		); got != want {
			t.Errorf("camel createdOn is %s, want %s", got, want)
		}
		if got, want := rows[schemas.Snake][i]["created_on"], fmt.Sprint(at.UnixMilli()); got != want {
			t.Errorf("snake created_on is %s, want %s", got, want)
		}
		if a, b := row["Conversation Thread"], rows[schemas.Snake][i]["conversation_thread"]; a != b {
			t.Errorf("a long cell differs: %q, %q", a, b)
		}
	}
	if !summer {
		t.Error("no time falls into summer: the time zone is not tried")
	}
}

func TestNoNumberIsSharedByStrangers(t *testing.T) {
	seen := map[string]int{}
	for i := range 88_000 {
		m := mobile(i)
		if j, ok := seen[m]; ok {
			t.Fatalf("%d and %d have the number %s", j, i, m)
		}
		seen[m] = i
	}
	names := map[string]int{}
	for n := 7; n < MaxPeople; n += 20 {
		first, surname := rareName(n / 20)
		if j, ok := names[first+surname]; ok {
			t.Fatalf("%d and %d are both called %s %s", j, n, first, surname)
		}
		names[first+surname] = n
	}
}

// A million people must take no more memory than a hundred. What is alive between two documents must not
// grow.
func TestMemoryDoesNotGrowWithThePeople(t *testing.T) {
	if testing.Short() || raceDetector {
		t.Skip("makes 200 MB in one goroutine")
	}
	for _, s := range sides { // what a process draws once
		draw(&drawn.jpeg, s, drawJPEG)
		draw(&drawn.png, s, drawPNG)
	}
	few, many := liveHeap(t, 100), liveHeap(t, 700)
	t.Logf("100 people: %d KB, 700 people: %d KB", few>>10, many>>10)
	if many > few+3<<20 {
		t.Errorf("100 people keep %d KB of heap alive, 700 keep %d KB", few>>10, many>>10)
	}
}

// liveHeap prepares an export and returns the least heap that was alive at any moment of the second half of
// that.
func liveHeap(t *testing.T, people int) uint64 {
	t.Helper()
	var samples []uint64
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			case <-time.After(10 * time.Millisecond):
				var m runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&m)
				samples = append(samples, m.HeapAlloc)
			}
		}
	}()
	prepare(t, Config{Seed: 1, People: people})
	close(stop)
	<-done
	return slices.Min(samples[len(samples)/2:])
}

func TestEveryMistakeIsInTheTruthAndInTheExport(t *testing.T) {
	e := prepare(t, Config{Seed: 4, People: 100, Mistakes: true})
	kinds := map[string]int{}
	for _, m := range e.Truth().Mistakes {
		kinds[m.Kind]++
	}
	for _, kind := range []string{MistakeNoFile, MistakeUnlisted, MistakeNoCV, MistakeStrayCV, MistakeSize,
		MistakeEmpty, MistakeHTML, MistakeXML, MistakeType, MistakeLocked, MistakeSameBytes,
		MistakeSameName, MistakeUnsafeName, MistakeCRC, MistakeEncrypted, MistakeSymlink, MistakeDangling,
		MistakeDuplicateKey, MistakeLongRow, MistakeShortRow, MistakeNumberInWords} {
		if kinds[kind] == 0 {
			t.Errorf("no mistake of kind %s", kind)
		}
	}
	z, err := zip.OpenReader(filepath.Join(e.dir, "attachments.zip"))
	if !errors.Is(err, zip.ErrInsecurePath) && err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	entries := map[string][]*zip.File{}
	for _, f := range z.File {
		entries[f.Name] = append(entries[f.Name], f)
	}
	for _, m := range e.Truth().Mistakes {
		if m.Table != "attachments" && m.Kind != MistakeSymlink {
			continue
		}
		got := describe(entries[m.File])
		want := map[string]string{
			MistakeNoFile: "absent", MistakeCRC: "wrong crc", MistakeEncrypted: "encrypted",
			MistakeSymlink: "symlink", MistakeEmpty: "empty", MistakeHTML: "<", MistakeXML: "<",
			MistakeSameName: "twice",
		}[m.Kind]
		if want != "" && got != want {
			t.Errorf("%s of kind %s is %s, want %s", m.File, m.Kind, got, want)
		}
	}
}

func describe(files []*zip.File) string {
	switch {
	case len(files) == 0:
		return "absent"
	case len(files) > 1:
		return "twice"
	case files[0].Flags&1 != 0:
		return "encrypted"
	case files[0].Mode()&os.ModeSymlink != 0:
		return "symlink"
	case files[0].UncompressedSize64 == 0:
		return "empty"
	}
	r, err := files[0].Open()
	if err != nil {
		return err.Error()
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	switch {
	case errors.Is(err, zip.ErrChecksum):
		return "wrong crc"
	case err != nil:
		return err.Error()
	case b[0] == '<':
		return "<"
	}
	return "fine"
}

func TestWriteTruthIsJSONWithEveryDocument(t *testing.T) {
	e := prepare(t, Config{People: 10})
	var b strings.Builder
	if err := e.WriteTruth(&b); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Truth
		Files []Document `json:"files"`
	}
	if err := json.Unmarshal([]byte(b.String()), &got); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(e.Truth(), got.Truth); d != "" {
		t.Errorf("truth (-want +got):\n%s", d)
	}
	if d := cmp.Diff(documents(t, e), got.Files); d != "" {
		t.Errorf("files (-want +got):\n%s", d)
	}
}

func TestWriteFilesWritesEveryByte(t *testing.T) {
	for _, shape := range Shapes() {
		t.Run(string(shape), func(t *testing.T) {
			e, dir := prepare(t, Config{People: 10, Shape: shape}), t.TempDir()
			if err := e.WriteFiles(dir); err != nil {
				t.Fatal(err)
			}
			for _, o := range e.Truth().Objects {
				b, err := os.ReadFile(filepath.Join(dir, o.Name))
				if err != nil || digest.Of(b) != o.SHA256 {
					t.Errorf("%s: %v, digest %v, want %v", o.Name, err, digest.Of(b), o.SHA256)
				}
			}
			if shape != ShapeListing {
				return
			}
			n := map[string]int{}
			for _, d := range documents(t, e) {
				b, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(looseName(d, n[d.Part]))))
				if err != nil || digest.Of(b) != d.SHA256 {
					t.Errorf("%s: %v, digest %v, want %v", d.Entry, err, digest.Of(b), d.SHA256)
				}
				n[d.Part]++
			}
		})
	}
}
