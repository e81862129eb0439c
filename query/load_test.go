package query

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"holdall/schemas"
)

// showTexts makes the views that only the catalog has: of every cell as text, and of the rejected ones.
func showTexts(t testing.TB, b *Builder) {
	t.Helper()
	statements, rejects := []string{"CREATE SCHEMA IF NOT EXISTS raw"}, []string{"SELECT " +
		nulls(ownReport("rejects").Columns) + " WHERE false"}
	for _, l := range b.tables {
		source := b.source(l.Table)
		statements = append(
			statements, fmt.Sprintf("CREATE OR REPLACE VIEW raw.%s AS %s", ident(l.Table), l.rawSQL(source)),
		)
		if sql := l.rejectsSQL(source); sql != "" {
			rejects = append(rejects, sql)
		}
	}
	statements = append(statements, "CREATE OR REPLACE VIEW rejects AS "+strings.Join(rejects, " UNION ALL "))
	if err := b.exec(context.Background(), statements...); err != nil {
		t.Fatal(err)
	}
}

// cells returns the result of a query on an unfinished database, NULL as "NULL".
func cells(t testing.TB, b *Builder, query string) [][]string {
	t.Helper()
	showTexts(t, b)
	rows, err := b.db.Query(query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	columns, _ := rows.Columns()
	var all [][]string
	for rows.Next() {
		values, dest := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			dest[i] = &values[i]
		}
		if err := rows.Scan(dest...); err != nil {
			t.Fatal(err)
		}
		row := make([]string, len(columns))
		for i, v := range values {
			if row[i] = fmt.Sprint(v); v == nil {
				row[i] = "NULL"
			}
		}
		all = append(all, row)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// codes returns the findings so far as "severity code: detail".
func codes(t testing.TB, b *Builder) []string {
	t.Helper()
	var all []string
	for f, err := range b.Findings(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, string(f.Severity)+" "+string(f.Code)+": "+f.Detail)
	}
	return all
}

// has reports whether a finding begins and continues as wanted.
func has(all []string, begins string, contains ...string) bool {
next:
	for _, f := range all {
		if !strings.HasPrefix(f, begins) {
			continue
		}
		for _, c := range contains {
			if !strings.Contains(f, c) {
				continue next
			}
		}
		return true
	}
	return false
}

func TestDuplicateHeadingsAreNumbered(t *testing.T) {
	t.Parallel()
	b, _ := build(t, BuildOptions{})
	r := load(t, b, "Candidates.csv", "Candidate Id,Gender,gender,GENDER,Odd,Odd,\n1,f,m,x,a,b,c\n")
	var got []string
	for _, c := range r.Columns {
		if c.Heading != "" || !c.Known {
			got = append(got, fmt.Sprintf("%s %q %t", c.Column, c.Heading, c.Sensitive))
		}
	}
	want := []string{
		`candidate_id "Candidate Id" false`, `gender "Gender" true`, `gender_2 "gender" true`,
		`gender_3 "GENDER" true`, `odd "Odd" false`, `odd_2 "Odd" false`, `column_7 "" false`,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(
		[][]string{{"f", "m", "x", "a", "b", "c"}},
		cells(t, b, "select gender, gender_2, gender_3, odd, odd_2, column_7 from candidates"),
	); d != "" {
		t.Error(d)
	}
}

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

func TestRejectsKeepTheCell(t *testing.T) {
	t.Parallel()
	b, _ := build(t, BuildOptions{})
	r := load(
		t, b, "Candidates.csv", "Candidate Id,Current Salary,Rating\n1,negotiable,5\n2,4.47E+11,x\n3,100,1\n",
	)
	want := [][]string{
		{"candidates", "current_salary", "1", "negotiable"},
		{"candidates", "current_salary", "2", "4.47E+11"}, {"candidates", "rating", "2", "x"},
	}
	if d := cmp.Diff(
		want, cells(t, b, "select table_name, column_name, row_number, value from rejects order by all"),
	); d != "" {
		t.Error(d)
	}
	if r.Rejected != 3 {
		t.Errorf("%d rejects, want 3", r.Rejected)
	}
	if found := codes(t, b); !has(
		found, "warning cells-rejected", "current_salary: 2", "spreadsheet program",
	) {
		t.Errorf("%q", found)
	}
}

func TestCellsKeepEveryByte(t *testing.T) {
	t.Parallel()
	cell := "<p class=\"x\">one\r\ntwo\n\nthree\rfour</p>\ttab, comma; \u2028 'quote' \\\" end "
	quoted := `"` + strings.ReplaceAll(cell, `"`, `""`) + `"`
	for name, content := range map[string]string{
		"LF":                 "Candidate Id,Internal Note,Status\n1," + quoted + ",x\n2,\"\",y\n",
		"CRLF":               "Candidate Id,Internal Note,Status\r\n1," + quoted + ",x\r\n2,\"\",y\r\n",
		"LF and CRLF mixed":  "Candidate Id,Internal Note,Status\r\n1," + quoted + ",x\n2,\"\",y\r\n",
		"CR, as of old Macs": "Candidate Id,Internal Note,Status\r1," + quoted + ",x\r2,\"\",y\r",
		"no end at the end":  "Candidate Id,Internal Note,Status\n1," + quoted + ",x\n2,\"\",y",
		"blank lines":        "Candidate Id,Internal Note,Status\n\n1," + quoted + ",x\n\n\n2,\"\",y\n\n",
		"semicolons": strings.ReplaceAll(
			"Candidate Id~Internal Note~Status\n1~"+quoted+"~x\n2~\"\"~y\n", "~", ";",
		),
		"tabs": strings.ReplaceAll(
			"Candidate Id~Internal Note~Status\n1~"+quoted+"~x\n2~\"\"~y\n", "~", "\t",
		),
		"a sep= line": strings.ReplaceAll(
			"sep=;\nCandidate Id~Internal Note~Status\n1~"+quoted+"~x\n2~\"\"~y\n", "~", ";",
		),
		"a byte order mark": "\ufeffCandidate Id,Internal Note,Status\n1," + quoted + ",x\n2,\"\",y\n",
		"a broken heading":  "Candidate Id,\"Internal\nNote\",Status\n1," + quoted + ",x\n2,\"\",y\n",
		"cells too many":    "Candidate Id,Internal Note,Status\n1," + quoted + ",x,\n2,\"\",y,\n",
		"an empty heading":  "Candidate Id,Internal Note,Status,\n1," + quoted + ",x\n2,\"\",y\n",
	} {
		t.Run(name, func(t *testing.T) {
			b, _ := build(t, BuildOptions{})
			load(t, b, "x/Candidates.csv", content)
			want := [][]string{{"1", "1", cell, "x"}, {"2", "2", "NULL", "y"}}
			if d := cmp.Diff(
				want,
				cells(
					t, b,
					"select row_number, c.candidate_id, c.internal_note, c.status from candidates as c "+
						"join raw.candidates as r using (candidate_id) order by 1",
				),
			); d != "" {
				t.Error(d)
			}
			if got := cells(
				t, b, "select internal_note from raw.candidates where row_number = 2",
			); got[0][0] != "" {
				t.Errorf("an empty cell is %q in raw", got[0][0])
			}
		})
	}
}

func TestEncodings(t *testing.T) {
	t.Parallel()
	const want = "Zoë “Ł” – €5 ✓"
	csv := "Candidate Id,Full Name\r\n1," + want + "\r\n"
	u16 := func(s string, order func(uint16) []byte) string {
		var b bytes.Buffer
		for _, u := range utf16.Encode([]rune(s)) {
			b.Write(order(u))
		}
		return b.String()
	}
	le := func(u uint16) []byte { return []byte{byte(u), byte(u >> 8)} }
	be := func(u uint16) []byte { return []byte{byte(u >> 8), byte(u)} }
	for name, tt := range map[string]struct{ content, encoding, want string }{
		"UTF-8":                        {csv, "utf-8", want},
		"UTF-8 with a byte order mark": {"\ufeff" + csv, "utf-8-bom", want},
		"UTF-16 of Windows":            {u16("\ufeff"+csv, le), "utf-16le", want},
		"UTF-16 big end first":         {u16("\ufeff"+csv, be), "utf-16be", want},
		"UTF-16 without a mark":        {u16(csv, le), "utf-16le", want},
		"windows-1252": {
			"Candidate Id,Full Name\n1,Zo\xeb \x93L\x94 \x96 \x805 \x81\n", "windows-1252",
			"Zoë “L” – €5 \u0081",
		},
		"windows-1252 bytes in UTF-8": {
			"Candidate Id,Full Name\n1,Zoë ✓ \x93\n2,ë\n", "utf-8", "Zoë ✓ “",
		},
		"windows-1252 only far into the file": {
			"Candidate Id,Full Name\n1,a\n" + strings.Repeat("2,plain\n", 100_000) + "3,\xeb\n",
			"windows-1252", "a",
		},
		"a letter across the buffer's boundary": {
			"Candidate Id,Full Name\n1," + strings.Repeat("x", 256<<10-26) + "ë\n", "utf-8",
			strings.Repeat("x", 256<<10-26) + "ë",
		},
	} {
		t.Run(name, func(t *testing.T) {
			b, _ := build(t, BuildOptions{})
			r := load(t, b, "Candidates.csv", tt.content)
			if r.Encoding != tt.encoding {
				t.Errorf("encoding %q, want %q", r.Encoding, tt.encoding)
			}
			if got := cells(
				t, b, "select full_name from candidates where candidate_id = '1'",
			); len(got) != 1 || got[0][0] != tt.want {
				t.Errorf("got %.80q, want %.80q", got, tt.want)
			}
		})
	}
}

func TestDoubtsAboutTheEncodingAreTold(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ content, finding string }{
		"windows-1252": {
			"Candidate Id,Full Name\n1,Zo\xeb \x93L\x94\n2,Andr\xe9\n", "info encoding-guessed: 4 bytes",
		},
		"an old Mac": {
			"Candidate Id,Full Name\n1,Zo\x91\n2,Andr\x8e\n3,M\x9fller\n",
			"warning encoding-guessed: 3 bytes",
		},
		"read wrongly before": {
			"Candidate Id,Full Name\n1,AndrÃ©\n2,itâ€™s Â£5\n3,SÃO\n", "info text-garbled: 3 places",
		},
		"half of a character": {
			"\xff\xfeI\x00d\x00,\x00N\x00\n\x001\x00,\x00\x3d\xd8\n\x00", "warning encoding-mixed: 1 places",
		},
		"a byte too few": {
			"\xff\xfeI\x00d\x00,\x00N\x00\n\x001\x00,\x00x\x00\n", "warning encoding-mixed: 1 places",
		},
		"none: plain UTF-8 is": {"Candidate Id,Full Name\n1,Zoë £5\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			b, _ := build(t, BuildOptions{})
			load(t, b, "Candidates.csv", tt.content)
			found := codes(t, b)
			if tt.finding != "" && !has(found, tt.finding) || tt.finding == "" &&
				strings.Contains(strings.Join(found, "\n"), "encoding") {
				t.Errorf("want %q, got %q", tt.finding, found)
			}
		})
	}
}

