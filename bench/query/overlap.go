package main

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"holdall/bench/timing"
)

// overlap measures how much slower attachments arrive while a large table is loaded: the same attachments
// over the same slow link, once beside a table of so many rows and once beside one of ten, turn by turn.
func (o options) overlap(program string, rows int) error {
	exports := []*export{
		{dir: filepath.Join(o.dir, "small"), program: program},
		{dir: filepath.Join(o.dir, "large"), program: program},
	}
	for i, n := range []int{10, rows} {
		if err := exports[i].make(n, false); err != nil {
			return err
		}
		if err := exports[i].fillAttachments(o.arriving); err != nil {
			return err
		}
	}
	var arrived, whole [2][]float64
	for range o.runs {
		for i, x := range exports {
			link := &slowLink{rate: int64(o.rate) << 20}
			began := time.Now()
			if err := x.served(link.serve(x.path("www")), x.takeOnce); err != nil {
				return err
			}
			whole[i] = append(whole[i], time.Since(began).Seconds())
			arrived[i] = append(arrived[i], link.last.Sub(link.first).Seconds())
		}
	}
	fmt.Printf("%d MiB of attachments over a link of %d MiB/s, %d runs each\n\n", o.arriving, o.rate, o.runs)
	fmt.Println("| beside | attachments arrive in | slower by | whole takeover |")
	fmt.Println("|---|---|---|---|")
	for i, n := range []int{10, rows} {
		slower := timing.Median(arrived[i])/timing.Median(arrived[0]) - 1
		fmt.Printf("| a table of %d rows | %s | %.1f %% | %s |\n",
			n, timing.Spread(arrived[i]), 100*slower, timing.Spread(whole[i]))
	}
	return nil
}

// fillAttachments makes attachments of so many MiB, of bytes that do not compress.
func (x *export) fillAttachments(mib int) (err error) {
	f, err := os.Create(x.path("www/attachments.zip"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	z := zip.NewWriter(f)
	random := rand.NewChaCha8([32]byte{22})
	for i := range 4 * mib {
		w, err := z.CreateHeader(&zip.FileHeader{Name: fmt.Sprintf("scan-%06d.bin", i), Method: zip.Store})
		if err != nil {
			return err
		}
		if _, err := io.CopyN(w, random, 256<<10); err != nil {
			return err
		}
	}
	return z.Close()
}

// takeOnce takes the export over into a fresh root.
func (x *export) takeOnce(string) error {
	if err := os.RemoveAll(x.path("root")); err != nil {
		return err
	}
	_, err := measure("", x.program, "take", x.path("master.csv"), "--to", x.path("root"), "--allow-private")
	return err
}

// A slowLink is what all connections for the attachments share.
type slowLink struct {
	rate int64 // bytes a second

	mu          sync.Mutex // guards what follows
	first, last time.Time  // when the first and the last byte were sent
	free        time.Time  // when the link has sent what it was given
}

func (l *slowLink) serve(dir string) http.Handler {
	files := http.FileServer(http.Dir(dir))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/attachments.zip") {
			w = &slowResponse{w, l}
		}
		files.ServeHTTP(w, r)
	})
}

// A slowResponse has no ReadFrom, so that everything goes through Write.
type slowResponse struct {
	http.ResponseWriter
	link *slowLink
}

func (s *slowResponse) Write(p []byte) (n int, err error) {
	for len(p) > 0 && err == nil {
		piece := p[:min(len(p), 16<<10)]
		s.link.wait(len(piece))
		var sent int
		sent, err = s.ResponseWriter.Write(piece)
		n, p = n+sent, p[sent:]
	}
	return n, err
}

// wait returns when the link has room for so many bytes.
func (l *slowLink) wait(bytes int) {
	l.mu.Lock()
	now := time.Now()
	if l.first.IsZero() {
		l.first = now
	}
	// what a link could have sent is lost, but for a little
	if l.free.Before(now.Add(-50 * time.Millisecond)) {
		l.free = now.Add(-50 * time.Millisecond)
	}
	l.free = l.free.Add(time.Duration(int64(bytes) * int64(time.Second) / l.rate))
	l.last = l.free
	until := l.free
	l.mu.Unlock()
	time.Sleep(time.Until(until))
}
