package e2e

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdall/internal/s3test"
)

// An s3Crash is where the real program is killed on its way into S3.
type s3Crash struct {
	request int  // at which request, from 1
	acted   bool // when the server has acted, and before it answers; else before the server has seen it
}

// Killed at any request to S3, before the server acts or after it has, the same command makes the archive
// that an undisturbed one makes, once, and neither deletes nor overwrites anything.
//
//	HOLDALL_TEST_S3_CRASHES=100    how many crashes are tried, at random; "0" means each request in both ways
func TestKilledAtAnyRequestToS3(t *testing.T) {
	dir := t.TempDir()
	p, _ := simulate(t, dir, "--people", "6", "--seed", "23")
	c := newS3Crashed(t, dir, "take")
	c.command = func(root string) []string {
		return []string{"take", p.master, "--to", c.url(root), "--work", c.work(root), "--allow-private",
			"--tenant", "crashed"}
	}
	c.tryAll(t)
}

// Likewise, the copy of an archive goes on.
func TestACopyKilledAtAnyRequestToS3(t *testing.T) {
	c := newS3Crashed(t, t.TempDir(), "copy")
	bag := exportIn(t, copyTree(t, goldenRoot))
	c.command = func(root string) []string { return []string{"copy", bag, c.url(root)} }
	c.tryAll(t)
}

// tryAll kills the command at some requests, or at all.
func (c *s3Crashed) tryAll(t *testing.T) {
	t.Helper()
	c.want = c.finish(t, "undisturbed")
	requests := len(c.proxy.Take())
	if requests < 30 {
		t.Fatalf("%d requests: too few to be a takeover", requests)
	}
	var crashes []s3Crash
	for i := range requests {
		crashes = append(crashes, s3Crash{i + 1, false}, s3Crash{i + 1, true})
	}
	seed := uint64(setting(t, "HOLDALL_TEST_CRASH_SEED", int(time.Now().UnixNano()%1e9)))
	if n := setting(t, "HOLDALL_TEST_S3_CRASHES", 6); n > 0 {
		rand.New(rand.NewPCG(seed, 2)).Shuffle(len(crashes), func(i, j int) {
			crashes[i], crashes[j] = crashes[j], crashes[i]
		})
		crashes = crashes[:min(n, len(crashes))]
	}
	t.Logf("seed %d: %d crashes at %d requests", seed, len(crashes), requests)
	killed := 0
	for _, x := range crashes {
		t.Run(fmt.Sprintf("request %d, acted %v", x.request, x.acted), func(t *testing.T) {
			root := fmt.Sprintf("killed-%d-%v", x.request, x.acted)
			at, op := c.killAt(t, root, x)
			if at == -1 {
				killed++
			}
			got := c.finish(t, root)
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("after a kill at %s (-undisturbed +killed):\n%s", op, d)
			}
			c.check(t, root)
		})
	}
	if killed < len(crashes)/2 {
		t.Errorf("%d of %d runs were killed: little was tried", killed, len(crashes))
	}
}

// An s3Crashed is a command that brings an archive into a root in S3.
type s3Crashed struct {
	proxy   *s3test.Proxy
	environ []string
	dir     string
	kind    string // in the log
	command func(root string) []string
	want    string // what an undisturbed one makes
}

func newS3Crashed(t *testing.T, dir, kind string) *s3Crashed {
	t.Helper()
	proxy := s3test.Start(t).NewProxy(t)
	return &s3Crashed{proxy: proxy, environ: s3test.Environ(dir, proxy.URL, s3test.Writer), dir: dir,
		kind: kind}
}

func (c *s3Crashed) work(root string) string { return filepath.Join(c.dir, "work-"+root) }

func (c *s3Crashed) url(root string) string { return "s3://" + s3test.Bucket + "/" + root }

// killAt runs the command and kills it at a request. It returns its exit code, which is -1 then, and what it
// was about to do.
func (c *s3Crashed) killAt(t *testing.T, root string, x s3Crash) (code int, op string) {
	t.Helper()
	var n atomic.Int64
	started := make(chan *run, 1)
	kill := func() {
		r := <-started
		started <- r
		r.cmd.Process.Kill()
	}
	c.proxy.SetFault(func(r s3test.Request) s3test.Fault {
		if n.Add(1) < int64(x.request) {
			return s3test.Fault{}
		}
		if n.Load() == int64(x.request) {
			op = r.Op + " " + r.Key
			if x.acted {
				return s3test.Fault{Acted: kill, Drop: true}
			}
			kill()
		}
		return s3test.Fault{Delay: time.Minute} // until the client is gone: the server never sees it
	})
	defer c.proxy.SetFault(nil)
	r := startWith(t, c.environ, c.command(root)...)
	started <- r
	return r.wait().code, op
}

// finish runs the command without faults, and returns what of the archive is the same each time.
func (c *s3Crashed) finish(t *testing.T, root string) string {
	t.Helper()
	o := startWith(t, c.environ, c.command(root)...).wait()
	if o.code != 0 {
		t.Fatalf("want exit 0, got:\n%s", o)
	}
	q := startWith(t, c.environ, "query", c.url(root), "--work", c.work(root), "--format",
		"csv", `select doc_id, size, sha256, owner_id, attachment_id, original_name from documents
		union all select 'candidates', count(*), sha256(string_agg(c::text order by candidate_id)), '', '', ''
		from candidates c order by all`).wait()
	if q.code != 0 || strings.Count(q.stdout, "\n") < 5 {
		t.Fatalf("query: %s", q)
	}
	return q.stdout
}

// check wants one complete archive, valid, and a ledger that knows it.
func (c *s3Crashed) check(t *testing.T, root string) {
	t.Helper()
	list := startWith(t, c.environ, "list", c.url(root), "--json").wait()
	if all := decode[[]taken](t, list); len(all) != 1 || all[0].State != "complete" {
		t.Errorf("the root holds %s, want one complete export and nothing abandoned", list)
	}
	if o := startWith(t, c.environ, "verify", c.url(root), "--level", "full", "--json").wait(); o.code != 0 {
		t.Errorf("verify: %s", o)
	}
	log := startWith(t, c.environ, "log", c.url(root), "--json").wait()
	if runs := decode[[]struct{ Type, Status string }](t, log); log.code != 0 || len(runs) < 2 ||
		runs[1].Type != c.kind || runs[1].Status == "running" {
		t.Errorf("log: %s", log)
	}
	for _, r := range c.proxy.Take() {
		if r.Method == "DELETE" || r.Op == "PutObject" && r.Header.Get("If-None-Match") != "*" {
			t.Errorf("%s %s: a writer may neither delete nor overwrite", r.Method, r.Key)
		}
	}
}
