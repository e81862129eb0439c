package query

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestNumberNotations: long because it is one table of cases.
func TestNumberNotations(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		values   string // of current_salary, parted by blanks
		want     string
		notation string
		finding  string
	}{
		"plain": {
			"42000 0 -7.5 12.25", "42000.00 0.00 -7.50 12.25", "point", "",
		},
		"whole": {"42000 0 7", "42000.00 0.00 7.00", "", ""},
		"British": {
			"1,250.50 45,000 £38,500 12.5", "1250.50 45000.00 38500.00 12.50", "point", "",
		},
		"German": {
			"1.250,50 45.000 12,5 1.250.000", "1250.50 45000.00 12.50 1250000.00", "comma", "",
		},
		"Swiss": {
			"1'250.50 45’000 12.5", "1250.50 45000.00 12.50", "point", "",
		},
		"French": {
			"1\u00a0250,50 45\u202f000 12,5", "1250.50 45000.00 12.50", "comma", "",
		},
		"Indian": {
			"1,00,000 12,50,000.50 5,000", "100000.00 1250000.50 5000.00", "point", "",
		},
		"three digits behind a point": {
			"45.000 60.500 38.125", "NULL NULL NULL", "ambiguous", "warning numbers-ambiguous",
		},
		"three digits behind a comma": {
			"45,000 60,500", "NULL NULL", "ambiguous", "warning numbers-ambiguous",
		},
		"and whole ones beside them": {
			"45.000 60000 0", "NULL 60000.00 0.00", "ambiguous", "warning numbers-ambiguous",
		},
		"three digits behind a comma, pounds": {
			"£45,000 £60,500", "45000.00 60500.00", "point", "info numbers-ambiguous",
		},
		"both marks are decimal": {
			"12.50 12,50 45.000 1.250,50", "12.50 12.50 NULL 1250.50", "mixed", "warning numbers-ambiguous",
		},
		"in accounts": {
			"(1,250.00) 1,250.50- -£5.00 £-6.00 +7.00", "-1250.00 -1250.50 -5.00 -6.00 7.00", "point", "",
		},
		"with codes": {
			"GBP45000 38500EUR 1250.50USD", "45000.00 38500.00 1250.50", "point", "",
		},
		"thousands": {"45k 37.5k £60K", "45000.00 37500.00 60000.00", "point", ""},
		"what are no amounts": {
			"4.47E+11 15% 1,25,0 1.2.3 12,34,5 ((5)) --5 45-50k 1'25.5",
			strings.TrimSpace(strings.Repeat("NULL ", 9)), "", "warning cells-rejected",
		},
		"a third decimal, where points decide": {
			"45000.50 1.005", "45000.50 NULL", "point", "warning cells-rejected",
		},
	} {
		t.Run(name, func(t *testing.T) {
			b, _ := build(t, BuildOptions{})
			content := "Candidate Id;Current Salary\n"
			for i, v := range strings.Split(tt.values, " ") {
				content += fmt.Sprintf("%d;%s\n", i, v)
			}
			r := load(t, b, "Candidates.csv", content)
			var got []string
			for _, row := range cells(t, b, "select current_salary::varchar from candidates") {
				got = append(got, row[0])
			}
			if d := cmp.Diff(tt.want, strings.Join(got, " ")); d != "" {
				t.Error(d)
			}
			for _, c := range r.Columns {
				if c.Column == "current_salary" && c.Notation != tt.notation {
					t.Errorf("notation %q, want %q", c.Notation, tt.notation)
				}
			}
			found := codes(t, b)
			if tt.finding != "" && !has(found, tt.finding) || tt.finding == "" &&
				(has(found, "warning numbers") || has(found, "warning cells")) {
				t.Errorf("want finding %q, got %q", tt.finding, found)
			}
			if raw := cells(
				t, b, "select count(*) from raw.candidates where current_salary <> ''",
			); raw[0][0] != fmt.Sprint(len(got)) {
				t.Errorf("raw has %s values", raw[0][0])
			}
		})
	}
}

func TestWholeNumbersAndOtherColumns(t *testing.T) {
	t.Parallel()
	b, _ := build(t, BuildOptions{})
	load(t, b, "Companies.csv", "Company Id,Employees,Rating\n1,2.000,3\n2,12,4.0\n3,1.500,5\n")
	if d := cmp.Diff(
		[][]string{{"NULL", "3"}, {"12", "4"}, {"NULL", "5"}},
		cells(t, b, "select employees, rating from companies"),
	); d != "" {
		t.Error(d)
	}
	if !has(codes(t, b), "warning numbers-ambiguous: employees: 2") {
		t.Errorf("%q", codes(t, b))
	}
	load(t, b, "Jobs.csv", "Job Id,Min Pay,Max Pay\n1,\"45,000\",\"1,250.50\"\n2,\"50,000\",70.00\n")
	if d := cmp.Diff(
		[][]string{{"45000", "1250.5"}, {"50000", "70"}},
		cells(t, b, "select min_pay::double::varchar::double, max_pay::double from jobs"),
	); d != "" {
		t.Error(d)
	}
	if !has(codes(t, b), "info numbers-ambiguous: min_pay", "other columns") {
		t.Errorf("%q", codes(t, b))
	}
}

