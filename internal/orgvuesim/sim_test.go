package orgvuesim

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const people = "7D1C52F0-3B7E-4E55-9A57-08C1B6F0A2D4"

// client asks a tenant as the guide says.
type client struct {
	t      *testing.T
	tenant *Tenant
}

func invent(t *testing.T, b Behaviour) client {
	return client{t, New(Config{Behaviour: b, Datasets: []Dataset{{ID: people, Name: "People", Type: "PEOPLE",
		Properties: []string{"EmployeeID", "Grade"},
		Items:      []map[string]any{{"_id": "E1", "EmployeeID": "E1", "Grade": "4"}, {"_id": "E2"}}}}})}
}

// do makes a request, with headers as NAME:VALUE in place of those that the guide has.
func (c client) do(method, url, body string, headers ...string) (int, string, http.Header) {
	c.t.Helper()
	if !strings.Contains(url, "://") {
		url = "https://api.orgvue.example/api/v1/ACME_1/" + url
		if headers == nil {
			headers = []string{"Authorization:Bearer " + c.tenant.Token(),
				"Content-Type:application/json; charset=UTF-8"}
		}
	}
	r, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ":")
		r.Header.Set(name, value)
	}
	answer, err := c.tenant.Transport().RoundTrip(r)
	if err != nil {
		c.t.Fatal(err)
	}
	b, err := io.ReadAll(answer.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return answer.StatusCode, string(b), answer.Header
}

// upload returns the URLs of a payload that is there.
func (c client) upload(payload string) (get, put string) {
	c.t.Helper()
	_, body, _ := c.do("POST", "files/generate", `{"targetType":"json","targetEncoding":"identity"}`)
	var urls struct{ Get, Put string }
	if err := json.Unmarshal([]byte(body), &urls); err != nil {
		c.t.Fatalf("%v: %s", err, body)
	}
	if status, body, _ := c.do("PUT", urls.Put, payload); status != 200 {
		c.t.Fatalf("upload: %d %s", status, body)
	}
	return urls.Get, urls.Put
}

// importOf imports a payload to its end and returns the result.
func (c client) importOf(payload, query string) string {
	c.t.Helper()
	get, _ := c.upload(payload)
	ask := fmt.Sprintf(`{"importLocation":{"method":"GET","url":%q}}`, get)
	status, body, head := c.do("PUT", "datasets/"+people+"/items/import"+query, ask)
	if status != 202 || head.Get("X-Amzn-Trace-Id") == "" || !strings.Contains(body,
		`"jobStatus":"created"`) {
		c.t.Fatalf("import: %d %s", status, body)
	}
	var job struct {
		Links map[string]struct{ URL string } `json:"_links"`
	}
	if err := json.Unmarshal([]byte(body), &job); err != nil {
		c.t.Fatal(err)
	}
	if _, body, _ := c.do("GET", get, ""); body != payload {
		c.t.Errorf("before the job's end, there is %s in place of the payload", body)
	}
	time.Sleep(time.Minute)
	at := job.Links["self"].URL
	_, body, _ = c.do("GET", at, "", "Authorization:Bearer "+c.tenant.Token())
	if !strings.Contains(body, `"completed"`) {
		c.t.Fatalf("after a minute: %s", body)
	}
	if json.Unmarshal([]byte(body), &job); job.Links["result"].URL != "" {
		get = job.Links["result"].URL
	}
	_, body, _ = c.do("GET", get, "")
	return body
}

