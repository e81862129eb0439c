package orgvuesim

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

type answer struct {
	status  int
	body    string
	headers map[string]string
}

func ok(status int, v any) answer {
	b, err := json.Marshal(v)
	if err != nil {
		return answer{status: 500, body: err.Error()}
	}
	return answer{status: status, body: string(b)}
}

// failed is the shape of errors: a list, with codes that are texts.
func failed(status int, code, message string) answer {
	return ok(status, map[string]any{"errors": []map[string]string{{"name": "ApiError", "code": code,
		"message": message}}})
}

// ServeHTTP answers one request.
func (t *Tenant) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	a := t.answer(r, body)
	for name, value := range a.headers {
		w.Header().Set(name, value)
	}
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.WriteHeader(a.status)
	io.WriteString(w, a.body)
}

// Transport reaches the tenant without a network.
func (t *Tenant) Transport() http.RoundTripper { return transport{t} }

type transport struct{ t *Tenant }

func (x transport) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
	}
	a := x.t.answer(r, body)
	h := http.Header{}
	for name, value := range a.headers {
		h.Set(name, value)
	}
	return &http.Response{StatusCode: a.status, Status: fmt.Sprint(a.status), Header: h, Request: r,
		Proto: "HTTP/1.1", ProtoMajor: 1,
		ProtoMinor: 1, Body: io.NopCloser(bytes.NewReader([]byte(a.body))),
		ContentLength: int64(len(a.body))}, nil
}

func (t *Tenant) answer(r *http.Request, body []byte) (a answer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.settleJobs()
	q := Request{Method: r.Method, Path: r.URL.Path, Query: r.URL.RawQuery, Body: string(body),
		Authorised: r.Header.Get("Authorization") != ""}
	stored := strings.HasPrefix(r.URL.Path, "/store/")
	if stored {
		q.Query, q.Body = "", ""
	}
	defer func() {
		q.Status = a.status
		t.requests = append(t.requests, q)
	}()
	if stored {
		return t.store(r, body)
	}
	b := t.config.Behaviour
	t.asked++
	from := max(1, b.RefuseFrom)
	if len(b.Refuse) > 0 && t.asked >= from && (b.RefuseTimes == 0 || t.asked < from+b.RefuseTimes) {
		return b.refuse()
	}
	if b.QuotaSpent {
		return failed(429, "42902", "Usage quota exceeded")
	}
	if b.ThrottleEvery > 0 && len(t.requests)%b.ThrottleEvery == b.ThrottleEvery-1 {
		return failed(429, "42901", "Request throttled")
	}
	if a, denied := t.denied(r); denied {
		return a
	}
	return t.route(r, body)
}

// denied checks the headers that every request has.
func (t *Tenant) denied(r *http.Request) (answer, bool) {
	auth := r.Header.Get("Authorization")
	token, bearer := strings.CutPrefix(auth, "Bearer ")
	now := time.Now()
	switch {
	case auth == "":
		return failed(401, "40101", "Authorization header is empty"), true
	case !bearer:
		return failed(401, "40103", "Bearer not found"), true
	case token != t.token:
		return failed(401, "40102", "Token is invalid"), true
	case now.Before(t.config.TokenStarts):
		return failed(403, "40301", "Token is not yet active"), true
	case now.After(t.config.TokenEnds):
		return failed(403, "40302", "Token has expired"), true
	case r.Method != http.MethodGet && !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json"):
		return failed(415, "415001", "Content type is not supported"), true
	}
	return answer{}, false
}

var (
	apiPath = regexp.MustCompile(`^/api/v1/([^/]+)/(.*)$`)
	uuid    = regexp.MustCompile(`^[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}$`)
)

func (t *Tenant) route(r *http.Request, body []byte) answer {
	m := apiPath.FindStringSubmatch(r.URL.Path)
	if m == nil || m[1] != t.config.Tenant {
		return failed(404, "40400", "Not found")
	}
	parts := strings.Split(m[2], "/")
	switch {
	case r.Method == http.MethodPost && m[2] == "files/generate":
		return t.generate(body)
	case r.Method == http.MethodGet && m[2] == "datasets":
		return t.listDatasets()
	case r.Method == http.MethodGet && len(parts) == 2 && parts[0] == "jobs":
		return t.ticket(parts[1], 200)
	case len(parts) < 3 || parts[0] != "datasets" || parts[2] != "items":
		return failed(404, "40400", "Not found")
	case !uuid.MatchString(parts[1]):
		return failed(400, "400603", "Dataset ID is not a UUID")
	}
	d := t.datasets[parts[1]]
	switch {
	case d == nil:
		return failed(404, "40410", "Dataset not found")
	case r.Method == http.MethodGet && len(parts) == 3:
		return t.listItems(d, r.URL.Query().Get("after"))
	case r.Method == http.MethodPut && len(parts) == 4 && parts[3] == "import":
		a := t.importItems(d, r.URL.Query(), body)
		switch lost := t.config.Behaviour.LostImport; {
		case a.status == 202 && lost == "502":
			a.status, a.body = 502, "<html>502 Bad Gateway</html>"
		case a.status == 202 && lost == "page":
			a.status, a.body = 200, "<html>Please sign in</html>"
		}
		return a
	}
	return failed(404, "40400", "Not found")
}

func (t *Tenant) generate(body []byte) answer {
	var ask struct{ TargetType, TargetEncoding string }
	if json.Unmarshal(body, &ask) != nil || ask.TargetType != "json" && ask.TargetType != "csv" ||
		ask.TargetEncoding != "identity" {
		return failed(400, "400601", "targetType must be json or csv, targetEncoding identity")
	}
	name := t.newFile()
	return ok(200, map[string]string{"get": t.fileURL(name, "get"), "put": t.fileURL(name, "put")})
}

