// Query times the loading of a large table alongside DuckDB, and a first question alongside its command line.
//
// A made-up export of -rows candidates (22 columns; CRLF, quotes, row ends within cells, one in a thousand
// dates and amounts that no one can read) is taken over from this machine. What that takes, less what curl,
// unzip, sha256sum and zstd take for the same bytes, is compared with what DuckDB takes to read the CSV with
// every column spelt out and to write it as zstd Parquet. The second kind of file has texts that do not
// compress.
//
//	go run ./bench/query -rows 2000000 -runs 3
//
// With -arriving, it measures how much slower attachments arrive while the table is loaded:
//
//	go run ./bench/query -rows 2000000 -arriving 600 -rate 20
//
// It needs curl, unzip, sha256sum, zstd, and the duckdb command of the version that holdall has built in
// (PyPI: duckdb-cli).
package main

import (
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
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
	rows  string
	runs  int
	dir   string
	kinds string

	arriving int // MiB of attachments; 0: what loading costs what still arrives is not measured
	rate     int // MiB a second
}

func main() {
	var o options
	flag.StringVar(&o.rows, "rows", "2000000", "numbers of candidates, with commas between")
	flag.IntVar(&o.runs, "runs", 3, "runs of each, turn by turn")
	flag.StringVar(&o.kinds, "kinds", "repeated,unique", "kinds of texts: repeated, unique")
	flag.StringVar(&o.dir, "dir", "", "where to work (default: a temporary directory)")
	flag.IntVar(&o.arriving, "arriving", 0,
		"instead: measure how much slower so many `MiB` of attachments arrive beside the table")
	flag.IntVar(&o.rate, "rate", 20, "`MiB` a second of the link that they come over")
	flag.Parse()
	if err := o.run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
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
	program := filepath.Join(o.dir, "holdall")
	if _, err := measure("", "go", "build", "-o", program, "./cmd/holdall"); err != nil {
		return err
	}
	if o.arriving > 0 {
		n, err := strconv.Atoi(o.rows)
		if err != nil {
			return err
		}
		return o.overlap(program, n)
	}
	fmt.Printf(
		"%s, %d CPUs, %d runs each, medians\n\n", time.Now().UTC().Format(time.DateOnly), runtime.NumCPU(),
		o.runs,
	)
	fmt.Println(
		"| rows, texts | holdall take | curl, unzip, sha256sum, zstd | duckdb CSV to Parquet | ratio | " +
			"ratio in CPU s | peak memory | query, cold | duckdb -readonly | ratio |",
	)
	fmt.Println("|---|---|---|---|---|---|---|---|---|---|")
	for _, kind := range strings.Split(o.kinds, ",") {
		for _, rows := range strings.Split(o.rows, ",") {
			n, err := strconv.Atoi(rows)
			if err != nil {
				return err
			}
			x := export{dir: filepath.Join(o.dir, kind+"-"+rows), program: program}
			if err := x.compare(n, kind == "unique", o.runs); err != nil {
				return fmt.Errorf("%s rows, %s: %w", rows, kind, err)
			}
			x.print(rows + ", " + kind)
			if err := os.RemoveAll(x.dir); err != nil {
				return err
			}
		}
	}
	return nil
}

// A cost is what a program took.
type cost struct {
	wall, cpu time.Duration
	memory    int64 // bytes, the most that was resident
}

func (c cost) plus(o cost) cost { return cost{c.wall + o.wall, c.cpu + o.cpu, max(c.memory, o.memory)} }

// exitFindings is how holdall says that there are findings, which an export of one table has.
const exitFindings = 5

// measure runs a program with its output going to the file out, if it is named.
func measure(out string, program string, args ...string) (c cost, err error) {
	cmd := exec.Command(program, args...)
	var said strings.Builder
	cmd.Stderr = &said
	if out != "" {
		f, err := os.Create(out)
		if err != nil {
			return c, err
		}
		defer f.Close()
		cmd.Stdout = f
	}
	began := time.Now()
	err = cmd.Run()
	var exit *exec.ExitError
	if err != nil && !(errors.As(err, &exit) && exit.ExitCode() == exitFindings) {
		return c, fmt.Errorf("%s: %w: %s", program, err, said.String())
	}
	c = cost{wall: time.Since(began), cpu: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()}
	c.memory = timing.PeakMemory(cmd)
	return c, nil
}

