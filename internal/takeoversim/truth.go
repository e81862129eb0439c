package takeoversim

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// A Kind says how the cells of a column are compared.
type Kind int

// The kinds of columns.
const (
	Text Kind = iota
	Money
	Whole
	Moment
	Flag
)

// A Column is one column of a table: its heading in words, and its name in the typed table.
type Column struct {
	Heading, Name string
	Kind          Kind
}

// A Table is one of the ten CSVs. Cells are in their plainest form: 1234.50, 2024-01-15 09:30:00, true.
type Table struct {
	File, Name string
	Columns    []Column
	Rows       [][]string
}

// A Document is a file of the attachments or CVs.
type Document struct {
	Part    string // attachments, cvs
	Entry   string // its name in the container or listing
	Content []byte
	Owner   string // id of the record it belongs to
	Row     string // id of its row in Attachments, or ""
	Certain bool   // the export says who the owner is: a number that looks like a year does not say it
	Damaged bool   // the vendor holds it in a damaged form
}

// Truth is what an export holds.
type Truth struct {
	Tables    []Table
	Documents []*Document
	Missing   []string // ids of rows in Attachments whose files the vendor left out
	NoCV      []string // ids of candidates who have a CV that the vendor left out
	NoPart    string   // the part that the master CSV has no link for, or ""
	Absent    string   // the table that the vendor left out, or ""
	ZeroBytes string   // the table whose file has no headings either, or ""
}

func (t *Truth) table(name string) *Table {
	for i := range t.Tables {
		if t.Tables[i].Name == name {
			return &t.Tables[i]
		}
	}
	return nil
}

var firstNames = []string{"Marta", "Colm", "Sanae", "Björn", "Ewa", "Noor", "Łukasz", "Imogen"}
var lastNames = []string{
	"Quill", "Harrowgate", "Ōtani", "Sandvik", "Zieliński", "van der Meer", "O'Brolin", "Tansley",
}

// notes are cells that programs have been known to write or read wrongly.
var notes = []string{
	"", "", "plain", "likes, commas", "two\nlines", "a \"quoted\" word", "ends with a backslash \\",
	"semi;colon", " blanks ",
	"<p>HTML &amp; more</p>", "=SUM(A1:A3)", "tab\tinside", "5\" pipe", "ünïcödé ✓", "'single'",
	"C:\\temp\\new", "-", "NULL",
	"\"all of it\"", "first\r\nsecond", "a, \"b\", c", "said \\\"no\\\"",
}

// invention makes the truth of one export. Generation numbers exports of the same account: the second has
// other content.
type invention struct {
	*Choices
	generation int
	ids        string // style of ids
	people     int
}

func (v *invention) name(what string) string {
	return fmt.Sprintf("%s of export %d", what, v.generation)
}

func (v *invention) rng(what string) *rand.Rand { return v.random(v.name(what)) }

// id returns the n-th id of a kind of records, in the style of this world.
func (v *invention) id(kind string, n int) string {
	r := v.random(fmt.Sprintf("id %s %d", kind, n))
	switch v.ids {
	case "uuid":
		return fmt.Sprintf(
			"%08x-%04x-4%03x-a%03x-%012x", r.Uint32(), r.IntN(1<<16), r.IntN(1<<12), r.IntN(1<<12),
			r.Int64N(1<<48),
		)
	case "numbers":
		return fmt.Sprint(map[string]int{"user": 10, "candidate": 2015, "attachment": 88120}[kind] + n)
	}
	return fmt.Sprintf("larc%016x%016x", r.Uint64(), r.Uint64())
}

func invent(c *Choices, generation int) *Truth {
	v := &invention{Choices: c, generation: generation}
	v.ids = c.pick("ids", 0.3, "vendor", "uuid", "numbers")
	v.people = c.number("people", 1, len(firstNames))
	t := &Truth{Tables: v.tables()}
	v.documents(t)
	v.drift(t)
	return t
}

