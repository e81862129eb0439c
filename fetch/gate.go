package fetch

import (
	"context"
	"io"
	"net/http"
	"sync"
)

// A gate admits a number of requests to a host at once and makes the others wait their turn. A request is
// open from when it is sent until its answer's body has been read to its end or closed. An answer that is
// left open for later (parked) makes room for a request that has none.
type gate struct {
	next interface {
		http.RoundTripper
		CloseIdleConnections()
	}
	most int // a host; 0: no limit

	mu      sync.Mutex // guards what follows, and the parking of exchanges
	open    map[string]int
	waiting map[string][]chan struct{} // each is closed when its turn has come
	parked  map[*exchange]struct{}
}

func newGate(next *http.Transport, most int) *gate {
	return &gate{
		next: next, most: most, open: map[string]int{}, waiting: map[string][]chan struct{}{},
		parked: map[*exchange]struct{}{},
	}
}

// RoundTrip waits until the request may be sent.
func (g *gate) RoundTrip(req *http.Request) (*http.Response, error) {
	host := req.URL.Host
	if err := g.enter(req.Context(), host); err != nil {
		return nil, err
	}
	resp, err := g.next.RoundTrip(req)
	if err != nil {
		g.leave(host)
		return nil, err
	}
	b := &gatedBody{ReadCloser: resp.Body, gate: g, host: host}
	if resp.Body == http.NoBody {
		b.leave()
	}
	resp.Body = b
	return resp, nil
}

// CloseIdleConnections closes those that no request uses.
func (g *gate) CloseIdleConnections() { g.next.CloseIdleConnections() }

func (g *gate) enter(ctx context.Context, host string) error {
	g.mu.Lock()
	if g.most == 0 || g.open[host] < g.most && len(g.waiting[host]) == 0 {
		g.open[host]++
		g.mu.Unlock()
		return nil
	}
	turn := make(chan struct{})
	g.waiting[host] = append(g.waiting[host], turn)
	evicted := g.evict(host)
	g.mu.Unlock()
	evicted.close(nil)
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
		g.forgo(host, turn)
		return ctx.Err()
	}
}

// forgo gives up a place among those that wait.
func (g *gate) forgo(host string, turn chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, w := range g.waiting[host] {
		if w == turn {
			g.waiting[host] = append(g.waiting[host][:i:i], g.waiting[host][i+1:]...)
			return
		}
	}
	g.pass(host) // its turn has come meanwhile
}

func (g *gate) leave(host string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.pass(host)
}

// pass hands a place on to the next that waits. With the gate's mutex held.
func (g *gate) pass(host string) {
	if w := g.waiting[host]; len(w) > 0 {
		g.waiting[host] = w[1:]
		close(w[0])
		return
	}
	if g.open[host]--; g.open[host] == 0 {
		delete(g.open, host)
	}
}

// evict chooses a parked answer of host to be closed, or none. With the gate's mutex held.
func (g *gate) evict(host string) *exchange {
	for x := range g.parked {
		if b, ok := x.resp.Body.(*gatedBody); ok && b.host == host && !b.left {
			delete(g.parked, x)
			return x
		}
	}
	return nil
}

// park leaves an answer open until unpark or close. It is closed as soon as a request needs its place.
func (g *gate) park(x *exchange) {
	g.mu.Lock()
	b, ok := x.resp.Body.(*gatedBody)
	needed := ok && !b.left && len(g.waiting[b.host]) > 0
	if !needed {
		g.parked[x] = struct{}{}
	}
	g.mu.Unlock()
	if needed {
		x.close(nil)
	}
}

// unpark returns x to be read on, or nil when it has been closed. x may be nil.
func (g *gate) unpark(x *exchange) *exchange {
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, ok := g.parked[x]; !ok {
		return nil
	}
	delete(g.parked, x)
	return x
}

// A gatedBody gives its place back when it has been read to its end or closed.
type gatedBody struct {
	io.ReadCloser
	gate *gate
	host string
	left bool // guarded by the gate's mutex
}

func (b *gatedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.leave()
	}
	return n, err
}

func (b *gatedBody) Close() error {
	err := b.ReadCloser.Close()
	b.leave()
	return err
}

func (b *gatedBody) leave() {
	b.gate.mu.Lock()
	defer b.gate.mu.Unlock()
	if !b.left {
		b.left = true
		b.gate.pass(b.host)
	}
}
