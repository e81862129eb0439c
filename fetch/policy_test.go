package fetch

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdall/fetch/failure"
	"holdall/fetch/master"
)

func TestAddressesThatALinkMayNotLeadTo(t *testing.T) {
	for _, tc := range []struct {
		ip   string
		want string // kind, "" when it is public
	}{
		{"127.0.0.1", "loopback"}, {"::1", "loopback"}, {"::ffff:127.0.0.1", "loopback"},
		{"10.1.2.3", "private"}, {"172.16.0.1", "private"}, {"192.168.1.1", "private"},
		{"fd12::1", "private"},
		{"169.254.169.254", "link-local"}, {"fe80::1", "link-local"}, {"fd00:ec2::254", "private"},
		{"100.64.0.1", "reserved"}, {"100.100.100.200", "reserved"}, {"168.63.129.16", "reserved"},
		{"224.0.0.1", "multicast"}, {"ff02::1", "multicast"}, {"0.0.0.0", "unspecified"},
		{"0.1.2.3", "reserved"},
		{"255.255.255.255", "reserved"}, {"64:ff9b::a9fe:a9fe", "link-local"}, {"64:ff9b::808:808", ""},
		{"2002:7f00:1::", "loopback"}, {"::127.0.0.1", "loopback"}, {"8.8.8.8", ""}, {"2600::1", ""},
	} {
		err := publicAddress(net.ParseIP(tc.ip))
		if (err == nil) != (tc.want == "") || err != nil && (!errors.Is(err, errRefused) ||
			!strings.Contains(err.Error(), tc.want)) {
			t.Errorf("publicAddress(%s) = %v, want kind %q", tc.ip, err, tc.want)
		}
	}
}

// probeOne plans a master CSV of one link and returns its source.
func probeOne(t *testing.T, o Options, link string) *Source {
	t.Helper()
	if o.Idle == 0 {
		o.Idle, o.RetryBudget = time.Second, 2*time.Second
	}
	f, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m, err := master.Read([]byte("Attachments\n" + link + "\n"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	p, err := f.Plan(ctx, m)
	if err != nil {
		t.Fatal(err)
	}
	if e := p.Sources[0].Err; e != nil && (strings.Contains(e.Error()+e.Hint+e.Link, secret)) {
		t.Errorf("the error shows the secret: %v", e)
	}
	return p.Sources[0]
}

func wantErr(t *testing.T, s *Source, code failure.Code, text string) {
	t.Helper()
	if s.Err == nil || s.Err.Code != code || !strings.Contains(s.Err.Error(), text) {
		t.Errorf("got %v, want %s with %q", s.Err, code, text)
	}
}

// redirectingMux serves a.zip, which it adds to seen, and redirects to it and elsewhere.
func redirectingMux(seen *[]*http.Request) *http.ServeMux {
	body := zipLike(1000, 1)
	mux := http.NewServeMux()
	mux.HandleFunc("/a.zip", func(w http.ResponseWriter, r *http.Request) {
		*seen = append(*seen, r)
		w.Write(body)
	})
	mux.HandleFunc("/hop", func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "session", Value: "1"})
		http.Redirect(w, r, "/a.zip?sig="+secret, http.StatusFound)
	})
	mux.HandleFunc("/loop", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/loop?sig="+secret, http.StatusFound)
	})
	mux.HandleFunc("/inside", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://169.254.169.254/latest/meta-data", http.StatusFound)
	})
	mux.HandleFunc("/file", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
	})
	return mux
}

func testWhereALinkMayLead(t *testing.T) {
	var seen []*http.Request
	mux := redirectingMux(&seen)
	srv := httptest.NewServer(mux)
	defer srv.Close()
	tlsSrv := httptest.NewUnstartedServer(mux)
	tlsSrv.Config.ErrorLog = log.New(io.Discard, "", 0)
	tlsSrv.StartTLS()
	defer tlsSrv.Close()
	mux.HandleFunc("/down", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, srv.URL+"/a.zip?sig="+secret, http.StatusFound)
	})
	// other tests run at the same time
	private := Options{AllowPrivate: true, Idle: 20 * time.Second, RetryBudget: 20 * time.Second}
	q := "?sig=" + secret

	t.Run("a loopback address is refused when it is dialled", func(t *testing.T) {
		wantErr(t, probeOne(t, Options{AllowHTTP: true}, srv.URL+"/a.zip"+q), failure.LinkDenied, "loopback")
	})
	t.Run("a name for this machine is refused", func(t *testing.T) {
		link := strings.Replace(srv.URL, "127.0.0.1", "localhost", 1) + "/a.zip" + q
		wantErr(t, probeOne(t, Options{AllowHTTP: true}, link), failure.LinkDenied, "localhost")
	})
	t.Run("plain http is refused", func(t *testing.T) {
		wantErr(
			t, probeOne(t, Options{}, "http://files.example.com/a.zip"+q), failure.LinkDenied, "plain http",
		)
	})
	if len(seen) > 0 {
		t.Errorf("%d requests went through", len(seen))
	}
	t.Run("a redirect is followed without Referer and cookies", func(t *testing.T) {
		s := probeOne(t, private, srv.URL+"/hop"+q)
		if s.Err != nil {
			t.Fatal(s.Err)
		}
		for _, r := range seen {
			if r.Header.Get("Referer") != "" || r.Header.Get("Cookie") != "" ||
				r.Header.Get("Accept-Encoding") != "identity" {
				t.Errorf("headers sent after the redirect: %v", r.Header)
			}
		}
		if s.Name != "a.zip" {
			t.Errorf("Name = %q, want that of the redirect's target", s.Name)
		}
	})
	t.Run("a redirect loop ends", func(t *testing.T) {
		wantErr(t, probeOne(t, private, srv.URL+"/loop"+q), failure.LinkDenied, "redirects")
	})
	t.Run("a redirect to another scheme is refused", func(t *testing.T) {
		wantErr(t, probeOne(t, private, srv.URL+"/file"+q), failure.LinkDenied, "scheme")
	})
	testCertificates(t, tlsSrv, private)
	t.Run("only HTTP/1.1 is spoken", func(t *testing.T) { testOnlyHTTP1(t, mux, private, &seen) })
}

