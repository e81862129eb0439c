package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A ptySession is a program in a pseudo-terminal, and what it has shown so far.
type ptySession struct {
	t     *testing.T
	pty   *os.File
	cmd   *exec.Cmd
	shown strings.Builder
	seen  int // of shown, what expect has passed
	out   chan string
}

// openPTY returns both ends of a new pseudo-terminal, 24 lines of 100 columns.
func openPTY(t *testing.T) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(int(master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 100})
	}
	if err != nil {
		t.Fatal(err)
	}
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return master, slave
}

// startPTY runs holdall, as a process of its own, in a pseudo-terminal.
func startPTY(t *testing.T, args ...string) *ptySession {
	t.Helper()
	master, slave := openPTY(t)
	c := &ptySession{t: t, pty: master, cmd: exec.Command("holdall", args...), out: make(chan string, 100)}
	c.cmd.Stdin, c.cmd.Stdout, c.cmd.Stderr = slave, slave, slave
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	slave.Close()
	go func() {
		defer close(c.out)
		b := make([]byte, 4096)
		for {
			n, err := master.Read(b)
			if strings.Contains(string(b[:n]), "\x1b[6n") { // asked where its cursor is, a terminal answers
				master.WriteString("\x1b[5;10R")
			}
			c.out <- string(b[:n])
			if err != nil {
				return // the last process that had the other end is gone
			}
		}
	}()
	t.Cleanup(func() { c.cmd.Process.Kill(); c.cmd.Wait(); master.Close() })
	return c
}

// expect waits until what is shown next holds text.
func (c *ptySession) expect(text string) {
	c.t.Helper()
	limit := time.After(20 * time.Second)
	for {
		if at := strings.Index(c.shown.String()[c.seen:], text); at >= 0 {
			c.seen += at + len(text)
			return
		}
		select {
		case s, ok := <-c.out:
			if !ok {
				c.t.Fatalf("the program ended before it showed %q:\n%q", text, c.shown.String()[c.seen:])
			}
			c.shown.WriteString(plain(s))
		case <-limit:
			c.t.Fatalf("%q was not shown:\n%q", text, c.shown.String()[c.seen:])
		}
	}
}

func (c *ptySession) enter(keys string) {
	c.t.Helper()
	if _, err := c.pty.WriteString(keys); err != nil {
		c.t.Fatal(err)
	}
}

// ask waits until the shell asks, and answers. Keys that come before it reads them are lost.
func (c *ptySession) ask(keys string) {
	c.t.Helper()
	c.expect("holdall> ")
	time.Sleep(300 * time.Millisecond)
	c.enter(keys)
}

// ends waits for the program's end and returns its exit code.
func (c *ptySession) ends() int {
	c.t.Helper()
	go func() {
		for range c.out {
		}
	}()
	timer := time.AfterFunc(20*time.Second, func() { c.cmd.Process.Kill() })
	defer timer.Stop()
	c.cmd.Wait()
	return c.cmd.ProcessState.ExitCode()
}

// plain takes out of what a terminal was sent all that moves the cursor or chooses colours.
func plain(s string) string { return escapes.ReplaceAllString(s, "") }

var escapes = regexp.MustCompile(`\x1b(\[[0-9;?]*[ -/]*[@-~]|\][^\x07]*\x07|[@-Z\\-_])`)

