package query

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
)

// TestDates: long because it is one table of cases.
func TestDates(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		options  BuildOptions
		values   []string
		want     []string
		dates    string
		rejected int64
		finding  string
	}{
		"a day over 12 settles that days come first": {
			BuildOptions{}, []string{"03/04/2024", "25/12/2024 13:30:05"},
			[]string{"2024-04-03 00:00:00", "2024-12-25 13:30:05"}, "dmy", 0, "",
		},
		"and that months do": {
			BuildOptions{}, []string{"03/04/2024", "12/25/2024 1:30 PM"},
			[]string{"2024-03-04 00:00:00", "2024-12-25 13:30:00"}, "mdy", 0, "",
		},
		"no day over 12 is told": {
			BuildOptions{}, []string{"03/04/2024"}, []string{"2024-04-03 00:00:00"}, "ambiguous", 0,
			"warning dates-ambiguous",
		},
		"the user decides": {
			BuildOptions{DateOrder: "mdy"}, []string{"03/04/2024"}, []string{"2024-03-04 00:00:00"}, "mdy", 0,
			"",
		},
		"evidence goes before the user": {
			BuildOptions{DateOrder: "mdy"}, []string{"23/04/2024"}, []string{"2024-04-23 00:00:00"}, "dmy", 0,
			"",
		},
		"both orders in one file": {
			BuildOptions{}, []string{"25/12/2024", "12/26/2024"}, []string{"2024-12-25 00:00:00", "NULL"},
			"mixed", 1, "warning dates-ambiguous",
		},
		"ISO 8601 in all its forms": {BuildOptions{},
			[]string{
				"2024-07-01T10:00:00Z", "2024-07-01 10:00", "2024-01-01T10:00:00.250+01:00",
				"2024-07-01T10:00:00+0000", "2024/07/01",
			},
			[]string{
				"2024-07-01 11:00:00", "2024-07-01 10:00:00", "2024-01-01 09:00:00.25", "2024-07-01 11:00:00",
				"2024-07-01 00:00:00",
			}, "iso", 0, ""},
		"epoch milliseconds": {
			BuildOptions{}, []string{"1719828000000", "-157766400000"},
			[]string{"2024-07-01 11:00:00", "1965-01-01 00:00:00"}, "epoch", 0, "",
		},
		"another time zone": {
			BuildOptions{TimeZone: "America/New_York"},
			[]string{"2024-07-01T10:00:00Z", "2024-07-01 10:00:00"},
			[]string{"2024-07-01 06:00:00", "2024-07-01 10:00:00"}, "iso", 0, "",
		},
		"an hour that summer time skips": {
			BuildOptions{}, []string{"31/03/2024 01:30:00"}, []string{"2024-03-31 01:30:00"}, "dmy", 0, "",
		},
		"dots and dashes": {
			BuildOptions{}, []string{"25.12.2024", "25-12-2024 09:05"},
			[]string{"2024-12-25 00:00:00", "2024-12-25 09:05:00"}, "dmy", 0, "",
		},
		"what is no date": {BuildOptions{},
			[]string{
				"31/02/2024", "3/4/24", "infinity", "tomorrow", "2024-13-01", "20240301", "1719828000", "0",
			},
			[]string{"NULL", "NULL", "NULL", "NULL", "NULL", "NULL", "NULL", "NULL"}, "dmy", 8,
			"warning cells-rejected"},
		"nothing and blanks are no dates, and no rejects": {
			BuildOptions{}, []string{"", "  ", "2024-01-01"}, []string{"NULL", "NULL", "2024-01-01 00:00:00"},
			"iso", 0, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			b, _ := build(t, tt.options)
			r := load(t, b, "Tasks.csv", "Task Id,Due Date\nx,"+strings.Join(tt.values, "\nx,")+"\n")
			if err := b.AddFindings(context.Background(), listed(dateFindings(b.tables))); err != nil {
				// as Reconcile does
				t.Fatal(err)
			}
			var got []string
			for _, row := range cells(t, b, "select due_date::varchar from tasks") {
				got = append(got, row[0])
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Error(d)
			}
			if r.Dates != tt.dates || r.Rejected != tt.rejected {
				t.Errorf(
					"got dates %q and %d rejects, want %q and %d", r.Dates, r.Rejected, tt.dates, tt.rejected,
				)
			}
			found := codes(t, b)
			if tt.finding != "" && !has(found, tt.finding) {
				t.Errorf("no %s in %q", tt.finding, found)
			}
			if tt.finding == "" && (has(found, "warning dates") || has(found, "warning cells")) {
				t.Errorf("unexpected finding: %q", found)
			}
		})
	}
}

func TestOtherTablesSettleWhatOneLeavesOpen(t *testing.T) {
	t.Parallel()
	b, _ := build(t, BuildOptions{})
	load(t, b, "Tasks.csv", "Task Id,Due Date\nx,03/04/2024\n")
	load(t, b, "Users.csv", "User Id,Created On\nx,23/04/2024\n")
	if err := b.Reconcile(context.Background(), nil); err != nil {
		t.Fatal(err)
	}
	if found := codes(t, b); !has(found, "info dates-ambiguous", "like those of the other tables") {
		t.Errorf("%q", found)
	}
}

