package eploysim

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// client speaks to a system in process.
type client struct {
	t     *testing.T
	s     *System
	token string
}

func start(t *testing.T, c Config) *client {
	t.Helper()
	if c.Records == nil {
		c.Records = Small(60)
	}
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if w := s.Writes(); len(w) > 0 {
			t.Errorf("something was written: %q", w)
		}
	})
	x := &client{t: t, s: s}
	x.sign("")
	return x
}

func (c *client) sign(scope string) (status int, answer map[string]any) {
	c.t.Helper()
	body := fmt.Sprintf(
		`{"grant_type":"client_credentials","client_id":"client","client_secret":"secret","scope":%q}`,
		scope,
	)
	status, raw, _ := c.do("POST", "token", body)
	json.Unmarshal([]byte(raw), &answer)
	c.token, _ = answer["access_token"].(string)
	return status, answer
}

func (c *client) do(method, path, body string) (int, string, http.Header) {
	c.t.Helper()
	r := httptest.NewRequest(method, "https://demo.eploy.net/api/"+path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+c.token)
	resp, err := c.s.Transport().RoundTrip(r)
	if err != nil {
		return 0, err.Error(), nil
	}
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return resp.StatusCode, "broke off: " + err.Error(), resp.Header
	}
	return resp.StatusCode, string(raw), resp.Header
}

type found struct {
	Records                               []map[string]any
	TotalRecords, CurrentPage, TotalPages int
}

func (c *client) search(path, body string) (f found, status int) {
	c.t.Helper()
	status, raw, _ := c.do("POST", path+"/search", body)
	json.Unmarshal([]byte(raw), &f)
	return f, status
}

func TestATokenIsForWhatWasAskedAndGranted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := start(t, Config{})
		if status, a := c.sign("candidates.read,files.read"); status != 200 ||
			a["scope"] != "candidates.read,files.read" ||
			a["token_type"] != "Bearer" ||
			a["expires_in"] != 599.0 {
			t.Errorf("status %d, answer %v", status, a)
		}
		if _, status := c.search("contacts", `{}`); status != 401 {
			t.Errorf("a token without contacts.read reads contacts: %d", status)
		}
		if status, _ := c.sign("candidates.update"); status != 400 {
			t.Errorf("a scope that was not granted is given: %d", status)
		}
		c.sign("")
		time.Sleep(600 * time.Second)
		if _, status := c.search("contacts", `{}`); status != 401 {
			t.Errorf("a token lives longer than it said: %d", status)
		}
	})
}

func TestAFormGetsATokenToo(t *testing.T) {
	c := start(t, Config{})
	r := httptest.NewRequest(
		"POST",
		"/api/token",
		strings.NewReader("grant_type=client_credentials&client_id=client&client_secret=secret"),
	)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	c.s.ServeHTTP(w, r)
	if w.Code != 200 || !strings.Contains(w.Body.String(), `"token_type":"Bearer"`) {
		t.Errorf("status %d: %s", w.Code, w.Body)
	}
}

func TestWithoutBlocksASearchAnswersIDs(t *testing.T) {
	c := start(t, Config{})
	f, _ := c.search("placements", `{"Paging":{"RecordsPerPage":2,"RequestedPage":1}}`)
	if f.TotalRecords != 6 || f.TotalPages != 3 || f.CurrentPage != 1 || len(f.Records) != 2 ||
		len(f.Records[0]) != 1 {
		t.Errorf("got %+v", f)
	}
	if _, ok := f.Records[0]["PlacementId"]; !ok {
		t.Errorf("got %+v, want PlacementId, though it is asked for as PlacementID", f.Records[0])
	}
}

func TestPageSizes(t *testing.T) {
	ask := func(key string, n int) string {
		return fmt.Sprintf(`{"Paging":{%q:%d,"RequestedPage":1}}`, key,
			n)
	}
	for _, tt := range []struct {
		name   string
		config Config
		key    string
		asked  int
		want   int
	}{
		{"the default is 20", Config{}, "Other", 50, 20},
		{"version 46 has 100 at most", Config{Version: 46}, "RecordsPerPage", 1000, 100},
		{"version 47 has 1,000", Config{Version: 47}, "RecordsPerPage", 1000, 300},
		{"another spelling is ignored", Config{}, "RecordPerPage", 100, 20},
		{"the guide's other spelling may be the right one",
			Config{Behaviour: Behaviour{PageSizeKey: "RecordPerPage"}}, "RecordPerPage", 100, 100},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.config.Records = map[string]int{"candidates": 300}
			c := start(t, tt.config)
			if f, _ := c.search("candidates", ask(tt.key, tt.asked)); len(f.Records) != tt.want {
				t.Errorf("%d records, want %d", len(f.Records), tt.want)
			}
		})
	}
}

