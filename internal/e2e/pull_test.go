package e2e

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"holdall/internal/eploysim"
)

// A place is where the program runs in a test: its directories, and all that it has said.
type place struct {
	t    *testing.T
	dir  string // holds all others
	root string
	said []outcome
}

func newPlace(t *testing.T) *place {
	p := &place{t: t, dir: t.TempDir()}
	p.root = filepath.Join(p.dir, "archives")
	for _, sub := range []string{"home", "tmp"} {
		if err := os.Mkdir(filepath.Join(p.dir, sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// begin starts the program; every word of it is kept.
func (p *place) begin(args ...string) *run {
	p.t.Helper()
	return startWith(p.t, []string{"HOME=" + filepath.Join(p.dir, "home"), "TMPDIR=" + filepath.Join(p.dir,
		"tmp")},
		args...)
}

func (p *place) ended(r *run) outcome {
	o := r.wait()
	p.said = append(p.said, o)
	return o
}

// holdall runs the program and fails the test unless it exits with want.
func (p *place) holdall(want int, args ...string) outcome {
	p.t.Helper()
	o := p.ended(p.begin(args...))
	if o.code != want {
		p.t.Fatalf("want exit %d, got:\n%s", want, o)
	}
	return o
}

// noSecret looks for secrets in everything that the program has said and left, but for the files given.
func (p *place) noSecret(secrets []string, but ...string) {
	p.t.Helper()
	if len(secrets) < 2 || len(secrets[0]) < 8 {
		p.t.Fatalf("there are no secrets to look for: %q", secrets)
	}
	look := func(where string, b []byte) {
		for _, s := range secrets {
			if i := bytes.Index(b, []byte(s)); i >= 0 {
				p.t.Errorf("%s holds a secret at byte %d: …%.60q", where, i, b[max(0, i-40):])
			}
		}
	}
	for _, o := range p.said {
		look("stdout of "+strings.Join(o.args, " "), []byte(o.stdout))
		look("stderr of "+strings.Join(o.args, " "), []byte(o.stderr))
	}
	n := 0
	for _, path := range files(p.t, p.dir) {
		isKey := false
		for _, key := range but {
			isKey = isKey || path == key
		}
		if isKey {
			continue
		}
		n++
		look(path, contents(p.t, path))
	}
	if n < 10 {
		p.t.Errorf("only %d files were searched", n)
	}
	for _, bag := range glob(p.t, p.root, "exports/*") { // Parquet is compressed in a way of its own
		for _, path := range glob(p.t, bag, "data/tables/*") {
			table := filepath.Base(path)
			o := holdall(p.t, 0, "query", bag, "select * from "+table, "--format", "csv")
			look("the table "+table, []byte(o.stdout))
		}
	}
}

const eploySecret = "the-s3cret-of-an-eploy-key"

// serveEploy serves an invented system by way of wrap, and writes a key for it.
func (p *place) serveEploy(c eploysim.Config, wrap func(http.Handler) http.Handler) (s *eploysim.System,
	take []string, key string) {
	p.t.Helper()
	c.Keys = []eploysim.Key{{ID: "key", Secret: eploySecret}}
	system, err := eploysim.New(c)
	if err != nil {
		p.t.Fatal(err)
	}
	server := httptest.NewServer(wrap(system))
	p.t.Cleanup(server.Close)
	key = filepath.Join(p.dir, "key.json")
	if err := os.WriteFile(key, []byte(`{"client_id":"key","client_secret":"`+eploySecret+`"}`),
		0o600); err != nil {
		p.t.Fatal(err)
	}
	return system, []string{"take", "eploy://acme", "--to", p.root, "--api-url", server.URL + "/api",
		"--allow-private", "--credentials", key}, key
}

// An executioner kills a process with SIGKILL at each of the first requests that it receives, tokens aside:
// before the answer, when it is made and not sent, when half of it is, and a moment after all of it.
type executioner struct {
	next  http.Handler
	most  int
	mu    sync.Mutex // guards what follows
	child *exec.Cmd
	asked int
}

func (x *executioner) kill() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.child.Process.Kill() // that it has ended already is no matter
}

func (x *executioner) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x.mu.Lock()
	strike := 0
	if r.URL.Path != "/api/token" && x.asked < x.most {
		x.asked++
		strike = x.asked
	}
	x.mu.Unlock()
	if strike == 0 {
		x.next.ServeHTTP(w, r)
		return
	}
	if strike%4 == 1 {
		x.kill()
		return
	}
	answer := httptest.NewRecorder()
	x.next.ServeHTTP(answer, r)
	if strike%4 == 2 {
		x.kill()
		return
	}
	for name, values := range answer.Header() {
		w.Header()[name] = values
	}
	body := answer.Body.Bytes()
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(answer.Code)
	if strike%4 == 3 {
		body = body[:len(body)/2]
	}
	w.Write(body)
	w.(http.Flusher).Flush()
	// From a moment before the answer is on the disk to a moment after its receipt is.
	time.Sleep(time.Duration(strike%16) * time.Millisecond / 2)
	x.kill()
}

// The real program is killed with SIGKILL at each of the first 200 requests of a pull, 200 lives in a row,
// each of which goes on where the one before was. In the end every record and file is there, once; nothing
// was asked for twice but what a process that was killed had no receipt of; and the ledger accounts for all.
func TestAPullIsKilledAtEachOfItsFirst200Requests(t *testing.T) {
	p := newPlace(t)
	x := &executioner{most: setting(t, "HOLDALL_TEST_PULL_KILLS", 200)}
	system, take, key := p.serveEploy(eploysim.Config{Records: eploysim.Small(20), DayLimit: 100_000,
		SecondLimit: 1000}, func(h http.Handler) http.Handler { x.next = h; return x })
	began, lives := time.Now(), 0
	for ; ; lives++ {
		if lives > x.most {
			t.Fatal("it never ends")
		}
		x.mu.Lock()
		r := p.begin(take...)
		x.child = r.cmd
		x.mu.Unlock()
		if o := p.ended(r); o.code == 0 {
			break
		} else if o.code >= 0 {
			t.Fatalf("it ended by itself:\n%s", o)
		}
	}
	t.Logf("%d lives in %s", lives, time.Since(began).Round(time.Second))
	if x.asked != x.most || lives < x.most/2 {
		t.Errorf("%d of %d requests were struck, %d lives", x.asked, x.most, lives)
	}
	p.holdall(0, "verify", p.root, "--level", "deep")
	for _, name := range eploysim.Types() {
		if name == "statushistory" || name == "workflows" {
			continue
		}
		p.checkType(system, name)
	}
	p.checkAskedOnce(system, x.most)
	if n := p.one("select count(*) from documents"); n != strconv.Itoa(len(system.Truth("files"))) {
		t.Errorf("%s files' contents are there", n)
	}
	if s := p.one("select string_agg(status, ',' order by started) from ledger.runs where type = 'take'"); s != `"interrupted,complete"` {
		t.Errorf("the runs are %s", s)
	}
	if len(system.Writes()) > 0 {
		t.Errorf("written: %q", system.Writes())
	}
	p.noSecret(system.Secrets(), key)
}

// one is the value that a query answers.
func (p *place) one(sql string) string {
	p.t.Helper()
	out := p.holdall(0, "query", p.root, sql, "--format", "csv").stdout
	_, value, _ := strings.Cut(strings.TrimSpace(out), "\n")
	return value
}

// checkType compares the IDs of a type with those that the system has, in the table and below the runs.
func (p *place) checkType(system *eploysim.System, name string) {
	p.t.Helper()
	truth := system.Truth(name)
	if len(truth) == 0 {
		return
	}
	id := map[string]string{"companies": "company_id", "vacancies": "vacancy_id",
		"purchaseorders": "purchase_order_id",
		"payrates":       "pay_rate_id", "paysalaries": "pay_salary_id", "vacancytemplates": "vacancy_template_id"}[name]
	if id == "" {
		id = strings.TrimSuffix(name, "s") + "_id"
	}
	var all []string
	for n := range truth {
		all = append(all, fmt.Sprintf("('%d')", n))
	}
	for what, sql := range map[string]string{
		"in the table": "select " + id + "::varchar from " + name,
		"below the runs": "select distinct record_id from ledger.run_records where action = 'receive' and " +
			"status = 'success' and record_type = '" + name + "'",
	} {
		n := p.one("select count(*) || ' ' || count(*) filter (x in (select * from (values " +
			strings.Join(all, ", ") +
			") as v(id))) from (" + sql + ") as t(x)")
		if want := fmt.Sprintf("%d %d", len(truth), len(truth)); n != want {
			p.t.Errorf("%s of %s %s and right, want %s", n, name, what, want)
		}
	}
}

// checkAskedOnce counts the requests that the system answered: one for each receipt, and one for each process
// that was killed with an answer on its way.
func (p *place) checkAskedOnce(system *eploysim.System, kills int) {
	p.t.Helper()
	answered := 0
	for _, q := range system.Requests() {
		if q.Path != "token" && q.Path != "/api/token" {
			answered++
		}
	}
	receipts := 0
	for _, path := range glob(p.t, p.root, "exports/*/custody/receipts.jsonl*") {
		receipts = bytes.Count(contents(p.t, path), []byte(`"method"`)) -
			bytes.Count(contents(p.t, path), []byte(`"path":"token"`))
	}
	if receipts == 0 || answered > receipts+kills {
		p.t.Errorf("%d answers for %d receipts and %d kills", answered, receipts, kills)
	}
}
