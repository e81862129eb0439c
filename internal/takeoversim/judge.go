package takeoversim

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// A Finding is one line of "status --json".
type Finding struct {
	Code, Severity, Detail string
	RecordID               string `json:"record_id"`
}

// An Outcome is what a user has when a takeover is done.
type Outcome struct {
	Location string
	Findings []Finding
	Query    func(sql string) ([]map[string]any, error)
}

func (o Outcome) bad() []string {
	var codes []string
	for _, f := range o.Findings {
		if f.Severity != "info" {
			codes = append(codes, f.Code+": "+f.Detail)
		}
	}
	return codes
}

// Judge compares what came of a takeover with the truth, and returns every violation of what holdall
// promises.
func (w *World) Judge(generation int, o Outcome) []string {
	j := &judge{w: w, truth: w.Truths[generation], o: o, dialect: w.dialect()}
	j.documents()
	j.tables()
	j.alarms()
	return j.found
}

type judge struct {
	w       *World
	truth   *Truth
	o       Outcome
	dialect dialect
	found   []string
}

func (j *judge) violation(format string, args ...any) {
	j.found = append(j.found, fmt.Sprintf(format, args...))
}

// documents asks: is each content kept, whole and with the right owner, and nothing invented?
func (j *judge) documents() {
	have, err := readDocuments(j.o.Location)
	if err != nil {
		j.violation("the archive's documents cannot be read with stock tools: %v", err)
		return
	}
	byContent := map[string][]archivedDocument{}
	for _, k := range have {
		byContent[k.part+string(k.content)] = append(byContent[k.part+string(k.content)], k)
	}
	for _, d := range j.truth.Documents {
		key := d.Part + string(d.Content)
		got := byContent[key]
		switch {
		case len(got) == 0 && !d.Damaged:
			j.violation("lost: %s %q is not a document of the archive", d.Part, d.Entry)
		case len(got) == 0 && len(j.o.bad()) == 0:
			j.violation("lost without a word: %s %q, damaged at its source", d.Part, d.Entry)
		case len(got) > 0:
			j.owner(d, best(d, got))
		}
	}
	for key, all := range byContent {
		for _, k := range all {
			j.invented(k, key)
		}
	}
}

// best returns the one of several documents of the same content that is most like the true one.
func best(d *Document, all []archivedDocument) archivedDocument {
	for _, is := range []func(archivedDocument) bool{
		func(k archivedDocument) bool { return k.owner == d.Owner && k.row == d.Row },
		func(k archivedDocument) bool { return k.owner == d.Owner },
		func(k archivedDocument) bool { return k.owner == "" },
	} {
		if i := slices.IndexFunc(all, is); i >= 0 {
			return all[i]
		}
	}
	return all[0]
}

// invented asks whether a document of the archive is one of the export's, and its owner one whose document
// that is.
func (j *judge) invented(k archivedDocument, key string) {
	there, owned := false, k.owner == ""
	for _, d := range j.truth.Documents {
		if d.Part+string(d.Content) == key {
			there = true
			owned = owned || d.Owner == k.owner
		}
	}
	switch {
	case !there && k.state == "ok":
		j.violation("invented: document %s (%q in %s) is not one of the export's", k.id, k.name, k.part)
	case there && !owned:
		j.violation("wrong owner: %q is given to %s, whose it is not", k.name, k.owner)
	}
}

func (j *judge) owner(d *Document, k archivedDocument) {
	switch {
	case k.owner == d.Owner:
	case d.Damaged: // k may be another document of the same content, which is not damaged
		return
	case d.Certain && j.dialect.encoding != "windows-1252": // which cannot write everybody's name
		j.violation("no owner: %q belongs to %s, as the export says", k.name, d.Owner)
	}
	if k.row != "" && d.Row != "" && k.row != d.Row {
		j.violation("wrong row: %q is matched with attachment %s, not %s", k.name, k.row, d.Row)
	}
	if k.state != "ok" && !d.Damaged {
		j.violation("%q has the state %q, though nothing is wrong with it", k.name, k.state)
	}
}

