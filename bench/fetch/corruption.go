package main

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	riskSize = 16 * mib // of the object: 2 MiB for each connection of those who open eight
	// bytes a second of one response, so that those who open many connections do so before the first is done
	riskRate  = 8 * mib
	riskBreak = mib         // brought by a response that breaks
	riskStep  = 32 << 10    // bytes written at once
	patience  = time.Minute // whoever still runs then hangs
)

// A version is what the server has for the object at a time.
type version struct {
	body []byte
	etag string
	mod  time.Time
}

// A risk is a fault that may leave wrong bytes without a word. There is one run of each contender, unless cut
// is set.
type risk struct {
	name string
	// cut says that there are two runs of the same command: the first one is stopped (SIGTERM) when half of
	// the object has been sent and the server has fallen silent.
	cut bool
	// right lists the versions that a contender may leave, each one whole; nil is the old one only.
	right func(t *trial) []version
	// answer answers every request.
	answer func(a asked)
}

// asked is one request of a trial.
type asked struct {
	*trial
	w      http.ResponseWriter
	r      *http.Request
	n      int  // its number from 1, over both runs
	second bool // it belongs to the second run
	sent   int  // bytes that had been sent in all when it came
}

// Where connections break, each response does after 1 MiB, until half of the object's size has been sent in
// all. From then on none does, so that whoever goes on in the right way comes to the end.
func (a asked) breaks() int {
	if a.sent < riskSize/2 {
		return riskBreak
	}
	return -1
}

var risks = []risk{
	{name: "replaced by another of the same size between two runs", cut: true,
		right: func(t *trial) []version { return []version{t.other} },
		answer: func(a asked) {
			if a.second {
				a.serve(a.other, -1)
				return
			}
			a.serve(a.old, -1)
		}},
	{name: "replaced by another of the same size within a run; connections break",
		right: func(t *trial) []version { return []version{t.old, t.other} },
		answer: func(a asked) {
			if a.breaks() < 0 {
				a.serve(a.other, -1)
				return
			}
			a.serve(a.old, a.breaks())
		}},
	{name: "the server ignores Range; two runs", cut: true, answer: func(a asked) { a.whole(a.old.body) }},
	{name: "the server ignores Range from the third request on; the first two break", answer: func(a asked) {
		if a.n <= 2 {
			a.serve(a.old, riskBreak)
			return
		}
		a.whole(a.old.body)
	}},
	{name: "each part begins 5,000 bytes earlier than asked for, and says so; connections break",
		answer: func(a asked) {
			from, to, _ := strings.Cut(strings.TrimPrefix(a.r.Header.Get("Range"), "bytes="), "-")
			if start, err := strconv.Atoi(from); err == nil && start > 0 {
				a.r.Header.Set("Range", fmt.Sprintf("bytes=%d-%s", max(0, start-5000), to))
			}
			a.serve(a.old, a.breaks())
		}},
	{name: "a sign-in page with status 200", answer: func(a asked) { a.signIn() }},
	{name: "a sign-in page with status 200 in the second run", cut: true, answer: func(a asked) {
		if a.second {
			a.signIn()
			return
		}
		a.serve(a.old, -1)
	}},
	// Once, in these two, means until half of the object has been sent: axel's first request only looks at
	// the headers.
	{name: "a chunked body ends without its last chunk, once", answer: func(a asked) {
		if a.sent >= riskSize/2 {
			a.serve(a.old, -1)
			return
		}
		a.w.Header().Set("ETag", a.old.etag)
		a.w.(http.Flusher).Flush() // now the length is not given; an HTTP/1.0 client gets no chunks
		a.pace(riskSize / 2).Write(a.old.body)
	}},
	{name: "a body without length or chunks ends early, once", answer: func(a asked) {
		if a.sent >= riskSize/2 {
			a.serve(a.old, -1)
			return
		}
		a.w.Header().Set("ETag", a.old.etag)
		a.w.Header().Set("Connection", "close")
		a.w.Header().Set("Transfer-Encoding", "identity") // net/http: neither a length nor chunks
		a.pace(-1).Write(a.old.body[:riskSize/2])
	}},
	{name: "gzip on the way, though nobody asked for it", answer: func(a asked) {
		a.w.Header().Set("Content-Encoding", "gzip")
		a.whole(a.zipped)
	}},
}

// serve answers as a storage service does. The connection breaks after most bytes of the body, unless that is
// negative.
func (a asked) serve(v version, most int) {
	a.w.Header().Set("ETag", v.etag)
	a.w.Header().Set("Content-Type", "application/zip")
	http.ServeContent(a.pace(most), a.r, "", v.mod, bytes.NewReader(v.body))
}

// whole sends body with status 200, whatever range was asked for.
func (a asked) whole(body []byte) {
	a.w.Header().Set("ETag", a.old.etag)
	a.w.Header().Set("Last-Modified", a.old.mod.Format(http.TimeFormat))
	a.w.Header().Set("Content-Type", "application/zip")
	a.w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	a.pace(-1).Write(body)
}

