package fetch

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/net/http/httpproxy"

	"holdall/fetch/failure"
)

const (
	defaultIdle   = 20 * time.Second
	defaultBudget = 5 * time.Minute
	maxRedirects  = 10
	maxConns      = 16
	startConns    = 4
)

// errRefused marks destinations that policy forbids. Trying again does not help.
var errRefused = errors.New("refused")

// A forbidden is an errRefused with what is wrong with the destination.
type forbidden struct {
	reason failure.Reason
	what   string
}

func (e *forbidden) Error() string        { return "refused: " + e.what }
func (e *forbidden) Is(target error) bool { return target == errRefused }

func forbid(reason failure.Reason, format string, a ...any) error {
	return &forbidden{reason, fmt.Sprintf(format, a...)}
}

// errProxy marks a refusal by the proxy, not by the server that a link leads to: of the user, or of that
// server.
var errProxy = errors.New("the proxy does not let the connection through")

// newClient builds the one HTTP client of a Fetcher: HTTP/1.1, no compression, no cookies, no netrc, an idle
// watchdog in place of a timeout, and every connection checked against the address policy when it is dialled,
// which covers redirects and names that resolve to another address later.
func newClient(o Options) (*http.Client, *policy, error) {
	roots, err := trust(o.CAFile)
	if err != nil {
		return nil, nil, err
	}
	proxy := httpproxy.FromEnvironment()
	pol := &policy{opts: o, proxies: proxyAddresses(proxy), viaProxy: proxy.ProxyFunc()}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	tr := &http.Transport{
		Proxy:                 func(r *http.Request) (*url.URL, error) { return pol.viaProxy(r.URL) },
		DialContext:           pol.dial,
		Protocols:             protocols,
		TLSClientConfig:       &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		DisableCompression:    true,
		MaxIdleConnsPerHost:   4 * maxConns,
		IdleConnTimeout:       60 * time.Second,
		TLSHandshakeTimeout:   o.idleTimeout(),
		ExpectContinueTimeout: time.Second,
		ReadBufferSize:        32 << 10,
		OnProxyConnectResponse: func(
			_ context.Context, _ *url.URL, _ *http.Request, answer *http.Response,
		) error {
			if answer.StatusCode == http.StatusOK {
				return nil
			}
			if answer.StatusCode >= 500 || answer.StatusCode == http.StatusRequestTimeout ||
				answer.StatusCode == http.StatusTooManyRequests {
				return fmt.Errorf("the proxy could not reach the server: it answered %d", answer.StatusCode)
			}
			return fmt.Errorf("%w: it answered %d", errProxy, answer.StatusCode)
		},
	}
	return &http.Client{Transport: tr, CheckRedirect: pol.redirect}, pol, nil
}

// idleTimeout is how long an answer may bring nothing before it is given up.
func (o Options) idleTimeout() time.Duration {
	if o.Idle > 0 {
		return o.Idle
	}
	return defaultIdle
}

// retryBudget is how long a busy or silent server is waited for.
func (o Options) retryBudget() time.Duration {
	if o.RetryBudget > 0 {
		return o.RetryBudget
	}
	return defaultBudget
}

// believedAfter is how long an answer must go on coming that a server in trouble gives as well, such as one
// without a byte, before it is believed: a part of the budget, which is how long such trouble may last.
func believedAfter(budget time.Duration) time.Duration { return budget / 5 }

// trust returns the system's certificates and those in a PEM file.
func trust(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, &failure.Error{Code: failure.Usage, Message: "read the CA file", Err: err}
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, &failure.Error{
			Code: failure.Usage, Message: fmt.Sprintf("the CA file %s holds no PEM certificate", file),
		}
	}
	return pool, nil
}

// A policy says where requests may go.
type policy struct {
	opts     Options
	proxies  map[string]bool // host:port of the configured proxies, which may be private
	viaProxy func(*url.URL) (*url.URL, error)
}

func proxyAddresses(c *httpproxy.Config) map[string]bool {
	addrs := map[string]bool{}
	for _, s := range []string{c.HTTPProxy, c.HTTPSProxy} {
		if s == "" {
			continue
		}
		if !strings.Contains(s, "://") {
			s = "http://" + s
		}
		u, err := url.Parse(s)
		if err != nil {
			continue
		}
		port := u.Port()
		if port == "" {
			port = map[string]string{"https": "443", "socks5": "1080", "socks5h": "1080"}[u.Scheme]
		}
		if port == "" {
			port = "80"
		}
		addrs[net.JoinHostPort(u.Hostname(), port)] = true
	}
	return addrs
}