func (v *invention) moment(what string, n int) string {
	r := v.random(fmt.Sprintf("moment %s %d", what, n))
	return time.Date(2019+r.IntN(6), time.Month(1+r.IntN(12)), 1+
		r.IntN(28), r.IntN(24), r.IntN(60), r.IntN(60), 0, time.UTC).Format(time.DateTime)
}

func (v *invention) tables() []Table {
	user := v.id("user", 0)
	return append(v.organisations(user), v.work(user)...)
}

// organisations invents the people, and whom they work for.
func (v *invention) organisations(user string) []Table {
	return []Table{
		v.candidates(user),
		{File: "Users.csv", Name: "users",
			Columns: columns(
				"User Id", "user_id", "Full Name", "full_name", "Email", "email", "@Created On", "created_on",
			),
			Rows: [][]string{{user, "Hedda Maple", "hedda@larchbrook.example", v.moment("user", 0)}}},
		{File: "Companies.csv", Name: "companies",
			Columns: columns("Company Id", "company_id", "Reference", "reference", "Company Name", "name",
				"#Employees", "employees", "Parent Company Id", "parent_company_id", "Owner Id", "owner_id",
				"@Created On", "created_on"),
			Rows: [][]string{{
				"larcCO77", "CY-7", "Alder, Ash & Sons", "1250", "", user, v.moment("company", 0),
			}}},
		{File: "Contacts.csv", Name: "contacts",
			Columns: columns("Contact Id", "contact_id", "Reference", "reference", "First Name", "first_name",
				"Surname", "surname", "Company Id", "company_id", "Owner Id", "owner_id", "@Created On",
				"created_on"),
			Rows: [][]string{{
				"larcCT31", "CT-3", "Ines", "Alder", "larcCO77", user, v.moment("contact", 0),
			}}},
	}
}

// work invents the jobs, and what was done about them.
func (v *invention) work(user string) []Table {
	return []Table{
		{File: "Jobs.csv", Name: "jobs",
			Columns: columns("Job Id", "job_id", "Reference", "reference", "Job Title", "title", "Status",
				"status",
				"$Min Pay", "min_pay", "Company Id", "company_id", "Contact Id", "contact_id", "Owner Id",
				"owner_id", "@Created On", "created_on"),
			Rows: [][]string{{
				"larcJB12", "JB-1", "Pipe fitter", "OPEN", "31250.50", "larcCO77", "larcCT31", user,
				v.moment("job", 0),
			}}},
		{File: "Job_Pipelines.csv", Name: "job_pipelines",
			Columns: columns("Pipeline Id", "pipeline_id", "Job Id", "job_id", "Candidate Id", "candidate_id",
				"Company Id", "company_id", "Contact Id", "contact_id", "Status Code", "status_code",
				"Owner Id", "owner_id",
				"Candidate Owner Id", "candidate_owner_id", "Job Owner Id", "job_owner_id", "@Created On",
				"created_on"),
			Rows: [][]string{{
				"larcPP1", "larcJB12", v.id("candidate", 0), "larcCO77", "larcCT31", "APPLIED", user, user,
				user, v.moment("pipeline", 0),
			}}},
		{File: "Tasks.csv", Name: "tasks",
			Columns: columns("Task Id", "task_id", "Subject", "subject", "Status", "status",
				"Assigned By Id", "assigned_by_id",
				"Assigned To Id", "assigned_to_id", "Linked Records", "linked_records", "@Created On",
				"created_on"),
			Rows: [][]string{{"larcTK1", "Ring back", "TODO", user, user, "", v.moment("task", 0)}}},
		{File: "Folder_Records.csv", Name: "folder_records",
			Columns: columns("Id", "folder_record_id", "Folder Id", "folder_id", "Folder Name", "folder_name",
				"Record Id", "record_id", "Record Type", "record_type", "@Added On", "created_on"),
			Rows: [][]string{{
				"larcFR1", "F1", "Warm", v.id("candidate", 0), "CANDIDATE", v.moment("folder", 0),
			}}},
		{File: "Audit_Logs.csv", Name: "audit_logs",
			Columns: columns("Id", "audit_id", "@Date", "event_time", "User Id", "actor_id", "User",
				"actor_name",
				"Activity Type", "action", "Record Type", "entity_type", "Record Id", "entity_id"),
			Rows: [][]string{{
				"1", v.moment("audit", 0), user, "Hedda Maple", "CREATE", "CANDIDATE", v.id("candidate", 0),
			}}},
	}
}

