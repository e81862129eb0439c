// Package reports reads named reports: files of SQL whose first comment lines say what they answer and what
// they ask for.
//
//	-- title: Fees by month
//	-- description: What was earned in each month,
//	--   by the day of the offer.
//	-- param since = 2020-01-01: Count offers made on this day or later.
//	-- param owner: The ID of a user.
//	select …
//
// A parameter with "= VALUE" may be left out. A report is called what its file is called, without .sql. All
// of the lines may be missing: then the report has no title, and what parameters it has is known only to the
// engine.
package reports

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strings"
	"unicode/utf8"
)

// A Report is a question with a name.
type Report struct {
	Name        string // 01-funnel
	Title       string
	Description string
	Params      []Param
	SQL         string // without the lines that the other fields are from
	Own         bool   // a user's own
}

// A Param is a value that a report asks for, $name in its SQL.
type Param struct {
	Name        string
	Description string
	Default     string
	Optional    bool // it has a default
}

// ErrUnknown means that there is no report of a name.
var ErrUnknown = errors.New("there is no such report")

//go:embed sql/*.sql
var builtIn embed.FS

// BuiltIn returns the reports that are built in, in the order of their names. C3 and C8 look into
// document_text, which is empty in archives of this version.
func BuiltIn() []Report {
	all, err := read(builtIn, "sql")
	if err != nil {
		panic(err) // embedded: cannot fail
	}
	return all
}

// Dir returns the reports in a directory: the files that end in .sql.
func Dir(dir string) ([]Report, error) {
	all, err := read(os.DirFS(dir), ".")
	if err != nil {
		return nil, fmt.Errorf("read the reports in %s: %w", dir, err)
	}
	for i := range all {
		all[i].Own = true
	}
	return all, nil
}

func read(files fs.FS, dir string) ([]Report, error) {
	entries, err := fs.ReadDir(files, dir)
	if err != nil {
		return nil, err
	}
	var all []Report
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".sql")
		if !ok || e.IsDir() || strings.HasPrefix(name, ".") {
			continue
		}
		b, err := fs.ReadFile(files, dir+"/"+e.Name())
		if dir == "." {
			b, err = fs.ReadFile(files, e.Name())
		}
		if err != nil {
			return nil, err
		}
		if !utf8.Valid(b) {
			return nil, fmt.Errorf("%s is not UTF-8", e.Name())
		}
		all = append(all, parse(name, string(b)))
	}
	return all, nil
}

var paramLine = regexp.MustCompile(`^param\s+\$?(\w+)\s*(?:=\s*(.*?)\s*)?:(?:\s+(.*))?$`)

// parse reads a report from the text of its file.
func parse(name, content string) Report {
	r := Report{Name: name}
	content = strings.ReplaceAll(strings.TrimPrefix(content, "\uFEFF"), "\r\n", "\n")
	var field *string // what a line that begins with blanks goes on with
	for {
		line, rest, _ := strings.Cut(content, "\n")
		comment, ok := strings.CutPrefix(strings.TrimSpace(line), "--")
		if !ok {
			break
		}
		text := strings.TrimSpace(comment)
		key, value, _ := strings.Cut(text, ":")
		value = strings.TrimSpace(value)
		param := paramLine.FindStringSubmatch(text)
		switch {
		case field != nil && strings.HasPrefix(comment, "  "):
			*field += " " + text
		case strings.EqualFold(key, "title"):
			r.Title, field = value, &r.Title
		case strings.EqualFold(key, "description"):
			r.Description, field = value, &r.Description
		case param != nil:
			r.Params = append(r.Params, Param{Name: param[1], Default: param[2], Description: param[3],
				Optional: strings.Contains(key, "=")})
			field = &r.Params[len(r.Params)-1].Description
		default:
			field = nil
		}
		content = rest
	}
	r.SQL = strings.TrimSpace(content)
	return r
}

// Merge returns the reports of a program and a user's own, which take the place of those of the same name.
func Merge(programs, own []Report) []Report {
	all := []Report{}
	for _, r := range programs {
		if _, err := exactly(own, r.Name); err != nil {
			all = append(all, r)
		}
	}
	return append(all, own...)
}

// Find returns the report of a name, which may lack its number: funnel is 01-funnel. Others match ErrUnknown.
func Find(all []Report, name string) (Report, error) {
	name = strings.TrimSuffix(name, ".sql")
	if r, err := exactly(all, name); err == nil {
		return r, nil
	}
	for _, r := range all {
		number, rest, ok := strings.Cut(r.Name, "-")
		if ok && (strings.EqualFold(rest, name) || strings.EqualFold(number, name)) {
			return r, nil
		}
	}
	return Report{}, fmt.Errorf("%w as %q", ErrUnknown, name)
}

func exactly(all []Report, name string) (Report, error) {
	for _, r := range all {
		if strings.EqualFold(r.Name, name) {
			return r, nil
		}
	}
	return Report{}, ErrUnknown
}

// Bind returns the values of the report's parameters: those given, else the defaults. missing are those that
// have neither. A report without any described parameter gets all that is given.
func (r Report) Bind(given map[string]string) (values map[string]string, missing []Param) {
	if len(r.Params) == 0 && r.Own {
		return given, nil
	}
	values = map[string]string{}
	for _, p := range r.Params {
		value, ok := given[p.Name]
		switch {
		case ok:
			values[p.Name] = value
		case p.Optional:
			values[p.Name] = p.Default
		default:
			missing = append(missing, p)
		}
	}
	return values, missing
}
