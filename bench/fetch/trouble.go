package main

import (
	"archive/zip"
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"holdall/bench/timing"
)

// rowKill kills each contender when half of the file has come, lets it resume, and counts what came twice.
func (b *bench) rowKill() error {
	title("%d MiB, killed (SIGKILL) half-way and run again", b.size/mib)
	fmt.Println("| | fetched again | connections at the kill | bytes |\n|---|---|---|---|")
	l, err := newLine(b.nginx.http, cap16, 0)
	if err != nil {
		return err
	}
	defer l.close()
	link := "http://" + l.address + "/" + b.big.name
	all := theirs(link, "", b.big.sum)
	for _, c := range pick(
		b.ours(link), all, "aria2c -x8, checksum", "aria2c -x8", "curl", "wget", "axel -n8",
	) {
		var again []int64
		var open int32
		verdict := "right"
		for range b.runs {
			n, conns, err := b.killHalfWay(c, l)
			if errors.Is(err, errWrong) {
				verdict = "WRONG, exit 0"
			} else if err != nil {
				verdict = "exit not 0"
				fmt.Fprintf(os.Stderr, "  %s: %v\n", c.name, err)
			}
			fmt.Fprintf(os.Stderr, "  killed %s: %d KiB again, %d connections\n", c.name, n>>10, conns)
			again, open = append(again, n), max(open, conns)
		}
		fmt.Printf("| %s | %.2f MiB | %d | %s |\n", c.name, float64(timing.Median(again))/mib, open, verdict)
	}
	fmt.Printf(
		"\nGoal: at most 1 MiB for each connection. Counted on the line, with the headers of all " +
			"responses.\n",
	)
	return nil
}

func (b *bench) killHalfWay(c contender, l *line) (again int64, open int32, err error) {
	dir := filepath.Join(b.dir, "run")
	defer os.RemoveAll(dir)
	if err := timing.Fresh(dir); err != nil {
		return 0, 0, err
	}
	before := l.carried.Load()
	args := c.args(dir)
	cmd := exec.Command(args[0], args[1:]...)
	if err := cmd.Start(); err != nil {
		return 0, 0, err
	}
	for l.carried.Load()-before < b.size/2 {
		time.Sleep(time.Millisecond)
	}
	open = l.open.Load()
	if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
		return 0, 0, err
	}
	if err := cmd.Wait(); err == nil {
		return 0, 0, errors.New("it ended before it was killed")
	}
	for l.open.Load() > 0 {
		time.Sleep(time.Millisecond)
	}
	f, err := b.runAgain(c, dir)
	if err == nil {
		err = rightBytes(b.big)(c, dir, f)
	}
	return l.carried.Load() - before - b.size, open, err
}

// An expiring server's link dies after a while, for new requests and for open responses. Another link to the
// same object lives.
type expiring struct {
	file  string
	dies  atomic.Int64 // unix nanoseconds; 0: not yet asked
	after atomic.Int32 // requests after that
	open  atomic.Int32 // responses being sent
	most  atomic.Int32 // the most at once
	life  time.Duration
}

const expired = `<?xml version="1.0" encoding="UTF-8"?>
<Error><Code>AccessDenied</Code><Message>Request has expired</Message>` +
	`<RequestId>EXAMPLE000000001</RequestId></Error>
`

func (e *expiring) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f, err := os.Open(e.file)
	if err != nil {
		http.NotFound(w, r)
		return
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("ETag", `"expiring-1"`)
	if r.URL.Query().Get("fresh") != "" {
		http.ServeContent(w, r, "", info.ModTime(), f)
		return
	}
	e.dies.CompareAndSwap(0, time.Now().Add(e.life).UnixNano())
	dies := time.Unix(0, e.dies.Load())
	if time.Now().After(dies) {
		e.after.Add(1)
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(http.StatusForbidden)
		w.Write([]byte(expired))
		return
	}
	if n := e.open.Add(1); n > e.most.Load() {
		e.most.Store(n)
	}
	defer e.open.Add(-1)
	http.ServeContent(&dying{w, dies}, r, "", info.ModTime(), f)
}

// dying writes 4 MiB a second until its link is dead, and then cuts the connection.
type dying struct {
	http.ResponseWriter
	dies time.Time
}

func (d *dying) Write(p []byte) (int, error) {
	total := 0
	for len(p) > 0 {
		if time.Now().After(d.dies) {
			panic(http.ErrAbortHandler)
		}
		n, err := d.ResponseWriter.Write(p[:min(len(p), 16<<10)])
		total += n
		if err != nil {
			return total, err
		}
		d.ResponseWriter.(http.Flusher).Flush()
		time.Sleep(time.Duration(n) * time.Second / (4 * mib))
		p = p[n:]
	}
	return total, nil
}

