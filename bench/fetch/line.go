package main

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// A line is a TCP forwarder that makes a server far away: a number of bytes a second for each connection, and
// a long a way. It counts what it carries towards the client.
type line struct {
	address string // of its near end
	carried atomic.Int64
	open    atomic.Int32

	far       string
	rate      float64       // bytes a second for each connection, server to client; 0: no limit
	roundTrip time.Duration // split over both directions; a new connection costs one more
	ln        net.Listener
	all       sync.WaitGroup
	mu        sync.Mutex // guards conns
	conns     map[net.Conn]bool
}

func newLine(far string, rate float64, roundTrip time.Duration) (*line, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	l := &line{
		address: ln.Addr().String(), far: far, rate: rate, roundTrip: roundTrip, ln: ln,
		conns: map[net.Conn]bool{},
	}
	l.all.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			l.all.Go(func() { l.join(c) })
		}
	})
	return l, nil
}

func (l *line) close() {
	l.ln.Close()
	l.mu.Lock()
	for c := range l.conns {
		c.Close()
	}
	l.mu.Unlock()
	l.all.Wait()
}

func (l *line) track(c net.Conn) func() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conns[c] = true
	return func() {
		c.Close()
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.conns, c)
	}
}

func (l *line) join(near net.Conn) {
	defer l.track(near)()
	time.Sleep(l.roundTrip) // the handshake
	far, err := net.Dial("tcp", l.far)
	if err != nil {
		return
	}
	defer l.track(far)()
	l.open.Add(1)
	defer l.open.Add(-1)
	if l.rate > 0 {
		near.(*net.TCPConn).SetWriteBuffer(128 << 10) // what is carried shall be what is received
		far.(*net.TCPConn).SetReadBuffer(512 << 10)
	}
	var both sync.WaitGroup
	both.Go(func() {
		l.carry(far, near, 0, nil)
		far.(*net.TCPConn).CloseWrite()
	})
	l.carry(near, far, l.rate, &l.carried)
	near.Close()
	far.Close()
	both.Wait()
}

// A parcel is on its way.
type parcel struct {
	bytes []byte
	due   time.Time
}

// carry moves bytes with half of the round trip's delay, at most rate of them a second.
func (l *line) carry(to, from net.Conn, rate float64, count *atomic.Int64) {
	// As many bytes may be on the way as the line holds; beyond, the sender waits.
	const chunk = 128 << 10
	depth := 32
	if rate > 0 {
		depth = int(rate*l.roundTrip.Seconds()/chunk) + 4
	}
	way := make(chan parcel, depth)
	free := make(chan []byte, depth+2)
	var sender sync.WaitGroup
	sender.Go(func() {
		for p := range way {
			time.Sleep(time.Until(p.due))
			n, err := to.Write(p.bytes)
			if count != nil {
				count.Add(int64(n))
			}
			if err != nil {
				from.Close()
				for range way {
				}
				return
			}
			select {
			case free <- p.bytes[:chunk]:
			default:
			}
		}
	})
	next := time.Now()
	for {
		var buf []byte
		select {
		case buf = <-free:
		default:
			buf = make([]byte, chunk)
		}
		n, err := from.Read(buf)
		if n > 0 {
			due := time.Now()
			if rate > 0 {
				if late := due.Add(-20 * time.Millisecond); next.Before(late) {
					next = late // an idle line saves up no more than this
				}
				next = next.Add(time.Duration(float64(n) / rate * float64(time.Second)))
				time.Sleep(time.Until(next))
				due = next
			}
			way <- parcel{buf[:n], due.Add(l.roundTrip / 2)}
		}
		if err != nil {
			break
		}
	}
	close(way)
	sender.Wait()
	io.Copy(io.Discard, from)
}