func median(all []cost, of func(cost) time.Duration) time.Duration {
	values := make([]time.Duration, len(all))
	for i, c := range all {
		values[i] = of(c)
	}
	return timing.Median(values)
}

func wall(c cost) time.Duration { return c.wall }
func cpu(c cost) time.Duration  { return c.cpu }

// An export is a made-up one, and what was measured with it.
type export struct {
	dir, program                          string
	take, tools, peer, question, peerSays []cost
}

func (x *export) path(name string) string { return filepath.Join(x.dir, name) }

func (x *export) compare(rows int, unique bool, runs int) error {
	if err := x.make(rows, unique); err != nil {
		return err
	}
	return x.served(http.FileServer(http.Dir(x.path("www"))), func(site string) error {
		for range runs {
			if err := x.turn(site); err != nil {
				return err
			}
		}
		return x.ask(5 * runs)
	})
}

// served calls do with the address that a handler serves the export at, and a master CSV that leads there.
func (x *export) served(files http.Handler, do func(site string) error) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: files}
	go server.Serve(listener)
	defer server.Close()
	site := "http://" + listener.Addr().String() + "/"
	master := "Name,Link\n"
	for _, part := range parts {
		master += part.label + "," + site + part.file + "\n"
	}
	if err := os.WriteFile(x.path("master.csv"), []byte(master), 0o600); err != nil {
		return err
	}
	return do(site)
}

// turn runs everybody once.
func (x *export) turn(site string) error {
	if err := os.RemoveAll(x.path("root")); err != nil {
		return err
	}
	take, err := measure(
		"", x.program, "take", x.path("master.csv"), "--to", x.path("root"), "--allow-private",
	)
	if err != nil {
		return err
	}
	var tools cost
	for _, step := range [][]string{
		{"", "curl", "-sf", "-o", x.path("data.zip"), site + "data.zip"},
		{x.path("out.csv"), "unzip", "-p", x.path("data.zip"), "Candidates.csv"},
		{os.DevNull, "sha256sum", x.path("data.zip"), x.path("out.csv")},
		{"", "zstd", "-q", "-f", "-o", x.path("out.zst"), x.path("out.csv")},
	} {
		c, err := measure(step[0], step[1], step[2:]...)
		if err != nil {
			return err
		}
		tools = tools.plus(c)
	}
	peer, err := measure(os.DevNull, "duckdb", "-c", peerSQL(x.path("out.csv"), x.path("peer.parquet")))
	if err != nil {
		return err
	}
	x.take, x.tools, x.peer = append(x.take, take), append(x.tools, tools), append(x.peer, peer)
	return nil
}

// ask times a question to what was loaded, each time by a new process.
func (x *export) ask(times int) error {
	database := x.path("peer.duckdb")
	if _, err := measure(
		os.DevNull, "duckdb", database, "-c", "create table candidates as from '"+x.path("peer.parquet")+"'",
	); err != nil {
		return err
	}
	const sql = "select count(*) from candidates"
	for range times {
		ours, err := measure(os.DevNull, x.program, "query", x.path("root"), sql)
		if err != nil {
			return err
		}
		theirs, err := measure(os.DevNull, "duckdb", "-readonly", database, "-c", sql)
		if err != nil {
			return err
		}
		x.question, x.peerSays = append(x.question, ours), append(x.peerSays, theirs)
	}
	return nil
}

func (x *export) print(what string) {
	ratio := func(of func(cost) time.Duration) float64 {
		return float64(median(x.take, of)-median(x.tools, of)) / float64(median(x.peer, of))
	}
	var memory int64
	for _, c := range x.take {
		memory = max(memory, c.memory)
	}
	asked, theirs := median(x.question, wall), median(x.peerSays, wall)
	fmt.Printf("| %s | %.1f s | %.1f s | %.1f s | %.2f | %.2f | %d MiB | %d ms | %d ms | %.2f |\n", what,
		median(x.take, wall).Seconds(), median(x.tools, wall).Seconds(), median(x.peer, wall).Seconds(),
		ratio(wall), ratio(cpu),
		memory>>20, asked.Milliseconds(), theirs.Milliseconds(), float64(asked)/float64(theirs))
}
