package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"holdall/internal/eploysim"
)

// puller pulls an invented system, in virtual time.
type puller struct {
	*virtual
	system *eploysim.System
	root   string
	export string // that was archived last
	args   []string
}

// A pulledJSON is what take prints of a pull.
type pulledJSON struct {
	Export, State string
	Requests      int
	ResumeAfter   time.Time `json:"resume_after"`
	Error         struct {
		Code, Message, Hint string
		Retryable           bool
	}
	Types    map[string]struct{ Promised, Received, Missing, Vanished int }
	Findings []struct {
		Code   string
		Count  int
		Detail string
	}
}

const pullSecret = "k3y-that-nobody-may-see"

// pullVirtually invents a system of twenty people with switches and events.
func pullVirtually(t *testing.T, c eploysim.Config, switches, events []string, do func(*testing.T, *puller)) {
	t.Helper()
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	p := &puller{root: filepath.Join(t.TempDir(), "archives")}
	serve := func() http.Handler {
		c.Records = eploysim.Small(20)
		if c.Keys == nil {
			c.Keys = []eploysim.Key{{ID: "key", Secret: pullSecret}}
		}
		for _, s := range switches {
			if err := c.Behaviour.Set(s); err != nil {
				t.Fatal(err)
			}
		}
		for _, s := range events {
			e, err := eploysim.ParseEvent(s)
			if err != nil {
				t.Fatal(err)
			}
			c.Events = append(c.Events, e)
		}
		var err error
		if p.system, err = eploysim.New(c); err != nil {
			t.Fatal(err)
		}
		return p.system
	}
	virtually(t, serve, func(t *testing.T, v *virtual) {
		p.virtual = v
		key := filepath.Join(t.TempDir(), "key.json")
		if err := os.WriteFile(key, []byte(`{"client_id":"key","client_secret":"`+pullSecret+`"}`),
			0o600); err != nil {
			t.Fatal(err)
		}
		p.args = []string{"--json", "take", "eploy://acme", "--to", p.root, "--api-url", virtualURL + "/api",
			"--allow-private", "--credentials", key}
		do(t, p)
		if _, err := os.Stat(p.root); err == nil {
			searchFor(t, p.root, []string{pullSecret, "access_token", eploysim.StoreSignature})
		}
		if w := p.system.Writes(); len(w) > 0 {
			t.Errorf("written: %q", w)
		}
	})
}

// take runs the command once.
func (p *puller) take(more ...string) (code int, r pulledJSON) {
	p.t.Helper()
	return p.takeIn(p.t.Context(), more...)
}

func (p *puller) takeIn(ctx context.Context, more ...string) (code int, r pulledJSON) {
	p.t.Helper()
	o := p.runIn(ctx, append(p.args, more...)...)
	if err := json.Unmarshal([]byte(o.stdout), &r); err != nil {
		p.t.Fatalf("exit %d, %v: %s%s", o.code, err, o.stdout, o.stderr)
	}
	if r.Export != "" {
		p.export = filepath.Join(p.root, "exports", r.Export)
	}
	return o.code, r
}

// toTheEnd runs the command each time that it says that it can go on, and returns the exit codes.
func (p *puller) toTheEnd(more ...string) (codes []int, r pulledJSON) {
	p.t.Helper()
	for {
		var code int
		code, r = p.take(more...)
		codes = append(codes, code)
		if code != exitNotFinished {
			return codes, r
		}
		if len(codes) > 100 {
			p.t.Fatalf("it never ends: %+v", r)
		}
		wait := time.Hour
		if !r.ResumeAfter.IsZero() {
			wait = time.Until(r.ResumeAfter)
		}
		time.Sleep(wait)
	}
}

// codes are those of the findings, with how many there are.
func (r *pulledJSON) codes() map[string]int {
	all := map[string]int{}
	for _, f := range r.Findings {
		all[f.Code] += f.Count
	}
	return all
}