// TestTheShellInATerminal: long because it is one table of cases.
func TestTheShellInATerminal(t *testing.T) {
	root, id, _ := demo(t)
	t.Setenv("PAGER", "cat")
	history := filepath.Join(os.Getenv("XDG_CACHE_HOME"), "holdall", "history")
	file := filepath.Join(t.TempDir(), "answer.csv")
	c := startPTY(t, "query", root)
	c.expect("holdall: what is typed is remembered in " + history)
	c.expect("holdall: " + id + ": SQL ends with a semicolon")
	c.ask("select count(*) as people\r")
	c.expect("people\r")
	time.Sleep(time.Second) // as in ask: the next line is read a moment after this one
	c.enter("from candidates;\r")
	c.expect("10")
	c.expect("holdall: 1 row")
	for _, step := range []struct {
		keys string
		want []string // none of them in what is typed
	}{
		// both are answered
		{"select 41+1 as one; select 'b' || 'c' as two;\r", []string{"42", "bc", "1 row"}},
		{"from stage_ev\t select 7*6 as v limit 1;\r", []string{"42"}}, // Tab completes the name
		{".help\r", []string{".quit "}},
		{"help\r", []string{".quit "}},
		{".tables\r", []string{"Candidates.csv"}},
		{".schema users\r", []string{"The people of the agency", "user_id"}[1:]},
		{".frobnicate\r", []string{"there is no command .frobnicate"}},
		{"SELEC 1;\r", []string{"did you mean SELECT?"}},
		{"drop table users;\r", []string{"DROP is not allowed"}},
		{"select nonsense from users;\r", []string{"there is no column nonsense"}},
		// wider than the terminal
		{"from candidates limit 1;\r", []string{"…", "columns are not shown: .mode line has all"}},
		{".mode line\r", nil},
		{"select 'x' || 'y' as a, 1 + 1 as b;\r", []string{"a = xy", "b = 2"}},
		{".mode table\r", nil},
		{".mode odt\r", []string{"there is no mode"}},
		{".once " + file + "\r", nil},
		{"select 'x' || 'y' as a;\r", []string{"wrote " + file}},
		{".once " + file + "\r", []string{"holdall: hint: choose another name\r"}},
		{"\x12drop ta\r\r", []string{"DROP is not allowed"}}, // Ctrl-R searches what was typed before
		// a statement goes on until its semicolon; Ctrl-C gives it up
		{"select 'half of\r\x03", nil},
		{"select 'still ' || 'here' as x;\r", []string{"still here"}},
	} {
		c.ask(step.keys)
		if line, ok := strings.CutSuffix(step.keys, "\r"); ok && step.want == nil {
			// the line is shown again with each key: only behind its end is the prompt that ask waits for
			c.expect(line[max(0, len(line)-8):] + "\r")
		}
		for _, want := range step.want {
			c.expect(want)
		}
	}
	c.ask("\x04")
	if code := c.ends(); code != 0 {
		t.Errorf("exit %d after Ctrl-D", code)
	}
	if got := read(t, file); got != "a\nxy\n" {
		t.Errorf(".once wrote %q", got)
	}
	if got := read(t, history); !strings.Contains(got, `select count(*) as people\nfrom candidates;`+"\n") {
		t.Errorf("the history is %q", got)
	}

	c = startPTY(t, "query", root) // the next shell knows it, and does not announce it again
	c.ask("\x1b[A\r")
	c.expect("still here")
	if strings.Contains(c.shown.String(), "is remembered in") {
		t.Errorf("shown: %q", c.shown.String())
	}
	c.ask("quit\r")
	if code := c.ends(); code != 0 {
		t.Errorf("exit %d after quit", code)
	}
}

// Ctrl-C ends a query that takes long, and not the shell.
func TestCtrlCEndsAQuery(t *testing.T) {
	root, _, _ := demo(t)
	c := startPTY(t, "query", root)
	c.ask("select sum(a.range * b.range) from range(10000000) as a, range(10000000) as b;\r")
	c.expect("\n")
	time.Sleep(500 * time.Millisecond)
	c.enter("\x03")
	c.expect("stopped after")
	c.ask("select 'still ' || 'here' as x;\r")
	c.expect("still here")
	c.ask(".quit\r")
	if code := c.ends(); code != 0 {
		t.Errorf("exit %d", code)
	}
}

// A result that is longer than the terminal is high goes through the pager; a shorter one does not.
func TestLongResultsGoThroughAPager(t *testing.T) {
	root, _, _ := demo(t)
	log := filepath.Join(t.TempDir(), "paged")
	t.Setenv("HOLDALL_PAGER", "tee "+log)
	c := startPTY(t, "query", root)
	c.ask("select 'sh' || 'ort' as x;\r")
	c.expect("short")
	if _, err := os.Stat(log); err == nil {
		t.Error("a short result was paged")
	}
	c.ask("select 'row ' || range as x from range(100);\r")
	c.expect("row 99")
	c.expect("100 rows")
	if got := read(t, log); !strings.Contains(got, "row 99\n") {
		t.Errorf("paged: %q", got)
	}
	c.ask(".quit\r")
	if code := c.ends(); code != 0 {
		t.Errorf("exit %d", code)
	}
}

// A document that is not text is not sent to a terminal unasked.
func TestCatAsksBeforeItWritesToATerminal(t *testing.T) {
	root, _, _ := demo(t)
	o := holdall(
		t, "query", root, "select doc_id from documents where media_type = 'application/pdf' limit 1",
	)
	doc := strings.Split(o.stdout, "\n")[1]
	for answer, want := range map[string]struct {
		code  int
		shown string
	}{"n\r": {2, "--force"}, "\r": {2, "--force"}, "y\r": {0, "%PDF-"}} {
		c := startPTY(t, "cat", root, doc)
		c.expect("write it to the terminal anyway? [y/N] ")
		c.enter(answer)
		c.expect(want.shown)
		if code := c.ends(); code != want.code {
			t.Errorf("exit %d after %q, want %d", code, answer, want.code)
		}
	}
	c := startPTY(t, "cat", root, doc, "--force")
	c.expect("%PDF-")
	if code := c.ends(); code != 0 {
		t.Errorf("exit %d with --force", code)
	}
}