// Each request is refused as the guide's codes say.
func TestRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		late := invent(t, Behaviour{})
		time.Sleep(91 * 24 * time.Hour)
		early := client{t, New(Config{TokenStarts: time.Now().Add(time.Hour)})}
		c := invent(t, Behaviour{})
		token, typ := "Authorization:Bearer "+c.tenant.Token(), "Content-Type:application/json"
		for code, got := range map[string]func() (int, string, http.Header){
			"40101": func() (int, string, http.Header) { return c.do("GET", "datasets", "", typ) },
			"40102": func() (int, string, http.Header) {
				return c.do("GET", "datasets", "", "Authorization:Bearer x")
			},
			"40103": func() (int, string, http.Header) {
				return c.do("GET", "datasets", "", "Authorization:Basic x")
			},
			"40301":  func() (int, string, http.Header) { return early.do("GET", "datasets", "") },
			"40302":  func() (int, string, http.Header) { return late.do("GET", "datasets", "") },
			"400603": func() (int, string, http.Header) { return c.do("GET", "datasets/people/items", "") },
			"415001": func() (int, string, http.Header) {
				return c.do("POST", "files/generate", "{}", token, "Content-Type:text/csv")
			},
		} {
			status, body, _ := got()
			var said struct {
				Errors []struct{ Name, Code, Message string }
			}
			if err := json.Unmarshal([]byte(body), &said); err != nil || len(said.Errors) != 1 ||
				said.Errors[0].Code != code || !strings.HasPrefix(code, fmt.Sprint(status)) {
				t.Errorf("%s: %d %s", code, status, body)
			}
		}
		for _, code := range ErrorCodes() {
			refusing := invent(t, Behaviour{Refuse: []string{code}})
			if status, body, _ := refusing.do("GET", "datasets", ""); status < 400 ||
				!strings.Contains(body, `"`+code+`"`) {
				t.Errorf("%s: %d %s", code, status, body)
			}
		}
	})
}

// An upload needs no token and bears none, lives for 15 minutes, and is overwritten by the result.
func TestUploadsAreCredentials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := invent(t, Behaviour{})
		get, put := c.upload(`[]`)
		if status, _, _ := c.do("PUT", put, `[]`, "Authorization:Bearer "+c.tenant.Token()); status != 400 {
			t.Errorf("a token beside the signature: %d", status)
		}
		if status, _, _ := c.do("PUT", get, `[]`); status == 200 {
			t.Error("the URL to get is one to put, too")
		}
		time.Sleep(16 * time.Minute)
		if status, _, _ := c.do("GET", get, ""); status != 403 {
			t.Errorf("after 16 minutes: %d", status)
		}
		ask := fmt.Sprintf(`{"importLocation":{"method":"GET","url":%q}}`, get)
		if status, body, _ := c.do("PUT", "datasets/"+people+"/items/import", ask); status != 400 {
			t.Errorf("an import from there: %d %s", status, body)
		}
	})
}

// What each item comes to: the whole of what a payload can say.
func TestItems(t *testing.T) {
	const payload = `[{"_action":"create","_id":"E3","EmployeeID":"E3"},
		{"_action":"create","_id":"E1","Grade":5},{"_action":"update","_id":"E1","Grade":5},
		{"_action":"update","_id":"E9","Grade":5},{"_action":"delete","_id":"E2"},
		{"_action":"create","_id":"E4","Shoes":5},{"_action":"create"},{"_action":"merge","_id":"E1"}]`
	want := []string{"success", "an item with this identifier exists", "success",
		"there is no item with this identifier", "success", "there is no property Shoes",
		"the item has no identifier", "unknown action merge"}
	synctest.Test(t, func(t *testing.T) {
		c := invent(t, Behaviour{})
		var results []map[string]any
		err := json.Unmarshal([]byte(c.importOf(payload, "")), &results)
		if err != nil || len(results) != len(want) {
			t.Fatalf("%v: %v", err, results)
		}
		for i, r := range results {
			if got := r["_status"]; got != want[i] && r["message"] != want[i] {
				t.Errorf("item %d: %v, want %s", i, r, want[i])
			}
		}
		items := c.tenant.Items(people)
		if len(items) != 2 || fmt.Sprint(items["E1"]["Grade"]) != "5" || items["E3"]["EmployeeID"] != "E3" {
			t.Errorf("the dataset has %v", items)
		}
	})
}