// has compares the archive with the system, but for types and files that are left out.
func (p *puller) has(without ...string) {
	p.t.Helper()
	var counts []string
	records := ""
	for _, name := range eploysim.Types() {
		if !slices.Contains(without, name) {
			counts = append(counts, fmt.Sprintf("select '%s' as t, count(*) as n from %s", name, name))
			records += fmt.Sprintf("%s,%d\n", name, len(p.system.Truth(name)))
		}
	}
	all := p.run("query", p.export, strings.Join(counts, " union all "), "--format", "csv")
	if want := "t,n\n" + records; all.stdout != want {
		p.t.Errorf("%q, want %q; %s", all.stdout, want, all.stderr)
	}
	if slices.Contains(without, "files") {
		return
	}
	o := p.run("query", p.export, "select attachment_id, sha256 from documents order by 1", "--format", "csv")
	got := strings.Split(strings.TrimSpace(o.stdout), "\n")[1:]
	want := []string{}
	for id := range p.system.Truth("files") {
		if !slices.Contains(without, strconv.Itoa(id)) {
			sum := sha256.Sum256(p.system.Content(id))
			want = append(want, fmt.Sprintf("%d,%s", id, hex.EncodeToString(sum[:])))
		}
	}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		p.t.Errorf("documents: %q, want %q", got, want)
	}
	if o := p.run("verify", p.export); o.code != exitDone {
		p.t.Errorf("verify: exit %d, %s%s", o.code, o.stdout, o.stderr)
	}
}

// Whatever the guide leaves open and whatever goes wrong, the same command ends, with everything that there
// is and a finding for what there is not.
func TestTakeFromAnAPIWhateverHappens(t *testing.T) {
	for _, tt := range []struct {
		name     string
		config   eploysim.Config
		switches []string
		events   []string
		last     int // exit code
		findings map[string]int
		without  []string
	}{
		{name: "as is likeliest"},
		{name: "a limit of one request a second", config: eploysim.Config{SecondLimit: 1}},
		{name: "contents are elsewhere", switches: []string{"file-encoding=redirect"}},
		{name: "contents come slowly", switches: []string{"slow-contents=12m"}},
		{name: "contents are base64 in JSON", switches: []string{"file-encoding=base64"}},
		{name: "files are replaced under their IDs", events: []string{"replace=4:files@100"},
			findings: map[string]int{"file-replaced": 4}},
		{name: "files vanish before their contents are asked for", events: []string{"delete=3:files@80"},
			findings: map[string]int{"record-vanished": 1}},
		{name: "the content of some files is never answered", switches: []string{"bad-file-every=7"},
			last: exitFindings, findings: map[string]int{"content-refused": 3}, without: []string{"1001",
				"1008", "1015"}},
		{name: "no content is ever answered", events: []string{"fail=100000:contents@1"}, last: exitFindings,
			findings: map[string]int{"content-unknown": -1}, without: []string{"files"}},
		{name: "no content is answered for some hours", events: []string{"fail=12:contents@1"}},
		{name: "a type is never answered", events: []string{"fail=100000:timesheets@1"}, last: exitFindings,
			findings: map[string]int{"type-unavailable": 1}, without: []string{"timesheets"}},
		{name: "what only hangs on the types is never answered",
			events:   []string{"fail=100000:statushistory@1"},
			findings: map[string]int{"type-unavailable": 1}, without: []string{"statushistory"}},
		{name: "a type is not answered for some hours", events: []string{"fail=40:timesheets@1"}},
		{name: "a scope is taken away and given back",
			events: []string{"revoke-scope:placements.read@30", "grant-scope:placements.read@60"}},
		{name: "a scope is taken away", events: []string{"revoke-scope:placements.read@3"},
			last:     exitFindings,
			findings: map[string]int{"denied": 1}, without: []string{"placements"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.config.DayLimit == 0 {
				tt.config.DayLimit = 100
			}
			pullVirtually(t, tt.config, tt.switches, tt.events, func(t *testing.T, p *puller) {
				codes, r := p.toTheEnd()
				if last := codes[len(codes)-1]; last != tt.last || r.State != "complete" {
					t.Fatalf("exit codes %v: %+v", codes, r)
				}
				for code, n := range tt.findings {
					if got := r.codes()[code]; n >= 0 && got != n || got == 0 {
						t.Errorf("%s: %d, want %d; %+v", code, r.codes()[code], n, r.Findings)
					}
				}
				if tt.last == exitDone && r.codes()["content-refused"]+r.codes()["denied"] > 0 {
					t.Errorf("%+v", r.Findings)
				}
				p.has(tt.without...)
			})
		})
	}
}

