package peertest

import (
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// A line is a TCP forwarder in front of a server: as slow as it is set, and dropping connections. It knows
// no HTTP.
type line struct {
	url string // of its near end

	mu    sync.Mutex // guards what follows
	rate  int        // bytes a second for each connection; 0: as fast as it goes
	cut   int64      // bytes after which a connection is reset; 0: never
	conns map[net.Conn]bool
}

// newLine opens a line to the server at url (http://host:port) until the test ends.
func newLine(t testing.TB, url string) *line {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &line{url: "http://" + ln.Addr().String(), conns: map[net.Conn]bool{}}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			near, err := ln.Accept()
			if err != nil {
				return
			}
			all.Go(func() { l.join(near, strings.TrimPrefix(url, "http://")) })
		}
	})
	t.Cleanup(func() {
		ln.Close()
		l.mu.Lock()
		for c := range l.conns {
			c.Close()
		}
		l.mu.Unlock()
		all.Wait()
	})
	return l
}

func (l *line) set(rate int, cut int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rate, l.cut = rate, cut
}

func (l *line) keep(c net.Conn, keep bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if keep {
		l.conns[c] = true
	} else {
		delete(l.conns, c)
		c.Close()
	}
}

func (l *line) join(near net.Conn, address string) {
	l.keep(near, true)
	defer l.keep(near, false)
	far, err := net.Dial("tcp", address)
	if err != nil {
		return
	}
	l.keep(far, true)
	defer l.keep(far, false)
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		io.Copy(far, near)
		far.Close() // the client went away, so nobody reads on
	}()
	l.pour(near, far)
	near.Close()
	<-sent
}

// pour copies what the server sends.
func (l *line) pour(near, far net.Conn) {
	buf := make([]byte, 16<<10)
	total := int64(0)
	for {
		n, err := far.Read(buf)
		l.mu.Lock()
		rate, cut := l.rate, l.cut
		l.mu.Unlock()
		if _, werr := near.Write(buf[:n]); werr != nil || err != nil {
			return
		}
		total += int64(n)
		if cut > 0 && total >= cut {
			if c, ok := near.(*net.TCPConn); ok {
				c.SetLinger(0) // a reset, not an end
			}
			return
		}
		if rate > 0 {
			time.Sleep(time.Duration(n) * time.Second / time.Duration(rate))
		}
	}
}
