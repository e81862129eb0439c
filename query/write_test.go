package query

import (
	"archive/zip"
	"bytes"
	"context"
	"database/sql"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"holdall/internal/testneed"
)

// written returns the result of a query in a format.
func written(t testing.TB, d *DB, query string, f Format, limit int64) (string, int64, bool) {
	t.Helper()
	rows, err := d.Query(context.Background(), query, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var out bytes.Buffer
	done, err := Write(&out, rows, WriteOptions{Format: f, Limit: limit})
	if err != nil {
		t.Fatal(err)
	}
	return out.String(), done.Rows, done.Cut
}

const everyKind = `select 'a"b,c' || chr(10) || 'd' || chr(9) || '|' as "te,xt", 1.50::decimal(18,2) as money, 12345678901234567890::hugeint as big, true as flag,
	['x;y', 'z'] as list, {'k': 1} as struct, '{"b": [1, 2]}'::json as doc, date '2026-01-02' as d, timestamp '2026-01-02 03:04:05.5' as ts, null as nothing, '' as empty, 'nan'::double as f
	union all select 'ü', 0, -1, false, [], {'k': null}, 'null'::json, null, null, null, null, 2.5 order by 2 desc`

func TestWrite(t *testing.T) {
	t.Parallel()
	d, _ := smallDB(t)
	for format, want := range map[Format]string{
		TSV: "te,xt\tmoney\tbig\tflag\tlist\tstruct\tdoc\td\tts\tnothing\tempty\tf\n" +
			`a"b,c\nd\t|` + "\t1.50\t12345678901234567890\ttrue\t[\"x;y\",\"z\"]\t{\"k\":1}\t{\"b\": [1, " +
			"2]}\t2026-01-02\t2026-01-02 03:04:05.5\t\t\tnan\n" +
			"ü\t0.00\t-1\tfalse\t[]\t{\"k\":null}\tnull\t\t\t\t\t2.5\n",
		CSV: "\"te,xt\",money,big,flag,list,struct,doc,d,ts,nothing,empty,f\n" +
			"\"a\"\"b,c\nd\t|\",1.50,12345678901234567890,true,\"[\"\"x;y\"\",\"\"z\"\"]\"," +
			"\"{\"\"k\"\":1}\",\"{\"\"b\"\": [1, 2]}\",2026-01-02,2026-01-02 03:04:05.5,,\"\",nan\n" +
			"ü,0.00,-1,false,[],\"{\"\"k\"\":null}\",null,,,,,2.5\n",
		JSONL: `{"te,xt":"a\"b,c\nd\t|","money":1.50,"big":12345678901234567890,"flag":true,"list":["x;` +
			`y","z"],"struct":{"k":1},"doc":{"b": [1, 2]},"d":"2026-01-02","ts":"2026-01-02T03:04:05.5",` +
			`"nothing":null,"empty":"","f":"NaN"}` + "\n" +
			`{"te,xt":"ü","money":0.00,"big":-1,"flag":false,"list":[],"struct":{"k":null},"doc":null,` +
			`"d":null,"ts":null,"nothing":null,"empty":null,"f":2.5}` + "\n",
		Markdown: "| te,xt | money | big | flag | list | struct | doc | d | ts | nothing | empty | f |\n" +
			"| --- | ---: | ---: | --- | --- | --- | --- | --- | --- | ---: | --- | ---: |\n" +
			"| a\"b,c<br>d\t\\| | 1.50 | 12345678901234567890 | true | [x;y, z] | {'k': 1} | {\"b\": [1, " +
			"2]} | 2026-01-02 | 2026-01-02 03:04:05.5 | NULL |  | nan |\n" +
			"| ü | 0.00 | -1 | false | [] | {'k': NULL} | null | NULL | NULL | NULL | NULL | 2.5 |\n",
	} {
		t.Run(string(format), func(t *testing.T) {
			got, n, cut := written(t, d, everyKind, format, 0)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			if n != 2 || cut {
				t.Errorf("wrote %d rows, cut %t", n, cut)
			}
		})
	}
}

func TestWriteIsReadByOthers(t *testing.T) {
	t.Parallel()
	d, _ := smallDB(t)
	text, _, _ := written(t, d, everyKind, JSON, 0)
	var rows []map[string]any
	if err := json.Unmarshal([]byte(text), &rows); err != nil || len(rows) != 2 {
		t.Errorf("JSON: %d rows, %v", len(rows), err)
	}
	text, _, _ = written(t, d, everyKind, CSV, 0)
	if rows, err := csv.NewReader(strings.NewReader(text)).ReadAll(); err != nil || len(rows) != 3 ||
		len(rows[0]) != 12 {
		t.Errorf("CSV: %q, %v", rows, err)
	}
	for _, f := range []Format{JSON, JSONL, CSV, TSV, Markdown, Table, XLSX} {
		if text, n, _ := written(t, d, "select 1 as a where false", f, 0); n != 0 || text == "" &&
			f != JSONL {
			t.Errorf("%s of no rows: %q", f, text)
		}
	}
}

func TestWriteTable(t *testing.T) {
	t.Parallel()
	d, _ := smallDB(t)
	got, _, _ := written(
		t, d,
		`select * from (values ('李伟', 5, null), ('a' || chr(10) || chr(27) || '[31m', 1000, 'x')) as `+
			`t(name, n, last)`,
		Table, 0,
	)
	want := "name        n  last\n" +
		"───────  ────  ────\n" +
		"李伟        5  NULL\n" +
		"a⏎·[31m  1000  x\n"
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	got, n, _ := written(t, d, "select range as r, repeat('x', 100) as long from range(3000)", Table, 0)
	if lines := strings.Split(got, "\n"); n != 3000 || len(lines) != 3003 ||
		!strings.HasSuffix(lines[2], strings.Repeat("x", 59)+"…") {
		t.Errorf("%d rows, %d lines, %q", n, len(lines), lines[2])
	}
}

func TestWriteTellsACut(t *testing.T) {
	t.Parallel()
	d, _ := smallDB(t)
	for limit, want := range map[int64]bool{1: true, 2: true, 3: false, 4: false, 0: false} {
		_, n, cut := written(t, d, "from candidates", TSV, limit)
		if cut != want || n != min(3, max(limit, 3*map[bool]int64{true: 1}[limit == 0])) {
			t.Errorf("limit %d: %d rows, cut %t", limit, n, cut)
		}
	}
}

func TestWriteReadsBeyondOnePiece(t *testing.T) {
	t.Parallel()
	d, _ := smallDB(t)
	got, n, _ := written(t, d, "select range as r from range(20000) order by r desc", TSV, 0)
	if n != 20000 || !strings.HasPrefix(got, "r\n19999\n19998\n") || !strings.HasSuffix(got, "\n1\n0\n") {
		t.Errorf("%d rows: %.30q", n, got)
	}
}

// readXLSX prints a workbook's cells, as Python knows them, a JSON array a row.
const readXLSX = `
import sys, json, openpyxl
book = openpyxl.load_workbook(sys.argv[1])
for sheet in book:
    for row in sheet.iter_rows():
        print(json.dumps([[c.data_type, str(c.value)] for c in row]))
`

func TestXLSXIsReadByOthers(t *testing.T) {
	t.Parallel()
	python := testneed.Command(t, "python3", "Debian python3")
	if err := exec.Command(python, "-c", "import openpyxl").Run(); err != nil {
		testneed.Missing(t, "the module openpyxl (from PyPI openpyxl) is not installed")
	}
	d, _ := smallDB(t)
	got, _, _ := written(t, d,
		`select '007' as id, 5.25 as n, 1234567890123456789 as big, true as yes, date '2026-01-02' as d, timestamp '2026-01-02 12:00:00' as ts,
		null as nothing, '=1+1' as formula, 'a' || chr(1) || '<&_x0041_' || chr(10) || 'b' as odd, repeat('ü', 40000) as long, date '1890-01-01' as old`, XLSX, 0)
	path := filepath.Join(t.TempDir(), "result.xlsx")
	writeFile(t, path, []byte(got))
	out, err := exec.Command(python, "-W", "error", "-c", readXLSX, path).CombinedOutput()
	if err != nil {
		t.Fatalf("openpyxl: %v\n%s", err, out)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) != 2 {
		t.Fatalf("%d rows", len(lines))
	}
	var row [][2]string
	if err := json.Unmarshal([]byte(lines[1]), &row); err != nil {
		t.Fatal(err)
	}
	long := row[9][1]
	row[9][1] = ""
	want := [][2]string{{"s", "007"}, {"n", "5.25"}, {"s", "1234567890123456789"}, {"b", "True"},
		{"d", "2026-01-02 00:00:00"}, {"d", "2026-01-02 12:00:00"},
		// openpyxl leaves Excel's escapes as they are
		{"n", "None"}, {"s", "=1+1"}, {"s", "a_x0001_<&_x005F_x0041_\nb"}, {"s", ""}, {"s", "1890-01-01"}}
	if d := cmp.Diff(want, row); d != "" {
		t.Error(d)
	}
	if len([]rune(long)) > cellText || !strings.HasSuffix(
		long, "[cut: 40000 characters do not fit into a cell]",
	) {
		t.Errorf("the long cell has %d characters and ends %q", len(long), long[max(0, len(long)-60):])
	}
}

func TestXLSXGoesOnInFurtherSheets(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	b := NewWorkbook(&out)
	done := Written{}
	o := &sheetOutput{book: b, name: "Result", done: &done}
	if err := o.begin([]string{"n"}, []string{"BIGINT"}); err != nil {
		t.Fatal(err)
	}
	o.rows = sheetRows - 1
	for _, n := range []string{"1", "2", "3"} {
		if err := o.row([]sql.NullString{{String: n, Valid: true}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(o.end(), b.Close()); err != nil {
		t.Fatal(err)
	}
	z, err := zip.NewReader(bytes.NewReader(out.Bytes()), int64(out.Len()))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"xl/worksheets/sheet1.xml": `<sheetData><row><c t="inlineStr"><is><t ` +
			`xml:space="preserve">n</t></is></c></row><row><c><v>1</v></c></row></sheetData>`,
		"xl/worksheets/sheet2.xml": `<sheetData><row><c t="inlineStr"><is><t ` +
			`xml:space="preserve">n</t></is></c></row><row><c><v>2</v></c></row><row><c><v>3</v></c></row></sheetData>`,
		"xl/workbook.xml": `<sheet name="Result 2" sheetId="2" r:id="rId2"/>`,
	} {
		f, err := z.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(f)
		if err != nil || !strings.Contains(string(got), want) {
			t.Errorf("%s: %v\n%s", name, err, got)
		}
	}
}

func TestQueryParquet(t *testing.T) {
	t.Parallel()
	d, _ := smallDB(t)
	path := t.TempDir() + "/x.parquet"
	for range 2 { // the second time over the leavings of the first
		var out bytes.Buffer
		done, err := d.QueryParquet(
			context.Background(), &out,
			"select candidate_id, skills, $x as x from candidates order by 1 desc -- all",
			map[string]string{"x": "y"}, 2,
		)
		if err != nil || done.Rows != 2 || !done.Cut {
			t.Fatalf("%+v, %v", done, err)
		}
		writeFile(t, path, out.Bytes())
	}
	if n, err := CountParquet(context.Background(), path); n != 2 || err != nil {
		t.Errorf("counted %d rows, %v", n, err)
	}
	b, _ := build(t, BuildOptions{})
	got := cells(t, b, "select candidate_id, skills::varchar, x from read_parquet("+text(path)+")")
	if d := cmp.Diff([][]string{{"a3", "[x]", "y"}, {"a2", "NULL", "y"}}, got); d != "" {
		t.Error(d)
	}
	for _, attack := range []string{
		"select 1) to '/nowhere/x' (format csv); --", "copy (select 1) to '/nowhere/x'", "explain select 1",
	} {
		if _, err := d.QueryParquet(context.Background(), new(bytes.Buffer), attack, nil, 0); err == nil {
			t.Errorf("%s was run", attack)
		}
	}
	if _, err := CountParquet(context.Background(), "/nowhere/x.parquet"); err == nil {
		t.Error("a file that is not there was counted")
	}
}

// A table that is wider than the terminal has its texts narrowed, and then columns in the middle hidden,
// which is counted. Numbers are never narrowed.
func TestTableFitsTheTerminal(t *testing.T) {
	t.Parallel()
	d, _ := smallDB(t)
	for _, tc := range []struct {
		query string
		width int
		want  string
		hide  int
	}{
		{"select 'abc' as a, 1 as n", 80, "a    n\n───  ─\nabc  1\n", 0},
		{"select repeat('x', 30) as a, 123456789012345 as number, repeat('y', 20) as b", 50,
			"a               number           b\n", 0},
		{
			"select 1 as a, 2 as b, repeat('x', 12) as c, repeat('y', 12) as d, 3 as e", 22,
			"a  b  …  e\n─  ─  …  ─\n1  2  …  3\n", 2,
		},
	} {
		rows, err := d.Query(context.Background(), tc.query, nil)
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		done, err := Write(&out, rows, WriteOptions{Format: Table, Width: tc.width})
		rows.Close()
		for line := range strings.Lines(out.String()) {
			if w := len([]rune(line)) - 1; w > tc.width {
				t.Errorf("%s: a line of %d columns: %s", tc.query, w, line)
			}
		}
		if err != nil || done.Hidden != tc.hide || tc.width != 50 && out.String() != tc.want ||
			!strings.Contains(out.String(), "1") {
			t.Errorf("%s: %+v, %v\n%s", tc.query, done, err, out.String())
		}
		if tc.width == 50 && !strings.Contains(out.String(), "123456789012345") {
			t.Errorf("a number was cut:\n%s", out.String())
		}
	}
	got, _, _ := written(
		t, d,
		"select 1 as id, 'two' || chr(10) || 'lines' as text, null as nothing union all select 2, 'x', "+
			"'y' order by 1",
		Line, 0,
	)
	if want := "     id = 1\n   text = two⏎lines\nnothing = NULL\n\n     id = 2\n   text = x\n" +
		"nothing = y\n"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestComplete(t *testing.T) {
	t.Parallel()
	d, _ := smallDB(t)
	for sql, want := range map[string]Suggestion{
		"select full_n":                         {"full_name", 7},
		"select count(full_n":                   {"full_name", 13},
		"from cand":                             {"candidates", 5},
		"select 'ü', skil":                      {"skills", 13},
		"select full_name from candidates wher": {"where", 33},
		"SELECT FULL_N":                         {"full_name", 7},
	} {
		all, err := d.Complete(context.Background(), sql)
		if err != nil || len(all) == 0 || !strings.EqualFold(all[0].Text, want.Text) ||
			all[0].Start != want.Start {
			t.Errorf("%q: %v, %v; want %v first", sql, all, err, want)
		}
	}
	if all, err := d.Complete(context.Background(), "select '"); err != nil || len(all) > 0 {
		t.Errorf("in an open text: %v, %v", all, err)
	}
}
