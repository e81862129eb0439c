package fetch

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"holdall/fetch/failure"
	"holdall/fetch/master"
)

// A pipeNet is a network in memory: every address leads to its one server.
type pipeNet struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newPipeNet() *pipeNet { return &pipeNet{conns: make(chan net.Conn), done: make(chan struct{})} }

func (n *pipeNet) Dial(ctx context.Context, _, _ string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case n.conns <- theirs:
		return ours, nil
	case <-n.done:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (n *pipeNet) Accept() (net.Conn, error) {
	select {
	case c := <-n.conns:
		return c, nil
	case <-n.done:
		return nil, net.ErrClosed
	}
}

func (n *pipeNet) Close() error   { n.once.Do(func() { close(n.done) }); return nil }
func (n *pipeNet) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }

// A busy server's minutes cost a test nothing: everything in this package keeps time by package time, and
// every goroutine ends with Close, or synctest would say so.
func TestAFetchRunsInVirtualTimeOverANetworkInMemory(t *testing.T) {
	body := zipLike(3<<20, 5)
	synctest.Test(t, func(t *testing.T) {
		network := newPipeNet()
		began := time.Now()
		srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			if time.Since(began) > 5*time.Second && time.Since(began) < 3*time.Minute {
				w.Header().Set("Retry-After", "60")
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			w.Header().Set("ETag", `"v1"`)
			http.ServeContent(
				&stalling{
					ResponseWriter: w, n: 1 << 20, stall: time.Since(began) < time.Second,
					ended: req.Context().Done(),
				},
				req, "", time.Time{}, bytes.NewReader(body),
			)
		})}
		go srv.Serve(network)
		defer srv.Close()
		f, err := New(Options{AllowHTTP: true, Dial: network.Dial})
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		m, err := master.Read([]byte("Attachments\nhttp://files.example/a.zip?sig=s\n"))
		if err != nil {
			t.Fatal(err)
		}
		p, err := f.Plan(t.Context(), m)
		if err != nil {
			t.Fatal(err)
		}
		r, err := f.Start(t.Context(), p, t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		if err := r.Wait(); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(r.Objects[0].Path())
		if err != nil || !bytes.Equal(got, body) {
			t.Errorf("got %d bytes (%v), not the object's %d", len(got), err, len(body))
		}
		if took := time.Since(began); took < 3*time.Minute {
			t.Errorf("it took %s of virtual time, though the server was busy for three minutes", took)
		}
	})
}

// stalling sends n bytes of a body and then, where stall is set, nothing.
type stalling struct {
	http.ResponseWriter
	n     int
	stall bool
	ended <-chan struct{} // when the client has gone
}

func (s *stalling) Write(p []byte) (int, error) {
	if !s.stall {
		return s.ResponseWriter.Write(p)
	}
	if s.n -= len(p); s.n < 0 {
		<-s.ended
		return 0, errors.New("stalled")
	}
	return s.ResponseWriter.Write(p)
}

func TestAGivenDialObeysTheAddressPolicy(t *testing.T) {
	dialled := 0
	dial := func(context.Context, string, string) (net.Conn, error) {
		dialled++
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer ln.Close()
		return net.Dial("tcp", ln.Addr().String())
	}
	s := probeOne(t, Options{AllowHTTP: true, Dial: dial}, "http://192.168.7.7/a.zip")
	wantErr(t, s, failure.LinkDenied, "private")
	if dialled > 0 {
		t.Errorf("a private address was dialled %d times", dialled)
	}
	s = probeOne(t, Options{AllowHTTP: true, Dial: dial}, "http://files.example/a.zip")
	wantErr(t, s, failure.LinkDenied, "loopback")
}