// columns reads pairs of heading and name; $, # and @ in front of a heading mark money, whole numbers and
// moments, ? a flag.
func columns(pairs ...string) []Column {
	var all []Column
	kinds := map[byte]Kind{'$': Money, '#': Whole, '@': Moment, '?': Flag}
	for i := 0; i < len(pairs); i += 2 {
		c := Column{Heading: pairs[i], Name: pairs[i+1]}
		if k, ok := kinds[c.Heading[0]]; ok {
			c.Kind, c.Heading = k, c.Heading[1:]
		}
		all = append(all, c)
	}
	return all
}

func (v *invention) candidates(user string) Table {
	t := Table{File: "Candidates.csv", Name: "candidates",
		Columns: columns("Candidate Id", "candidate_id", "Reference", "reference",
			"First Name", "first_name", "Surname", "surname", "Email", "email", "Mobile", "mobile",
			"$Current Salary", "current_salary",
			"?Has CV", "has_cv", "Internal Note", "internal_note", "Owner Id", "owner_id", "@Created On",
			"created_on")}
	r := v.rng("candidates")
	for i := range v.people {
		mobile := fmt.Sprintf("07700 900%03d", i)
		if i%3 == 1 {
			mobile = fmt.Sprintf("+44 7700 900%03d", i)
		}
		t.Rows = append(t.Rows,
			[]string{v.id("candidate", i), fmt.Sprintf("CA-%d", 2301+i), firstNames[i], lastNames[i],
				fmt.Sprintf("%d.person@mail.example", i), mobile,
				fmt.Sprintf("%d.%02d", 18000+r.IntN(90)*500, []int{0, 0, 50}[r.IntN(3)]),
				"true", notes[r.IntN(len(notes))], user, v.moment("candidate", i)})
	}
	return t
}

// content invents a document's bytes, unlike those of all others.
func (v *invention) content(what string, big bool) []byte {
	r := v.rng("content " + what)
	size := 200 + r.IntN(3000)
	if big {
		size = 700_000 + r.IntN(600_000)
	}
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return append([]byte(fmt.Sprintf("%%PDF-1.4\n%% %s\n", v.name(what))), b...)
}

// maxBig is how many attachments are big at most: more would find nothing more, and take long.
const maxBig = 8

// documents invents the attachments, their table, and the CVs.
func (v *invention) documents(t *Truth) {
	people := t.table("candidates")
	naming := v.pick("attachment-names", 0.5, "owner-folder", "attachment-id", "flat", "year-folder")
	big := v.odd("big-documents", 0.25)
	table := Table{File: "Attachments.csv", Name: "attachments",
		Columns: columns("Attachment Id", "attachment_id", "Record Id", "record_id",
			"Record Type", "record_type", "File Name", "file_name", "File Path", "file_path", "#File Size",
			"file_size", "@Created On", "created_on")}
	n := v.number(v.name("attachments"), 1, 7)
	if v.odd("no-attachments", 0.05) {
		n = 0
	}
	if v.odd("many-files", 0.03) {
		n = v.number(v.name("many"), 40, 150)
	}
	for i := range n {
		row, d := v.attachment(t, i, naming, big && i < maxBig)
		table.Rows = append(table.Rows, row)
		if d != nil {
			t.Documents = append(t.Documents, d)
		}
	}
	t.Tables = append(t.Tables, table)
	v.cvs(t, people, big)
	if v.ids == "numbers" {
		for _, d := range t.Documents {
			d.Certain = false
		}
	}
	v.rename(t)
	v.leaveOut(t)
}

