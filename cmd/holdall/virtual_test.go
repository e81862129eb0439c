package main

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// virtualURL is where the server of a virtual world is.
const virtualURL = "http://127.0.0.1:80"

// A virtual world has a clock of its own, in which waiting takes no time, and one server, which is reached
// without a network.
type virtual struct {
	t     *testing.T
	conns chan net.Conn
	done  chan struct{}
}

// virtually has commands run in a virtual world. The server that serve returns is reached at virtualURL.
func virtually(t *testing.T, serve func() http.Handler, do func(*testing.T, *virtual)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Date(2027, 2, 1, 8, 30, 0, 0, time.UTC)))
		v := &virtual{t: t, conns: make(chan net.Conn), done: make(chan struct{})}
		server := &http.Server{Handler: serve()}
		var wait sync.WaitGroup
		wait.Go(func() { server.Serve(v) })
		defer wait.Wait()
		defer server.Close()
		do(t, v)
	})
}

// run runs a command.
func (v *virtual) run(args ...string) outcome {
	v.t.Helper()
	return v.runIn(v.t.Context(), args...)
}

func (v *virtual) runIn(ctx context.Context, args ...string) outcome {
	var out, talk bytes.Buffer
	e := &env{stdin: strings.NewReader(""), stdout: &out, stderr: &talk, console: newConsole(&talk),
		lookup: func(string) (string, bool) { return "", false }, dial: v.dial}
	code := run(ctx, e, args)
	return outcome{code, out.String(), talk.String()}
}

func (v *virtual) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case v.conns <- there:
		return here, nil
	case <-v.done:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Accept, Close and Addr make it the server's listener.
func (v *virtual) Accept() (net.Conn, error) {
	select {
	case c := <-v.conns:
		return c, nil
	case <-v.done:
		return nil, net.ErrClosed
	}
}

func (v *virtual) Close() error {
	select {
	case <-v.done:
	default:
		close(v.done)
	}
	return nil
}

func (v *virtual) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80} }
