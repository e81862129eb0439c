package fetch

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"holdall/fetch/failure"
	"holdall/fetch/master"
)

// TestMain lets the test binary be a process that fetches, so that it can be killed.
func TestMain(m *testing.M) {
	if dir := os.Getenv("HOLDALL_FETCH_INTO"); dir != "" {
		os.Exit(childFetch(dir))
	}
	// Most of these tests wait for something to time out, so many run side by side.
	flag.Parse()
	flag.Set("test.parallel", "24")
	os.Exit(m.Run())
}

const childInterrupted = 7

// childFetch fetches the master CSV on standard input into dir and prints how many bytes it took from the
// network.
func childFetch(dir string) int {
	code, err := childRun(dir)
	if err != nil {
		fmt.Println(err)
		if code == 0 {
			code = 9
		}
	}
	return code
}

func childRun(dir string) (code int, err error) {
	raw, err := io.ReadAll(os.Stdin)
	if err != nil {
		return 0, err
	}
	m, err := master.Read(raw)
	if err != nil {
		return 0, err
	}
	f, err := New(Options{AllowPrivate: true, Idle: 2 * time.Second, RetryBudget: 10 * time.Second})
	if err != nil {
		return 0, err
	}
	defer f.Close()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	p, err := f.Plan(ctx, m)
	if err != nil {
		return 0, err
	}
	for _, s := range p.Sources {
		if s.Err != nil {
			return 0, s.Err
		}
	}
	r, err := f.Start(ctx, p, dir)
	if err != nil {
		return 0, err
	}
	if os.Getenv("HOLDALL_FETCH_FILES") != "" {
		for _, o := range r.Objects {
			if !o.Source.Listing {
				continue
			}
			for _, err := range o.Files(context.Background()) {
				if err != nil {
					return 0, err
				}
			}
		}
	}
	if err := r.Wait(); err != nil {
		if e := (*failure.Error)(nil); errors.As(err, &e) && e.Code == failure.Interrupted {
			r.Close()
			fmt.Println("fetched", r.Progress().Fetched)
			return childInterrupted, err
		}
		return 0, err
	}
	if err := r.Close(); err != nil {
		return 0, err
	}
	fmt.Println("fetched", r.Progress().Fetched)
	return 0, nil
}

// startChild starts a process that fetches m into dir. What it prints is read after Wait.
func startChild(t *testing.T, m *master.CSV, dir string) (*exec.Cmd, *strings.Builder) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(
		os.Environ(), "HOLDALL_FETCH_INTO="+dir, "HOLDALL_FETCH_FILES=1", "GORACE=atexit_sleep_ms=0",
	)
	cmd.Stdin = strings.NewReader(string(m.Raw))
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, &out
}

// killAtRandom runs children that fetch m into dir, kills each after a random time up to most, and lets the
// last one finish. It returns how many were killed.
func killAtRandom(t *testing.T, m *master.CSV, dir string, kills int, most time.Duration) int {
	t.Helper()
	killed := 0
	for {
		cmd, out := startChild(t, m, dir)
		if killed < kills {
			timer := time.AfterFunc(rand.N(most), func() { cmd.Process.Signal(syscall.SIGKILL) })
			err := cmd.Wait()
			timer.Stop()
			var exit *exec.ExitError
			if errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signaled() {
				killed++
				continue
			}
		} else if err := cmd.Wait(); err != nil {
			t.Fatalf("the undisturbed run: %v\n%s", err, out.String())
		}
		if !strings.Contains(out.String(), "fetched") {
			t.Fatalf("a run ended by itself without success: %s", out.String())
		}
		if strings.Contains(out.String(), secret) {
			t.Errorf("the output shows the secret: %s", out.String())
		}
		return killed
	}
}

// throttle lets a handler send at most rate bytes a second.
func throttle(w http.ResponseWriter, rate int) http.ResponseWriter { return &slowWriter{w, rate} }

type slowWriter struct {
	http.ResponseWriter
	rate int
}

func (w *slowWriter) Write(p []byte) (int, error) {
	total := 0
	for len(p) > 0 {
		n := min(len(p), 32<<10)
		m, err := w.ResponseWriter.Write(p[:n])
		total += m
		if err != nil {
			return total, err
		}
		w.ResponseWriter.(http.Flusher).Flush()
		time.Sleep(time.Duration(n) * time.Second / time.Duration(w.rate))
		p = p[n:]
	}
	return total, nil
}

