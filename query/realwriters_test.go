package query

import (
	"bytes"
	"encoding/json"
	"errors"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"holdall/internal/testneed"
)

// pythonWriter writes tables with Python's csv in all its settings: an independent writer.
const pythonWriter = `
import csv, io, json, sys
out = []
for w in json.load(sys.stdin):
    b = io.StringIO(newline="")
    c = csv.writer(b, delimiter=w["delim"], lineterminator=w["end"], **w["settings"])
    c.writerow(w["headings"]); c.writerows(w["rows"])
    out.append(b.getvalue())
json.dump(out, sys.stdout)
`

func TestNoCellOfPythonsMoves(t *testing.T) {
	t.Parallel()
	python := testneed.Command(t, "python3", "python3")
	settings := []map[string]any{
		{"quoting": 0}, {"quoting": 1}, {"quoting": 2},
		{"quoting": 1, "doublequote": false, "escapechar": `\`},
		{"quoting": 0, "doublequote": false, "escapechar": `\`},
		{"quoting": 3, "escapechar": `\`, "quotechar": nil}, {"quoting": 1, "quotechar": "'"},
	}
	var worlds []*csvWorld
	var tasks []map[string]any
	for seed := range uint64(140) {
		w := newCSVWorld(seed)
		n := seed % uint64(len(settings))
		w.writer = []string{
			"rfc", "rfc-all", "rfc-all", "python-slash", "python-slash", "python-none", "single",
		}[n]
		w.lossy = w.writer == "python-none"
		w.stray = w.lossy // there is no quote character that it would escape
		end := []string{"\n", "\r\n"}[seed%2]
		worlds = append(worlds, w)
		tasks = append(
			tasks,
			map[string]any{
				"delim": w.delim, "end": end, "settings": settings[n], "headings": w.headings, "rows": w.rows,
			},
		)
	}
	in, err := json.Marshal(tasks)
	if err != nil {
		t.Fatal(err)
	}
	out := outputOf(t, in, python, "-c", pythonWriter)
	var contents []string
	if err := json.Unmarshal(out, &contents); err != nil {
		t.Fatal(err)
	}
	for i, w := range worlds {
		w.content = []byte(contents[i])
		if _, faults := w.check(t); len(faults) > 0 {
			t.Errorf(
				"seed %d, %v, %q: %s", i, tasks[i]["settings"], w.delim,
				strings.Join(faults[:min(2, len(faults))], "\n"),
			)
		}
	}
}

// outputOf runs a program with a standard input, and returns what it writes.
func outputOf(t *testing.T, stdin []byte, program string, args ...string) []byte {
	t.Helper()
	c := exec.Command(program, args...)
	c.Stdin = bytes.NewReader(stdin)
	out, err := c.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("%s: %v: %s", program, err, exit.Stderr)
		}
		t.Fatal(err)
	}
	return out
}

// phpWriter writes tables with fputcsv, each with the delimiter and escape character that its task names.
const phpWriter = `
$out = [];
foreach (json_decode(file_get_contents("php://stdin"), true) as $w) {
	$f = fopen("php://memory", "w+");
	foreach (array_merge([$w["headings"]], $w["rows"]) as $row) fputcsv($f, $row, $w["delim"], '"', $w["escape"]);
	rewind($f);
	$out[] = stream_get_contents($f);
}
echo json_encode($out, JSON_THROW_ON_ERROR);
`

func TestNoCellOfPHPsMoves(t *testing.T) {
	t.Parallel()
	program := testneed.Command(t, "php", "php-cli")
	var worlds []*csvWorld
	var tasks []map[string]any
	for seed := range uint64(120) {
		w := newCSVWorld(seed)
		w.writer, w.lossy, w.stray = "php", true, false
		escape := `\`
		if seed%2 == 1 { // as PHP is told to write RFC 4180
			w.writer, w.lossy, escape = "rfc", false, ""
		}
		worlds = append(worlds, w)
		tasks = append(
			tasks, map[string]any{"delim": w.delim, "escape": escape, "headings": w.headings, "rows": w.rows},
		)
	}
	in, err := json.Marshal(tasks)
	if err != nil {
		t.Fatal(err)
	}
	var contents []string
	if err := json.Unmarshal(outputOf(t, in, program, "-r", phpWriter), &contents); err != nil {
		t.Fatal(err)
	}
	for i, w := range worlds {
		w.content = []byte(contents[i])
		if _, faults := w.check(t); len(faults) > 0 {
			t.Errorf("seed %d, escape %q, %q: %s", i, tasks[i]["escape"], w.delim,
				strings.Join(faults[:min(2, len(faults))], "\n"))
		}
	}
}

func TestNoCellOfSQLitesMoves(t *testing.T) {
	t.Parallel()
	program := testneed.Command(t, "sqlite3", "sqlite3")
	literals := func(cells []string, quote string) string {
		all := slices.Clone(cells)
		for i, v := range all {
			all[i] = quote + strings.ReplaceAll(v, quote, quote+quote) + quote
		}
		return strings.Join(all, ", ")
	}
	for seed := range uint64(40) {
		w := newCSVWorld(seed)
		w.writer, w.lossy, w.stray = "rfc", false, false
		var sql strings.Builder
		sql.WriteString("create table t (" + literals(w.headings, `"`) + ");\n")
		for _, row := range w.rows {
			// the shell drops a CR of its input
			values := strings.ReplaceAll(literals(row, "'"), "\r", "'||char(13)||'")
			sql.WriteString("insert into t values (" + values + ");\n")
		}
		sql.WriteString("select * from t;\n")
		w.content = outputOf(t, []byte(sql.String()), program, "-csv", "-header", "-separator", w.delim)
		if _, faults := w.check(t); len(faults) > 0 {
			t.Errorf("seed %d, %q: %s", seed, w.delim, strings.Join(faults[:min(2, len(faults))], "\n"))
		}
	}
}
