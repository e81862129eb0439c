package query

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// idsOf returns the ids of made-up candidates, as long as those of an export.
func idOf(n int) string { return fmt.Sprintf("larc%032x", n) }

// TestQuotingIsDecidedOverTheWholeFile: long because it is one table of cases.
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

// TestHeadingsAreFound: long because it is one table of cases.
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
