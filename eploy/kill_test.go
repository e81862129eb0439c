package eploy

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"holdall/internal/eploysim"
)

// killed is what a process that was killed panics with: nothing of it runs any more, as far as a test can
// arrange that.
type killed struct{}

// reaper kills the process at each of the first requests, each time at another point of it.
type reaper struct {
	next    http.RoundTripper
	strikes int // still to come
	struck  int
	lost    int  // requests that the system saw and of which no receipt was written
	pending bool // kill before the next request
	asking  bool // kill when this answer is whole, before its receipt
}

func (k *reaper) RoundTrip(r *http.Request) (*http.Response, error) {
	if k.pending {
		k.pending = false
		panic(killed{})
	}
	if k.strikes == 0 || r.URL.Path == "/api/token" {
		return k.next.RoundTrip(r)
	}
	k.strikes--
	k.struck++
	phase := k.struck % 5
	if phase == 0 {
		panic(killed{})
	}
	answer, err := k.next.RoundTrip(r)
	if phase == 4 {
		k.pending = true
		return answer, err
	}
	k.lost++
	switch phase {
	case 1:
		panic(killed{})
	case 2:
		answer.Body = io.NopCloser(io.MultiReader(io.LimitReader(answer.Body, 100), deadly{}))
	case 3:
		k.asking = true
	}
	return answer, err
}

// progress is called when an answer is on disk and its receipt is not.
func (k *reaper) progress(Progress) {
	if k.asking {
		k.asking = false
		panic(killed{})
	}
}

type deadly struct{}

func (deadly) Read([]byte) (int, error) { panic(killed{}) }

// tear leaves what a write that was cut short leaves.
func tear(t *testing.T, dir string, n int) {
	for name, torn := range map[string]string{
		receiptsName:                   `{"step":"users/pa`,
		"answers/users-pages.json.zst": "\x28\xb5\x2f\xfd\x04", "files/77.part": "half",
	} {
		path := filepath.Join(dir, name)
		if _, err := os.Stat(path); n%3 == 0 || err != nil && name != receiptsName {
			continue
		}
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteString(torn); err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
}

// run is one process: it ends by itself, or is killed.
func (w *world) run() (r *Result, err error, dead bool) {
	defer func() {
		if x := recover(); x != nil {
			if _, dead = x.(killed); !dead {
				panic(x)
			}
		}
	}()
	r, err = Pull(w.t.Context(), w.o)
	return r, err, false
}

// A hundred thousand records and three thousand files, of a system that allows a thousand requests a day, of
// which a neighbour takes a third; one record in fifty comes, changes or vanishes meanwhile; and the process
// is killed at each of the first two hundred requests. It ends on the day that arithmetic says, and every
// record is right.
func TestALongPull(t *testing.T) {
	if testing.Short() {
		t.Skip("it reads a hundred thousand records")
	}
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const neighbour = 333
		changes := 2000 // the last of them before the settling begins: what comes after that is not seen
		if slow {
			changes = 660
		}
		w := newWorld(t, eploysim.Config{
			Version: 47, Neighbour: neighbour, Events: churn(changes),
			Records: fewer(map[string]int{
				"users": 200, "companies": 3000, "contacts": 8000, "candidates": 30000, "vacancies": 3000,
				"applications": 25000, "statushistory": 12000, "actions": 12000, "placements": 2000,
				"timesheets": 1500, "purchaseorders": 200, "payrates": 30, "paysalaries": 30,
				"vacancytemplates": 30, "workflows": 10, "files": 3000,
			}),
		})
		began := time.Now()
		k := &reaper{next: w.s.Transport(), strikes: 200}
		w.o.Transport, w.o.Progress = k, k.progress
		r := w.survive(k)
		w.o.Transport, w.o.Progress = w.s.Transport(), nil
		w.check(r)

		asked, tokens := 0, 0
		for _, q := range w.s.Requests() {
			if q.Path == "token" {
				tokens++
			} else {
				asked++
			}
		}
		j, err := openJournal(w.o.Dir)
		if err != nil {
			t.Fatal(err)
		}
		receipts := len(j.all)
		steps := len(j.done)
		if err := j.close(); err != nil {
			t.Fatal(err)
		}
		if want := asked + tokens - k.lost; receipts != want {
			t.Errorf("%d receipts for %d requests of which %d were lost by kills", receipts, asked+tokens,
				k.lost)
		}
		if again := asked - steps; again > k.lost {
			t.Errorf("%d requests were sent again, for %d that were lost", again, k.lost)
		}
		days := int(time.Since(began)/(24*time.Hour)) + 1
		if want := (asked + 1000 - 100 - neighbour - 1) / (1000 - 100 - neighbour); days != want {
			t.Errorf("it took %d days; %d requests should take %d", days, asked, want)
		}
		t.Logf("%d requests and %d tokens, %d of them lost by %d kills, in %d days: %d files, %+v", asked,
			tokens, k.lost, k.struck,
			days, r.Files, r.Types["candidates"])
	})
}

// fewer records and files are enough where everything is slow: they take days, too.
func fewer(records map[string]int) map[string]int {
	for name := range records {
		switch {
		case slow && name == "files":
			records[name] /= 3
		case slow:
			records[name] = 1 + records[name]/20
		}
	}
	return records
}

// survive starts the process again whenever it was killed, and the next day whenever it pauses.
func (w *world) survive(k *reaper) *Result {
	for {
		r, err, dead := w.run()
		var p *Paused
		switch {
		case dead:
			tear(w.t, w.o.Dir, k.struck)
		case errors.As(err, &p):
			time.Sleep(time.Until(p.ResumeAfter))
		case err != nil:
			w.t.Fatal(err)
		default:
			return r
		}
	}
}

// churn is n changes over a pull of some three thousand requests.
func churn(n int) (events []eploysim.Event) {
	types := []string{"candidates", "applications", "actions", "contacts", "files"}
	kinds := []string{"update", "insert", "delete", "anonymise", "update"}
	for i := range n / 5 {
		e := eploysim.Event{At: 40 + i*7, Kind: kinds[i%len(kinds)], Type: types[i/len(kinds)%len(types)],
			Count: 5}
		if e.Type == "files" {
			e.Count = 2
		}
		events = append(events, e)
	}
	return events
}

func TestAReceiptThatIsDamagedIsNotGuessedAt(t *testing.T) {
	dir := quickDir(t)
	j, err := openJournal(dir)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		r := &Receipt{Step: fmt.Sprintf("users/pages/%d", i), Status: 200}
		if err := errors.Join(j.keep(r, "users-pages", []byte(`{}`)), j.add(r)); err != nil {
			t.Fatal(err)
		}
	}
	j.close()
	path := filepath.Join(dir, receiptsName)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[0] = '!'
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openJournal(dir); err == nil {
		t.Error("a journal with a damaged receipt in its middle is opened")
	}
}