func testCertificates(t *testing.T, tlsSrv *httptest.Server, private Options) {
	ca, q := certificateFile(t, tlsSrv), "?sig="+secret
	t.Run("an unknown certificate is refused, and accepted with its CA", func(t *testing.T) {
		wantErr(t, probeOne(t, private, tlsSrv.URL+"/a.zip"+q), failure.Network, "certificate")
		o := private
		o.CAFile = ca
		if s := probeOne(t, o, tlsSrv.URL+"/a.zip"+q); s.Err != nil {
			t.Error(s.Err)
		}
	})
	t.Run("a redirect from https to http is refused", func(t *testing.T) {
		o := private
		o.CAFile = ca
		wantErr(t, probeOne(t, o, tlsSrv.URL+"/down"+q), failure.LinkDenied, "from https to http")
	})
}

func testOnlyHTTP1(t *testing.T, mux *http.ServeMux, private Options, seen *[]*http.Request) {
	h2 := httptest.NewUnstartedServer(mux)
	h2.EnableHTTP2 = true
	h2.TLS = &tls.Config{NextProtos: []string{"h2", "http/1.1"}}
	h2.StartTLS()
	defer h2.Close()
	o := private
	o.CAFile = certificateFile(t, h2)
	*seen = nil
	s := probeOne(t, o, h2.URL+"/a.zip?sig="+secret)
	if s.Err != nil || len(*seen) != 1 || (*seen)[0].ProtoMajor != 1 {
		t.Errorf("%v, %d requests, want one with HTTP/1.1", s.Err, len(*seen))
	}
}

// certificateFile writes the certificate of a server into a file.
func certificateFile(t *testing.T, s *httptest.Server) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ca.pem")
	b := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAProxyIsUsedAndMayBePrivate(t *testing.T) {
	body := zipLike(1000, 1)
	var asked string
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r.URL.String()
		w.Write(body)
	}))
	defer proxy.Close()
	t.Setenv("HTTP_PROXY", proxy.URL)
	t.Setenv("NO_PROXY", "")
	s := probeOne(t, Options{AllowHTTP: true}, "http://files.example.com/a.zip?sig="+secret)
	if s.Err != nil || !strings.HasPrefix(asked, "http://files.example.com/a.zip") {
		t.Errorf("%v; the proxy was asked for %q", s.Err, asked)
	}
	wantErr(
		t, probeOne(t, Options{AllowHTTP: true}, "http://10.0.0.1/a.zip?sig="+secret), failure.LinkDenied,
		"private",
	)
}

func TestServersThatEchoTheLink(t *testing.T) {
	for _, tc := range []struct{ name, answer string }{
		{
			"in a redirect that makes no sense",
			"HTTP/1.1 302 Found\r\nLocation: /x%zz?sig=" + secret + "\r\nContent-Length: 0\r\n\r\n",
		},
		{"in a status line that makes no sense", "HTTP/1.1 " + secret + "\r\n\r\n"},
		{"in a header that makes no sense", "HTTP/1.1 200 OK\r\n" + secret + "\r\n\r\n"},
		{
			"in a Content-Range",
			"HTTP/1.1 206 Partial\r\nContent-Range: " + secret + "\r\nContent-Length: 0\r\n\r\n",
		},
		{
			"in a Content-Encoding, which is none, so the answer is taken",
			"HTTP/1.1 200 OK\r\nContent-Encoding: " + secret + "\r\nContent-Length: 0\r\n\r\n",
		},
		{
			"in its ETag and the file's name",
			"HTTP/1.1 200 OK\r\nETag: \"" + secret + "\"\r\nContent-Disposition: attachment; filename=\"" +
				secret + ".zip\"\r\nContent-Length: 6\r\n\r\n<html>",
		},
		{
			"in an error code",
			"HTTP/1.1 403 No\r\nContent-Length: 82\r\n\r\n<Error><Code>" + secret + "</Code><Message>" +
				secret[:5] + "</Message></Error>",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			go func() {
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					c.Read(make([]byte, 4096))
					c.Write([]byte(tc.answer))
					c.Close()
				}
			}()
			var told strings.Builder
			s := probeOne(
				t, Options{AllowPrivate: true, Receipt: func(r Receipt) { fmt.Fprintf(&told, "%+v", r) }},
				"http://"+l.Addr().String()+"/a.zip?sig="+secret,
			)
			if taken := strings.Contains(tc.name, "taken"); taken != (s.Err == nil) {
				t.Errorf("error %v", s.Err)
			}
			if strings.Contains(told.String(), secret) {
				t.Errorf("a receipt shows the secret: %s", told.String())
			}
		})
	}
}
