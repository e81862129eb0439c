package eploy

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"holdall/internal/eploysim"
)

func events(t *testing.T, specs ...string) (out []eploysim.Event) {
	t.Helper()
	for _, s := range specs {
		e, err := eploysim.ParseEvent(s)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, e)
	}
	return out
}

// pulling runs a pull to its end in virtual time.
func pulling(t *testing.T, c eploysim.Config, then func(*world, *Result)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, c)
		r, _ := w.pull()
		if x := w.s.Writes(); len(x) > 0 {
			t.Errorf("something was written: %q", x)
		}
		w.searchSecret()
		then(w, r)
	})
}

func TestAScopeThatIsTakenAwayStopsOneType(t *testing.T) {
	t.Parallel()
	c := eploysim.Config{Version: 46, Records: eploysim.Small(450), DayLimit: 3000, Events: events(t,
		"revoke-scope:candidates.read@30")}
	pulling(t, c, func(w *world, r *Result) {
		if codes(r)[Denied] != 1 || r.Types["candidates"].Complete || !r.Types["contacts"].Complete {
			t.Errorf("%+v, %+v", r.Types, r.Findings)
		}
	})
}

func TestAKeyThatMayReadLittleReadsThat(t *testing.T) {
	for _, ungranted := range []string{"refused", "dropped"} {
		c := behave("ungranted-scope=" + ungranted)
		c.Keys = []eploysim.Key{{ID: "key", Secret: secret, Scopes: []string{"users.read",
			"candidates.read", "candidates.update"}}}
		pulling(t, c, func(w *world, r *Result) {
			if !r.Types["candidates"].Complete || r.Types["contacts"].Complete || codes(r)[Denied] == 0 {
				t.Errorf("%s: %+v, %+v", ungranted, r.Types, r.Findings)
			}
			j, err := openJournal(w.o.Dir)
			if err != nil {
				t.Fatal(err)
			}
			defer j.close()
			last := j.all[slices.IndexFunc(j.all, func(x *Receipt) bool { return x.Step != stepToken })-1]
			if last.Scope != "users.read,candidates.read" && last.Scope != "candidates.read,users.read" {
				t.Errorf("%s: the token that is used may %q", ungranted, last.Scope)
			}
		})
	}
}

func TestALimitOfPagesThatShrinks(t *testing.T) {
	t.Parallel()
	for _, at := range []string{"9", "20"} { // in the middle of the pages; in the middle of the census
		c := eploysim.Config{Records: map[string]int{"candidates": 3500}, Events: events(t,
			"shrink-limit=100@"+at)}
		pulling(t, c, func(w *world, r *Result) {
			if codes(r)[LimitShrank] == 0 {
				t.Errorf("at %s: %+v", at, r.Findings)
			}
			w.check(r)
		})
	}
}

func TestPartsThatAreRenamed(t *testing.T) {
	for _, unknown := range []string{"400-named", "400", "ignored"} {
		c := behave("unknown-block=" + unknown)
		c.Version, c.DayLimit, c.Records = 46, 5000, map[string]int{"users": 3, "candidates": 900}
		c.Events = events(t, "rename-field:candidates.Gender@14", "integer-becomes-text:files.FileSize@14")
		pulling(t, c, func(w *world, r *Result) {
			x, err := Open(w.o.Dir)
			if err != nil {
				t.Fatal(err)
			}
			defer x.Close()
			old, renamed := 0, 0
			err = x.Records("candidates", func(_ string, record json.RawMessage) error {
				old += strings.Count(string(record), `"Gender"`)
				renamed += strings.Count(string(record), `"NewGender"`)
				return nil
			})
			if err != nil || old+renamed != 900 || renamed == 0 || codes(r)[BlocksChanged] == 0 {
				t.Errorf("%s: %v, %d records with the old name and %d with the new one; %+v", unknown, err,
					old, renamed, r.Findings)
			}
			if !r.Types["candidates"].Complete {
				t.Errorf("%s: %+v", unknown, r.Types["candidates"])
			}
		})
	}
}

