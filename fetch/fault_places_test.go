package fetch

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"holdall/fetch/failure"
)

var placeFaults = []faultCase{
	{
		name: "a name that resolves to a private address (DNS rebinding)", test: testRebinding,
		outcome: "`link-denied`; nothing is sent there",
	},
	{
		name: "a name that does not resolve for a while", test: testNoNameForAWhile,
		outcome: "every byte is right",
	},
	{name: "a name whose first address is dead", test: testDeadAddress, outcome: "every byte is right"},
	{
		name: "redirects in a circle, to another scheme, from https to http; a certificate of nobody " +
			"known",
		test: testWhereALinkMayLead,
		outcome: "`link-denied`, for the certificate `network`; nothing is sent there; `--ca-file` names " +
			"an authority",
	},
	{
		name: "a redirect into the own network", test: testRedirectInside,
		outcome: "`link-denied`; nothing is sent there",
	},
}

// A nameServer answers A queries with what the function says for the n-th query, from 1; nothing is NXDOMAIN.
func nameServer(t *testing.T, answer func(n int) []string) *net.Resolver {
	t.Helper()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pc.Close() })
	go func() {
		buf := make([]byte, 1500)
		for n := 1; ; {
			k, from, err := pc.ReadFrom(buf)
			if err != nil {
				return
			}
			var q dnsmessage.Message
			if q.Unpack(buf[:k]) != nil || len(q.Questions) != 1 {
				continue
			}
			q.Response = true
			if q.Questions[0].Type == dnsmessage.TypeA {
				ips := answer(n)
				n++
				if ips == nil {
					q.RCode = dnsmessage.RCodeNameError
				}
				for _, ip := range ips {
					q.Answers = append(q.Answers, dnsmessage.Resource{
						Header: dnsmessage.ResourceHeader{
							Name: q.Questions[0].Name, Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET,
						},
						Body: &dnsmessage.AResource{A: netip.MustParseAddr(ip).As4()},
					})
				}
			}
			q.Additionals = nil
			if b, err := q.Pack(); err == nil {
				pc.WriteTo(b, from)
			}
		}
	}()
	return &net.Resolver{PreferGo: true,
		Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, network, pc.LocalAddr().String())
		}}
}

// named returns the server's link under a name.
func named(s *faultServer, path string) string {
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(s.URL, "http://"))
	return "http://files.example.test:" + port + path + "?sig=" + secret
}

func testRebinding(t *testing.T) {
	s := newFaultServer(t)
	s.put("/a.zip", zipLike(1000, 1))
	r := nameServer(t, func(n int) []string { return []string{"127.0.0.1"} })
	src := probeOne(t, Options{AllowHTTP: true, resolver: r}, named(s, "/a.zip"))
	wantErr(t, src, failure.LinkDenied, "loopback")
	if n := len(s.log()); n != 0 {
		t.Errorf("%d requests were sent", n)
	}
}

func testNoNameForAWhile(t *testing.T) {
	s := newFaultServer(t)
	body := zipLike(1000, 1)
	s.put("/a.zip", body)
	r := nameServer(t, func(n int) []string {
		if n <= 2 {
			return nil
		}
		return []string{"127.0.0.1"}
	})
	run, err := take(
		t, newTestFetcher(t, func(o *Options) { o.resolver, o.RetryBudget = r, 20*time.Second }),
		mustMaster(t, "Attachments\n"+named(s, "/a.zip")+"\n"), t.TempDir(),
	)
	if err != nil {
		t.Fatal(err)
	}
	wantBytes(t, run.Objects[0], body)
}

func testDeadAddress(t *testing.T) {
	s := newFaultServer(t)
	body := zipLike(1000, 1)
	s.put("/a.zip", body)
	// Nothing listens at 127.0.0.2 on the server's port.
	r := nameServer(t, func(int) []string { return []string{"127.0.0.2", "127.0.0.1"} })
	run, err := take(
		t, newTestFetcher(t, func(o *Options) { o.resolver = r }),
		mustMaster(t, "Attachments\n"+named(s, "/a.zip")+"\n"), t.TempDir(),
	)
	if err != nil {
		t.Fatal(err)
	}
	wantBytes(t, run.Objects[0], body)
}

func testRedirectInside(t *testing.T) {
	var inside atomic.Int64
	hidden := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { inside.Add(1) }))
	defer hidden.Close()
	// The proxy stands for a public server; what it answers leads to a private one.
	p := &policy{opts: Options{AllowHTTP: true}, viaProxy: nil}
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, hidden.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	via, err := http.NewRequest(http.MethodGet, "http://files.example.com/", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.redirect(req, []*http.Request{via}); !errors.Is(err, errRefused) {
		t.Errorf("redirect to %s = %v, want a refusal", hidden.URL, err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if _, err := p.dial(ctx, "tcp", strings.TrimPrefix(hidden.URL, "http://")); !errors.Is(err, errRefused) {
		t.Errorf("dial = %v, want a refusal", err)
	}
	if inside.Load() != 0 {
		t.Error("a request went inside")
	}
}
