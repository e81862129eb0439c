package query

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// idsOf returns the ids of made-up candidates, as long as those of an export.
func idOf(n int) string { return fmt.Sprintf("larc%032x", n) }

func TestQuotingIsDecidedOverTheWholeFile(t *testing.T) {
	t.Parallel()
	const heads = "Candidate Id,Full Name,Internal Note,Email,Home Phone,Work Phone\n"
	row := func(n int, note string) string {
		return fmt.Sprintf("%s,Ama %d,%s,a%d@mail.example,,\n", idOf(n), n, note, n)
	}
	plain := row(1, "none") + row(2, "none") + row(3, "none")
	for name, tt := range map[string]struct {
		content  string
		quoting  string
		want     string // the note of candidate 9; "-" if it is in quarantine
		finding  string
		rejected bool
	}{
		"doubled": {
			heads + plain + row(9, `"so ""nice"", he said"`), "doubled", `so "nice", he said`, "", false,
		},
		"backslashes": {
			heads + plain + row(9, `"so \"nice\", he said"`), "backslash", `so "nice", he said`,
			"warning quoting-ambiguous", false,
		},
		"backslashes that are doubled": {
			heads + plain + row(8, `"C:\\temp\\"`) + row(9, `"so \"nice\", said C:\\temp"`), "backslash",
			`so "nice", said C:\temp`, "quoting-", false,
		},
		"PHP's": {
			heads + plain + row(8, `"a ""b"" c"`) + row(9, `"so \"nice\", he said"`), "php",
			`so \"nice\", he said`, "quoting-", false,
		},
		"PHP's, at the end of a cell": {
			heads + plain + row(8, `"a ""b"", \"c\", d"`) + row(9, `"C:\temp\"`), "php", `C:\temp\`,
			"quoting-", false,
		},
		"a path that ends with a backslash": {
			heads + plain + row(9, `"C:\temp, C:\new\"`), "doubled", `C:\temp, C:\new\`, "", false,
		},
		"blanks behind the delimiters": {
			strings.ReplaceAll(heads+plain, ",", ", ") + strings.ReplaceAll(row(9, "@"), ",", ", ")[:40] +
				"\"Ama\", \"so, \"\"nice\"\"\", \"a9@mail.example\", , \n",
			"doubled-blanks", `so, "nice"`, "info quoting-decided", false,
		},
		"an inch": {
			heads + plain + row(8, `"x, y"`) + row(9, `5" pipe`), "doubled", `5" pipe`, "", false,
		},
		"bare quotes, and only one reading": {
			heads + plain + row(9, `"he said "no" and left"`), "doubled", `he said "no" and left`, "", false,
		},
		"bare quotes, and a cell that moves": {
			heads + plain + fmt.Sprintf("%s,Ama,\"he said \"no\", and left\",a9@mail.example,\n", idOf(9)),
			"doubled", "-", "warning rows-ragged", false,
		},
		"a comma that nobody quoted": {
			heads + plain + fmt.Sprintf("%s,Ama,so, nice,a9@mail.example,,\n", idOf(9)), "doubled", "-",
			"warning rows-ragged", false,
		},
		"two quotes that swallow rows": {
			heads + row(1, `"`) + row(2, "none") + row(3, `"`) + row(9, "plain"), "doubled", "plain",
			"warning rows-ragged", false,
		},
		"tabs, no quotes, MySQL's": {
			strings.ReplaceAll(heads+plain, ",", "\t") + strings.ReplaceAll(row(8, `\N`), ",", "\t") +
				strings.ReplaceAll(row(9, "one@@ two\\\nthree"), ",", "\t"),
			"backslash", "", "", true,
		},
		"single quotes": {
			strings.NewReplacer(`"`, `'`).Replace(
				`"` + strings.ReplaceAll(heads[:len(heads)-1], ",", `","`) + `"` + "\n" +
					fmt.Sprintf(`"%s","Ama","so, nice","a9@mail.example","",""`+"\n", idOf(9)),
			),
			"single", "so, nice", "info quoting-decided", false,
		},
		"rows that end with a delimiter more": {
			heads + strings.ReplaceAll(plain+row(9, "nice"), ",\n", ",,\n"), "doubled", "nice", "", false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			b, _ := build(t, BuildOptions{})
			r := load(t, b, "Candidates.csv", tt.content)
			if r.Quoting != tt.quoting {
				t.Errorf("quoting is %q (%s), want %q", r.Quoting, r.Decided, tt.quoting)
			}
			if tt.rejected {
				got := cells(
					t, b,
					"select internal_note from candidates where candidate_id in ('"+idOf(8)+"', '"+idOf(9)+
						"') order by candidate_id",
				)
				if d := cmp.Diff([][]string{{"NULL"}, {"one@@ two\nthree"}}, got); d != "" {
					t.Error(d)
				}
				return
			}
			got := cells(
				t, b, "select internal_note, email from candidates where candidate_id = '"+idOf(9)+"'",
			)
			if tt.want == "-" {
				if in := cells(t, b, "select count(*) from quarantine where record like '"+idOf(9)+
					"%'"); len(got) > 0 || in[0][0] != "1" {
					t.Errorf("candidate 9 is loaded as %q, and %s times in quarantine", got, in[0][0])
				}
			} else if d := cmp.Diff([][]string{{tt.want, "a9@mail.example"}}, got); d != "" {
				t.Error(d)
			}
			found := strings.Join(codes(t, b), "\n")
			if !strings.Contains(found, tt.finding) || tt.finding == "" &&
				(strings.Contains(found, "quoting-") || strings.Contains(found, "rows-ragged")) {
				t.Errorf("want finding %q; %s", tt.finding, found)
			}
		})
	}
}