func TestTypes(t *testing.T) {
	t.Parallel()
	const heading = "Candidate Id,Mobile,Current Salary,Rating,Relocate,Date of Birth\n"
	tests := []struct{ name, row, want string }{
		{"leading zeros and plus stay", "007,+447700900123,,,,", "007 +447700900123 NULL NULL NULL NULL"},
		{"money with signs and commas", `1,,"£41,000.50",,,`, "1 NULL 41000.50 NULL NULL NULL"},
		{"a third decimal is not cut off", "2,,1.005,,,", "2 NULL NULL NULL NULL NULL"},
		{
			"a European number among others has one reading", `3,,"1.234,56",,,`,
			"3 NULL 1234.56 NULL NULL NULL",
		},
		{"words are no money", "4,,negotiable,,,", "4 NULL NULL NULL NULL NULL"},
		{"half a point is no rating", "5,,,3.5,,", "5 NULL NULL NULL NULL NULL"},
		{"whole numbers", "6,,,3.0,Y,", "6 NULL NULL 3 true NULL"},
		{"no is no", "7,,,,No,", "7 NULL NULL NULL false NULL"},
		{"a date with a time is its day", "8,,,,,1990-02-03T00:00:00", "8 NULL NULL NULL NULL 1990-02-03"},
	}
	content := heading
	for _, tt := range tests {
		content += tt.row + "\n"
	}
	b, _ := build(t, BuildOptions{})
	load(t, b, "Candidates.csv", content)
	got := cells(
		t, b,
		"select candidate_id, mobile, current_salary::varchar, rating, relocate, date_of_birth::varchar "+
			"from candidates",
	)
	for i, tt := range tests {
		if d := cmp.Diff(tt.want, strings.Join(got[i], " ")); d != "" {
			t.Errorf("%s: %s", tt.name, d)
		}
	}
}

func TestLists(t *testing.T) {
	t.Parallel()
	b, _ := build(t, BuildOptions{})
	load(t, b, "Candidates.csv", "Candidate Id,Candidate Skills,Tags,Job Types\n"+
		`1,"Sales, EMEA; Go ;;","sql,go","[""a,b"",{""id"":1,""name"":""c""},{""key"":""k"",`+
		`""value"":""v""},7]"`+"\n"+
		`2,one,"[senior], go",[]`+"\n"+`3,;,,"x,y"`+"\n")
	got := cells(
		t, b,
		`select array_to_string(skills, '|'), array_to_string(tags, '|'), array_to_string(job_types,
			'|') from candidates`,
	)
	want := [][]string{
		{"Sales, EMEA|Go", "sql|go", "a,b|c|v|7"}, {"one", "[senior]|go", ""}, {"", "NULL", "x|y"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// A table was not loaded at all where a cell of a date held nothing but a blank that does not break, as texts
// from web pages do: it was counted as a value, and not found among those that were rejected.
func TestBlanksOfAnyKindAreNoValues(t *testing.T) {
	t.Parallel()
	content, rows, blanks := "Task Id,Due Date,Tags,Priority,Beyond\n1,25/12/2025,a;b,1,01/02/2025\n", 1, 0
	for r := rune(' '); r < 0x3100; r++ {
		if !unicode.IsSpace(r) && !unicode.In(r, unicode.Zs, unicode.Cf) {
			continue
		}
		rows++
		if unicode.Is(unicode.Zs, r) {
			blanks++
		}
		content += strings.ReplaceAll("2,r,r r,r,r\n", "r", string(r))
	}
	b, _ := build(t, BuildOptions{})
	r := load(t, b, "Tasks.csv", content)
	if r.Rows != int64(rows) || blanks != 17 {
		t.Errorf("%d of %d rows were loaded; %d kinds of blanks", r.Rows, rows, blanks)
	}
	got := cells(t, b, "SELECT count(*), count(DISTINCT value) FROM rejects WHERE column_name = 'due_date'")
	others := fmt.Sprint(rows - 1 - blanks)
	if want := [][]string{{others, others}}; !cmp.Equal(got, want) {
		t.Errorf("rejected %v, want %v: all that is no blank", got, want)
	}
}

func TestUnknownColumnsAreTypedOnlyWhenEveryValueFits(t *testing.T) {
	t.Parallel()
	b, _ := build(t, BuildOptions{})
	r := load(t, b, "Users.csv", "User Id,N,Zeros,Pager,Flag,D,T,M,Mixed,Long,Nothing\n"+
		"1,5,007,+44,yes,25/12/2025,2026-01-01T10:00:00,1.50,7,12345678901234567890123,\n"+
		"2,-6,8,44,No,01/02/2025,,22,x,1,\n")
	got := map[string]string{}
	for _, c := range r.Columns {
		if !c.Known {
			got[c.Column] = c.Type
		}
	}
	want := map[string]string{"n": "BIGINT", "zeros": "VARCHAR", "pager": "VARCHAR", "flag": "BOOLEAN",
		"d": "DATE", "t": "TIMESTAMP", "m": "DECIMAL(18,2)",
		"mixed": "VARCHAR", "long": "VARCHAR", "nothing": "VARCHAR"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if r.Rejected != 0 {
		t.Errorf("%d cells rejected", r.Rejected)
	}
}