// A pull pauses at the reserve and says when to go on; asked to too early, it asks for nothing; a content
// that has changed on the disk is received again; Ctrl-C only delays it.
func TestTakeFromAnAPIDayByDay(t *testing.T) {
	pullVirtually(t, eploysim.Config{DayLimit: 100}, nil, nil, func(t *testing.T, p *puller) {
		code, r := p.take()
		if code != exitNotFinished || r.State != "paused" || !r.Error.Retryable || r.ResumeAfter.IsZero() {
			t.Fatalf("exit %d: %+v", code, r)
		}
		asked := len(p.system.Requests())
		if code, again := p.take(); code != exitNotFinished || again.State != "paused" ||
			len(p.system.Requests()) != asked || again.ResumeAfter != r.ResumeAfter {
			t.Errorf("too early: exit %d, %d more requests, %+v", code, len(p.system.Requests())-asked, again)
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.Sleep(time.Until(r.ResumeAfter))
		time.AfterFunc(3*time.Second, cancel)
		if code, _ := p.takeIn(ctx); code != exitInterrupted {
			t.Errorf("Ctrl-C: exit %d", code)
		}
		received, err := filepath.Glob(filepath.Join(p.root, ".work", "*", "pull", "files", "*"))
		if err != nil || len(received) < 3 {
			t.Fatalf("contents: %q, %v", received, err)
		}
		for i, path := range received[:3] {
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			b = append(b, '!') // of another size
			if i > 0 {         // of another content
				b = b[:len(b)-1]
				b[0] ^= 1
			}
			if i == 2 {
				err = os.Remove(path)
			} else {
				err = os.WriteFile(path, b, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if codes, r := p.toTheEnd(); codes[len(codes)-1] != exitDone {
			t.Fatalf("exit codes %v: %+v", codes, r)
		}
		p.has()
		if o := p.run("log", p.root, "--type", "take"); strings.Count(o.stdout, "\ttake\t") < 4 ||
			!strings.Contains(o.stdout, "paused") || !strings.Contains(o.stdout, "complete") {
			t.Errorf("the ledger: %s%s", o.stdout, o.stderr)
		}
	})
}

// An archive of some types is none of all types, and pulls of different types are different pulls.
func TestTakeSomeTypes(t *testing.T) {
	pullVirtually(t, eploysim.Config{DayLimit: 10000}, nil, nil, func(t *testing.T, p *puller) {
		code, some := p.take("--types", "users,candidates")
		if code != exitDone || len(some.Types) != 2 {
			t.Fatalf("exit %d: %+v", code, some)
		}
		code, all := p.take()
		if code != exitDone || all.Export == some.Export || len(all.Types) < 15 {
			t.Fatalf("exit %d: %+v", code, all)
		}
		asked := len(p.system.Requests())
		for _, types := range []string{"candidates", "Users,candidates", ""} {
			if code, r := p.take("--types", types); code != exitDone || r.Export != all.Export {
				t.Errorf("%q again: exit %d, %s", types, code, r.Export)
			}
		}
		if n := len(p.system.Requests()) - asked; n > 0 {
			t.Errorf("%d requests for what is archived", n)
		}
		p.has()
	})
	pullVirtually(t, eploysim.Config{DayLimit: 30}, nil, nil, func(t *testing.T, p *puller) {
		if code, _ := p.take(); code != exitNotFinished {
			t.Fatalf("exit %d", code)
		}
		if codes, r := p.toTheEnd("--types", "users"); codes[len(codes)-1] != exitDone || len(r.Types) != 1 {
			t.Fatalf("exit codes %v: %+v", codes, r)
		}
		if codes, r := p.toTheEnd(); codes[len(codes)-1] != exitDone || len(r.Types) < 15 {
			t.Fatalf("exit codes %v: %+v", codes, r)
		}
		p.has()
	})
}

// Where nothing can be read, or nothing is left to be asked, nothing is archived.
func TestTakeFromAnAPIThatGivesNothing(t *testing.T) {
	nothing := eploysim.Config{Keys: []eploysim.Key{{ID: "key", Secret: pullSecret,
		Scopes: []string{"export.insert"}}}}
	for _, tt := range []struct {
		name     string
		config   eploysim.Config
		switches []string
		more     []string
		code     int
	}{
		{"a key that may read nothing, and is refused", nothing, nil, nil, exitLink},
		{"a key that may read nothing, and gets a token", nothing, []string{"ungranted-scope=dropped"}, nil,
			exitLink},
		{"all requests are left to others", eploysim.Config{}, nil, []string{"--reserve", "1000"}, exitUsage},
		{"a type that there is not", eploysim.Config{}, nil, []string{"--types", "people"}, exitUsage},
	} {
		t.Run(tt.name, func(t *testing.T) {
			pullVirtually(t, tt.config, tt.switches, nil, func(t *testing.T, p *puller) {
				o := p.run(append(p.args, tt.more...)...)
				var r pulledJSON
				if json.Unmarshal([]byte(o.stdout), &r); o.code != tt.code || r.Error.Hint == "" {
					t.Errorf("exit %d: %s%s", o.code, o.stdout, o.stderr)
				}
				if all, _ := filepath.Glob(filepath.Join(p.root, "exports", "*")); len(all) > 0 {
					t.Errorf("archived: %q", all)
				}
			})
		})
	}
}