// attachment invents the i-th attachment and its row; the document is nil where the export lacks its file.
func (v *invention) attachment(t *Truth, i int, naming string, big bool) (row []string, d *Document) {
	people := t.table("candidates")
	person, kind := people.Rows[i%len(people.Rows)], "CANDIDATE"
	if v.odd(fmt.Sprint("company-file-", i), 0.1) {
		person, kind = t.table("companies").Rows[0], "COMPANY"
	}
	file := fmt.Sprintf(
		"%s %d.pdf", []string{"letter", "offer_letter", "Zeugnis", "ID scan", "réf"}[i%5], i,
	)
	id := v.id("attachment", i)
	d = &Document{
		Part: "attachments", Content: v.content(fmt.Sprintf("attachment %d", i), big),
		Owner: person[0], Row: id, Certain: true,
	}
	if last := len(t.Documents) - 1; last >= 0 && v.odd(fmt.Sprint("duplicate-", i), 0.04) {
		d.Content = t.Documents[last].Content
	}
	size, path := len(d.Content), person[0]+"/"+file
	switch naming {
	case "attachment-id":
		path = id + "/" + file
	case "flat":
		path = file
	case "year-folder":
		path = fmt.Sprintf("%d/%s", 2016+i, file)
	}
	d.Entry = path
	if v.odd(fmt.Sprint("missing-file-", i), 0.02) {
		t.Missing = append(t.Missing, id)
		d = nil
	}
	return []string{id, person[0], kind, file, path, fmt.Sprint(size), v.moment("attachment", i)}, d
}

// leaveOut takes a part away from the master CSV.
func (v *invention) leaveOut(t *Truth) {
	if t.NoPart = v.pick("no-link", 0.04, "", "attachments", "cvs"); t.NoPart == "" {
		return
	}
	kept := t.Documents[:0]
	for _, d := range t.Documents {
		switch {
		case d.Part != t.NoPart:
			kept = append(kept, d)
		case d.Part == "attachments":
			t.Missing = append(t.Missing, d.Row)
		default:
			t.NoCV = append(t.NoCV, d.Owner)
		}
	}
	t.Documents = kept
}

func (v *invention) cvs(t *Truth, people *Table, big bool) {
	naming := v.pick("cv-names", 0.5, "reference", "id", "person", "folder")
	none := v.odd("no-cvs", 0.05)
	hasCV := 7
	for i, p := range people.Rows {
		if none {
			p[hasCV] = "false"
			continue
		}
		if v.odd(fmt.Sprint("missing-cv-", i), 0.02) {
			t.NoCV = append(t.NoCV, p[0])
			continue
		}
		d := &Document{
			Part: "cvs", Content: v.content(fmt.Sprintf("CV %d", i), big && i == 0), Owner: p[0],
			Certain: true,
		}
		switch naming {
		case "reference":
			d.Entry = fmt.Sprintf("%s %s %s.pdf", p[1], p[2], strings.ReplaceAll(p[3], "/", ""))
		case "id":
			d.Entry = p[0] + ".pdf"
		case "person":
			d.Entry = fmt.Sprintf("%s %s.pdf", p[2], p[3])
		case "folder":
			d.Entry = fmt.Sprintf("CVs/%s/cv.pdf", p[1])
		}
		t.Documents = append(t.Documents, d)
	}
}

// rename gives one attachment another name than its row has, as exporters do.
func (v *invention) rename(t *Truth) {
	if len(t.Documents) == 0 || t.Documents[0].Part != "attachments" || !v.odd("renamed-file", 0.1) {
		return
	}
	d := t.Documents[0]
	dir, file := "", d.Entry
	if i := strings.LastIndex(d.Entry, "/"); i >= 0 {
		dir, file = d.Entry[:i+1], d.Entry[i+1:]
	}
	switch v.number("renaming", 0, 3) {
	case 0:
		file = strings.ReplaceAll(file, " ", "_")
	case 1:
		file = strings.ReplaceAll(file, " ", "%20")
	case 2:
		file = strings.Replace(file, ".pdf", " (1).pdf", 1)
	case 3:
		file = strings.ToUpper(file)
	}
	d.Entry, d.Certain = dir+file, false
}
