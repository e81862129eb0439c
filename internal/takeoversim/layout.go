package takeoversim

import (
	"fmt"
	"strings"
)

// moreOf gives a dialect the oddities that were thought of later.
func (c *Choices) moreOf(d *dialect) {
	set := func(to *string, way string) {
		if way != "" {
			*to = way
		}
	}
	if d.money == "plain" {
		set(&d.money, c.laterPick("amounts", 0.3, "pound", "code", "euro", "blank", "float", "precise"))
	}
	if d.moments == "plain" {
		set(&d.moments, c.laterPick("times", 0.3, "zulu", "offset", "words", "month-first", "dots"))
	}
	if d.flags == "words" {
		set(&d.flags, c.laterPick("more-flags", 0.2, "letters", "capitals"))
	}
	if d.encoding == "utf-8" {
		set(&d.encoding, c.laterPick("codes", 0.15, "utf-16be", "windows-1252"))
	}
	d.end = c.laterPick("ends", 0.2, "blank-lines", "no-line-end", "delimiters", "ctrl-z")
}

// ended is the text of a file with what follows its rows.
func (d dialect) ended(text string) string {
	switch d.end {
	case "blank-lines":
		return text + d.lineEnd + d.lineEnd
	case "no-line-end":
		return strings.TrimSuffix(text, d.lineEnd)
	case "ctrl-z":
		return text + "\x1a"
	}
	return text
}

// dataFiles writes the tables as the files of the data part.
func (w *World) dataFiles(d dialect, t *Truth) []file {
	names := w.laterPick("file-names", 0.2, "lower", "spaced", "stamped", "capitals")
	folder := w.laterPick("data-folder", 0.15, "Full Export/", "./", "a/b/c/")
	split := w.laterPick("split-table", 0.06, "candidates", "attachments")
	var all []file
	add := func(name string, data []byte) {
		base := strings.TrimSuffix(name, ".csv")
		switch names {
		case "lower":
			name = strings.ToLower(name)
		case "capitals":
			name = strings.ToUpper(name)
		case "spaced":
			name = strings.ReplaceAll(name, "_", " ")
		case "stamped":
			name = "larchbrook_" + base + "_2026-03-02.csv"
		}
		all = append(all, file{name: folder + name, data: data})
	}
	for _, table := range t.Tables {
		half := len(table.Rows) / 2
		switch {
		case table.Name == t.ZeroBytes:
			add(table.File, nil)
		case table.Name == split && half > 0:
			base := strings.TrimSuffix(table.File, ".csv")
			first, second := table, table
			first.Rows, second.Rows = table.Rows[:half], table.Rows[half:]
			form := w.laterPick("split-form", 0.5, "%s (%d).csv", "%s-part%d.csv")
			if form == "" {
				form = "%s_%d.csv"
			}
			add(fmt.Sprintf(form, base, 1), d.write(first))
			add(fmt.Sprintf(form, base, 2), d.write(second))
		default:
			add(table.File, d.write(table))
		}
	}
	if w.laterOdd("unknown-table", 0.05) {
		add("Placements.csv", d.write(Table{File: "Placements.csv", Name: "placements",
			Columns: columns("Placement Id", "placement_id", "Fee", "fee", "Start", "start"),
			Rows:    [][]string{{"PL-1", "4", "soon"}, {"PL-2", "5", "later"}}}))
	}
	return all
}

// drift changes the tables as a vendor's next version does.
func (v *invention) drift(t *Truth) {
	people := t.table("candidates")
	if v.laterOdd("unknown-column", 0.1) {
		people.Columns = append(people.Columns, Column{Heading: "Zodiac Sign", Name: "zodiac_sign"})
		for i, row := range people.Rows {
			people.Rows[i] = append(row, []string{"", "Libra", "Leo"}[i%3])
		}
	}
	if v.laterOdd("columns-reordered", 0.1) {
		for _, name := range []string{"candidates", "attachments", "jobs"} {
			t.table(name).reorder(v.random("order of " + name).Perm(len(t.table(name).Columns)))
		}
	}
	if empty := v.laterPick("empty-table", 0.06, "tasks", "folder_records"); empty != "" {
		t.table(empty).Rows = nil
		if v.laterOdd("zero-bytes", 0.5) {
			t.ZeroBytes = empty
		}
	}
	if t.Absent = v.laterPick("absent-table", 0.05, "tasks", "folder_records", "audit_logs"); t.Absent != "" {
		kept := t.Tables[:0]
		for _, table := range t.Tables {
			if table.Name != t.Absent {
				kept = append(kept, table)
			}
		}
		t.Tables = kept
	}
}

// reorder puts the columns into another order; the key stays in front, where Judge looks for it.
func (t *Table) reorder(order []int) {
	move := func(n int, at func(to, from int)) {
		to := 1
		at(0, 0)
		for _, from := range order {
			if from != 0 && from < n {
				at(to, from)
				to++
			}
		}
	}
	old := append([]Column(nil), t.Columns...)
	move(len(old), func(to, from int) { t.Columns[to] = old[from] })
	for i, row := range t.Rows {
		moved := make([]string, len(row))
		move(len(row), func(to, from int) { moved[to] = row[from] })
		t.Rows[i] = moved
	}
}
