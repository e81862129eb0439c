package eploysim

import (
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestEvents(t *testing.T) {
	const all = `{"Paging":{"RecordsPerPage":100},"ResponseBlocks":["CandidateId","Surname","Email","ModificationDate"]}`
	tests := []struct {
		name   string
		event  Event
		differ func(before, after found) bool
	}{
		{
			"insert",
			Event{Kind: "insert", Type: "candidates", Count: 3},
			func(b, a found) bool { return a.TotalRecords == b.TotalRecords+3 },
		},
		{
			"delete",
			Event{Kind: "delete", Type: "candidates", Count: 3},
			func(b, a found) bool { return a.TotalRecords == b.TotalRecords-3 },
		},
		{"anonymise", Event{Kind: "anonymise", Type: "candidates", Count: 3}, func(_, a found) bool {
			return count(a, func(r map[string]any) bool { return r["Email"] == nil }) == 3
		}},
		{"update with ties", Event{Kind: "update", Type: "candidates", Count: 4}, func(_, a found) bool {
			dates := map[any]int{}
			for _, r := range a.Records {
				dates[strings.TrimSuffix(r["ModificationDate"].(string), ".000")]++
			}
			for _, n := range dates {
				if n == 4 {
					return true
				}
			}
			return false
		}},
		{
			"rename a field",
			Event{Kind: "rename-field", Type: "candidates", Field: "Gender"},
			func(b, a found) bool { return len(a.Records) == len(b.Records) },
		},
		{
			"shrink the limit",
			Event{Kind: "shrink-limit", Count: 10},
			func(_, a found) bool { return len(a.Records) == 10 && a.TotalPages == 6 },
		},
		{
			"revoke a scope",
			Event{Kind: "revoke-scope", Type: "candidates.read"},
			func(_, a found) bool { return a.TotalPages == 0 },
		},
		{"expire the token", Event{Kind: "expire-token"}, func(_, a found) bool { return a.TotalPages == 0 }},
		{
			"an error page with status 200",
			Event{Kind: "error-page"},
			func(_, a found) bool { return a.TotalPages == 0 },
		},
		{"break off", Event{Kind: "cut"}, func(_, a found) bool { return a.TotalPages == 0 }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.event.At = 3 // the token and the first search come before
			c := start(t, Config{Events: []Event{tt.event}})
			before, _ := c.search("candidates", all)
			after, _ := c.search("candidates", all)
			if !tt.differ(before, after) {
				t.Errorf(
					"%d of %d records on page 1 of %d",
					len(after.Records),
					after.TotalRecords,
					after.TotalPages,
				)
			}
		})
	}
}

func count(f found, is func(map[string]any) bool) (n int) {
	for _, r := range f.Records {
		if is(r) {
			n++
		}
	}
	return n
}

func TestIntegersBecomeText(t *testing.T) {
	c := start(
		t,
		Config{
			Events: []Event{{At: 3, Kind: "integer-becomes-text", Type: "timesheets", Field: "HoursWorked"}},
		},
	)
	const ask = `{"ResponseBlocks":["HoursWorked"]}`
	before, _ := c.search("timesheets", ask)
	after, _ := c.search("timesheets", ask)
	if _, ok := before.Records[0]["HoursWorked"].(float64); !ok {
		t.Errorf("before: %v", before.Records[0])
	}
	if _, ok := after.Records[0]["HoursWorked"].(string); !ok {
		t.Errorf("after: %v", after.Records[0])
	}
}

func TestTheSamePageAgain(t *testing.T) {
	c := start(t, Config{Events: []Event{{At: 3, Kind: "same-page"}}})
	c.search("candidates", `{"Paging":{"RequestedPage":1}}`)
	if f, _ := c.search("candidates", `{"Paging":{"RequestedPage":2}}`); f.CurrentPage != 1 {
		t.Errorf("page %d", f.CurrentPage)
	}
}

func TestAFileHasTheSizeThatItsRecordSays(t *testing.T) {
	c := start(t, Config{})
	f, _ := c.search(
		"files/file",
		`{"Paging":{"RecordsPerPage":100},"ResponseBlocks":["FileId","FileSize","RecordTypeID"]}`,
	)
	for _, r := range f.Records {
		id := strconv.Itoa(int(r["FileId"].(float64)))
		status, raw, _ := c.do("GET", strings.ReplaceAll(DefaultFileContent, "{id}", id), "")
		for status == 429 {
			time.Sleep(100 * time.Millisecond)
			status, raw, _ = c.do("GET", strings.ReplaceAll(DefaultFileContent, "{id}", id), "")
		}
		if status != 200 || len(raw) != int(r["FileSize"].(float64)) {
			t.Fatalf("file %s: status %d, %d bytes instead of %v", id, status, len(raw), r["FileSize"])
		}
		if n, _ := strconv.Atoi(id); n > 1010 {
			break
		}
	}
}

func TestNothingCanBeWritten(t *testing.T) {
	s, err := New(Config{Records: Small(20)})
	if err != nil {
		t.Fatal(err)
	}
	c := &client{t: t, s: s}
	c.sign("")
	for _, m := range []string{"PUT", "PATCH", "DELETE", "POST"} {
		if status, _, _ := c.do(m, "candidates/1001", `{"Surname":"x"}`); status != 401 {
			t.Errorf("%s: %d", m, status)
		}
	}
	if got := len(s.Writes()); got != 4 {
		t.Errorf("%d writes are remembered", got)
	}
}

func TestASystemIsRefusedThatMeansNothing(t *testing.T) {
	for _, c := range []Config{{Version: 41}, {Version: 49}, {Records: map[string]int{"unicorns": 1}},
		{Behaviour: Behaviour{Order: "alphabetical"}}} {
		if _, err := New(c); err == nil {
			t.Errorf("%+v is accepted", c)
		}
	}
}