func TestHeadingsAreFound(t *testing.T) {
	t.Parallel()
	const users = "User Id;Full Name;Email\nu1;Ama;ama@agency.example\nu2;Ben;ben@agency.example\n"
	const leads = "Lead No,What\n1,x\n2,y\n"
	for name, tt := range map[string]struct {
		file, content string
		lines, rows   int64
		first         string
	}{
		"behind an empty line":      {"Users.csv", "\n" + users, 1, 2, "u1"},
		"behind empty cells":        {"Users.csv", ";;\r\n\r\n" + users, 2, 2, "u1"},
		"behind a hint":             {"Users.csv", "sep=;\n" + users, 1, 2, "u1"},
		"behind a hint in quotes":   {"Users.csv", "\"sep=;\"\n" + users, 1, 2, "u1"},
		"behind a hint in capitals": {"Users.csv", "SEP=; \n\n" + users, 2, 2, "u1"},
		"behind a hint of a tab": {
			"Users.csv", "Sep=\t\n" + strings.ReplaceAll(users, ";", "\t"), 1, 2, "u1",
		},
		"behind a title": {
			"Users.csv", "All users, \"as of today\n2026-01-02; by Ama\n" + users, 2, 2, "u1",
		},
		"behind a title and empty cells": {"Users.csv", "All users;;\n" + users, 1, 2, "u1"},
		"by its columns only": {
			"x.csv",
			"All users\n" + strings.Replace(
				strings.Replace(users, "Email", "Email;Time Zone", 1), "example", "example;CET", 2,
			),
			1, 2, "u1",
		},
		"in quotes, behind two marks": {
			"Users.csv", byteOrderMark + byteOrderMark + strings.Replace(users, "User Id", `"User Id"`, 1), 0,
			2, "u1",
		},
		"with NUL bytes": {
			"Users.csv", strings.Replace(users, "User Id", "User Id\x00\x00", 1), 0, 2, "u1",
		},
		"of an unknown table behind a title": {"Leads.csv", "All leads\n" + leads, 1, 2, "1"},
		"of an unknown table":                {"Leads.csv", leads, 0, 2, "1"},
		"in a file of old Macs": {
			"Users.csv", strings.ReplaceAll("All users\n"+users, "\n", "\r"), 1, 2, "u1",
		},
		"before the mark of DOS": {"Users.csv", users + "\x1a", 0, 2, "u1"},
	} {
		t.Run(name, func(t *testing.T) {
			b, path := build(t, BuildOptions{})
			r := load(t, b, tt.file, tt.content)
			if int64(r.LinesAbove) != tt.lines || r.Rows != tt.rows || r.Quarantined != 0 {
				t.Errorf(
					"%d lines above the headings, %d rows, %d in quarantine; want %d and %d", r.LinesAbove,
					r.Rows, r.Quarantined, tt.lines, tt.rows,
				)
			}
			key := "user_id"
			if strings.HasPrefix(tt.file, "L") {
				key = "lead_no"
			}
			if got := cells(t, b, "select "+key+" from "+r.Table+" limit 1"); got[0][0] != tt.first {
				t.Errorf("the first row is %q", got)
			}
			if found := codes(t, b); has(found, "info headings-found") != (tt.lines > 0) ||
				has(found, "error") {
				t.Errorf("%q", found)
			}
			if err := b.Finish(context.Background()); err != nil {
				t.Fatal(err)
			}
			open(t, path, OpenOptions{})
		})
	}
}

func TestNoNameBreaksAStatement(t *testing.T) {
	t.Parallel()
	b, path := build(t, BuildOptions{})
	heading := "it's \"odd\"\x00; DROP TABLE users; -- \\ \u2028 {} ' é"
	quoted := `"` + strings.ReplaceAll(heading, `"`, `""`) + `"`
	load(t, b, "dir\x00'\";--/Users\x00.csv", "User Id,"+quoted+","+quoted+",\"\",\"a\nb\"\n1,2,3,4,5\n")
	load(t, b, "'; DROP --\xff.csv", "x,y\n1,2\n")
	if err := b.Finish(context.Background()); err != nil {
		t.Fatal(err)
	}
	d := open(t, path, OpenOptions{})
	tables, err := d.Tables(context.Background())
	if err != nil || tables[0].Rows == 0 && len(tables) < 12 {
		t.Errorf("%v, %v", tables, err)
	}
}

func TestMostRowsOfAKnownTableAreAnError(t *testing.T) {
	t.Parallel()
	b, _ := build(t, BuildOptions{})
	load(t, b, "Users.csv", "User Id,Full Name\n1,Ama,x\n2,Ben,y\n3,Cy\n")
	load(t, b, "Odd.csv", "User,Thing\n1,Ama,x\n2,Ben,y\n3,Cy\n")
	load(t, b, "Tasks.csv", "1,Call Ama,TODO\n2,Call Ben,TODO\n")
	found := codes(t, b)
	if !has(found, "error rows-ragged: 2 of 3") || !has(found, "warning rows-ragged: 2 of 3") ||
		!has(found, "error headings-unknown", "Tasks.csv") {
		t.Errorf("%q", found)
	}
}

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
