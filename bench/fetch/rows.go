package main

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"holdall/bench/timing"
)

func title(format string, a ...any) { fmt.Printf("\n### "+format+"\n\n", a...) }

// table prints the times of a race, and how many times faster we are than each.
func (b *bench) table(cs []contender, times map[string][]float64, memory map[string]int64, size int64) {
	fmt.Println("| | time, synced | MB/s | holdall is faster by | peak memory |")
	fmt.Println("|---|---|---|---|---|")
	for _, c := range cs {
		t := times[c.name]
		fmt.Printf(
			"| %s | %s | %.0f | %.2f x | %d MiB |\n",
			c.name, timing.Spread(t), float64(size)/1e6/timing.Median(t),
			ratio(t, times[us]), memory[c.name]/mib,
		)
	}
	b.peak = max(b.peak, memory[us])
}

func (b *bench) rowBig() error {
	link := "http://" + b.nginx.http + "/" + b.big.name
	cs := pick(
		b.ours(link), theirs(link, "", b.big.sum), "aria2c -x8, checksum", "aria2c -x8", "curl", "wget",
		"axel -n8",
	)
	times, memory, err := b.race(b.runs, cs, rightBytes(b.big))
	if err != nil {
		return err
	}
	title("%d MiB over http, verified and synced", b.size/mib)
	b.table(cs, times, memory, b.size)
	fmt.Printf(
		"\nGoals: 2.0 x beside aria2c with checksum, 1.0 x beside aria2c without. Only these two check a " +
			"digest: holdall and aria2c with checksum.\n",
	)
	return nil
}

func (b *bench) rowHTTPS() error {
	link := "https://" + b.nginx.https + "/" + b.big.name
	cs := pick(
		b.ours(link, "-ca", b.nginx.ca), theirs(link, b.nginx.ca, b.big.sum), "aria2c -x8, checksum",
		"aria2c -x8", "curl", "wget",
	)
	times, memory, err := b.race(b.runs, cs, rightBytes(b.big))
	if err != nil {
		return err
	}
	title("%d MiB over https, verified and synced", b.size/mib)
	b.table(cs, times, memory, b.size)
	fmt.Printf("\nGoal: 1.2 x beside aria2c with checksum.\n")
	return nil
}

const (
	cap16 = 16 * mib // bytes a second for each connection
	conns = 16       // that a polite client opens at most
)

func (b *bench) rowCapped() error {
	l, err := newLine(b.nginx.http, cap16, 30*time.Millisecond)
	if err != nil {
		return err
	}
	defer l.close()
	link := "http://" + l.address + "/" + b.big.name
	all := theirs(link, "", b.big.sum)
	cs := pick(b.ours(link), all, "aria2c -x16")
	times, memory, err := b.race(b.runs, cs, rightBytes(b.big))
	if err != nil {
		return err
	}
	last := pick(b.ours(link), all, "aria2c", "curl")[1:] // these take long
	slow, slowMemory, err := b.race(1, last, rightBytes(b.big))
	if err != nil {
		return err
	}
	for _, c := range last {
		times[c.name], memory[c.name] = slow[c.name], slowMemory[c.name]
	}
	ideal := float64(b.size) / (cap16 * conns)
	title("%d MiB over a link of 16 MiB/s a connection, 30 ms, default flags", b.size/mib)
	disk, err := b.diskAlone()
	if err != nil {
		return err
	}
	fmt.Printf(
		"Ideal, 16 full connections from the first moment: %.2f s. The disk alone takes %.2f s to write "+
			"as much and sync it.\n\n",
		ideal, disk,
	)
	fmt.Println("| | time, synced | beside the ideal |\n|---|---|---|")
	for _, c := range append(cs, last...) {
		t := times[c.name]
		fmt.Printf("| %s | %s | %.2f x |\n", c.name, timing.Spread(t), timing.Median(t)/ideal)
	}
	b.peak = max(b.peak, memory[us])
	fmt.Printf("\nGoal: 1.05 x.\n")
	return nil
}