// Each switch does what it says.
func TestSwitches(t *testing.T) {
	const one = `[{"_action":"update","_id":"E1","Grade":"7"}]`
	read := func(c client) string {
		_, body, _ := c.do("GET", "datasets/"+people+"/items", "")
		return body
	}
	tests := []struct {
		switched string
		is       func(client) bool
	}{
		{"result-shape=wrapped", func(c client) bool {
			return strings.HasPrefix(c.importOf(one, ""), `{"items":[`)
		}},
		{"result-shape=csv", func(c client) bool {
			rows, err := csv.NewReader(strings.NewReader(c.importOf(one, ""))).ReadAll()
			return err == nil && len(rows) == 2 && rows[0][2] == "_status" && rows[1][2] == "success"
		}},
		{"result-link", func(c client) bool { return strings.Contains(c.importOf(one, ""), `"success"`) }},
		{"result-late=5m", func(c client) bool { return c.importOf(one, "") == one }},
		{"fail-every=1", func(c client) bool { return strings.Contains(c.importOf(one, ""), `"message"`) }},
		{"blank-clears", func(c client) bool {
			c.importOf("_action,_id,Grade\nupdate,E1,\n", "")
			return c.tenant.Items(people)["E1"]["Grade"] == ""
		}},
		{"", func(c client) bool {
			c.importOf("_action,_id,Grade\nupdate,E1,\n", "")
			return c.tenant.Items(people)["E1"]["Grade"] == "4"
		}},
		{"", func(c client) bool {
			c.importOf(one, "?implicitDelete=true")
			return len(c.tenant.Items(people)) == 1
		}},
		{"", func(c client) bool { return strings.Contains(read(c), `"Grade":null`) }},
		{"sparse-items", func(c client) bool { return !strings.Contains(read(c), `"Grade":null`) }},
		{"items-page=1", func(c client) bool {
			body := read(c)
			var page struct {
				Items []map[string]any
				Links map[string]struct{ URL string } `json:"_links"`
			}
			if json.Unmarshal([]byte(body),
				&page) != nil || len(page.Items) != 1 || page.Items[0]["_id"] != "E1" {
				return false
			}
			_, body, _ = c.do("GET", page.Links["next"].URL, "", "Authorization:Bearer "+c.tenant.Token())
			return strings.Contains(body, `"E2"`) && !strings.Contains(body, `"next"`)
		}},
		{"lost-import=502", func(c client) bool {
			get, _ := c.upload(one)
			status, _, _ := c.do("PUT", "datasets/"+people+"/items/import",
				fmt.Sprintf(`{"importLocation":{"method":"GET","url":%q}}`, get))
			time.Sleep(time.Minute)
			return status == 502 && c.tenant.Items(people)["E1"]["Grade"] == "7"
		}},
	}
	for _, tt := range tests {
		t.Run(tt.switched, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var b Behaviour
				if tt.switched != "" {
					if err := b.Set(tt.switched); err != nil {
						t.Fatal(err)
					}
				}
				if !tt.is(invent(t, b)) {
					t.Error("it does not")
				}
			})
		})
	}
	for _, line := range Switches() { // each that is listed can be set
		name, values, _ := strings.Cut(line, "=")
		value, _, _ := strings.Cut(values, "|")
		value = strings.NewReplacer("N", "3", "TIME", "3s").Replace(value)
		var b Behaviour
		if err := b.Set(strings.TrimSuffix(name+"="+value, "=")); err != nil || reflect.DeepEqual(b,
			Behaviour{}) {
			t.Errorf("%s: %v", line, err)
		}
	}
	for _, bad := range []string{"", "nothing", "result-shape=xml", "fail-every=x", "url-life=x",
		"refuse=1"} {
		if err := new(Behaviour).Set(bad); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}

// The handler answers as the transport does.
func TestServing(t *testing.T) {
	tenant := New(Config{})
	r, err := http.NewRequest("GET", "/api/v1/ACME_1/datasets", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	w := &recorder{head: http.Header{}}
	tenant.ServeHTTP(w, r)
	if w.status != 401 || !strings.Contains(w.body.String(), "40101") {
		t.Errorf("%d %s", w.status, w.body.String())
	}
	if all := tenant.Requests(); len(all) != 1 || all[0].Status != 401 || all[0].Authorised {
		t.Errorf("%+v", all)
	}
}

type recorder struct {
	head   http.Header
	status int
	body   bytes.Buffer
}

func (w *recorder) Header() http.Header         { return w.head }
func (w *recorder) WriteHeader(status int)      { w.status = status }
func (w *recorder) Write(p []byte) (int, error) { return w.body.Write(p) }
