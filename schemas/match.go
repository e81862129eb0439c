package schemas

import (
	"path"
	"strings"
	"unicode"
)

// Normalize returns what is left of a heading or file name when spelling is set aside: lower-case letters and
// digits, in any script. "Candidate Id", "candidateId", "candidate_id" and a BOM before any of them are all
// "candidateid".
func Normalize(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) {
			return -1
		}
		return unicode.ToLower(r)
	}, s)
}

// Match says which column of t each heading names, as an index into t.Columns, or -1. No column is named
// twice: a heading in the column's own words goes before one that is only an alias, and an earlier one before
// a later one.
func (t Table) Match(headings []string) []int {
	own, alias := t.spellings()
	found := make([]int, len(headings))
	taken := make([]bool, len(t.Columns))
	for i := range found {
		found[i] = -1
	}
	for _, known := range []map[string]int{own, alias} {
		for i, h := range headings {
			column, ok := known[Normalize(h)]
			if ok && found[i] < 0 && !taken[column] {
				found[i], taken[column] = column, true
			}
		}
	}
	return found
}

// spellings returns the normalised spellings of t's columns: their own, and their aliases.
func (t Table) spellings() (own, alias map[string]int) {
	own, alias = make(map[string]int), make(map[string]int)
	for i, c := range t.Columns {
		own[Normalize(c.Name)] = i
		own[Normalize(c.Heading)] = i
		for _, a := range c.Aliases {
			alias[Normalize(a)] = i
		}
	}
	return own, alias
}

// ByFile returns the table that a received file's name means: "Candidates.csv", "data/CANDIDATES.CSV",
// "job-pipelines.csv", "Candidates.csv.txt", "Candidates (2).csv" and "Candidates_2026-11-22.csv" do.
func ByFile(tables []Table, file string) (Table, bool) {
	base := path.Base(strings.ReplaceAll(file, `\`, "/"))
	base = strings.TrimSuffix(base, path.Ext(base))
	if ext := path.Ext(base); strings.EqualFold(ext, ".csv") { // Candidates.csv.txt, as mail programs make it
		base = strings.TrimSuffix(base, ext)
	}
	name := strings.TrimRightFunc(Normalize(base), unicode.IsDigit)
	for _, t := range tables {
		if name == Normalize(t.Name) || name == strings.TrimSuffix(Normalize(t.Name), "s") {
			return t, true
		}
	}
	return Table{}, false
}

// ByColumns returns the table whose columns the headings name best: at least three of them and half of the
// headings, more than of any other table. It is for files whose name says nothing.
func ByColumns(tables []Table, headings []string) (Table, bool) {
	best, most, tied := Table{}, 0, false
	for _, t := range tables {
		named := 0
		for _, column := range t.Match(headings) {
			if column >= 0 {
				named++
			}
		}
		switch {
		case named > most:
			best, most, tied = t, named, false
		case named == most:
			tied = true
		}
	}
	return best, most >= 3 && 2*most >= len(headings) && !tied
}
