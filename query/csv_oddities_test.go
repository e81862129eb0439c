package query

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// TestOddFilesAreRead: kinds of files that published collections of odd CSVs hold, with values of our own.
// Long because it is one table of cases.
func TestOddFilesAreRead(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		content  string
		headings string // as received, joined with |
		rows     [][]string
		finding  string // one of the file's; empty if there is none
		aside    string // reasons of the quarantine
	}{
		"comments between rows": {
			"Town,Area\n# of 2024\nLeeds,552\n# to be checked\nYork,272\n", "Town|Area",
			[][]string{{"Leeds", "552"}, {"York", "272"}}, "info comments-found: 2 lines", "a comment,a comment",
		},
		"comments above the headings, and below": {
			"# Comment\nTown,Area\nLeeds,552\n# Source: a map and a book\n", "Town|Area",
			[][]string{{"Leeds", "552"}}, "info comments-found: 1 lines", "a comment",
		},
		"rows that begin with a hash are none": {
			"Channel,Use\n#news,read\nnotes,write\n#talk\n", "Channel|Use",
			[][]string{{"#news", "read"}}, "warning rows-ragged", "the next line looks like the rest of it," +
				"too few cells",
		},
		"blanks after quotes, in the headings too": {
			"\"Town\" ,\"Area, km\" ,Since\nLeeds,\"552\" ,1207\nYork , \"272\",71\n", "Town|Area, km|Since",
			[][]string{{"Leeds", "552", "1207"}, {"York ", "272", "71"}}, "info quoting-decided", "",
		},
		"blanks after quotes only": {
			"Town,\"Area\" ,Since\r\nLeeds,\"552\" ,\"1207\" \r\nYork,\"272\" ,71\r\n", "Town|Area|Since",
			[][]string{{"Leeds", "552", "1207"}, {"York", "272", "71"}}, "info quoting-decided", "",
		},
		"a blank after a heading of two lines": {
			"Town,\"Area\nin km\" ,Since\nLeeds,552,1207\n", "Town|Area\nin km|Since",
			[][]string{{"Leeds", "552", "1207"}}, "info quoting-decided", "",
		},
		"a heading that begins with a line break": {
			"\"\n Town\",Area,Since\nLeeds,552,1207\n", "\n Town|Area|Since",
			[][]string{{"Leeds", "552", "1207"}}, "", "",
		},
		"a line of blanks": {
			"Town,Area\n  \nLeeds,552\n", "Town|Area", [][]string{{"Leeds", "552"}}, "", "",
		},
		"a title, and headings that end with a comma": {
			"\"Visits in May\"\n\"Place\",\"Visits\",\n\"Leeds\",\"4,120\"\n\"York\",\"3,007\"\n", "Place|Visits|",
			[][]string{{"Leeds", "4,120"}, {"York", "3,007"}}, "info headings-found: the headings are line 2", "",
		},
		"colons": {
			"town:county:area\nLeeds:West Yorkshire:552\nYork:North Yorkshire:272\n", "town|county|area",
			[][]string{{"Leeds", "West Yorkshire", "552"}, {"York", "North Yorkshire", "272"}},
			"warning delimiter-guessed: no usual delimiter", "",
		},
		"plus signs and single quotes": {
			"'town'+'area'+'since'\n'King''s Lynn'+'28'+'1101'\n", "town|area|since",
			[][]string{{"King's Lynn", "28", "1101"}}, "warning delimiter-guessed", "",
		},
		"units of ASCII": {
			"town\x1farea\x1fsince\nLeeds\x1f552\x1f1207\n", "town|area|since",
			[][]string{{"Leeds", "552", "1207"}}, "warning delimiter-guessed", "",
		},
		"times of day are one column": {
			"Departures\n10:30\n11:45\n13:05\n", "Departures", [][]string{{"10:30"}, {"11:45"}, {"13:05"}},
			"info delimiter-guessed: no delimiter was found", "",
		},
		"questions are one column": {
			"Who asks?\nWhat for?\nSince when?\n", "Who asks?", [][]string{{"What for?"}, {"Since when?"}},
			"info delimiter-guessed: no delimiter was found", "",
		},
		"a row with the letters of the headings": {
			"A,B\na,b\nA,B\nc,d\n", "A|B", [][]string{{"a", "b"}, {"c", "d"}},
			"info headings-repeated: 1 records", "the headings again",
		},
		"semicolons, and more commas than the rows agree on": {
			"one;1;2,5;3;4,5;true;x;y\ntwo;2;3,5;4;5,5;true\n", "one|1|2,5|3|4,5|true|x|y",
			[][]string{}, "warning rows-ragged", "too few cells",
		},
		"a delimiter with a blank, and quotes": {
			"when, where, \"who, and why\", what\n", "when|where|who, and why|what", [][]string{},
			"info quoting-decided", "",
		},
		"rows without headings, of which one is like the first": {
			"Leeds,552,2024-05-01\nYork,272,2024-05-02\nLeeds,552,2024-05-01\n", "Leeds|552|2024-05-01",
			[][]string{{"York", "272", "2024-05-02"}, {"Leeds", "552", "2024-05-01"}},
			"warning headings-unknown: the first line", "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			b, _ := build(t, BuildOptions{})
			r := load(t, b, "towns.csv", tt.content)
			var headings, columns []string
			for _, c := range r.Columns {
				headings, columns = append(headings, c.Heading), append(columns, ident(c.Column))
			}
			if got := strings.Join(headings, "|"); got != tt.headings {
				t.Errorf("headings are %q, want %q", got, tt.headings)
			}
			got := cells(t, b, "select columns(*)::varchar from (select "+
				strings.Join(columns[:width(tt.rows, columns)], ", ")+" from raw.towns order by row_number)")
			if d := cmp.Diff(tt.rows, got, cmpopts.EquateEmpty()); d != "" {
				t.Error(d)
			}
			aside := cells(t, b, "select coalesce(string_agg(reason, ',' order by row_number), '') from quarantine")
			if aside[0][0] != tt.aside {
				t.Errorf("in quarantine: %q, want %q", aside, tt.aside)
			}
			all := codes(t, b)
			if tt.finding != "" && !has(all, tt.finding) || tt.finding == "" && has(all, "headings-found") {
				t.Errorf("want %q in %q", tt.finding, all)
			}
		})
	}
}

// width returns how many columns rows have that are compared; all if there are none.
func width(rows [][]string, columns []string) int {
	if len(rows) == 0 {
		return len(columns)
	}
	return len(rows[0])
}
