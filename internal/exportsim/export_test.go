package exportsim

import (
	"archive/zip"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

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