func (a asked) signIn() {
	a.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	fmt.Fprint(
		a.w,
		"<!DOCTYPE html><html><head><title>Sign in</title></head><body><form>Sign in to "+
			"continue</form></body></html>",
	)
}

func (a asked) pace(most int) *paced { return &paced{a.w, a, most} }

// paced writes riskRate bytes a second, and breaks the connection when left becomes 0.
type paced struct {
	http.ResponseWriter
	asked asked
	left  int
}

func (p *paced) Write(b []byte) (int, error) {
	total := 0
	for total < len(b) {
		if p.left == 0 {
			p.ResponseWriter.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}
		step := b[total:min(len(b), total+riskStep)]
		if p.left > 0 {
			step = step[:min(len(step), p.left)]
			p.left -= len(step)
		}
		if !p.asked.account(len(step)) {
			p.ResponseWriter.(http.Flusher).Flush()
			<-p.asked.r.Context().Done()
			panic(http.ErrAbortHandler)
		}
		n, err := p.ResponseWriter.Write(step)
		total += n
		if err != nil {
			return total, err
		}
		time.Sleep(time.Duration(n) * time.Second / riskRate)
	}
	return total, nil
}

// rowCorruption counts the faults after which a contender ends with exit code 0 and leaves wrong bytes.
func (b *bench) rowCorruption() error {
	title("Silent corruption: exit code 0, and the file is not the server's")
	old, other := noise(2), noise(3)
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	z.Write(old)
	if err := z.Close(); err != nil {
		return err
	}
	day := time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)
	names := []string{us, "aria2c -x8", "curl -C -", "wget -c", "axel -n8"}
	fmt.Printf("| | %s |\n|---%s|\n", strings.Join(names, " | "), strings.Repeat("|---", len(names)))
	wrong := make([]int, len(names))
	for _, k := range risks {
		cells, errs := make([]string, len(names)), make([]error, len(names))
		var all sync.WaitGroup
		for i, name := range names { // most of the time is waiting, so all run at once
			all.Go(func() {
				t := &trial{
					risk: k, old: version{old, `"old-1"`, day},
					other: version{other, `"other-2"`, day.Add(time.Hour)}, zipped: zipped.Bytes(),
				}
				cells[i], errs[i] = b.try(t, name, filepath.Join(b.dir, fmt.Sprintf("corruption-%d", i)))
			})
		}
		all.Wait()
		if err := errors.Join(errs...); err != nil {
			return fmt.Errorf("%s: %w", k.name, err)
		}
		fmt.Printf("| %s | %s |\n", k.name, strings.Join(cells, " | "))
		for i, c := range cells {
			if c == wrongCell {
				wrong[i]++
			}
		}
	}
	fmt.Print("| WRONG |")
	for _, n := range wrong {
		fmt.Printf(" %d of %d |", n, len(risks))
	}
	fmt.Printf(
		"\n\nright: exit code 0 and the server's bytes. refused: another exit code. WRONG: exit code 0 "+
			"and other bytes. hangs: still running after %.0f s.\n",
		patience.Seconds(),
	)
	fmt.Printf(
		"Of two runs the first one gets a SIGTERM half-way. Where connections break, each response does " +
			"after 1 MiB until half of the size has been sent.\n",
	)
	fmt.Printf("\nGoal: 0.\n")
	return nil
}

// noise is an object that begins like a ZIP.
func noise(seed byte) []byte {
	body := make([]byte, riskSize)
	rand.NewChaCha8([32]byte{seed}).Read(body)
	copy(body, "PK\x03\x04\x14\x00\x00\x00\x00\x00")
	return body
}

const wrongCell = "WRONG"

// careful is how a contender is asked for a large file of which nobody knows a digest: with resume, and with
// many tries after broken connections. The short waits between tries, and holdall's -idle and -budget in
// place of 20 s and 5 min, only let refusals come before patience ends. axel goes on by itself where its
// state file lies, and tries again without being told.
func (b *bench) careful(name, link, dir string) []string {
	file := filepath.Join(dir, "export.zip")
	return map[string][]string{
		us: {b.self, "child", "-link", link, "-spool", dir, "-idle", "5s", "-budget", "10s"},
		"aria2c -x8": {"aria2c", "--no-conf", "--quiet", "--continue=true", "-x8", "-s8", "-k1M",
			"--max-tries=20", "--retry-wait=1",
			"--dir=" + dir, "--out=export.zip", link},
		"curl -C -": {"curl", "-q", "-sS", "--fail", "--location", "--continue-at", "-", "--retry", "20",
			"--retry-all-errors", "--retry-delay", "1",
			"--output", file, link},
		"wget -c": {
			"wget", "--no-config", "-nv", "--continue", "--tries=20", "--waitretry=1",
			"--directory-prefix=" + dir, link,
		},
		"axel -n8": {"axel", "-q", "-n8", "-o", file, link},
	}[name]
}
