// Fetch times package fetch alongside aria2c, curl, wget and axel, and counts what it costs when things go
// wrong.
//
//	go run ./bench/fetch            a quick look, small sizes
//	go run ./bench/fetch -full      the figures of bench/README.md
//
// It prints a Markdown table for each row of the goals. Contenders run turn by turn against the same nginx
// (Debian) on loopback, and all bring their bytes to the disk before the clock stops: package fetch syncs by
// itself, the files of the others are synced by sync(1) within their time. What each one leaves is compared
// with what was served, after the clock has stopped. The process that uses package fetch is this program
// again, with "child" as its first argument.
//
// A link that is slow, far or counted is a forwarder within this program, which every contender then goes
// through. The row corruption has no times: its servers are within this program too, and make mistakes.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

type options struct {
	full    bool
	size    int64 // of the large file
	files   int   // of the small ones
	entries int   // of the ZIP and the listing by which memory is measured
	runs    int
	rows    string
	dir     string
}

const mib = 1 << 20

func main() {
	if len(os.Args) > 1 && os.Args[1] == "child" {
		if err := child(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, "child:", err)
			os.Exit(1)
		}
		return
	}
	if len(os.Args) == 4 && os.Args[1] == "lay" {
		n, _ := strconv.Atoi(os.Args[3])
		if err := layZIP(os.Args[2], n); err != nil {
			fmt.Fprintln(os.Stderr, "lay:", err)
			os.Exit(1)
		}
		return
	}
	var o options
	mibs := 0
	flag.BoolVar(&o.full, "full", false, "the sizes of the goals, five runs each")
	flag.IntVar(&mibs, "mib", 0, "size of the large file in MiB (default 64; 2048 with -full)")
	flag.IntVar(&o.files, "files", 0, "number of small files (default 300; 2000 with -full)")
	flag.IntVar(
		&o.entries, "entries", 0,
		"entries of the ZIP and lines of the listing by which memory is measured (default 20000; 1000000 "+
			"with -full)",
	)
	flag.IntVar(&o.runs, "runs", 0, "runs of each, turn by turn (default 3; 5 with -full)")
	flag.StringVar(
		&o.rows, "rows", "big,https,capped,kill,small,expiry,corruption,memory", "which tables to make",
	)
	flag.StringVar(&o.dir, "dir", "", "where to work (default: a temporary directory)")
	flag.Parse()
	pick := func(set, small, full int) int {
		switch {
		case set > 0:
			return set
		case o.full:
			return full
		}
		return small
	}
	o.size = int64(pick(mibs, 64, 2048)) * mib
	o.files, o.entries, o.runs = pick(o.files, 300, 2000), pick(
		o.entries, 20_000, 1_000_000,
	), pick(o.runs, 3, 5)
	if err := o.run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// A bench is what all rows share.
type bench struct {
	options
	self  string // this program
	nginx *nginx
	big   served
	peak  int64 // memory of package fetch over all large downloads
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
	b := &bench{options: o}
	var err error
	if b.dir, err = filepath.Abs(o.dir); err != nil {
		return err
	}
	if b.self, err = os.Executable(); err != nil {
		return err
	}
	if b.nginx, err = startNginx(b.dir); err != nil {
		return err
	}
	defer b.nginx.Stop()
	if b.big, err = b.nginx.add("export.zip", b.size); err != nil {
		return err
	}
	fmt.Printf(
		"%s, %d CPUs, %s; large file of %d MiB; medians of %d runs (least to most)\n",
		time.Now().UTC().Format(time.DateOnly), runtime.NumCPU(), versions(), b.size/mib, b.runs,
	)
	rows := map[string]func() error{
		"big": b.rowBig, "https": b.rowHTTPS, "capped": b.rowCapped, "kill": b.rowKill, "small": b.rowSmall,
		"expiry": b.rowExpiry, "corruption": b.rowCorruption, "memory": b.rowMemory,
	}
	for _, name := range strings.Split(o.rows, ",") {
		row, ok := rows[name]
		if !ok {
			return fmt.Errorf("unknown row %q", name)
		}
		if err := row(); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}
