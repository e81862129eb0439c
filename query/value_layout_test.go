package query

import (
	"context"
	"encoding/csv"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
)

// Columns of one layout are converted in quicker ways than others, chosen by what the scan has seen of all
// values. Whatever is mixed into them, each text must come back, and mean what the careful way makes of it.
func TestQuickWaysOfConversion(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 7))
	odd := map[string][]string{
		"date_of_birth": {" 1/02/2024", "1/02/2024 ", "01/02/2024\t", "01/02/0204", "1/002/2024",
			"01/02/20245", "0001-01-01",
			"31/02/2024", "  ", "\t", "01/02/2024", "01//2/2024", "aa/bb/cccc", "é1/02/202"},
		"created_on": {"1/02/2024  10:00:00", "01/02/2024\t10:00:00", " 1/02/2024 10:00:00",
			"01/02/2024 10:00:0 ",
			"01/02/2024 10:00:0\t", "01/02/2024 24:00:00", "01/02/2024 10:00:60", "1/02/2024 010:00:00",
			"\v1/02/2024 10:00:00",
			"01/02/2024 1:00:000", "01/02/0999 10:00:00", "01/02/2024 10:00", "   ", "01/02/2024 9:00:00 "},
		"skills": {"Go; SQL", " Go", "Go ", "Go;;SQL", ";Go", "Go;", ";", " ", "\t", "[\"Go\"]",
			"Go;\u00a0SQL", "\u00a0", "[Go;SQL]",
			"Go,SQL", `"Go";SQL`, "Go;\tSQL", "\x01;b", "Go ;SQL", "Café;Chef", "Go;\nSQL"},
	}
	plain := map[string][]string{
		"date_of_birth": {"13/02/1984", "01/12/2001", ""},
		"created_on":    {"13/02/2024 10:30:59", "01/12/2025 00:00:00", ""},
		"skills":        {"Go;SQL", "Welding", "Site safety;CAD;Excel", ""},
	}
	headings := []string{"candidate_id", "date_of_birth", "created_on", "skills"}
	quick := map[string]int{}
	for round := range 60 {
		rows := [][]string{headings}
		for i := range 40 {
			row := []string{fmt.Sprint("c", i)}
			for _, h := range headings[1:] {
				from := plain[h]
				if rng.IntN(40) < round%3 {
					from = odd[h]
				}
				row = append(row, from[rng.IntN(len(from))])
			}
			rows = append(rows, row)
		}
		var text strings.Builder
		csv.NewWriter(&text).WriteAll(rows)
		b, _ := build(t, BuildOptions{})
		path := filepath.Join(t.TempDir(), "Candidates.csv")
		writeFile(t, path, []byte(text.String()))
		if _, err := b.LoadCSV(context.Background(), "Candidates.csv", path); err != nil {
			t.Fatalf("round %d: %v\n%s", round, err, text.String())
		}
		checkConversions(t, b, rows, quick)
		if t.Failed() {
			t.Fatalf("round %d:\n%q", round, text.String())
		}
	}
	for _, h := range headings[1:] {
		if n := quick[h]; n == 0 || n == 60 {
			t.Errorf("%s: %d of 60 columns were converted the quick way; want some, and not all", h, n)
		}
	}
}

// checkConversions compares a table with the rows that it was made from, and counts the columns of which no
// cell was taken for an unusual one.
func checkConversions(t *testing.T, b *Builder, rows [][]string, quick map[string]int) {
	t.Helper()
	l := b.tables[0]
	texts := cells(
		t, b, "SELECT candidate_id, date_of_birth, created_on, skills FROM raw.candidates ORDER BY row_number",
	)
	for i, row := range texts {
		for c, got := range row {
			if want := rows[i+1][c]; got != want {
				t.Errorf("row %d, %s: %q came back as %q", i+1, rows[0][c], want, got)
			}
		}
	}
	for _, col := range l.received()[1:] {
		steps := b.converter(l).conversion("x", "fast", "same", col)
		if !strings.Contains(steps.same, "strftime") && !strings.Contains(steps.same, "array_to_string") {
			quick[col.name]++
		}
		ref := "r." + ident(col.name)
		careful := b.converter(l).expression(ref, col.typ, col.stats)
		for _, wrong := range cells(t, b, fmt.Sprintf(
			"SELECT %[1]s, c.%[2]s::VARCHAR, (%[3]s)::VARCHAR FROM raw.candidates AS r JOIN main.candidates AS c "+
				"USING (candidate_id) WHERE c.%[2]s IS DISTINCT FROM (%[3]s)",
			ref, ident(col.name), careful,
		)) {
			t.Errorf("%s: %q is %s; the careful way makes %s of it", col.name, wrong[0], wrong[1], wrong[2])
		}
	}
}
