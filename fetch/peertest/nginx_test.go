package peertest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdall/fetch"
	"holdall/fetch/failure"
	"holdall/fetch/link"
	"holdall/internal/nginxtest"
	"holdall/internal/servertest"
	"holdall/internal/testneed"
)

// nginxConfig goes before a test's own configuration.
const nginxConfig = `
    access_log DIR/access.log short;
    ssl_certificate DIR/server.pem;
    ssl_certificate_key DIR/server.key;
`

// A site is a running nginx.
type site struct {
	url string // of its first port, http, without a slash at its end
	dir string // of its configuration, certificates and logs
}

// serve starts nginx with a configuration inside http { }, in which ROOT is the directory of the files, PORT0
// and PORT1 are free ports, and DIR is where the certificates lie. It stops when the test ends.
func serve(t testing.TB, files map[string][]byte, http string) site {
	t.Helper()
	testneed.Command(t, "nginx", "Debian nginx")
	root, dir := t.TempDir(), t.TempDir()
	for name, b := range files {
		if err := os.WriteFile(filepath.Join(root, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := nginxtest.Certificates(dir); err != nil {
		t.Fatal(err)
	}
	port0, port1 := servertest.FreePort(t), servertest.FreePort(t)
	http = strings.NewReplacer(
		"ROOT", root, "PORT0", fmt.Sprint(port0), "PORT1", fmt.Sprint(port1),
	).Replace(http)
	s, err := nginxtest.Start(nginxtest.Config{
		Dir: dir, HTTP: nginxConfig + http, Address: fmt.Sprintf("127.0.0.1:%d", port0),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return site{url: fmt.Sprintf("http://127.0.0.1:%d", port0), dir: dir}
}

// accessLog returns what nginx has logged: method, status, bytes and range of each request.
func (s site) accessLog(t testing.TB) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(s.dir, "access.log"))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

const secret = "5eCreT0nTheLink7"

// threeParts are links to data.zip, attachments.zip and cvs.zip below base.
func threeParts(base string) []part {
	return []part{
		{link.PartData, base + "/data.zip?sig=" + secret},
		{link.PartAttachments, base + "/attachments.zip?sig=" + secret},
		{link.PartCVs, base + "/cvs.zip?sig=" + secret},
	}
}

func threeZIPs(t testing.TB) map[string][]byte {
	return map[string][]byte{
		"data.zip": exportZIP(t, 1, 3<<20+17), "attachments.zip": exportZIP(t, 2, 9<<20+1),
		"cvs.zip": exportZIP(t, 3, 400<<10),
	}
}

type nginxCase struct {
	name, http string
	sequential bool // the server does not know ranges, or hides them
}

var nginxCases = []nginxCase{
	{name: "with ranges", http: `server { listen 127.0.0.1:PORT0; root ROOT; }`},
	{
		name: "without ranges", http: `server { listen 127.0.0.1:PORT0; root ROOT; max_ranges 0; }`,
		sequential: true,
	},
	{
		name: "without ranges and without validators",
		http: `server { listen 127.0.0.1:PORT0; root ROOT; max_ranges 0; etag off; add_header ` +
			`Last-Modified ""; }`,
		sequential: true,
	},
	{
		name: "with ranges and a date only",
		http: `server { listen 127.0.0.1:PORT0; root ROOT; etag off; }`,
	},
	{
		name: "with 4 MiB a second for each connection",
		http: `server { listen 127.0.0.1:PORT0; root ROOT; limit_rate 4m; }`,
	},
	{
		name: "with gzip on for everybody who takes it",
		http: `server { listen 127.0.0.1:PORT0; root ROOT; gzip on; gzip_types *; gzip_min_length 1; ` +
			`gzip_proxied any; }`,
	},
	{
		name: "behind a proxy that strips Range",
		http: `server { listen 127.0.0.1:PORT0; location / { proxy_pass http://127.0.0.1:PORT1;` +
			` proxy_set_header Range ""; } } server { listen 127.0.0.1:PORT1; root ROOT; }`,
		sequential: true,
	},
	{
		name: "behind a proxy that hands ranges on, unbuffered",
		http: `server { listen 127.0.0.1:PORT0; location / { proxy_pass http://127.0.0.1:PORT1; ` +
			`proxy_buffering off; } } server { listen 127.0.0.1:PORT1; root ROOT; }`,
	},
	{
		name: "closing each connection after one request",
		http: `server { listen 127.0.0.1:PORT0; root ROOT; keepalive_timeout 0; }`,
	},
	{
		name: "with at most 3 connections a client, 503 above",
		http: `limit_conn_zone $binary_remote_addr zone=client:1m; server { listen 127.0.0.1:PORT0; ` +
			`root ROOT; limit_conn client 3; limit_rate 4m; }`,
	},
	{
		name: "with at most 2 connections a client, 429 above",
		http: `limit_conn_zone $binary_remote_addr zone=client:1m; server { listen 127.0.0.1:PORT0; ` +
			`root ROOT; limit_conn client 2; limit_conn_status 429; limit_rate 8m; }`,
	},
	{
		name: "with one connection a client, 503 above",
		http: `limit_conn_zone $binary_remote_addr zone=client:1m; server { listen 127.0.0.1:PORT0; ` +
			`root ROOT; limit_conn client 1; limit_rate 8m; }`,
	},
	{
		name: "with 5 requests a second, 503 above",
		http: `limit_req_zone $binary_remote_addr zone=client:1m rate=5r/s; server { listen ` +
			`127.0.0.1:PORT0; root ROOT; limit_req zone=client burst=2 nodelay; }`,
	},
}

func TestNginxInAllItsMoods(t *testing.T) {
	files := threeZIPs(t)
	for _, tt := range nginxCases {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, files, tt.http)
			dir := t.TempDir()
			out := take(t, fetch.Options{RetryBudget: time.Minute}, masterOf(t, threeParts(s.url)...), dir)
			total := 0
			for _, p := range []link.Part{link.PartData, link.PartAttachments, link.PartCVs} {
				out.wantBytes(t, p, files[string(p)+".zip"])
				total += len(files[string(p)+".zip"])
			}
			for _, src := range out.plan.Sources {
				if src.Ranges == tt.sequential {
					t.Errorf("%s: Ranges = %t", src.Name, src.Ranges)
				}
			}
			if out.progress.Fetched != int64(total) {
				t.Errorf("fetched %d bytes of %d", out.progress.Fetched, total)
			}
			if log := s.accessLog(t); strings.Contains(log, "HEAD") {
				t.Errorf("a HEAD was sent:\n%s", log)
			}
			t.Logf(
				"%d requests, %d retries, %d of %d bytes received", len(out.receipts), out.progress.Retries,
				out.received(), total,
			)
			out.wantNoSecret(t, dir, secret)
		})
	}
}

// What a proxy compresses on the way is decoded: the spool has the export's own bytes.
func TestWhatAProxyCompressesIsDecoded(t *testing.T) {
	t.Parallel()
	files := map[string][]byte{"data.zip": exportZIP(t, 1, 1<<20)}
	s := serve(t, files, `
		server { listen 127.0.0.1:PORT0; location / {
			proxy_pass http://127.0.0.1:PORT1; proxy_set_header Accept-Encoding gzip;
			proxy_http_version 1.1; } }
		server { listen 127.0.0.1:PORT1; root ROOT; gzip on; gzip_types *; gzip_min_length 1;
			gzip_proxied any; }`)
	dir := t.TempDir()
	out := take(t, fetch.Options{RetryBudget: time.Second}, masterOf(t, threeParts(s.url)[0]), dir)
	out.wantBytes(t, link.PartData, files["data.zip"])
	out.wantNoSecret(t, dir, secret)
}

func TestNginxWithAPrivateAuthority(t *testing.T) {
	t.Parallel()
	files := map[string][]byte{"data.zip": exportZIP(t, 1, 3<<20)}
	s := serve(t, files, `server { listen 127.0.0.1:PORT0 ssl; root ROOT; }`)
	href := strings.Replace(threeParts(s.url)[0].link, "http://", "https://", 1)
	for _, tt := range []struct {
		name, ca string
		want     failure.Code
	}{
		{"its authority trusted with CAFile", "ca.pem", ""},
		{"nothing said about its authority", "", failure.Network},
		{"another authority trusted", "other-ca.pem", failure.Network},
	} {
		t.Run(tt.name, func(t *testing.T) {
			opts := fetch.Options{RetryBudget: time.Second}
			if tt.ca != "" {
				opts.CAFile = filepath.Join(s.dir, tt.ca)
			}
			dir := t.TempDir()
			begun := time.Now()
			out := take(t, opts, masterOf(t, part{link.PartData, href}), dir)
			out.wantNoSecret(t, dir, secret)
			if tt.want == "" {
				out.wantBytes(t, link.PartData, files["data.zip"])
				return
			}
			out.wantCode(t, tt.want)
			if out.err == nil {
				return
			}
			if !strings.Contains(out.err.Error(), "certificate") {
				t.Errorf("the message does not speak of the certificate: %v", out.err)
			}
			t.Logf("after %s: %v; hint: %s", time.Since(begun).Round(time.Millisecond), out.err, out.err.Hint)
		})
	}
}

// What nginx answers when a file is replaced while it is fetched must never be mixed with what it was.
func TestAFileReplacedBetweenTwoRunsIsFetchedWhole(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, http string }{
		{"with an ETag", `server { listen 127.0.0.1:PORT0; root ROOT; }`},
		{"with a date only", `server { listen 127.0.0.1:PORT0; root ROOT; etag off; }`},
		{
			"with nothing to know it by",
			`server { listen 127.0.0.1:PORT0; root ROOT; etag off; add_header Last-Modified ""; }`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			before, after := exportZIP(t, 1, 3<<20), exportZIP(t, 9, 3<<20)
			s := serve(
				t, map[string][]byte{"data.zip": before},
				strings.Replace(tt.http, "root ROOT", "root DIR/www", 1),
			)
			path := filepath.Join(s.dir, "www", "data.zip")
			put := func(b []byte, age time.Duration) {
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path+".new", b, 0o600); err != nil {
					t.Fatal(err)
				}
				at := time.Now().Add(-age)
				if err := os.Chtimes(path+".new", at, at); err != nil {
					t.Fatal(err)
				}
				if err := os.Rename(path+".new", path); err != nil {
					t.Fatal(err)
				}
			}
			m, dir := masterOf(t, threeParts(s.url)[0]), t.TempDir()
			put(before, time.Hour)
			take(t, fetch.Options{}, m, dir).wantBytes(t, link.PartData, before)
			put(after, 0)
			take(t, fetch.Options{}, m, dir).wantBytes(t, link.PartData, after)
		})
	}
}
