package peertest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdall/fetch"
	"holdall/fetch/failure"
	"holdall/fetch/link"
	"holdall/internal/servertest"
	"holdall/internal/testneed"
)

// A proxy is a running tinyproxy.
type proxy struct {
	address string // host:port
	logFile string
}

// newProxy starts a tinyproxy with further lines of configuration; it stops when the test ends.
func newProxy(t testing.TB, lines ...string) proxy {
	t.Helper()
	program := testneed.Command(t, "tinyproxy", "Debian tinyproxy-bin")
	dir := t.TempDir()
	port := servertest.FreePort(t)
	log := filepath.Join(dir, "log")
	config := filepath.Join(dir, "tinyproxy.conf")
	text := fmt.Sprintf(
		"Port %d\nListen 127.0.0.1\nTimeout 60\nAllow 127.0.0.1\nMaxClients 100\nLogLevel "+
			"Connect\nLogFile %q\nDisableViaHeader Yes\n%s\n",
		port, log, strings.Join(lines, "\n"),
	)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	servertest.Start(t, exec.Command(program, "-d", "-c", config), port, log+".out")
	return proxy{fmt.Sprintf("127.0.0.1:%d", port), log}
}

// log returns what the proxy has logged.
func (p proxy) log(t testing.TB) string {
	t.Helper()
	b, err := os.ReadFile(p.logFile)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// The name of this machine is spelled so that Go does not take it for itself and leaves the way to the proxy.
func throughProxy(url, scheme string) string {
	return scheme + "://Localhost" + url[strings.LastIndexByte(url, ':'):]
}

const proxyPassword = "Pr0xyPassw0rdExample"

var proxyCases = []struct {
	name   string
	scheme string
	lines  []string
	user   string // before the proxy's address
	seen   string // in the proxy's log
	want   failure.Code
}{
	{name: "plain http", scheme: "http", seen: "GET http://Localhost"},
	{name: "https in a tunnel", scheme: "https", seen: "CONNECT Localhost"},
	{
		name: "plain http with a password", scheme: "http",
		lines: []string{"BasicAuth clerk " + proxyPassword}, user: "clerk:" + proxyPassword + "@",
		seen: "GET http://Localhost",
	},
	{
		name: "https with a password", scheme: "https", lines: []string{"BasicAuth clerk " + proxyPassword},
		user: "clerk:" + proxyPassword + "@", seen: "CONNECT Localhost",
	},
	// Nothing in this proxy's 401 tells it from the server's own.
	{
		name: "plain http with a wrong password", scheme: "http",
		lines: []string{"BasicAuth clerk another"}, user: "clerk:" + proxyPassword + "@",
		want: failure.LinkDenied,
	},
	{
		name: "https with a wrong password", scheme: "https", lines: []string{"BasicAuth clerk another"},
		user: "clerk:" + proxyPassword + "@", want: failure.Network,
	},
	{
		name: "https where the proxy forbids the port", scheme: "https",
		lines: []string{"ConnectPort 443"}, want: failure.Network,
	},
}

func TestThroughAnHTTPProxy(t *testing.T) {
	files := threeZIPs(t)
	http := serve(t, files, `server { listen 127.0.0.1:PORT0; root ROOT; }`)
	https := serve(t, files, `server { listen 127.0.0.1:PORT0 ssl; root ROOT; }`)
	for _, tt := range proxyCases {
		t.Run(tt.name, func(t *testing.T) {
			p := newProxy(t, tt.lines...)
			t.Setenv("NO_PROXY", "")
			t.Setenv("no_proxy", "")
			site := http
			if tt.scheme == "https" {
				site = https
			}
			t.Setenv(strings.ToUpper(tt.scheme)+"_PROXY", "http://"+tt.user+p.address)
			t.Setenv(tt.scheme+"_proxy", "http://"+tt.user+p.address)
			dir := t.TempDir()
			m := masterOf(t, threeParts(throughProxy(site.url, tt.scheme))...)
			begun := time.Now()
			out := take(
				t, fetch.Options{CAFile: filepath.Join(https.dir, "ca.pem"), RetryBudget: 2 * time.Second}, m,
				dir,
			)
			out.wantNoSecret(t, dir, secret, proxyPassword)
			if tt.want != "" {
				out.wantCode(t, tt.want)
				if out.err == nil {
					return
				}
				said := fmt.Sprintf("%v; hint: %s", out.err, out.err.Hint)
				if tt.scheme == "https" && !strings.Contains(strings.ToLower(said), "proxy") {
					t.Errorf("the message does not mention the proxy: %s", said)
				}
				t.Logf("after %s: %s", time.Since(begun).Round(time.Millisecond), said)
				return
			}
			total := 0
			for _, part := range []link.Part{link.PartData, link.PartAttachments, link.PartCVs} {
				out.wantBytes(t, part, files[string(part)+".zip"])
				total += len(files[string(part)+".zip"])
			}
			if out.progress.Fetched != int64(total) {
				t.Errorf("fetched %d bytes of %d", out.progress.Fetched, total)
			}
			if !strings.Contains(p.log(t), tt.seen) {
				t.Errorf("the proxy's log does not show %q", tt.seen)
			}
			if out.plan.Sources[0].Ranges != true {
				t.Error("no ranges through the proxy")
			}
		})
	}
}

func TestADeadProxyIsNamed(t *testing.T) {
	t.Setenv("NO_PROXY", "")
	t.Setenv("no_proxy", "")
	address := fmt.Sprintf("127.0.0.1:%d", servertest.FreePort(t))
	t.Setenv("HTTP_PROXY", "http://"+address)
	t.Setenv("http_proxy", "http://"+address)
	dir := t.TempDir()
	out := take(
		t, fetch.Options{RetryBudget: time.Second}, masterOf(t, threeParts("http://files.example.test")[0]),
		dir,
	)
	out.wantCode(t, failure.Network)
	if out.err != nil && !strings.Contains(out.err.Error(), "proxy") {
		t.Errorf("the message does not say that the proxy is the trouble: %v", out.err)
	}
	out.wantNoSecret(t, dir, secret)
}
