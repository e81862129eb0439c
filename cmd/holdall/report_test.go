package main

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"holdall/internal/testneed"
)

func TestReportsAreListedAndRun(t *testing.T) {
	root, _, _ := demo(t)
	dir := t.TempDir()
	put(
		t, filepath.Join(dir, "mine.sql"),
		"-- title: Mine\n-- param least = 2: At least so many.\nselect $least::int + 40 as n",
	)
	put(t, filepath.Join(dir, "typo", "typo.sql"), "select emial from candidates")
	o := holdall(t, "report", "--dir", dir, "--json")
	var all []reportJSON
	if err := json.Unmarshal([]byte(o.stdout), &all); err != nil || len(all) != 26 || !all[25].Own ||
		*all[25].Params[0].Default != "2" {
		t.Fatalf("%v: %d reports\n%+v", err, len(all), o)
	}
	for _, tc := range []struct {
		args   []string
		code   int
		stdout string
		stderr string
	}{
		{[]string{"funnel"}, 0, "stage\treached\tpct_of_all", ""},
		{[]string{"01-funnel", "--param", "since=2999-01-01"}, 0, "SOURCED\t0\t", ""},
		{[]string{"mine", "--dir", dir}, 0, "n\n42\n", ""},
		{[]string{"mine", "--dir", dir, "--param", "least=8", "--format", "csv"}, 0, "n\n48\n", ""},
		{
			[]string{"typo", "--dir", filepath.Join(dir, "typo")}, 1, "",
			"report typo: there is no column emial\n",
		},
		{[]string{"01", "--param", "since=soon"}, 1, "", "report 01-funnel: invalid date"},
		{[]string{"mine"}, 2, "", "there is no such report"},
		{[]string{"08"}, 2, "", "needs a value for skill: a skill as it is written"},
		{[]string{"08", "--param", "skil=x", "--param", "skill=y"}, 2, "", "has no parameter skil"},
		{
			[]string{"C8"}, 0, "label\tplace\titems",
			"this report reads document_text, which this export does not have",
		},
		{[]string{"--all"}, 2, "", "as an Excel workbook"},
		{[]string{"--all", "--format", "xlsx", "--param", "x=1"}, 2, "", "no report has a parameter x"},
	} {
		o := holdall(t, append([]string{"report", root}, tc.args...)...)
		if o.code != tc.code || !strings.Contains(o.stdout, tc.stdout) ||
			!strings.Contains(o.stderr, tc.stderr) {
			t.Errorf("%q: %+v", tc.args, o)
		}
	}
}

// takenOver returns a root with an archive of the given CSVs and nothing else.
func takenOver(t *testing.T, files map[string]string) string {
	t.Helper()
	var data bytes.Buffer
	z := zip.NewWriter(&data)
	for name, content := range files {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, content)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "data.zip", time.Time{}, bytes.NewReader(data.Bytes()))
	}))
	defer server.Close()
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	root := filepath.Join(t.TempDir(), "archives")
	master := put(
		t, filepath.Join(t.TempDir(), "master.csv"), "Part,Link\nData files,"+server.URL+"/data.zip\n",
	)
	if o := holdall(t, "take", master, "--to", root, "--allow-private"); o.code != 5 {
		t.Fatalf("%+v", o)
	}
	return root
}

// A report says in a sentence which of the columns that it reads the export does not have.
func TestReportsSayWhatTheExportLacks(t *testing.T) {
	root := takenOver(t, map[string]string{"Candidates.csv": "Candidate Id,Full Name\na1,Ama Mensah\n"})
	o := holdall(t, "report", root, "04-source-of-hire")
	const want = "this report reads candidates.source and job_pipelines, which this export does not have: " +
		"what depends on them is empty"
	if o.code != 0 || !strings.Contains(o.stderr, want) {
		t.Errorf("%+v", o)
	}
}

// readBook prints each sheet's name and rows, as Python knows them.
const readBook = `
import sys, json, openpyxl
for sheet in openpyxl.load_workbook(sys.argv[1]):
    print(json.dumps([sheet.title, [[str(c.value or "") for c in row] for row in sheet.iter_rows()]]))
`

