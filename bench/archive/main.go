// Archive times the verification of an archive alongside openssl, which hashes the same files on all cores.
//
//	go run ./bench/archive -people 3000 -runs 5
//
// An export of that many people is invented, served on loopback and taken over; then openssl and the three
// levels of verification take turns, with the files in the page cache. Beside the time, the processor's
// seconds are given: they mean something on a machine that does other work, too. It prints a Markdown table
// for bench/README.md.
package main

import (
	"bytes"
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
	people, runs int
	root         string
}

func main() {
	var o options
	flag.IntVar(&o.people, "people", 3000, "size of the export; 3000 is about 800 MB")
	flag.IntVar(&o.runs, "runs", 5, "runs of each, turn by turn")
	flag.StringVar(
		&o.root, "root", "", "verify the archive in this root (default: one that is made and removed)",
	)
	flag.Parse()
	if err := o.run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// A row is one way to read the archive.
type row struct {
	name string
	args []string
	wall []float64 // seconds
	cpu  []float64 // seconds
	peak int64
}

func (o options) run() error {
	dir, err := os.MkdirTemp("", "holdall-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	program := filepath.Join(dir, "holdall")
	if _, _, err := timing.Run("go", "build", "-o", program, "holdall/cmd/holdall"); err != nil {
		return err
	}
	if o.root == "" {
		o.root = filepath.Join(dir, "root")
		if err := o.take(program, dir); err != nil {
			return err
		}
	}
	bags, err := filepath.Glob(filepath.Join(o.root, "exports", "*"))
	if err != nil || len(bags) != 1 {
		return fmt.Errorf("%s has %d exports, want one", o.root, len(bags))
	}
	cores := strconv.Itoa(runtime.NumCPU())
	rows := []*row{
		{name: "openssl dgst -sha256, on all cores", args: []string{"sh", "-c",
			"find \"$1\" -type f -print0 | xargs -0 -n 1 -P " + cores + " openssl dgst -sha256 >/dev/null",
			"sh", bags[0]}},
	}
	for _, level := range []string{"quick", "full", "deep"} {
		rows = append(rows, &row{name: "holdall verify --level " + level,
			args: []string{program, "verify", bags[0], "--level", level, "-q"}})
	}
	for n := range o.runs + 1 {
		for _, r := range rows {
			if err := r.time(n > 0); err != nil { // the first round brings the files into memory
				return err
			}
		}
	}
	return o.print(bags[0], rows)
}

// take invents an export and takes it over.
func (o options) take(program, dir string) error {
	master := filepath.Join(dir, "master.csv")
	platform := exec.Command(program, "simulate", "--people", strconv.Itoa(o.people), "--master", master)
	platform.Dir = dir
	if err := platform.Start(); err != nil {
		return err
	}
	defer func() { platform.Process.Kill(); platform.Wait() }()
	for range 600 {
		if _, err := os.Stat(master); err == nil {
			break
		}
		time.Sleep(time.Second / 2)
	}
	_, _, err := timing.Run(program, "take", master, "--to", o.root, "--allow-private", "-q")
	return err
}

func (r *row) time(counts bool) error {
	cmd := exec.Command(r.args[0], r.args[1:]...)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	began := time.Now()
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w\n%.2000s", r.name, err, said.String())
	}
	if counts {
		r.wall = append(r.wall, time.Since(began).Seconds())
		r.cpu = append(r.cpu, (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds())
		r.peak = max(r.peak, timing.PeakMemory(cmd))
	}
	return nil
}

func (o options) print(bag string, rows []*row) error {
	du, _, err := timing.Run("du", "-sm", bag)
	if err != nil {
		return err
	}
	size, _, _ := strings.Cut(string(du), "\t")
	load, _ := os.ReadFile("/proc/loadavg")
	fmt.Printf("%s, %d CPUs, load %.4s, archive of %s MiB; %d runs each, medians (least to most)\n\n",
		time.Now().Format(time.DateOnly), runtime.NumCPU(), load, size, o.runs)
	fmt.Println("| | time | CPU | compared with openssl, time | CPU | peak memory |")
	fmt.Println("|---|---|---|---|---|---|")
	first := rows[0]
	for _, r := range rows {
		fmt.Printf("| %s | %s | %s | %.2f x | %.2f x | %d MiB |\n", r.name, timing.Spread(r.wall),
			timing.Spread(r.cpu), timing.Median(r.wall)/timing.Median(first.wall),
			timing.Median(r.cpu)/timing.Median(first.cpu), r.peak>>20)
	}
	return nil
}
