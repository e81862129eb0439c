package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"holdall/internal/exportsim"
)

var (
	program string // the built binary
	shared  string // a directory for what several tests use
)

func TestMain(m *testing.M) {
	code, err := buildAndRun(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		code = 1
	}
	os.Exit(code)
}

func buildAndRun(m *testing.M) (int, error) {
	dir, err := os.MkdirTemp("", "holdall-e2e-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	program, shared = filepath.Join(dir, "holdall"), dir
	build := exec.Command("go", "build", "-o", program, "holdall/cmd/holdall")
	if out, err := build.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("build holdall: %w\n%s", err, out)
	}
	return m.Run(), nil
}

// An outcome is how a run of the program ended.
type outcome struct {
	args           []string
	stdout, stderr string
	code           int // -1 when it was killed
	wall           time.Duration
}

func (o outcome) String() string {
	return fmt.Sprintf(
		"holdall %s\nexit %d after %s\nstdout: %.2000s\nstderr: %.4000s", strings.Join(o.args, " "), o.code,
		o.wall, o.stdout, o.stderr,
	)
}

// A run is a started program.
type run struct {
	cmd            *exec.Cmd
	args           []string
	stdout, stderr bytes.Buffer
	begun          time.Time
	cancel         context.CancelFunc
}

// start runs the program with nothing of this machine's settings, and a limit on its time.
func start(t testing.TB, args ...string) *run {
	t.Helper()
	return startWith(t, nil, args...)
}

// startWith is start with more in the environment.
func startWith(t testing.TB, environ []string, args ...string) *run {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	r := &run{cmd: exec.CommandContext(ctx, program, args...), args: args, begun: time.Now(), cancel: cancel}
	r.cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + shared, "LC_ALL=C.UTF-8", "TMPDIR=" + os.TempDir(),
	}
	r.cmd.Env = append(r.cmd.Env, environ...)
	r.cmd.Dir = shared
	r.cmd.Stdout, r.cmd.Stderr = &r.stdout, &r.stderr
	r.cmd.WaitDelay = 5 * time.Second
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *run) wait() outcome {
	r.cmd.Wait()
	r.cancel()
	return outcome{
		r.args, r.stdout.String(), r.stderr.String(), r.cmd.ProcessState.ExitCode(),
		time.Since(r.begun).Round(time.Millisecond),
	}
}

// holdall runs the program and fails the test unless it exits with want.
func holdall(t testing.TB, want int, args ...string) outcome {
	t.Helper()
	o := start(t, args...).wait()
	if o.code != want {
		t.Fatalf("want exit %d, got:\n%s", want, o)
	}
	return o
}

// decode reads what the program printed with --json.
func decode[T any](t testing.TB, o outcome) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(o.stdout), &v); err != nil {
		t.Fatalf("stdout is no JSON: %v\n%s", err, o)
	}
	return v
}

// taken is what the tests need of what take, list and status print.
type taken struct {
	Export       string `json:"export"`
	Location     string `json:"location"`
	State        string `json:"state"`
	FetchedBytes int64  `json:"fetched_bytes"`
	ReusedBytes  int64  `json:"reused_bytes"`
	Tables       map[string]struct {
		Rows int64  `json:"rows"`
		File string `json:"file"`
	} `json:"tables"`
	Documents struct {
		Attachments int64 `json:"attachments"`
		CVs         int64 `json:"cvs"`
		Bytes       int64 `json:"bytes"`
	} `json:"documents"`
	Findings []finding `json:"findings"`
	Error    *failure  `json:"error"`
}

type finding struct {
	Code     string `json:"code"`
	Count    int    `json:"count"`
	Severity string `json:"severity"`
	Detail   string `json:"detail"`
}

type failure struct {
	Code      string `json:"code"`
	Message   string `json:"message"`
	Hint      string `json:"hint"`
	Retryable *bool  `json:"retryable"`
}

// truth is what "simulate --truth" writes.
type truth struct {
	exportsim.Truth
	Files []exportsim.Document `json:"files"`
}

func readTruth(t testing.TB, path string) truth {
	t.Helper()
	var v truth
	b, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(b, &v)
	}
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// A platform is a running "holdall simulate".
type platform struct {
	master string // path of the master CSV
	url    string // of the master CSV
	truth  string // path
}

// simulate serves an export until the test ends or stop is called.
func simulate(t testing.TB, dir string, args ...string) (p platform, stop func()) {
	t.Helper()
	p = platform{master: filepath.Join(dir, "master.csv"), truth: filepath.Join(dir, "truth.json")}
	cmd := exec.Command(
		program, append([]string{"simulate", "--master", p.master, "--truth", p.truth}, args...)...,
	)
	cmd.Dir, cmd.Env = dir, []string{"HOME=" + shared, "TMPDIR=" + os.TempDir()}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stopped := false
	stop = func() {
		if !stopped {
			stopped = true
			cmd.Process.Signal(syscall.SIGTERM)
			cmd.Wait()
		}
	}
	t.Cleanup(stop)
	lines := bufio.NewScanner(stdout)
	if !lines.Scan() {
		stop()
		t.Fatalf("simulate printed no URL: %s", stderr.String())
	}
	p.url = strings.TrimSpace(lines.Text())
	return p, stop
}

// command runs another program and returns what it printed.
func command(t testing.TB, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s\n%s", name, strings.Join(args, " "), err, out, stderr.String())
	}
	return string(out)
}
