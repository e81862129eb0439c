package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"holdall/bench/timing"
)

// A contender fetches one thing in its own way.
type contender struct {
	name string
	// args makes the command that fetches into dir.
	args func(dir string) []string
	// left names the files that it leaves in dir; nil for package fetch, which says so itself, and syncs
	// them.
	left func(dir string) []string
}

// A finish is one run of a contender.
type finish struct {
	seconds float64
	memory  int64
	report  report
}

// run times a contender, with what it leaves synced.
func (b *bench) run(c contender, dir string) (finish, error) {
	if err := timing.Fresh(dir); err != nil {
		return finish{}, err
	}
	begun := time.Now()
	f, err := b.runAgain(c, dir)
	f.seconds = time.Since(begun).Seconds()
	return f, err
}

// runAgain runs a contender over what is in dir.
func (b *bench) runAgain(c contender, dir string) (finish, error) {
	args := c.args(dir)
	out, memory, err := timing.Run(args...)
	if err != nil {
		return finish{}, err
	}
	f := finish{memory: memory}
	if c.left == nil {
		err := json.Unmarshal(out, &f.report)
		if f.report.Memory > 0 {
			f.memory = f.report.Memory
		}
		return f, err
	}
	_, _, err = timing.Run(append([]string{"sync", dir}, c.left(dir)...)...)
	return f, err
}

// race lets all contenders run in turn, and returns their times, and the most memory that each took. check
// looks at what a run left.
func (b *bench) race(
	runs int, cs []contender, check func(c contender, dir string, f finish) error,
) (map[string][]float64, map[string]int64, error) {
	times, memory := map[string][]float64{}, map[string]int64{}
	dir := filepath.Join(b.dir, "run")
	defer os.RemoveAll(dir)
	for i := range runs {
		for _, c := range cs {
			f, err := b.run(c, dir)
			if err == nil {
				err = check(c, dir, f)
			}
			if err != nil {
				return nil, nil, fmt.Errorf("%s: %w", c.name, err)
			}
			fmt.Fprintf(os.Stderr, "  run %d, %s: %.2f s, %d MiB\n", i+1, c.name, f.seconds, f.memory/mib)
			times[c.name] = append(times[c.name], f.seconds)
			memory[c.name] = max(memory[c.name], f.memory)
		}
	}
	return times, memory, nil
}

const us = "holdall"

// ours is package fetch following a link.
func (b *bench) ours(link string, more ...string) contender {
	return contender{name: us, args: func(dir string) []string {
		return append([]string{b.self, "child", "-link", link, "-spool", dir}, more...)
	}}
}

// theirs are the other programs, each fetching a link into dir/out.
func theirs(link string, ca string, sum [32]byte) map[string]contender {
	left := func(dir string) []string { return []string{filepath.Join(dir, "out")} }
	aria := []string{
		"aria2c", "--no-conf", "--quiet", "--file-allocation=none", "--continue=true", "--out=out",
	}
	curl, wget := []string{
		"curl", "-q", "-sS", "--fail", "--continue-at", "-",
	}, []string{"wget", "--no-config", "-q", "--continue"}
	if ca != "" {
		aria, curl, wget = append(aria, "--ca-certificate="+
			ca), append(curl, "--cacert", ca), append(wget, "--ca-certificate="+ca)
	}
	all := map[string]contender{}
	add := func(name string, args func(dir string) []string) { all[name] = contender{name, args, left} }
	join := func(a []string, more ...string) []string { return append(slices.Clone(a), more...) }
	add("aria2c -x8, checksum", func(dir string) []string {
		return join(aria, "-x8", "-s8", "-k1M", fmt.Sprintf("--checksum=sha-256=%x", sum), "--dir="+dir, link)
	})
	add(
		"aria2c -x8",
		func(dir string) []string { return join(aria, "-x8", "-s8", "-k1M", "--dir="+dir, link) },
	)
	add(
		"aria2c -x16",
		func(dir string) []string { return join(aria, "-x16", "-s16", "-k1M", "--dir="+dir, link) },
	)
	add("aria2c", func(dir string) []string { return join(aria, "--dir="+dir, link) })
	add("curl", func(dir string) []string { return join(curl, "-o", filepath.Join(dir, "out"), link) })
	add("wget", func(dir string) []string { return join(wget, "-O", filepath.Join(dir, "out"), link) })
	add("axel -n8", func(dir string) []string {
		return []string{"axel", "-q", "-n8", "-o", filepath.Join(dir, "out"), link}
	})
	return all
}

// pick returns ours and some of theirs.
func pick(ours contender, all map[string]contender, names ...string) []contender {
	out := []contender{ours}
	for _, n := range names {
		out = append(out, all[n])
	}
	return out
}

// rightBytes checks that a run left the served file.
func rightBytes(s served) func(contender, string, finish) error {
	return func(c contender, dir string, f finish) error {
		path := f.report.Path
		if c.left != nil {
			path = c.left(dir)[0]
		}
		if c.left == nil && f.report.Check != "repr-digest" {
			return fmt.Errorf("verified by %q only", f.report.Check)
		}
		return compare(path, s)
	}
}

func compare(path string, s served) error {
	in, err := os.Open(path)
	if err != nil {
		return err
	}
	defer in.Close()
	h := sha256.New()
	n, err := io.Copy(h, in)
	if err != nil {
		return err
	}
	if n != s.size || [32]byte(h.Sum(nil)) != s.sum {
		return errWrong
	}
	return nil
}

var errWrong = fmt.Errorf("WRONG BYTES")

// ratio says how much faster we are; each pair of neighbours in time is compared, and the median of those
// taken, which a machine's good and bad minutes disturb least.
func ratio(theirs, ours []float64) float64 {
	var all []float64
	for i := range ours {
		all = append(all, theirs[i]/ours[i])
	}
	return timing.Median(all)
}

func versions() string {
	var out []string
	for _, args := range [][]string{
		{"nginx", "-v"}, {"aria2c", "--version"}, {"curl", "--version"}, {"wget", "--version"},
		{"axel", "--version"},
	} {
		b, err := exec.Command(args[0], args[1:]...).CombinedOutput()
		first, _, _ := strings.Cut(string(b), "\n")
		if err != nil {
			first = args[0] + " missing"
		}
		words := strings.Fields(strings.TrimPrefix(first, "nginx version: "))
		out = append(out, strings.Join(words[:min(3, len(words))], " "))
	}
	return strings.Join(out, ", ")
}