func TestDamageOfSpreadsheetsIsReportedNotRepaired(t *testing.T) {
	t.Parallel()
	b, _ := build(t, BuildOptions{})
	load(
		t, b, "Candidates.csv",
		"Candidate Id,Mobile,Surname\n1,4.47E+11,x\n2,\"=\"\"0044\"\"\",y\n3,=\"0045\",z\n",
	)
	if d := cmp.Diff(
		[][]string{{"4.47E+11"}, {`="0044"`}, {`="0045"`}}, cells(t, b, "select mobile from candidates"),
	); d != "" {
		t.Error(d)
	}
	if found := codes(t, b); !has(found, "warning cells-damaged: mobile: 3 cells") {
		t.Errorf("%q", found)
	}
}

func TestNULBytesAreKept(t *testing.T) {
	t.Parallel()
	b, _ := build(t, BuildOptions{})
	load(t, b, "Candidates.csv", "Candidate Id,Surname\n1,a\x00b\n")
	if got := cells(t, b, "select surname from candidates"); got[0][0] != "a\x00b" {
		t.Errorf("got %q", got)
	}
	if found := codes(t, b); !has(found, "warning cells-damaged: surname: 1 cells hold NUL") {
		t.Errorf("%q", found)
	}
}

func TestRaggedRowsGoToQuarantine(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		rows       string
		loaded     string
		quarantine [][]string
	}{
		"too few and too many": {
			"1,a,b\n2,a\n3,a,b,c\n4,d,e\n", "1 4",
			[][]string{{"2", "2,a", "too few cells"}, {"3", "3,a,b,c", "too many cells"}},
		},
		"a quote that nobody closes swallows one line, not the " +
			"rest": {"1,a,b\n2,\"x,y\n3,a,b\n4,\"c\",\"d\"\n5,e,f\n", "1 3 4 5",
			[][]string{{"2", `2,"x,y`, "its quotes make no sense"}}},
		"an empty cell too many may be a comma that nobody quoted": {"1,a,b\n2,c,d\n3,Smith, John,\n4,e,f\n",
			"1 2 4",
			[][]string{{"3", "3,Smith, John,", "an empty cell too many, unlike other records"}}},
		"a line break that nobody quoted": {
			"1,a,b\n2,c,one\ntwo\n3,d,e\n", "1 3",
			[][]string{
				{"2", "2,c,one", "the next line looks like the rest of it"}, {"3", "two", "too few cells"},
			},
		},
		"a line that sums up is not a row": {
			"1,a,b\n2,c,d\nTotal: 2 rows\n", "1 2", [][]string{{"3", "Total: 2 rows", "too few cells"}},
		},
		"the headings again": {
			"1,a,b\n\ufeffcandidate id,Surname,Status\n2,c,d\n", "1 2",
			[][]string{{"2", "\ufeffcandidate id,Surname,Status", "the headings again"}},
		},
		"headings in another order": {
			"1,a,b\nSurname,Status,Candidate Id\nc,d,2\nCandidate Id,Surname,Status\n3,e,f\n", "1 3",
			[][]string{
				{"2", "Surname,Status,Candidate Id", "the headings again"},
				{"3", "c,d,2", "it stands below other headings"},
				{"4", "Candidate Id,Surname,Status", "the headings again"},
			},
		},
		"nor when it is the last": {
			"1,a,b\n2,\"x,y\n", "1", [][]string{{"2", `2,"x,y`, "its quotes make no sense"}},
		},
		"bare quotes within a line stay": {"1,\"say \"hi\" now\",b\n2,5\" pipe,c\n", "1 2", nil},
	} {
		t.Run(name, func(t *testing.T) {
			b, _ := build(t, BuildOptions{})
			r := load(t, b, "Candidates.csv", "Candidate Id,Surname,Status\n"+tt.rows)
			var ids []string
			for _, row := range cells(t, b, "select candidate_id from candidates") {
				ids = append(ids, row[0])
			}
			if got := strings.Join(ids, " "); got != tt.loaded {
				t.Errorf("loaded %s, want %s", got, tt.loaded)
			}
			got := cells(
				t, b,
				"select row_number, record, reason from quarantine where table_name = 'candidates' order "+
					"by row_number",
			)
			if d := cmp.Diff(tt.quarantine, got, cmpopts.EquateEmpty()); d != "" {
				t.Error(d)
			}
			if int(r.Quarantined) != len(tt.quarantine) ||
				has(codes(t, b), "warning rows-ragged") != (len(tt.quarantine) > 0 &&
					name != "the headings again") {
				t.Errorf("%d in quarantine; findings %q", r.Quarantined, codes(t, b))
			}
		})
	}
}