func TestAllReportsInOneWorkbook(t *testing.T) {
	python := testneed.Command(t, "python3", "Debian python3")
	if err := exec.Command(python, "-c", "import openpyxl").Run(); err != nil {
		testneed.Missing(t, "the module openpyxl (from PyPI openpyxl) is not installed")
	}
	root, id, _ := demo(t)
	dir := t.TempDir()
	put(t, filepath.Join(dir, "broken.sql"), "select nonsense from candidates")
	book := filepath.Join(t.TempDir(), "all.xlsx")
	o := holdall(t, "report", root, "--all", "--dir", dir, "--param", "q=a", "-o", book)
	if o.code != 1 || !strings.Contains(o.stderr, "1 report could not be run") ||
		!strings.Contains(o.stderr, "08-rediscover-placeable is left out") {
		t.Fatalf("%+v", o)
	}
	out, err := exec.Command(python, "-W", "error", "-c", readBook, book).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	rows := map[string][][]string{}
	var titles []string
	for line := range strings.Lines(string(out)) {
		var sheet struct {
			title string
			rows  [][]string
		}
		if err := json.Unmarshal([]byte(line), &[]any{&sheet.title, &sheet.rows}); err != nil {
			t.Fatal(err)
		}
		titles = append(titles, sheet.title)
		rows[sheet.title] = sheet.rows
	}
	if titles[0] != "About" || len(titles) != 1+25-3 {
		// without 08, C2 and C7, which ask for more than was given
		t.Errorf("sheets %q", titles)
	}
	about := rows["About"]
	if about[0][1] != id || !strings.Contains(about[1][1], "the time at which the data ends") {
		t.Errorf("about %q", about[:2])
	}
	for _, line := range about[5:] {
		name, n, remarks, sql := line[0], line[2], line[5], line[6]
		sheet, ok := rows[name]
		if sql == "" || ok != (n != "") || ok && len(sheet)-1 != rowsOf(t, n) || !ok && remarks == "" {
			t.Errorf("%s: %s rows, %q; the sheet has %d", name, n, remarks, len(sheet)-1)
		}
	}
}

func rowsOf(t *testing.T, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// A key that is there twice is a finding; it must not count what is joined to it twice as well.
func TestReportsCountOnceWhatIsJoinedToARepeatedKey(t *testing.T) {
	var log strings.Builder
	log.WriteString("Audit Id,Event Time,Action,Entity Type,Entity Id,Actor Id,Message\n")
	for i := range 300 {
		fmt.Fprintf(&log, "l%d,2024-01-02 03:04:05,CALL,CANDIDATE,a1,u1,Talked of HÖGLIND\n", i)
	}
	root := takenOver(t, map[string]string{
		"Candidates.csv": "Candidate Id,Candidate Ref,Full Name,Email,Mobile,Source\n" +
			"a1,CA-1,Bo Li,bo@example.org,n/a,Web\na1,CA-1,Bo Li,bo@example.org,n/a,Web\na2,CA-2,Al Bo,,n/a,Web\n",
		"Contacts.csv":  "Contact Id,Contact Ref,Full Name,Email\nc1,CT-1,Åsa Höglind,asa@example.org\n",
		"Users.csv":     "User Id,Full Name,Email\nu1,Ann,ann@example.org\nu1,Ann,ann@example.org\n",
		"Companies.csv": "Company Id,Company Ref,Name\ny1,CY-1,Acme\ny1,CY-1,Acme\n",
		"Jobs.csv":      "Job Id,Job Ref,Title,Company Id\nj1,JB-1,Welder,y1\nj1,JB-1,Welder,y1\n",
		"Job_Pipelines.csv": "Pipeline Id,Job Id,Candidate Id,Owner Id,Status Code,Commission Value,Created On\n" +
			"p1,j1,a1,u1,PLACED,1000.00,2024-01-02 03:04:05\n",
		"Audit_Logs.csv": log.String(),
	})
	for _, tc := range []struct {
		args []string
		want string
	}{
		{[]string{"04"}, "\nWeb\t2\t1\t1\t100.0\t1000.00\n"},
		{[]string{"05"}, "\nAnn\t\tfalse\t1\t0\t0\t1\t\t1000.00\n"},
		{[]string{"06"}, "\nAcme\t1\t0\t1\t1000.00\t"},
		{[]string{"11"}, "key\tn\tids\nemail:bo@example.org\t2\t"}, // and nobody shares the number n/a
		{[]string{"C1", "--param", "q=hoglind"}, "CONTACT\tc1\tCT-1\tÅsa Höglind\t"},
	} {
		if o := holdall(t, append([]string{"report", root}, tc.args...)...); !strings.Contains(o.stdout, tc.want) {
			t.Errorf("%q: want %q in\n%s%s", tc.args, tc.want, o.stdout, o.stderr)
		}
	}
	if o := holdall(t, "report", root, "C3", "--param", "q=hoglind"); strings.Count(o.stdout, "\n") != 301 {
		t.Errorf("of 300 mentions %d are there", strings.Count(o.stdout, "\n")-1)
	}
}
