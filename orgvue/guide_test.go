package orgvue

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"holdall/internal/orgvuesim"
)

// The examples of the vendor's guide.

// wire keeps what was sent, by method and the path below the tenant.
type wire struct {
	next http.RoundTripper
	sent map[string]string
	head map[string]http.Header
	auth []string // methods and hosts' paths of requests to a store that had an Authorization header
}

func (w *wire) RoundTrip(q *http.Request) (*http.Response, error) {
	path, api := strings.CutPrefix(q.URL.Path, "/api/v1/ACME_1/")
	if !api && q.Header.Get("Authorization") != "" {
		w.auth = append(w.auth, q.Method+" "+q.URL.Path)
	}
	if q.Body != nil {
		b, err := io.ReadAll(q.Body)
		if err != nil {
			return nil, err
		}
		q.Body = io.NopCloser(bytes.NewReader(b))
		w.sent[q.Method+" "+path], w.head[q.Method+" "+path] = string(b), q.Header
	}
	return w.next.RoundTrip(q)
}

// URLs are asked for, the payload is put to one without a token, and the import names the other.
func TestAnImportIsAskedForAsInTheGuide(t *testing.T) {
	w := &wire{sent: map[string]string{}, head: map[string]http.Header{}}
	wired := func(o *Options) { w.next, o.Transport = o.Transport, w }
	sending(t, orgvuesim.Behaviour{}, 3, wired, func(_ *orgvuesim.Tenant, r *Report, err error) {
		if err != nil || len(r.Items) != 3 {
			t.Fatalf("%+v, %v", r, err)
		}
		const generate, begin = "POST files/generate", "PUT datasets/" + dataset + "/items/import"
		var urls map[string]any
		if err := json.Unmarshal([]byte(w.sent[generate]), &urls); err != nil || len(urls) != 2 ||
			urls["targetType"] != "json" || urls["targetEncoding"] != "identity" {
			t.Errorf("URLs are asked for with %s", w.sent[generate])
		}
		for _, request := range []string{generate, begin} {
			h := w.head[request]
			if !strings.HasPrefix(h.Get("Authorization"), "Bearer ") ||
				h.Get("Content-Type") != "application/json; charset=UTF-8" {
				t.Errorf("%s has the content type %q", request, h.Get("Content-Type"))
			}
		}
		var ask struct {
			ImportLocation struct{ Method, URL string }
		}
		if err := json.Unmarshal([]byte(w.sent[begin]),
			&ask); err != nil || ask.ImportLocation.Method != "GET" ||
			!strings.HasPrefix(ask.ImportLocation.URL, "https://") {
			t.Errorf("the import is asked for with %d bytes that are not the guide's, %v",
				len(w.sent[begin]), err)
		}
		if len(w.auth) > 0 {
			t.Errorf("a token is sent to a store: %q", w.auth)
		}
	})
}

// The base URL is pasted with and without https://, and with what follows it.
func TestABaseURLAsItIsPasted(t *testing.T) {
	for _, pasted := range []string{"api.orgvue.example", "https://api.orgvue.example/",
		" api.orgvue.example/api/v1 ", "https://api.orgvue.example/api/v1/"} {
		o := Options{URL: pasted}
		if err := o.checkURL(); err != nil || o.URL != "https://api.orgvue.example" {
			t.Errorf("%q is %q, %v", pasted, o.URL, err)
		}
	}
	for _, wrong := range []string{"http://api.orgvue.example", "", "https://"} {
		o := Options{URL: wrong}
		if err := o.checkURL(); err == nil {
			t.Errorf("%q is accepted as %q", wrong, o.URL)
		}
	}
}

// The guide's sample has a date without quotation marks and a comma too many. What is written is valid.
func TestTheGuidesSampleIsWrittenValid(t *testing.T) {
	const sample = `[{"_action":"create","EmployeeID":"E7","StartDate":2026-03-09,}]`
	got := write(t, JSON, Item{Create, raw(`"E7"`, `-`, `"2026-03-09"`, `-`)})
	if json.Valid([]byte(sample)) || !json.Valid([]byte(got)) ||
		got != "[\n"+`{"_action":"create","EmployeeID":"E7","StartDate":"2026-03-09"}`+"\n]\n" {
		t.Errorf("%s", got)
	}
}