func TestFilesThatAreOdd(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		file, content, table string
		known                bool
		rows                 int64
		finding              string
	}{
		"no bytes at all": {"Users.csv", "", "users", true, 0, "warning table-empty"},
		"headings only": {
			"Tasks.csv", "Task Id,Subject\n", "tasks", true, 0, "info table-empty",
		},
		"candidates with no rows": {
			"Candidates.csv", "Candidate Id\n", "candidates", true, 0, "warning table-empty",
		},
		"in a folder, in other case": {
			"export/data/JOB_PIPELINES.CSV", "pipelineId,jobId\n1,2\n", "job_pipelines", true, 1, "",
		},
		"renamed, known by its columns": {
			"export (3).csv", "User Id,Full Name,Email,Time Zone,Archived\n1,a,b,c,yes\n", "users", true, 1,
			"",
		},
		"an eleventh table": {
			"Placements 2026.csv", "Placement Id,Fee,Start\nPL-1,100.50,2026-01-31\n", "placements_2026",
			false, 1, "info table-unknown",
		},
		"one that is named like ours": {
			"findings.csv", "a,b\n1,2\n", "findings_2", false, 1, "warning table-repeated",
		},
		"one column":           {"Odd.csv", "only\na\n\nb\n", "odd", false, 3, "info table-unknown"},
		"a name of no letters": {"数据.csv", "a,b\n1,2\n", "unnamed", false, 1, "info table-unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			b, path := build(t, BuildOptions{})
			r := load(t, b, tt.file, tt.content)
			if r.Table != tt.table || r.Known != tt.known || r.Rows != tt.rows {
				t.Errorf("got table %s, known %t, %d rows", r.Table, r.Known, r.Rows)
			}
			if found := codes(t, b); tt.finding != "" && !has(found, tt.finding) {
				t.Errorf("no %s in %q", tt.finding, found)
			}
			if tt.known {
				return
			}
			if err := b.Finish(context.Background()); err != nil {
				t.Fatal(err)
			}
			open(t, path, OpenOptions{})
		})
	}
}