func (w *countingWriter) Flush() { w.ResponseWriter.(http.Flusher).Flush() }

func testKilled(t *testing.T) {
	s := newFaultServer(t)
	bodies := map[string][]byte{
		"/data.zip": zipLike(5<<20+1, 5), "/attachments.zip": zipLike(24<<20+999, 6),
		"/cvs.zip": zipLike(700<<10, 7),
	}
	for path, body := range bodies {
		o := s.put(path, body)
		o.fault = func(_ int, o *served, w http.ResponseWriter, r *http.Request) bool {
			o.serve(throttle(w, 3<<20), r)
			return true
		}
	}
	m := s.master(t, "/data.zip", "/attachments.zip", "/cvs.zip")
	dir := t.TempDir()
	kills := killAtRandom(t, m, dir, 10, 700*time.Millisecond)
	total := 0
	for i, path := range []string{"/data.zip", "/attachments.zip", "/cvs.zip"} {
		total += len(bodies[path])
		got, err := os.ReadFile(dataPath(dir, fmt.Sprintf("object-%02d", i+1)))
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != string(bodies[path]) {
			t.Errorf("%s differs after %d kills", path, kills)
		}
	}
	again := s.sent.Load() - int64(total)
	if most := int64(kills+1) * maxConns << 20; again > most {
		t.Errorf("%d bytes were sent again over %d kills; want at most %d", again, kills, most)
	}
	t.Logf(
		"%d kills, %d of %d bytes sent again: %d KiB a kill", kills, again, total,
		again>>10/int64(max(kills, 1)),
	)
	wantNoSecret(t, dir)
}

// testSignalled sends a signal to a process that fetches; the next one goes on. After an orderly end not one
// byte is fetched twice.
func testSignalled(sig syscall.Signal, exit int) func(*testing.T) {
	return func(t *testing.T) {
		s := newFaultServer(t)
		body := zipLike(6<<20+5, 8)
		o := s.put("/attachments.zip", body)
		o.fault = func(_ int, o *served, w http.ResponseWriter, r *http.Request) bool {
			o.serve(throttle(w, 1<<20), r)
			return true
		}
		m := s.master(t, "", "/attachments.zip", "")
		dir := t.TempDir()
		cmd, out := startChild(t, m, dir)
		for deadline := time.Now().Add(30 * time.Second); s.sent.Load() < 3<<20; {
			if time.Now().After(deadline) {
				t.Fatal("nothing is being fetched")
			}
			time.Sleep(5 * time.Millisecond)
		}
		began := time.Now()
		if err := cmd.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
		err := cmd.Wait()
		if code := cmd.ProcessState.ExitCode(); code != exit {
			t.Errorf("the process ended with %d (%v), want %d: %s", code, err, exit, out)
		}
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("it took %s to stop", took)
		}
		if b, err := os.ReadFile(dir + "/lock"); err != nil ||
			!strings.Contains(string(b), fmt.Sprintf(`"pid":%d,`, cmd.Process.Pid)) {
			t.Errorf("the lock file says %q, %v; want the process that is gone", b, err)
		}
		s.mu.Lock()
		o.fault = nil
		s.mu.Unlock()
		next, said := startChild(t, m, dir)
		if err := next.Wait(); err != nil {
			t.Fatalf("the next run: %v: %s", err, said)
		}
		got, err := os.ReadFile(dataPath(dir, "object-01"))
		if err != nil || string(got) != string(body) {
			t.Errorf("the bytes differ, or %v", err)
		}
		if n := fetchedBy(out) + fetchedBy(said); exit == childInterrupted && n != int64(len(body)) {
			t.Errorf("%d bytes were fetched, want %d", n, len(body))
		}
		if n := fetchedBy(said); n >= int64(len(body)) {
			t.Errorf("the next run fetched %d bytes of %d, as if nothing were here", n, len(body))
		}
		if strings.Contains(out.String()+said.String(), secret) {
			t.Errorf("the output shows the secret: %s%s", out, said)
		}
		wantNoSecret(t, dir)
	}
}

// fetchedBy returns how many bytes a child says that it took from the network.
func fetchedBy(out *strings.Builder) (n int64) {
	_, rest, _ := strings.Cut(out.String(), "fetched ")
	fmt.Sscan(rest, &n)
	return n
}