// tables reads all tables in one query, since opening a database takes longer than reading a few rows. Where
// one of them is missing, each is asked for by itself.
func (j *judge) tables() {
	var selects []string
	for _, t := range j.truth.Tables {
		selects = append(selects, j.selectOf(t))
	}
	all, err := j.o.Query(strings.Join(selects, " union all "))
	for i, t := range j.truth.Tables {
		var rows []map[string]any
		if err != nil {
			var err error
			if rows, err = j.o.Query(selects[i]); err != nil {
				j.violation("table %s: %v", t.Name, err)
				continue
			}
		}
		for _, r := range all {
			if r["t"] == t.Name {
				rows = append(rows, r)
			}
		}
		j.table(t, rows)
	}
}

// mostColumns is how many columns the widest table has.
const mostColumns = 12

func (j *judge) selectOf(t Table) string {
	selects := []string{fmt.Sprintf("'%s' as t", t.Name)}
	for i := range mostColumns {
		text := "cast(null as varchar)"
		if i < len(t.Columns) {
			text = fmt.Sprintf("cast(%s as varchar)", t.Columns[i].Name)
		}
		selects = append(selects, fmt.Sprintf("%s as c%d", text, i))
	}
	return "select " + strings.Join(selects, ", ") + " from " + t.Name
}

// table asks: is each row loaded rightly or in quarantine, and nothing invented?
func (j *judge) table(t Table, rows []map[string]any) {
	byKey := map[string]map[string]any{}
	for _, r := range rows {
		key, _ := r["c0"].(string)
		byKey[key] = r
	}
	if len(byKey) != len(rows) {
		j.violation("table %s has %d rows with %d keys", t.Name, len(rows), len(byKey))
	}
	for _, want := range t.Rows {
		got, ok := byKey[want[0]]
		delete(byKey, want[0])
		if !ok {
			j.quarantined(t, want)
			continue
		}
		for i, c := range t.Columns {
			j.cell(t, c, want, want[i], got[fmt.Sprintf("c%d", i)])
		}
	}
	for key := range byKey {
		j.violation("invented: table %s has a row with the key %q", t.Name, key)
	}
}