// check decides on a URL before it is asked for: its scheme, and its host where that is an address in plain
// sight. (Names are decided on when they are dialled.)
func (p *policy) check(u *url.URL) error {
	switch strings.ToLower(u.Scheme) {
	case "https":
	case "http":
		if !p.opts.AllowHTTP && !p.opts.AllowPrivate {
			return forbid(
				failure.ReasonPlainHTTP,
				"the link is plain http, which anyone on the way can read and change",
			)
		}
	default:
		return forbid(failure.ReasonRedirect, "the link's scheme is not https")
	}
	if p.opts.AllowPrivate {
		return nil
	}
	host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return forbid(failure.ReasonPrivateAddress, "%s is this machine itself", host)
	}
	if ip := net.ParseIP(host); ip != nil {
		return publicAddress(ip)
	}
	return nil
}

// dial connects to addr unless policy forbids its address.
func (p *policy) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	check := publicPeer
	if p.opts.AllowPrivate || p.proxies[addr] {
		check = func(string) error { return nil }
	}
	connect := p.dialSystem
	if p.opts.Dial != nil {
		connect = p.dialGiven
	}
	conn, err := connect(ctx, network, addr, check)
	if err != nil {
		return nil, err
	}
	return &watchedConn{Conn: conn, idle: p.opts.idleTimeout()}, nil
}

// dialSystem checks each address that a name resolves to just before it is connected to.
func (p *policy) dialSystem(
	ctx context.Context, network, addr string, check func(string) error,
) (net.Conn, error) {
	d := &net.Dialer{Timeout: 15 * time.Second, KeepAlive: 15 * time.Second, Resolver: p.opts.resolver}
	d.ControlContext = func(_ context.Context, _, address string, _ rawConn) error { return check(address) }
	return d.DialContext(ctx, network, addr)
}

// dialGiven connects with Options.Dial, which resolves names itself: so what it connected to is checked as
// well.
func (p *policy) dialGiven(
	ctx context.Context, network, addr string, check func(string) error,
) (net.Conn, error) {
	if host, _, err := net.SplitHostPort(addr); err == nil && net.ParseIP(host) != nil {
		if err := check(addr); err != nil {
			return nil, err
		}
	}
	conn, err := p.opts.Dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	if tcp, ok := conn.RemoteAddr().(*net.TCPAddr); ok {
		if err := check(tcp.String()); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
	}
	return conn, nil
}

// publicPeer returns an error when address, an IP address with a port, is not one of the public internet.
func publicPeer(address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	host, _, _ = strings.Cut(host, "%")
	ip := net.ParseIP(host)
	if ip == nil {
		return forbid(failure.ReasonPrivateAddress, "%s is not an IP address", address)
	}
	return publicAddress(ip)
}

// redirect decides on following a redirect, and takes away what Go would send along: the Referer holds the
// signed URL.
func (p *policy) redirect(req *http.Request, via []*http.Request) error {
	if t, ok := req.Context().Value(urlTraceKey{}).(*urlTrace); ok {
		t.add(req.URL)
	}
	if len(via) > maxRedirects {
		return forbid(failure.ReasonRedirect, "more than %d redirects", maxRedirects)
	}
	if via[len(via)-1].URL.Scheme == "https" && req.URL.Scheme != "https" {
		return forbid(failure.ReasonRedirect, "redirected from https to %s", req.URL.Scheme)
	}
	req.Header.Del("Referer")
	return p.check(req.URL)
}

// A watchedConn fails a Read that waits longer than idle for its first byte. A limit on the whole exchange
// would kill long downloads; this one only kills silent ones.
type watchedConn struct {
	net.Conn
	idle  time.Duration
	armed atomic.Int64 // when the timer was last set
}

func (c *watchedConn) Read(p []byte) (int, error) {
	if err := c.arm(); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

// Write gives a Read that already waits, on a connection that was kept for the next request, its full time.
func (c *watchedConn) Write(p []byte) (int, error) {
	if err := c.arm(); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

// arm sets the timer. That costs more than a short read, so it is done only now and then.
func (c *watchedConn) arm() error {
	now := time.Now()
	if now.UnixNano()-c.armed.Load() < int64(c.idle/16) {
		return nil
	}
	c.armed.Store(now.UnixNano())
	return c.SetReadDeadline(now.Add(c.idle))
}