// diskAlone times the writing and syncing of as many bytes as the large file has.
func (b *bench) diskAlone() (seconds float64, err error) {
	path := filepath.Join(b.dir, "disk")
	defer os.Remove(path)
	f, err := os.Create(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	begun := time.Now()
	buf := make([]byte, mib)
	for n := int64(0); n < b.size; n += mib {
		buf[0] = byte(n)
		if _, err := f.Write(buf); err != nil {
			return 0, err
		}
	}
	err = f.Sync()
	return time.Since(begun).Seconds(), err
}

func (b *bench) rowSmall() error {
	const size = 50 << 10
	l, err := newLine(b.nginx.http, 0, 20*time.Millisecond)
	if err != nil {
		return err
	}
	defer l.close()
	sums, err := b.laySmall(l.address, size)
	if err != nil {
		return err
	}
	cs := b.smallContenders(l.address)
	times, memory, err := b.race(b.runs, cs, func(c contender, dir string, f finish) error {
		if c.left == nil {
			if f.report.Files != b.files || f.report.Sums != sums {
				return fmt.Errorf("%d files of %d: %w", f.report.Files, b.files, errWrong)
			}
			return nil
		}
		for i, path := range c.left(dir) {
			got, err := os.ReadFile(path)
			want, _ := os.ReadFile(filepath.Join(b.nginx.www, "small", smallName(i)))
			if err != nil || string(got) != string(want) {
				return fmt.Errorf("%s: %w", smallName(i), errWrong)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	title("%d files of 50 KiB at 20 ms, synced", b.files)
	fmt.Println("| | time | files/s | holdall is faster by | peak memory |\n|---|---|---|---|---|")
	for _, c := range cs {
		t := times[c.name]
		fmt.Printf(
			"| %s | %s | %.0f | %.2f x | %d MiB |\n",
			c.name, timing.Spread(t), float64(b.files)/timing.Median(t),
			ratio(t, times[us]), memory[c.name]/mib,
		)
	}
	fmt.Printf("\nGoal: 2,000 files/s. Only holdall keeps a SHA-256 of each file.\n")
	return nil
}

// smallContenders are those that fetch the small files from a server at address.
func (b *bench) smallContenders(address string) []contender {
	left := func(dir string) []string {
		var out []string
		for i := range b.files {
			out = append(out, filepath.Join(dir, smallName(i)))
		}
		return out
	}
	return []contender{
		b.ours("http://" + address + "/small.csv"),
		{"aria2c -j16", func(dir string) []string {
			return []string{
				"aria2c", "--no-conf", "--quiet", "--file-allocation=none", "-j16", "--dir=" + dir,
				"--input-file=" + filepath.Join(b.dir, "small.txt"),
			}
		}, left},
		{"curl -Z", func(dir string) []string {
			return []string{
				"sh", "-c", `cd "$0" && exec curl -q -sS --fail -Z --parallel-max 50 --config "$1"`, dir,
				filepath.Join(b.dir, "small.curl"),
			}
		}, left},
	}
}

func smallName(i int) string { return fmt.Sprintf("%05d.bin", i) }

// laySmall makes the small files, and what leads each contender to them. It returns the SHA-256 over those of
// the files.
func (b *bench) laySmall(address string, size int) (sums string, err error) {
	if err := os.MkdirAll(filepath.Join(b.nginx.www, "small"), 0o755); err != nil {
		return "", err
	}
	var listing, aria, curl strings.Builder
	h := sha256.New()
	listing.WriteString("Name,URL\n")
	for i := range b.files {
		body := []byte(strings.Repeat(fmt.Sprintf("%08d", i), size/8))
		sum := sha256.Sum256(body)
		h.Write(sum[:])
		if err := os.WriteFile(filepath.Join(b.nginx.www, "small", smallName(i)), body, 0o600); err != nil {
			return "", err
		}
		url := "http://" + address + "/small/" + smallName(i)
		fmt.Fprintf(&listing, "%s,%s\n", smallName(i), url)
		fmt.Fprintf(&aria, "%s\n", url)
		fmt.Fprintf(&curl, "url=%q\noutput=%q\n", url, smallName(i))
	}
	for path, text := range map[string]string{
		filepath.Join(b.nginx.www, "small.csv"): listing.String(),
		filepath.Join(b.dir, "small.txt"):       aria.String(),
		filepath.Join(b.dir, "small.curl"):      curl.String(),
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%x", h.Sum(nil)), nil
}
