package exportsim

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // the platform's local time must not depend on the machine

	"holdall/internal/digest"
	"holdall/schemas"
)

// A date is a day without a time.
type date time.Time

// money is an amount in whole units, written with two decimals.
type money int

// custom is a column that a customer of the platform added; two of the same heading as a known one occur in
// real exports.
type custom struct{ title, camel, snake string }

func (c custom) heading(d schemas.Dialect) string {
	switch d {
	case schemas.Camel:
		return c.camel
	case schemas.Snake:
		return c.snake
	}
	return c.title
}

// customColumns are the columns after the known ones, by table.
var customColumns = map[string][]custom{
	"candidates": {
		{"Gender", "gender", "gender"}, {"Date of Birth", "dateOfBirth", "date_of_birth"},
		{"Nationality", "nationality", "nationality"},
		{"Current Job Title", "currentJobTitle", "current_job_title"},
		{"Current Salary", "currentSalary", "current_salary"},
		{"Old Candidate ID", "oldCandidateId", "old_candidate_id"},
		{"University Degree", "universityDegree", "university_degree"},
		{"Annual Leave Days", "annualLeaveDays", "annual_leave_days"},
		{"Employer Before", "employerBefore", "employer_before"},
	},
	"companies": {{"Credit Limit Checked By", "creditLimitCheckedBy", "credit_limit_checked_by"}},
}

// csvFile is one of the ten CSVs in the making.
type csvFile struct {
	table   string
	file    string
	dialect schemas.Dialect
	local   *time.Location
	at      map[string]int // cell of each known column
	known   int            // columns of the schema
	cells   []string       // of the record in the making
	rows    int

	f   *os.File
	w   *bufio.Writer
	sum *digest.Writer
}

func createCSV(path string, t schemas.Table, d schemas.Dialect) (*csvFile, error) {
	local, err := time.LoadLocation("Europe/London")
	if err != nil {
		return nil, err
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	c := &csvFile{
		table: t.Name, file: t.File, dialect: d, local: local, at: map[string]int{}, known: len(t.Columns),
		f: f, w: bufio.NewWriterSize(f, 1<<16), sum: digest.NewWriter(),
	}
	var headings []string
	for i, col := range t.Columns {
		c.at[col.Name] = i
		headings = append(headings, col.HeadingIn(d))
	}
	for _, col := range customColumns[t.Name] {
		headings = append(headings, col.heading(d))
	}
	c.cells = make([]string, len(headings))
	if d == schemas.Title { // as spreadsheets write it
		c.write("\ufeff")
	}
	return c, c.writeRecord(headings)
}

// put sets a cell of the record in the making, in the dialect's way of writing its type. An unknown column is
// a bug here.
func (c *csvFile) put(column string, v any) {
	i, ok := c.at[column]
	if !ok {
		panic("exportsim: " + c.table + " has no column " + column)
	}
	c.cells[i] = c.format(v)
}

// putCustom sets the custom cells of the record.
func (c *csvFile) putCustom(values ...any) {
	for i, v := range values {
		c.cells[c.known+i] = c.format(v)
	}
}

// end writes the record and starts an empty one.
func (c *csvFile) end() error {
	c.rows++
	err := c.writeRecord(c.cells)
	clear(c.cells)
	return err
}

func (c *csvFile) format(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case int:
		return strconv.Itoa(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case money:
		return strconv.Itoa(int(v)) + ".00"
	case bool:
		return c.boolean(v)
	case time.Time:
		return c.moment(v)
	case date:
		return c.day(v)
	case []string:
		return c.list(v)
	}
	panic(fmt.Sprintf("exportsim: no way to write a %T", v))
}

func (c *csvFile) boolean(v bool) string {
	switch {
	case c.dialect == schemas.Title && v:
		return "Yes"
	case c.dialect == schemas.Title:
		return "No"
	}
	return strconv.FormatBool(v)
}

// moment writes a time: local dd/mm/yyyy in title, ISO with Z in camel, epoch milliseconds in snake except
// for the audit log, which has local ISO without a zone.
func (c *csvFile) moment(t time.Time) string {
	switch {
	case t.IsZero():
		return ""
	case c.dialect == schemas.Title:
		return t.In(c.local).Format("02/01/2006 15:04:05")
	case c.dialect == schemas.Camel:
		return t.UTC().Format("2006-01-02T15:04:05Z")
	case c.table == "audit_logs":
		return t.In(c.local).Format("2006-01-02T15:04:05")
	}
	return strconv.FormatInt(t.UnixMilli(), 10)
}

func (c *csvFile) day(d date) string {
	t := time.Time(d)
	switch {
	case t.IsZero():
		return ""
	case c.dialect == schemas.Title:
		return t.Format("02/01/2006")
	}
	return t.Format(time.DateOnly)
}

func (c *csvFile) list(v []string) string {
	switch {
	case len(v) == 0:
		return ""
	case c.dialect == schemas.Title:
		return strings.Join(v, "; ")
	case c.dialect == schemas.Snake:
		return strings.Join(v, ",")
	}
	b, _ := json.Marshal(v)
	return string(b)
}

// writeRecord quotes by RFC 4180. Records end as the dialect's origin ends them: CRLF in a spreadsheet's
// file, else LF.
func (c *csvFile) writeRecord(cells []string) error {
	for i, s := range cells {
		if i > 0 {
			c.write(",")
		}
		if strings.ContainsAny(s, ",\"\r\n;") || strings.HasPrefix(s, " ") || strings.HasSuffix(s, " ") {
			s = `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
		}
		c.write(s)
	}
	if c.dialect == schemas.Title {
		return c.write("\r\n")
	}
	return c.write("\n")
}

// write also hashes; a write error stays in the bufio.Writer until Flush.
func (c *csvFile) write(s string) error {
	c.sum.Write([]byte(s))
	_, err := c.w.WriteString(s)
	return err
}

// finish closes the file and says what it holds.
func (c *csvFile) finish() (TableTruth, error) {
	if err := c.w.Flush(); err != nil {
		return TableTruth{}, err
	}
	return TableTruth{File: c.file, Rows: c.rows, Size: c.sum.Size(), SHA256: c.sum.Sum()}, c.f.Close()
}