func TestTheSamePageOnceIsForgivenAndForEverIsNot(t *testing.T) {
	once := eploysim.Config{Version: 46, Records: map[string]int{"candidates": 900}, Events: events(t,
		"same-page@14")}
	pulling(t, once, func(w *world, r *Result) {
		w.check(r)
	})
	forEver := once
	forEver.Events = events(t, "same-page=100000@14")
	pulling(t, forEver, func(w *world, r *Result) {
		if codes(r)[SamePage] == 0 || r.Types["candidates"].Complete {
			t.Errorf("%+v", r.Findings)
		}
		if n := len(w.s.Requests()); n > 150 {
			t.Errorf("%d requests until that was noticed", n)
		}
	})
}

func TestContentsThatCannotBeFound(t *testing.T) {
	pulling(t, behave("file-content=-"), func(w *world, r *Result) {
		if codes(r)[ContentUnknown] != 1 || r.Files != 0 || r.Refused != 60 || !r.Types["files"].Complete {
			t.Errorf("%d files, %d refused: %+v", r.Files, r.Refused, r.Findings)
		}
		n := 0
		for _, q := range w.s.Requests() {
			if q.Method == http.MethodGet && strings.HasPrefix(q.Path, "files/") && q.Status == 404 {
				n++
			}
		}
		if n > len(likelyContents) {
			t.Errorf("%d requests to find the way", n)
		}
	})
}

func TestContentsAtAPathThatIsNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, behave("file-content=attachments/blob/{id}"))
		w.o.FileContent = "attachments/blob/{id}"
		r, _ := w.pull()
		w.check(r)
	})
}

func TestCVsAndNewFilesComeFirst(t *testing.T) {
	pulling(t, eploysim.Config{}, func(w *world, r *Result) {
		var cvs []bool
		var last string
		truth := w.s.Truth("files")
		for _, q := range w.s.Requests() {
			id, ok := strings.CutSuffix(strings.TrimPrefix(q.Path, "files/file/"), "/content")
			if q.Method != http.MethodGet || !ok {
				continue
			}
			for n, f := range truth {
				if id != strconv.Itoa(n) {
					continue
				}
				d := describe(id, []byte(f.JSON))
				if len(cvs) > 0 && cvs[len(cvs)-1] == d.cv && d.created > last {
					t.Errorf("file %s of %s comes after one of %s", id, d.created, last)
				}
				cvs, last = append(cvs, d.cv), d.created
			}
		}
		if first := slices.Index(cvs, false); first < 1 || slices.Contains(cvs[first:], true) {
			t.Errorf("the order of CVs: %v", cvs)
		}
	})
}

// At the reserve a pull pauses, says when to go on, and asks for nothing before that: cron may start it each
// minute.
func TestAPauseLeavesTheReserve(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, eploysim.Config{DayLimit: 100})
		w.o.Reserve = 30
		r, err := Pull(t.Context(), w.o)
		var p *Paused
		if !errors.As(err, &p) || p.Remaining != 30 || p.Limit != 100 || r.Budget != (Budget{100, 30, 30}) {
			t.Fatalf("%v, %+v, %+v", err, p, r)
		}
		asked := len(w.s.Requests())
		for range 100 {
			time.Sleep(time.Minute)
			if _, err := Pull(t.Context(), w.o); !errors.As(err, &p) {
				t.Fatal(err)
			}
		}
		if n := len(w.s.Requests()) - asked; n > 0 {
			t.Errorf("%d requests while it was paused", n)
		}
	})
}

// The guide says that a day ends at 00:00:00, and not where. What is asked too early is a page that is
// needed anyway.
func TestTheSystemsMidnightIsLearnt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := behave("zone=America/Los_Angeles")
		c.DayLimit = 60
		w := newWorld(t, c)
		_, pauses := w.pull()
		days := map[string]int{}
		for _, q := range w.s.Requests() {
			days[q.Time.In(c.Behaviour.Zone).Format(time.DateOnly)]++
		}
		if pauses > len(days)+9 {
			t.Errorf("%d pauses in %d days", pauses, len(days))
		}
	})
}

func TestWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, eploysim.Config{DayLimit: 150})
		w.o.Wait = true
		r, err := Pull(t.Context(), w.o)
		if err != nil {
			t.Fatal(err)
		}
		w.check(r)
	})
}

func TestAKeyThatIsWrong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, eploysim.Config{})
		w.o.Credentials.ClientSecret = "another-secret"
		_, err := Pull(t.Context(), w.o)
		var f *Failure
		if !errors.As(err, &f) || f.Code != CodeDenied || strings.Contains(err.Error(), "another-secret") {
			t.Errorf("got %v", err)
		}
	})
}

