// Takeover times a whole takeover alongside aria2c, which only fetches the same three files.
//
// Both fetch from nginx, in turns, and both have their bytes on the disk before the clock stops:
// aria2c's files are synced by sync(1) within its time; holdall syncs by itself, and within its time it also
// checks every entry, repacks the documents, converts the tables, reads everything back and commits the
// archive.
//
//	go run ./bench/takeover -people 20000 -runs 5
//
// It prints a Markdown table for bench/README.md. The link of 1 Gbit/s is a network namespace behind a token
// bucket (tc tbf), so it needs root; without it that half is left out, and says so.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"holdall/bench/timing"
)

type options struct {
	people int
	runs   int
	links  string
	dir    string
	gbits  string
}

func main() {
	var o options
	flag.IntVar(&o.people, "people", 20000, "size of the export; 20000 is about 5 GB")
	flag.IntVar(&o.runs, "runs", 5, "runs of each, turn by turn")
	flag.StringVar(&o.links, "links", "loopback,slow", "which links to time: loopback, slow")
	flag.StringVar(&o.gbits, "rate", "1gbit", "rate of the slow link, as tc says it")
	flag.StringVar(
		&o.dir, "dir", "",
		"where to work (default: a temporary directory); an export made there is used again",
	)
	flag.Parse()
	if err := o.run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// A bench is what all runs share.
type bench struct {
	options
	program string
	www     string
	objects []object
	size    int64
}

type object struct {
	Name string `json:"name"`
	Part string `json:"part"`
	Size int64  `json:"size"`
}

func (o options) run() error {
	if o.dir == "" {
		dir, err := os.MkdirTemp("", "holdall-bench-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		o.dir = dir
	}
	b := &bench{
		options: o, program: filepath.Join(o.dir, "holdall"),
		www: filepath.Join(o.dir, fmt.Sprintf("export-%d", o.people)),
	}
	if err := b.prepare(); err != nil {
		return err
	}
	fmt.Printf("%s, %d CPUs, export of %d people: %d objects, %s; %d runs each, medians (least to most)\n\n",
		time.Now().UTC().Format(time.DateOnly), runtime.NumCPU(), o.people, len(b.objects),
		megabytes(b.size), o.runs)
	fmt.Println("| link | aria2c -x8, synced | holdall take | ratio | MB/s | peak memory of take |")
	fmt.Println("|---|---|---|---|---|---|")
	for _, name := range strings.Split(o.links, ",") {
		line, err := b.compare(name)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		fmt.Println(line)
	}
	return nil
}

// prepare builds the program and makes the export, unless it is there.
func (b *bench) prepare() error {
	if out, err := exec.Command(
		"go", "build", "-o", b.program, "holdall/cmd/holdall",
	).CombinedOutput(); err != nil {
		return fmt.Errorf("build: %w\n%s", err, out)
	}
	truth := b.www + ".json"
	if _, err := os.Stat(truth); err != nil {
		cmd := exec.Command(
			b.program, "simulate", "--people", strconv.Itoa(b.people), "--out", b.www, "--truth",
			truth+".part",
		)
		cmd.Env = append(os.Environ(), "TMPDIR="+b.dir)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("simulate: %w\n%s", err, out)
		}
		if err := os.Rename(truth+".part", truth); err != nil {
			return err
		}
	}
	raw, err := os.ReadFile(truth)
	if err != nil {
		return err
	}
	var master struct{ Objects []object }
	if err := json.Unmarshal(raw, &master); err != nil {
		return err
	}
	b.objects = master.Objects
	for _, x := range b.objects {
		b.size += x.Size
	}
	return nil
}

// compare runs both in turn and returns a line of the table.
func (b *bench) compare(name string) (string, error) {
	link, err := openLink(name, b)
	if err != nil {
		return "", err
	}
	defer link.close()
	if link.missing != "" {
		return fmt.Sprintf("| %s | not measured: %s ||||| ", link.title, link.missing), nil
	}
	var theirs, ours []float64
	var memory int64
	for i := range b.runs {
		a, err := b.timeAria2(link)
		if err != nil {
			return "", err
		}
		h, rss, err := b.timeHoldall(link)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(
			os.Stderr, "%s, run %d: aria2c %.2f s, holdall %.2f s, %d MiB\n", name, i+1, a, h, rss>>20,
		)
		theirs, ours, memory = append(theirs, a), append(ours, h), max(memory, rss)
	}
	return fmt.Sprintf("| %s | %s | %s | %.2f | %.0f | %d MiB |", link.title,
		timing.Spread(theirs), timing.Spread(ours),
		timing.Median(ours)/timing.Median(theirs),
		float64(b.size)/1e6/timing.Median(ours), memory>>20), nil
}

func (b *bench) timeAria2(l *link) (seconds float64, err error) {
	dir := filepath.Join(b.dir, "aria2c")
	if err := timing.Fresh(dir); err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	list := filepath.Join(b.dir, "urls.txt")
	var urls strings.Builder
	for _, x := range b.objects {
		fmt.Fprintf(&urls, "%s/%s\n", l.url, x.Name)
	}
	if err := os.WriteFile(list, []byte(urls.String()), 0o600); err != nil {
		return 0, err
	}
	begun := time.Now()
	if _, _, err := timing.Run(
		"aria2c", "-x8", "-s8", "-k1M", "--file-allocation=none", "--quiet", "--dir", dir, "--input-file",
		list,
	); err != nil {
		return 0, err
	}
	args := []string{"sync", dir}
	for _, x := range b.objects {
		args = append(args, filepath.Join(dir, x.Name))
	}
	if _, _, err := timing.Run(args...); err != nil {
		return 0, err
	}
	seconds = time.Since(begun).Seconds()
	for _, x := range b.objects {
		if info, err := os.Stat(filepath.Join(dir, x.Name)); err != nil || info.Size() != x.Size {
			return 0, fmt.Errorf("aria2c left %s incomplete (%v)", x.Name, err)
		}
	}
	return seconds, nil
}

func (b *bench) timeHoldall(l *link) (seconds float64, memory int64, err error) {
	root := filepath.Join(b.dir, "archives")
	if err := timing.Fresh(root); err != nil {
		return 0, 0, err
	}
	defer os.RemoveAll(root)
	master := filepath.Join(b.dir, "master.csv")
	text := "Part,Link\n"
	for _, x := range b.objects {
		text += fmt.Sprintf("%s,%s/%s\n", x.Part, l.url, x.Name)
	}
	if err := os.WriteFile(master, []byte(text), 0o600); err != nil {
		return 0, 0, err
	}
	begun := time.Now()
	_, memory, err = timing.Run(
		b.program, "take", master, "--to", root, "--allow-private", "--tenant", "bench", "-q",
	)
	return time.Since(begun).Seconds(), memory, err
}

func megabytes(n int64) string { return fmt.Sprintf("%.0f MB", float64(n)/1e6) }