// rowExpiry counts what each contender asks for after the link's death, and what a new link fetches twice.
func (b *bench) rowExpiry() error {
	const size = 256 * mib
	watched := 15 * time.Second
	if b.full {
		watched = time.Minute
	}
	big, err := b.nginx.add("expiring.zip", size)
	if err != nil {
		return err
	}
	title("A link that dies after 3 s, watched for %.0f s", watched.Seconds())
	fmt.Println("| | requests after the expiry | connections before | ended by itself |\n|---|---|---|---|")
	var twice int64
	for _, name := range []string{us, "aria2c -x8", "curl", "curl --retry 100", "wget", "axel -n8"} {
		e := &expiring{file: filepath.Join(b.nginx.www, big.name), life: 3 * time.Second}
		s := httptest.NewServer(e)
		link := s.URL + "/export.zip?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date=" +
			time.Now().UTC().Format("20060102T150405Z") + "&X-Amz-Expires=3&X-Amz-Signature=0"
		c, ok := theirs(link, "", big.sum)[name]
		switch {
		case name == us:
			c = b.ours(link)
		case !ok:
			c = contender{name: name, args: func(dir string) []string {
				return []string{
					"curl", "-q", "-sS", "--fail", "--retry", "100", "--retry-all-errors", "-C", "-", "-o",
					filepath.Join(dir, "out"), link,
				}
			}}
		}
		ended, f, err := b.runFor(c, watched)
		if err != nil {
			s.Close()
			return fmt.Errorf("%s: %w", name, err)
		}
		fmt.Printf("| %s | %d | %d | %s |\n", name, e.after.Load(), e.most.Load(), ended)
		if name == us {
			twice, err = b.fresh(s.URL+"/export.zip?fresh=1", f, big)
		}
		s.CloseClientConnections()
		s.Close()
		if err != nil {
			return err
		}
	}
	fmt.Printf(
		"\nA new link to the same object fetched %.2f MiB twice. Goals: at most one request for each "+
			"connection and one more; nothing twice.\n",
		float64(twice)/mib,
	)
	return nil
}

// runFor runs a contender for at most that long.
func (b *bench) runFor(c contender, most time.Duration) (ended string, f finish, err error) {
	dir := filepath.Join(b.dir, "run")
	if err := timing.Fresh(dir); err != nil {
		return "", f, err
	}
	args := c.args(dir)
	cmd := exec.Command(args[0], args[1:]...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", f, err
	}
	if err := cmd.Start(); err != nil {
		return "", f, err
	}
	begun := time.Now()
	timer := time.AfterFunc(most, func() { cmd.Process.Signal(syscall.SIGKILL) })
	defer timer.Stop()
	if c.name == us {
		err = json.NewDecoder(out).Decode(&f.report)
	} else {
		bufio.NewReader(out).WriteTo(discard{})
	}
	cmd.Wait()
	if c.name == us && (err != nil || f.report.Code == "") {
		return "", f, fmt.Errorf("it did not tell of the expiry: %v", err)
	}
	if time.Since(begun) >= most {
		return "no", f, nil
	}
	return fmt.Sprintf("after %.1f s", time.Since(begun).Seconds()), f, nil
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

// fresh resumes in the same spool with a new link, and returns the bytes that came twice.
func (b *bench) fresh(link string, first finish, s served) (int64, error) {
	dir := filepath.Join(b.dir, "run")
	second, err := b.runAgain(b.ours(link), dir)
	if err != nil {
		return 0, err
	}
	return first.report.Fetched + second.report.Fetched - s.size, compare(second.report.Path, s)
}

// rowMemory measures the most memory that package fetch takes: for large files, a ZIP and a listing of very
// many entries.
func (b *bench) rowMemory() error {
	if b.peak == 0 {
		if err := b.rowBig(); err != nil {
			return err
		}
	}
	name := "many.zip"
	// The kernel counts the memory of a process's parent as its own first, so this one must stay small.
	if _, _, err := timing.Run(
		b.self, "lay", filepath.Join(b.nginx.www, name), strconv.Itoa(b.entries),
	); err != nil {
		return err
	}
	dir := filepath.Join(b.dir, "run")
	defer os.RemoveAll(dir)
	z, err := b.run(b.ours("http://"+b.nginx.http+"/"+name, "-zip"), dir)
	if err != nil {
		return err
	}
	if err := layListing(filepath.Join(b.nginx.www, "many.csv"), b.nginx.http, b.entries); err != nil {
		return err
	}
	link := "http://" + b.nginx.http + "/many.csv"
	p, err := b.run(b.ours(link, "-plan"), dir)
	if err != nil {
		return err
	}
	l, err := b.run(b.ours(link), dir)
	if err != nil {
		return err
	}
	if z.report.Entries != b.entries || l.report.Files != b.entries {
		return fmt.Errorf("%d entries and %d files; want %d", z.report.Entries, l.report.Files, b.entries)
	}
	title("Peak memory of a process that fetches")
	fmt.Println("| | peak memory (VmHWM) | goal | time |\n|---|---|---|---|")
	fmt.Printf("| one file of %d MiB, most of all runs | %d MiB | 64 MiB | |\n", b.size/mib, b.peak/mib)
	fmt.Printf(
		"| a ZIP of %d entries, its directory read while it arrives | %d MiB | 160 MiB | %.1f s |\n",
		b.entries, z.memory/mib, z.seconds,
	)
	fmt.Printf(
		"| a listing of %d files, planned | %d MiB | 160 MiB | %.1f s |\n", b.entries, p.memory/mib,
		p.seconds,
	)
	fmt.Printf(
		"| a listing of %d files, fetched | %d MiB | 160 MiB | %.1f s |\n", b.entries, l.memory/mib,
		l.seconds,
	)
	return nil
}

func layZIP(path string, n int) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	buf := bufio.NewWriterSize(f, mib)
	w := zip.NewWriter(buf)
	for i := range n {
		e, err := w.CreateHeader(&zip.FileHeader{
			Name: fmt.Sprintf("documents/candidate %07d.txt", i), Method: zip.Store,
		})
		if err != nil {
			return err
		}
		fmt.Fprintf(e, "%d", i)
	}
	if err := w.Close(); err != nil {
		return err
	}
	return buf.Flush()
}

func layListing(path, address string, n int) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, mib)
	fmt.Fprintln(w, "Name,URL")
	for i := range n {
		fmt.Fprintf(w, "candidate %07d.txt,http://%s/tiny/%07d.txt\n", i, address, i)
	}
	return w.Flush()
}