// store answers at the URLs that were handed out. An Authorization header beside the signature is refused,
// as by S3.
func (t *Tenant) store(r *http.Request, body []byte) answer {
	f := t.files[r.URL.Query().Get("X-Amz-Signature")]
	if r.Header.Get("Authorization") != "" {
		return answer{status: 400, body: "<Error><Code>InvalidArgument</Code></Error>"}
	}
	if r.Method == http.MethodPut {
		t.uploads++
	}
	expired := f == nil || time.Now().After(f.ends) || r.Method == http.MethodPut &&
		t.uploads <= t.config.Behaviour.ExpireUploads
	if expired {
		return answer{status: 403,
			body: "<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"}
	}
	switch {
	case r.Method == http.MethodPut && r.URL.Query().Get("verb") == "put":
		f.content = body
		return answer{status: 200}
	case r.Method == http.MethodGet && r.URL.Query().Get("verb") == "get" && f.content != nil:
		return answer{status: 200, body: string(f.content)}
	}
	return answer{status: 404, body: "<Error><Code>NoSuchKey</Code></Error>"}
}

func (t *Tenant) listDatasets() answer {
	var out []map[string]string
	for _, id := range slices.Sorted(maps.Keys(t.datasets)) {
		d := t.datasets[id]
		out = append(out, map[string]string{"datasetId": d.ID, "name": d.Name, "type": d.Type})
	}
	return ok(200, out)
}

func (t *Tenant) listItems(d *dataset, after string) answer {
	out := []map[string]any{}
	page, more := t.config.Behaviour.ItemsPage, ""
	for _, id := range slices.Sorted(maps.Keys(d.items)) {
		if page > 0 && id <= after {
			continue
		}
		if page > 0 && len(out) == page {
			more = fmt.Sprintf("%s/api/v1/%s/datasets/%s/items?after=%s", t.config.Base, t.config.Tenant,
				d.ID,
				url.QueryEscape(fmt.Sprint(out[page-1]["_id"])))
			break
		}
		item := map[string]any{"_id": id}
		for _, p := range d.Properties {
			if v, ok := d.items[id][p]; ok || !t.config.Behaviour.SparseItems {
				item[p] = v
			}
		}
		out = append(out, item)
	}
	if page == 0 {
		return ok(200, out)
	}
	links := map[string]any{}
	if more != "" {
		links["next"] = map[string]string{"url": more}
	}
	return ok(200, map[string]any{"items": out, "_links": links})
}

// importItems accepts a job. That it is accepted says nothing about its items.
func (t *Tenant) importItems(d *dataset, query url.Values, body []byte) answer {
	type location struct{ Method, URL, URLTemplate string }
	var ask struct {
		ImportLocation           *location
		ResultLocation, Callback *location
	}
	if json.Unmarshal(body, &ask) != nil || ask.ImportLocation == nil ||
		ask.ImportLocation.Method != http.MethodGet {
		return failed(400, "400610", "importLocation is missing")
	}
	from := fileOf(ask.ImportLocation.URL)
	t.imports++
	if f := t.files[from]; f == nil || time.Now().After(f.ends) ||
		t.imports <= t.config.Behaviour.ExpireImports {
		return failed(400, "400611", "importLocation cannot be read")
	}
	j := &job{dataset: d, from: from, to: from, query: map[string]string{},
		ends:  time.Now().Add(t.config.Behaviour.JobTime),
		trace: "Root=1-" + strings.ToLower(rand.Text()[:8])}
	for name := range query {
		j.query[name] = query.Get(name)
	}
	if n := len(j.query["idKey"]) + len(j.query["mergeKey"]); n > 0 && j.query["autoId"] != "" {
		return failed(400, "400612", "only one of autoId, idKey and mergeKey may be given")
	}
	if ask.ResultLocation != nil {
		j.to = fileOf(ask.ResultLocation.URL)
	} else if t.config.Behaviour.ResultLink {
		j.to = t.newFile()
	}
	if ask.Callback != nil {
		j.callback = ask.Callback.URLTemplate
	}
	id := rand.Text()
	t.jobs[id] = j
	return t.ticket(id, 202)
}

func fileOf(link string) string {
	u, err := url.Parse(link)
	if err != nil {
		return ""
	}
	return u.Query().Get("X-Amz-Signature")
}

func (t *Tenant) ticket(id string, status int) answer {
	j := t.jobs[id]
	if j == nil {
		return failed(404, "40420", "Job not found")
	}
	state := "running"
	switch {
	case status == 202:
		state = "created"
	case j.done && t.config.Behaviour.JobFails:
		state = "failed"
	case j.done:
		state = "completed"
	}
	links := map[string]map[string]string{
		"self": {"url": fmt.Sprintf("%s/api/v1/%s/jobs/%s", t.config.Base, t.config.Tenant, id)},
	}
	if state == "completed" && t.config.Behaviour.ResultLink && j.to != j.from {
		links["result"] = map[string]string{"url": t.fileURL(j.to, "get")}
	}
	a := ok(status, map[string]any{"jobStatus": state, "_links": links})
	a.headers = map[string]string{"X-Amzn-Trace-Id": j.trace}
	return a
}

// Callback is the callback of the last job with its placeholders filled in; empty where there was none.
func (t *Tenant) Callback() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, j := range t.jobs {
		if j.callback != "" {
			return strings.NewReplacer("{{jobStatus}}", "completed", "{{traceId}}", j.trace, "{{tenantId}}",
				t.config.Tenant).Replace(j.callback)
		}
	}
	return ""
}