// quarantined asks that a row that was not loaded is kept in quarantine. Nothing in these worlds needs that
// but a backslash that two kinds of writers mean differently.
func (j *judge) quarantined(t Table, row []string) {
	doubtful := strings.Contains(strings.Join(row, "\x00"), `\`)
	rows, err := j.o.Query("select record from quarantine")
	if err != nil {
		j.violation("table %s: row %s is not there, and quarantine: %v", t.Name, row[0], err)
		return
	}
	for _, r := range rows {
		if record, _ := r["record"].(string); strings.Contains(record, row[0]) {
			if !doubtful {
				j.violation(
					"table %s: row %s is in quarantine, though nothing is wrong with it", t.Name, row[0],
				)
			}
			return
		}
	}
	j.violation("lost: row %s of table %s is neither loaded nor in quarantine", row[0], t.Name)
}

func (j *judge) cell(t Table, c Column, row []string, want string, got any) {
	text, _ := got.(string)
	if got == nil && (want == "" || want == "NULL") {
		return
	}
	where := fmt.Sprintf("table %s, row %s, %s", t.Name, row[0], c.Name)
	if got == nil {
		if c.Kind == Text || !j.reported(`reject|ambiguous`) {
			j.violation("%s: %q is NULL without a word", where, want)
		}
		return
	}
	if !slices.Contains(j.right(c, want), text) {
		j.violation("%s is %q, not %q", where, text, want)
	}
}

// right returns the texts that a value may be read as.
func (j *judge) right(c Column, want string) []string {
	switch c.Kind {
	case Moment:
		t, err := time.Parse(time.DateTime, want)
		switch {
		case err != nil:
		case slices.Contains([]string{"utc", "milliseconds", "zulu", "offset"}, j.dialect.moments):
			return []string{want, t.Add(time.Hour).Format(time.DateTime)} // as the agency's clocks showed it
		case j.dialect.moments == "month-first" && t.Day() <= 12 && j.reported("dates-ambiguous"):
			swapped := time.Date(
				t.Year(), time.Month(t.Day()), int(t.Month()), t.Hour(), t.Minute(), t.Second(), 0, time.UTC,
			)
			return []string{want, swapped.Format(time.DateTime)}
		}
	case Text:
		all := []string{want, strings.TrimSpace(want)}
		if j.dialect.encoding == "windows-1252" {
			all = append(all, asWindows1252(want), strings.TrimSpace(asWindows1252(want)))
		}
		if j.dialect.quoting == "php" { // its readers differ in whether the backslash is part of the text
			all = append(all, strings.ReplaceAll(want, `\"`, `"`))
		}
		if j.dialect.quoting == "mysql" { // a doubled backslash alone does not say that backslashes escape
			all = append(all, strings.ReplaceAll(want, `\`, `\\`))
			if j.reported("^quoting-ambiguous") { // PHP's rule explains the file as well
				all = append(all, strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(want))
			}
		}
		return all
	}
	return []string{want}
}

func (j *judge) reported(pattern string) bool {
	rx := regexp.MustCompile(pattern)
	return slices.ContainsFunc(
		j.o.Findings, func(f Finding) bool { return rx.MatchString(f.Code + " " + f.Detail) },
	)
}

var alarm = regexp.MustCompile(`^((attachment|cv|table|part)-missing|.*damaged.*|locked.*|file-unavailabl` +
	`e|error-page|empty-file|` +
	`size-mismatch|reference-dangling|duplicate-.*)$`)

// alarms asks that what is missing or damaged is reported, and nothing else.
func (j *judge) alarms() {
	damaged := slices.ContainsFunc(j.truth.Documents, func(d *Document) bool { return d.Damaged }) ||
		// perhaps behind the last document
		slices.ContainsFunc(j.w.made, func(name string) bool { return strings.HasSuffix(name, "-cut-off") })
	j.missing("attachment-missing", j.truth.Missing, damaged)
	j.missing("cv-missing", j.truth.NoCV, damaged)
	if j.truth.Absent != "" && !j.reported("^table-missing .*") {
		j.violation("missing without a word: table %s", j.truth.Absent)
	}
	for _, f := range j.o.Findings {
		if f.Severity == "info" || !alarm.MatchString(f.Code) || strings.HasPrefix(f.Code, "attachment-") ||
			strings.HasPrefix(f.Code, "cv-") {
			continue
		}
		if !damaged && !(f.Code == "part-missing" && j.truth.NoPart != "") &&
			!(f.Code == "table-missing" && j.truth.Absent+j.truth.ZeroBytes != "") {
			j.violation("false alarm: %s: %s", f.Code, f.Detail)
		}
	}
	if bad := j.o.bad(); len(bad) > 0 && !j.w.mayWarn() {
		j.violation("false alarm: nothing in this world deserves %v", bad)
	}
}

// missing compares the records of findings with those that the vendor left something out of. What is damaged
// may count as missing too.
func (j *judge) missing(code string, want []string, damaged bool) {
	var got []string
	for _, f := range j.o.Findings {
		if f.Code == code && f.Severity != "info" {
			got = append(got, f.RecordID)
		}
	}
	for _, id := range want {
		if !slices.Contains(got, id) && !j.reported("ambiguous|unclear|part-missing") {
			j.violation("missing without a word: %s of %s", code, id)
		}
	}
	for _, id := range got {
		if id != "" && !slices.Contains(want, id) && !damaged {
			// without an id it says how many of several are missing
			j.violation("false alarm: %s of %s", code, id)
		}
	}
}

// mayWarn reports whether something in the world is odd enough for a warning.
func (w *World) mayWarn() bool {
	return slices.ContainsFunc(w.made, func(name string) bool {
		for _, s := range []string{"=joined", "=shifted", "=prefixed", "=renamed-local", "=nested", "=php",
			"=mysql", "=thousands", "=day-first",
			"=title", "-repeated", "-encrypted", "duplicate-", "many-", "renamed-file", "year-folder",
			"=numbers", "no-", "missing-", "damaged", "-cut-off", "=split", "rot-", "=html", "weak", "edge",
			"gzip", "=padded", "absent-", "empty-table", "zero-bytes", "split-", "unknown-", "codes=",
			"month-first", "ends=", "entry-names=cp437", "entry-names=windows-1252"} {
			if strings.Contains(name, s) {
				return true
			}
		}
		return false
	})
}

// Leaks names files under root that hold a secret of the world's links.
func (w *World) Leaks(root string) []string { return leaks(root, w.Secrets()) }