func TestASecondFileOfATableIsKeptApart(t *testing.T) {
	t.Parallel()
	b, _ := build(t, BuildOptions{})
	load(t, b, "Users.csv", "User Id\n1\n")
	r := load(t, b, "old/Users.csv", "User Id\n2\n")
	if r.Table != "users_2" || r.Known || !has(codes(t, b), "warning table-repeated") {
		t.Errorf("got %s; %q", r.Table, codes(t, b))
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

func TestMissingColumnsAreThereAsNULL(t *testing.T) {
	t.Parallel()
	b, _ := build(t, BuildOptions{})
	load(t, b, "Job_Pipelines.csv", "Pipeline Id,Status Code\n1,PLACED\n")
	if d := cmp.Diff(
		[][]string{{"1", "NULL", "NULL", "NULL"}},
		cells(t, b, "select pipeline_id, job_id, commission_value, offer_date from job_pipelines"),
	); d != "" {
		t.Error(d)
	}
	found := codes(t, b)
	if !has(found, "warning columns-missing", "job_id", "candidate_id") ||
		!has(found, "info columns-missing", "offer_date") {
		t.Errorf("%q", found)
	}
}

func TestACellOf20MegabytesLoads(t *testing.T) {
	t.Parallel()
	var content bytes.Buffer
	content.WriteString("Candidate Id,Conversation Thread,Status\n0,a,b\n1,\"")
	for content.Len() < 20<<20 {
		content.WriteString("He said \"\"no\"\", and\nthen, again, yes. ")
	}
	content.WriteString("\",x\n2,y,z\n")
	b, _ := build(t, BuildOptions{})
	r := load(t, b, "Candidates.csv", content.String())
	if r.Rows != 3 {
		t.Errorf("%d rows, want 3", r.Rows)
	}
	got := cells(
		t, b,
		"select length(conversation_thread) > 19000000, status from candidates where candidate_id = '1'",
	)
	if d := cmp.Diff([][]string{{"true", "x"}}, got); d != "" {
		t.Error(d)
	}
}

func TestWhatDuckDBMisreadsIsReadAgain(t *testing.T) {
	t.Parallel()
	b, _ := build(t, BuildOptions{})
	path := filepath.Join(t.TempDir(), "x.csv")
	if err := os.WriteFile(path, []byte("Candidate Id,Surname\n1,\"a\n\"\n2,b\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	ctx := context.Background()
	s, err := scanFile(
		ctx, f, encodingReport{name: encUTF8}, recogniser{schemas.Recruitly(), "Candidates.csv"},
	)
	if err != nil {
		t.Fatal(err)
	}
	s.ends = [4]int64{endCRLF: 3} // DuckDB is told CRLF, and reads nothing or something else
	l := b.plan("Candidates.csv", s)
	if err := b.load(ctx, l, s, f); err != nil {
		t.Fatal(err)
	}
	if l.misread == nil || l.Rows != 2 {
		t.Errorf("misread %v, %d rows", l.misread, l.Rows)
	}
	s.records++ // and where the count itself does not fit, nothing is loaded
	l = b.plan("Other.csv", s)
	if err := b.load(ctx, l, s, f); err == nil || !strings.Contains(err.Error(), "3 records") {
		t.Errorf("got error %v, want one that names 3 records", err)
	}
}

func TestLoadingStopsWithItsContext(t *testing.T) {
	t.Parallel()
	b, _ := build(t, BuildOptions{})
	path := filepath.Join(t.TempDir(), "x.csv")
	if err := os.WriteFile(path, []byte("Candidate Id\n"+strings.Repeat("1\n", 5000)), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := b.LoadCSV(ctx, "Candidates.csv", path); !errors.Is(err, context.Canceled) {
		t.Errorf("got error %v, want a cancelled context", err)
	}
	if r := load(t, b, "Candidates.csv", "Candidate Id\n1\n"); r.Table != "candidates" || r.Rows != 1 {
		t.Errorf("afterwards: %+v", r)
	}
}
