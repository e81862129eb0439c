package fetch

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"holdall/fetch/failure"
	"holdall/fetch/master"
)

// A faultCase is one thing that goes wrong in the world, and what must come of it. docs/faults.md is
// generated from these.
type faultCase struct {
	name string // what happens
	// world prepares the server, and returns the master CSV. The default serves one object, prepared by
	// fault.
	world func(t *testing.T, w *faultWorld) *master.CSV
	fault func(w *faultWorld, o *served)
	opts  func(*Options)
	// between, when set, happens after a first run, which must end in the code first ("" is success). Then
	// comes a second run, with the object's fault taken away. The server's lock is held.
	between func(t *testing.T, w *faultWorld)
	first   failure.Code
	master2 func(t *testing.T, w *faultWorld) *master.CSV // for the second run; default: the same
	want    failure.Code                                  // "" means that every byte is right
	hint    string                                        // part of the error's hint
	while   func(t *testing.T, w *faultWorld, r *Run)     // reads while the last run is under way
	check   func(t *testing.T, w *faultWorld, r *Run, err error)
	// test takes the place of all that, and says what comes of it in outcome.
	test    func(t *testing.T)
	outcome string
}

// A faultWorld is a server, a spool, and everything that holdall lets out.
type faultWorld struct {
	*faultServer
	dir    string
	body   []byte // of /attachments.zip, as it must arrive
	object *served

	mu  sync.Mutex
	out bytes.Buffer // logs, receipts, errors
}

func (w *faultWorld) printf(format string, a ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	fmt.Fprintf(&w.out, format+"\n", a...)
}

const faultSize = 3<<20 + 4321

func TestFaults(t *testing.T) {
	for _, family := range faultFamilies() {
		t.Run(family.name, func(t *testing.T) {
			t.Parallel()
			for _, c := range family.cases {
				t.Run(c.name, func(t *testing.T) {
					t.Parallel()
					if c.test != nil {
						c.test(t)
						return
					}
					runFault(t, c)
				})
			}
		})
	}
}

func runFault(t *testing.T, c faultCase) {
	w := &faultWorld{faultServer: newFaultServer(t), dir: t.TempDir(), body: zipLike(faultSize, 42)}
	var m *master.CSV
	if c.world != nil {
		m = c.world(t, w)
	} else {
		w.object = w.put("/attachments.zip", w.body)
		m = w.master(t, "", "/attachments.zip", "")
	}
	if c.fault != nil {
		c.fault(w, w.object)
	}
	opts := Options{
		AllowPrivate: true, Idle: time.Second, RetryBudget: 2500 * time.Millisecond, Log: w.printf,
		Receipt: func(r Receipt) {
			b, _ := json.Marshal(r)
			w.printf("%s %+v", b, r)
		},
	}
	if c.want == "" && c.between == nil {
		// a busy machine must not turn a fault that is survived into one that is not
		opts.RetryBudget = 20 * time.Second
	}
	if c.opts != nil {
		c.opts(&opts)
	}
	if c.between != nil {
		m = w.firstRun(t, c, opts, m)
	}
	r, err := w.run(t, opts, m, c.while)
	w.wantCode(t, "the run", err, c.want)
	var e *failure.Error
	if errors.As(err, &e) {
		if !strings.Contains(e.Hint, c.hint) || e.Hint == "" {
			t.Errorf("hint %q, want something with %q", e.Hint, c.hint)
		}
	}
	if err == nil && w.object != nil {
		wantBytes(t, r.Objects[len(r.Objects)-1], w.object.body)
	}
	if c.check != nil {
		c.check(t, w, r, err)
	}
	if r != nil {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if strings.Contains(w.out.String(), secret) {
		t.Errorf("what was told shows the secret:\n%s", w.out.String())
	}
	wantNoSecret(t, w.dir)
	if t.Failed() {
		t.Logf("requests:\n%s\ntold:\n%s", strings.Join(w.log(), "\n"), w.out.String())
	}
}

// firstRun is the run before the one that counts. It returns the master CSV of the latter.
func (w *faultWorld) firstRun(t *testing.T, c faultCase, opts Options, m *master.CSV) *master.CSV {
	t.Helper()
	r, err := w.run(t, opts, m, nil)
	w.wantCode(t, "the first run", err, c.first)
	if r != nil {
		r.Close()
	}
	w.faultServer.mu.Lock()
	if w.object != nil {
		w.object.fault = nil
	}
	c.between(t, w)
	w.faultServer.mu.Unlock()
	if c.master2 != nil {
		m = c.master2(t, w)
	}
	return m
}

// run is one run of holdall's fetching, as a new process would do it.
func (w *faultWorld) run(
	t *testing.T, opts Options, m *master.CSV, while func(*testing.T, *faultWorld, *Run),
) (*Run, error) {
	t.Helper()
	f, err := New(opts)
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { f.Close() })
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	t.Cleanup(cancel)
	p, err := f.Plan(ctx, m)
	if err != nil {
		w.printf("%v %+v %#v", err, err, err)
		return nil, err
	}
	for _, s := range p.Sources {
		w.printf("%+v", *s)
	}
	r, err := f.Start(ctx, p, w.dir)
	if err != nil {
		w.printf("%v %+v", err, err)
		return nil, err
	}
	if while != nil {
		while(t, w, r)
	}
	err = r.Wait()
	for _, s := range p.Sources {
		if s.Err != nil && err == nil {
			err = s.Err
		}
	}
	if err != nil {
		w.printf("%v %+v %#v", err, err, err)
	}
	return r, err
}

func (w *faultWorld) wantCode(t *testing.T, which string, err error, want failure.Code) {
	t.Helper()
	var got failure.Code
	var e *failure.Error
	if errors.As(err, &e) {
		got = e.Code
	} else if err != nil {
		t.Errorf("%s ended in %T, not in an *Error", which, err)
	}
	if got != want {
		t.Errorf("%s ended in %q (%v), want %q", which, got, err, want)
	}
}

// spoolFile returns the path of the only object's file with that suffix.
func (w *faultWorld) spoolFile(suffix string) string { return w.dir + "/object-01" + suffix }

// change rewrites a file of the spool.
func (w *faultWorld) change(t *testing.T, suffix string, fn func([]byte) []byte) {
	t.Helper()
	b, err := os.ReadFile(w.spoolFile(suffix))
	if err == nil {
		err = os.WriteFile(w.spoolFile(suffix), fn(b), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}
