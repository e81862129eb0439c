package fetch

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"holdall/fetch/link"
	"holdall/fetch/master"
)

type waitCase struct {
	name string
	at   time.Duration // after the start
	want string        // of the one that waits, or "" for none
	h    func(w http.ResponseWriter, r *http.Request, n int)
}

var waitCases = []waitCase{
	{
		"an answer is awaited", 12 * time.Second, "attachments: no answer from files.example for 12 s",
		stay,
	},
	{"at once nothing is said", time.Second, "", stay},
	{
		"the server is silent again", 24 * time.Second,
		"attachments: no answer from files.example for 24 s, trying again (try 2)", stay,
	},
	{"the server asks for time", time.Second,
		"attachments: files.example asks for 60 s, trying again in 14 s (try 2)",
		func(w http.ResponseWriter, r *http.Request, n int) {
			w.Header().Set("Retry-After", "60")
			w.WriteHeader(http.StatusServiceUnavailable)
		}},
	{"the server fails", 6 * time.Second,
		"attachments: nothing from files.example for 6 s (the server answered 502), trying again",
		func(w http.ResponseWriter, r *http.Request, n int) {
			w.WriteHeader(http.StatusBadGateway)
		}},
}

func TestWaitingIsShownAsWaiting(t *testing.T) {
	for _, tc := range waitCases {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				network := newPipeNet()
				n := 0
				srv := &http.Server{
					Handler: http.HandlerFunc(
						func(w http.ResponseWriter, req *http.Request) { n++; tc.h(w, req, n) },
					),
				}
				go srv.Serve(network)
				defer srv.Close()
				f, err := New(Options{AllowHTTP: true, Dial: network.Dial, RetryBudget: 30 * time.Second})
				if err != nil {
					t.Fatal(err)
				}
				defer f.Close()
				m, err := master.Read([]byte("Attachments\nhttp://files.example/a.zip?sig=" + secret + "\n"))
				if err != nil {
					t.Fatal(err)
				}
				go f.Plan(t.Context(), m)
				time.Sleep(tc.at)
				synctest.Wait()
				var texts []string
				for _, w := range f.Waiting() {
					texts = append(texts, w.Text(time.Now()))
				}
				got := strings.Join(texts, "\n")
				if !strings.HasPrefix(got, tc.want) || tc.want == "" && got != "" ||
					strings.Contains(got, secret) {
					t.Errorf("%q, want %q", got, tc.want)
				}
			})
		})
	}
}

// stay never answers.
func stay(_ http.ResponseWriter, r *http.Request, _ int) { <-r.Context().Done() }

// An object under way shows the same, and says nothing where bytes flow.
func TestAnObjectThatStallsIsShown(t *testing.T) {
	r := &Run{f: &Fetcher{asked: map[*Source]*tries{}}, hosts: map[string]*host{}}
	href, err := link.New("https://files.example/a.zip?sig=" + secret)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	o := &Object{
		Source: &Source{Part: link.PartCVs, Link: href}, run: r, size: 100,
		spans: spans{active: map[*span]*worker{{}: {}}},
	}
	r.Objects = []*Object{o}
	o.attempts.tries.since = now.Add(-time.Second)
	if w := r.waiting(now); len(w) != 0 {
		t.Errorf("waiting %v, though a byte came a second ago", w)
	}
	o.attempts.tries.since = now.Add(-24 * time.Second)
	if w := r.waiting(now); len(w) != 1 || w[0].Text(now) != "cvs: no answer from files.example for 24 s" {
		t.Errorf("waiting %v", w)
	}
	o.spans.received = 100
	if w := r.waiting(now); len(w) != 0 {
		t.Errorf("waiting %v, though all is here", w)
	}
}