// TestTimesOfManyPrograms: long because it is one table of cases.
func TestTimesOfManyPrograms(t *testing.T) {
	t.Parallel()
	tests := [][2]string{
		{"2024-07-01 09:30:00 UTC", "2024-07-01 10:30:00"},
		{"2024-07-01 09:30:00.123456 GMT", "2024-07-01 10:30:00.123456"},
		{"2024-07-01T09:30:00.000+0000", "2024-07-01 10:30:00"},
		{"2024-07-01 09:30:00 +0200", "2024-07-01 08:30:00"},
		{"2024-07-01 09:30:00 +02", "2024-07-01 08:30:00"},
		{"2024-07-01T09:30:00.1234567Z", "2024-07-01 10:30:00.123456"},
		{"2024-07-01T09:30:00Z[UTC]", "2024-07-01 10:30:00"},
		{"Mon Jul 01 2024 09:30:00 GMT+0000 (Coordinated Universal Time)", "2024-07-01 10:30:00"},
		{"Mon Jul 01 2024 10:30:00 GMT+0100 (British Summer Time)", "2024-07-01 10:30:00"},
		{"Mon, 01 Jul 2024 09:30:00 +0000", "2024-07-01 10:30:00"},
		{"Mon Jul 01 09:30:00 UTC 2024", "2024-07-01 10:30:00"},
		{"Mon Jul  1 09:30:00 2024", "2024-07-01 09:30:00"},
		{"1 July 2024 09:30", "2024-07-01 09:30:00"},
		{"01-Jul-2024 09:30:00", "2024-07-01 09:30:00"},
		{"1st July 2024", "2024-07-01 00:00:00"},
		{"Jul 1, 2024", "2024-07-01 00:00:00"},
		{"July 1, 2024 at 9:30 PM", "2024-07-01 21:30:00"},
		{"Sept 1, 2024, 12:05 a.m.", "2024-09-01 00:05:00"},
		{"01/07/2024 09:30:00 UTC", "2024-07-01 10:30:00"},
		{"01/07/2024 09:30 +02:00", "2024-07-01 08:30:00"},
		{"2024-07-01 09:30:00,250", "2024-07-01 09:30:00.25"},
		{"2024-07-01 9:30:00 PM", "2024-07-01 21:30:00"},
		{"/Date(1719826200000)/", "2024-07-01 10:30:00"},
		{"31/12/2024", "2024-12-31 00:00:00"}, // settles the order
		{"2024-07-01 09:30:00 BST", "NULL"},
		{"2024-07-01 09:30:00 EST", "NULL"},
		{"Mon Jul 01 09:30:00 CET 2024", "NULL"},
		{"31 Feb 2024", "NULL"},
		{"1 Jul 24", "NULL"},
		{"01-Jul-24", "NULL"},
		{"July 2024", "NULL"},
		{"Mon", "NULL"},
		{"0000-00-00 00:00:00", "NULL"},
		{"0001-01-01T00:00:00", "NULL"},
		{"45474.3958", "NULL"},
		{"1719826200", "NULL"},
		{"2024-07-01 24:30:00", "NULL"},
		{"1 Jul 2024 13:30 PM", "NULL"},
		{"May the fourth, 2024-05-04", "NULL"},
	}
	content := "Task Id;Due Date\n"
	for i, tt := range tests {
		content += fmt.Sprintf("%d;%s\n", i, tt[0])
	}
	b, _ := build(t, BuildOptions{})
	r := load(t, b, "Tasks.csv", content)
	rejected := int64(0)
	for i, row := range cells(t, b, "select due_date::varchar from tasks") {
		if row[0] != tests[i][1] {
			t.Errorf("%q is read as %s, not %s", tests[i][0], row[0], tests[i][1])
		}
		if tests[i][1] == "NULL" {
			rejected++
		}
	}
	if r.Rejected != rejected || !has(codes(t, b), "warning cells-rejected") {
		t.Errorf("%d cells are rejected, want %d", r.Rejected, rejected)
	}
}

func TestMidnightOfADateIsItsDayInAnyZone(t *testing.T) {
	t.Parallel()
	b, _ := build(t, BuildOptions{TimeZone: "America/New_York", Snapshot: time.Now()})
	load(
		t, b, "Candidates.csv",
		"Candidate Id,Date of Birth\n1,1990-02-03T00:00:00Z\n2,1990-02-03T00:00:00+10:00\n3,3 Feb 1990 "+
			"00:00 UTC\n4,1990-02-03T02:00:00Z\n",
	)
	want := [][]string{{"1990-02-03"}, {"1990-02-03"}, {"1990-02-03"}, {"1990-02-02"}}
	if d := cmp.Diff(want, cells(t, b, "select date_of_birth::varchar from candidates")); d != "" {
		t.Error(d)
	}
}