func TestAPlanCostsOneTokenAndASearchAType(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := eploysim.Config{Version: 46, Records: map[string]int{"candidates": 99_000, "users": 1000,
			"files": 20_000}}
		w := newWorld(t, c)
		f, err := Plan(t.Context(), w.o)
		if err != nil {
			t.Fatal(err)
		}
		if n := len(w.s.Requests()); n > 1+len(types)+2 {
			t.Errorf("%d requests", n)
		}
		if f.Types["candidates"] != (TypeForecast{99_000, 990, 1985, 2.21}) || f.Files != 20_000 ||
			f.Budget.DayLimit != 1000 || f.Budget.Reserve != 100 {
			t.Errorf("%+v", f)
		}
		// 100,000 records in pages of 100 are 1,000 requests, twice for the census; 20,000 files are 23 days.
		if f.Days < 25 || f.Days > 26 || f.RecordDays < 2 || f.RecordDays > 3 {
			t.Errorf("%d days, %d of them for records", f.Days, f.RecordDays)
		}
	})
}

// A type that is not answered for keeps the others from nothing; a system that answers for none has no plan.
func TestAPlanWithoutATypeThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, eploysim.Config{Events: events(t, "fail=1000:timesheets@1")})
		f, err := Plan(t.Context(), w.o)
		if err != nil || !slices.Equal(f.Unanswered, []string{"timesheets"}) ||
			f.Types["candidates"].Records != 60 {
			t.Errorf("%+v, %v", f, err)
		}
		w.o.Transport = offline{}
		if _, err := Plan(t.Context(), w.o); err == nil {
			t.Error("there is a plan of a system that is not reached")
		}
	})
}

// A record that is anonymised while its date stays as it was is found by reading everything again.
func TestChangesThatMoveNoDateAreFoundByRelisting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := behave("silent-anonymous")
		c.Events = events(t, "anonymise=5:candidates@120")
		w := newWorld(t, c)
		w.o.Relist = true
		r, _ := w.pull()
		w.check(r)
	})
}

func TestDecodingContents(t *testing.T) {
	for body, want := range map[string]string{
		`"aGVsbG8="`: "hello", `{"FileId":1,"content":"aGVsbG8="}`: "hello",
		`{"File":{"Name":"cv","Data":"aGVsbG8="}}`: "hello",
		`{"content":"no base64!"}`:                 "", `{"Message":"aGVsbG8="}`: "",
		`{"content":"aGVsbG8=","data":"aGVsbG8="}`: "", `[]`: "", `<html>`: "", `""`: "",
	} {
		if got, err := decodeContent([]byte(body)); string(got) != want || (err == nil) != (want != "") {
			t.Errorf("%s: %q, %v, want %q", body, got, err, want)
		}
	}
}

// tokenLimit answers requests for a token as a system does whose day is used up.
type tokenLimit struct{ next http.RoundTripper }

func (l tokenLimit) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.HasSuffix(r.URL.Path, "/token") {
		return &http.Response{StatusCode: http.StatusTooManyRequests, Header: http.Header{}, Request: r,
			Body: http.NoBody}, nil
	}
	return l.next.RoundTrip(r)
}

// Where token requests count and others have used the day up, there is no token: that is a pause.
func TestADayThatIsUsedUpBeforeTheFirstToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, eploysim.Config{})
		w.o.Transport = tokenLimit{w.s.Transport()}
		_, err := Pull(t.Context(), w.o)
		var p *Paused
		if !errors.As(err, &p) || !p.ResumeAfter.After(time.Now()) {
			t.Fatalf("got %v", err)
		}
		w.o.Transport = w.s.Transport()
		time.Sleep(time.Until(p.ResumeAfter))
		r, _ := w.pull()
		w.check(r)
	})
}

// A token that lives for a few seconds only is used for as long as it lives.
func TestATokenThatLivesForSeconds(t *testing.T) {
	now := time.Now()
	c := client{token: token{value: "x", ends: now.Add(20 * time.Second), lives: 20 * time.Second}}
	if err := c.authorise(t.Context()); err != nil || c.token.value != "x" {
		t.Errorf("it is not used: %v", err)
	}
}