// The guide's own example has 9 records on a page of 10, and a total that the pages do not add up to.
func TestRecordsThatAreCountedMayBeHidden(t *testing.T) {
	c := start(
		t,
		Config{Records: map[string]int{"candidates": 25}, Behaviour: Behaviour{HiddenEvery: 9, Order: "id"}},
	)
	f, _ := c.search("candidates", `{"Paging":{"RecordsPerPage":10,"RequestedPage":1}}`)
	if len(f.Records) != 9 || f.TotalPages != 3 || f.TotalRecords != 25 {
		t.Errorf("%d records, %d pages, %d in all", len(f.Records), f.TotalPages, f.TotalRecords)
	}
}

func TestShapes(t *testing.T) {
	c := start(t, Config{})
	_, raw, _ := c.do(
		"POST",
		"placements/search",
		`{"Paging":{"RecordsPerPage":100},"ResponseBlocks":["PlacementID","RateCurrency","Vacancy","Salary","ModificationDate","Questions"]}`,
	)
	for _, want := range []string{
		`"Vacancy":{"Id":10`, `"Url":"http`, `{"Id":null,"Description":"0"}`, `"Reference":""`,
		`"Salary":{"Salary":`, `"HoursPerWeek":`,
		`"QuestionId":31`, `"AnswerType":"Boolean"`,
	} {
		if !strings.Contains(raw, want) {
			t.Errorf("missing %s in %.600s", want, raw)
		}
	}
	if !json.Valid([]byte(raw)) {
		t.Error("not JSON")
	}
	_, raw, _ = c.do("GET", "placements/1001", "")
	for _, want := range []string{`"Questions":"https://`, `"OptionType":{"Id":`, `"ArchiveDate":null`,
		`"CreationDate":"`} {
		if !strings.Contains(raw, want) {
			t.Errorf("missing %s in %.900s", want, raw)
		}
	}
	if _, raw, _ = c.do("GET", "options/dropdown/183", ""); !strings.Contains(
		raw,
		`{"Values":[{"Id":"1","Description":"Action Not Created"`,
	) {
		t.Errorf("got %s", raw)
	}
	_, raw, _ = c.do("POST", "options/dropdown/91/search", `{"ResponseBlocks":["ID","Description"]}`)
	if !strings.Contains(raw, `{"ID":"3","Description":"Ended"}`) {
		t.Errorf("got %s", raw)
	}
}

func TestFilters(t *testing.T) {
	c := start(t, Config{})
	f, _ := c.search(
		"candidates",
		`{"Filters":[{"Route":"candidate.CandidateID","Value":1007,"Operation":1}]}`,
	)
	if len(f.Records) != 1 || f.Records[0]["CandidateId"] != 1007.0 {
		t.Errorf("by ID: %+v", f)
	}
	all, _ := c.search(
		"candidates",
		`{"Filters":[{"Route":"Candidate.Town","Value":"","Operation":"IsNotEmpty"}]}`,
	)
	some, _ := c.search(
		"candidates",
		`{"Filters":[{"Route":"Candidate.Town","Value":"Diss","Operation":"Equals"}]}`,
	)
	if all.TotalRecords != 60 || some.TotalRecords == 0 || some.TotalRecords == 60 {
		t.Errorf("by a field of a wrapper: %d of %d", some.TotalRecords, all.TotalRecords)
	}
	if _, status := c.search(
		"files/file", `{"Filters":[{"Route":"File.RecordID","Value":1001,"Operation":1}]}`,
	); status != 400 {
		t.Errorf("files by RecordID without RecordTypeID: %d", status)
	}
	marked, _ := c.search(
		"applications",
		`{"Filters":[{"Route":"Application.HasBeenExportedBy","Value":"Payroll feed","Operation":1}]}`,
	)
	if marked.TotalRecords == 0 {
		t.Error("nothing has been exported")
	}
	cut := time.Now().Add(-365 * 24 * time.Hour).UTC().Format("2006-01-02T15:04:05")
	ask := fmt.Sprintf(
		`{"Filters":[{"Route":"Candidate.ModificationDate","Value":%q,"Operation":"GreaterThan"}]}`,
		cut,
	)
	if f, _ := c.search("candidates", ask); f.TotalRecords < 15 || f.TotalRecords > 25 {
		t.Errorf("%d of 60 changed in the last of three years", f.TotalRecords)
	}
	refusing := start(t, Config{Behaviour: Behaviour{DateCompare: "refused"}})
	if _, status := refusing.search("candidates", ask); status != 400 {
		t.Errorf("dates are compared: %d", status)
	}
}

