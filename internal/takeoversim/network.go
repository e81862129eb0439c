package takeoversim

import (
	"context"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
)

// A Network is a network in memory. Names resolve to nothing: all connections reach the one server.
type Network struct {
	serve func(*serverConn)
	down  func() bool // connections are refused while it is true

	mu     sync.Mutex
	conns  map[*serverConn]bool // guarded by mu
	served *sync.WaitGroup      // of the current run: each has a time of its own
}

func newNetwork(serve func(*serverConn), down func() bool) *Network {
	return &Network{serve: serve, down: down, conns: map[*serverConn]bool{}, served: new(sync.WaitGroup)}
}

// begin makes ready for another run.
func (n *Network) begin() { n.served = new(sync.WaitGroup) }

// Dial connects to the server.
func (n *Network) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if n.down() {
		return nil, &net.OpError{Op: "dial", Net: network, Err: syscall.ECONNREFUSED}
	}
	near, far := net.Pipe()
	var reset atomic.Bool
	s := &serverConn{Conn: far, reset: &reset}
	n.mu.Lock()
	n.conns[s] = true
	n.mu.Unlock()
	n.served.Go(func() {
		defer n.drop(s)
		n.serve(s)
	})
	return &clientConn{Conn: near, reset: &reset}, nil
}

func (n *Network) drop(s *serverConn) {
	_ = s.Close()
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.conns, s)
}

// Close breaks all connections and waits for the server to notice.
func (n *Network) Close() {
	n.mu.Lock()
	for s := range n.conns {
		_ = s.Close()
	}
	n.mu.Unlock()
	n.served.Wait()
}

// A serverConn is the server's end of a connection.
type serverConn struct {
	net.Conn
	reset *atomic.Bool
}

// Reset breaks the connection as a TCP reset does.
func (s *serverConn) Reset() {
	s.reset.Store(true)
	_ = s.Close()
}

// A clientConn is the client's end. net.Pipe knows no resets, so they are told apart here.
type clientConn struct {
	net.Conn
	reset *atomic.Bool
}

func (c *clientConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err == io.EOF && c.reset.Load() {
		err = &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
	}
	return n, err
}

func (c *clientConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	if err == io.ErrClosedPipe {
		err = &net.OpError{Op: "write", Net: "tcp", Err: syscall.EPIPE}
	}
	return n, err
}