// Routes cross over to linked records, name questions, and ask for packages; each kind of value has the
// operations of the guide's table.
func TestRoutes(t *testing.T) {
	c := start(t, Config{SecondLimit: 1000})
	total := func(path, route, value, op string) int {
		filter := fmt.Sprintf(`{"Route":%q,"Value":%s,"Operation":%q}`, route, value, op)
		f, status := c.search(path, `{"Filters":[`+filter+`]}`)
		if status != 200 {
			return -status
		}
		return f.TotalRecords
	}
	for _, tt := range []struct{ path, route, value, op string }{
		{"applications", "candidate.town", `"Diss"`, "Equals"},
		{"applications", "Candidate.CandidateId", `1007`, "NotEquals"},
		{"candidates", "Candidate.question.31", `"2 weeks"`, "Equals"},
		{"candidates", "candidate.QUESTION.32", `"true"`, "NotEquals"},
		{"applications", "candidate.question.31", `"2 weeks"`, "Contains"},
		{"applications", "Application.HasBeenExportedBy", `1`, "Equals"},
		{"applications", "Application.HasBeenExportedBy", `"Payroll feed"`, "NotEquals"},
		{"vacancies", "vacancy.hasbeenexportedby", `[1,2]`, "Equals"},
		{"timesheets", "Timesheet.HoursWorked", `20`, "GreaterThan"},
		{"candidates", "Candidate.ModificationDate", `"T"`, "Contains"},
		{"candidates", "Candidate.Gender", `"2"`, "Equals"},
		{"users", "User.IsActive", `"true"`, "Equals"},
	} {
		if n := total(tt.path, tt.route, tt.value, tt.op); n <= 0 {
			t.Errorf("%s %s %s: %d", tt.route, tt.op, tt.value, n)
		}
	}
	one, both := total("vacancies", "Vacancy.HasBeenExportedBy", `1`, "Equals"),
		total("vacancies", "Vacancy.HasBeenExportedBy", `["Payroll feed","HR system"]`, "Equals")
	if one < 1 || both <= one {
		t.Errorf("exported by one package %d, by either %d", one, both)
	}
	for _, tt := range []struct{ path, route, op string }{
		{"users", "User.HasBeenExportedBy", "Equals"}, {"candidates", "Vacancy.Title", "Equals"},
		{"users", "User.question.31", "Equals"}, {"candidates", "Candidate.Surname", "GreaterThan"},
		{"candidates", "Candidate.Gender", "Contains"}, {"users", "User.IsActive", "NotEquals"},
		{"candidates", "Candidate.CandidateId", "GreaterThan"}, {"timesheets", "Timesheet.HoursWorked",
			"Contains"},
	} {
		if n := total(tt.path, tt.route, `"1"`, tt.op); n != -400 {
			t.Errorf("%s %s: %d, want 400", tt.route, tt.op, n)
		}
	}
}

func TestUnknownBlocks(t *testing.T) {
	for behaviour, want := range map[string]int{"400-named": 400, "400": 400, "ignored": 200} {
		c := start(t, Config{Behaviour: Behaviour{UnknownBlock: behaviour}})
		if _, status := c.search("candidates", `{"ResponseBlocks":["Surname","StarSign"]}`); status != want {
			t.Errorf("%s: status %d, want %d", behaviour, status, want)
		}
	}
}

func TestOrderIsUnstableUnlessAskedOtherwise(t *testing.T) {
	ids := func(c *client) (ids []float64) {
		f, _ := c.search("candidates", `{"Paging":{"RecordsPerPage":100}}`)
		for _, r := range f.Records {
			ids = append(ids, r["CandidateId"].(float64))
		}
		return ids
	}
	c := start(t, Config{})
	if slices.Equal(ids(c), ids(c)) {
		t.Error("two searches list in the same order")
	}
	c = start(t, Config{Behaviour: Behaviour{Order: "id"}})
	if a := ids(c); !slices.IsSorted(a) || len(a) != 60 {
		t.Errorf("got %v", a)
	}
}
