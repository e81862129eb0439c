package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"holdall/internal/person"
)

// personal are CSVs about two people of one name, and entries about others that mention one of them.
var personal = map[string]string{
	"Candidates.csv": "Candidate Id,Candidate Ref,Full Name,First Name,Surname,Email,Internal Note\n" +
		"a1,CA-1,Åsa Höglind,Åsa,Höglind,asa@example.org,\n" +
		"a2,CA-2,Åsa Höglind,Åsa,Höglind,other@example.org,\n" +
		"a3,CA-3,Bo Li,Bo,Li,bo@example.org,\"A friend of ASA HOGLIND, and of Åsa Höglinda.\"\n" +
		"a4,CA-4,Ola Höglind-Berg,Ola,Höglind-Berg,ola@example.org,CA-10 is not CA-1x\n",
	"Audit_Logs.csv": "Audit Id,Event Time,Action,Entity Type,Entity Id,Message\n" +
		"l1,2024-01-02 03:04:05,CALL,CANDIDATE,a1,Called Åsa Höglind\n" +
		"l2,2024-01-03 03:04:05,NOTE,JOB,j1,(CA-1) moved to Offer\n" +
		"l3,2024-01-04 03:04:05,NOTE,JOB,j1,somebody else\n",
	"Job_Pipelines.csv": "Pipeline Id,Job Id,Candidate Id,Candidate Name,Status " +
		"Code,Comments\np1,j1,a1,Åsa Höglind,OFFER,\np2,j1,a3,Bo Li,OFFER,as good as asa@example.org\n",
	"Jobs.csv": "Job Id,Job Ref,Title\nj1,JB-1,Welder\n",
	"Tasks.csv": "Task Id,Subject,Linked Records\nt1,Call Åsa " +
		"Höglind,\"[{\"\"type\"\":\"\"CANDIDATE\"\",\"\"id\"\":\"\"a1\"\"}]\"\nt2,Ask Höglind Åsa,\n",
}

func TestOnePersonIsMeantOrNobody(t *testing.T) {
	root := takenOver(t, personal)
	for _, tc := range []struct {
		who  string
		code int
		want []string // IDs of the matches
	}{
		{"a1", 0, []string{"a1"}}, {"A1", 0, []string{"a1"}}, {"ca-1", 0, []string{"a1"}},
		{" ASA@example.org ", 0, []string{"a1"}},
		{"Åsa Höglind", 2, []string{"a1", "a2"}}, {"asa hoglind", 2, []string{"a1", "a2"}},
		{"Höglind", 2, []string{"a1", "a2", "a4"}},
		{"berg", 0, []string{"a4"}}, {"hoglind-berg", 0, []string{"a4"}}, {"bo li", 0, []string{"a3"}},
		{"oglind", 1, []string{}}, {"CA-9", 1, []string{}},
	} {
		o := holdall(t, "person", root, tc.who, "--json")
		var got struct {
			Matches []person.Match
			Error   *errorReport
		}
		err := json.Unmarshal([]byte(o.stdout), &got)
		ids := []string{}
		for _, m := range got.Matches {
			ids = append(ids, m.ID)
		}
		if err != nil || o.code != tc.code || !slices.Equal(ids, tc.want) ||
			(got.Error != nil) != (tc.code != 0) {
			t.Errorf(
				"%q: exit %d, %q, want %d, %q; %v\n%s%s", tc.who, o.code, ids, tc.code, tc.want, err,
				o.stdout, o.stderr,
			)
		}
	}
	if o := holdall(t, "person", root, " "); o.code != 2 || !strings.Contains(o.stderr, "WHO is empty") {
		t.Errorf("%+v", o)
	}
	o := holdall(t, "person", root, "Höglind")
	if o.code != 2 || !strings.Contains(o.stdout, "CANDIDATE\ta4\tCA-4\tOla Höglind-Berg\n") ||
		!strings.Contains(o.stderr, `3 people fit "Höglind"`) {
		t.Errorf("%+v", o)
	}
}

// What a platform wrote of a person in a form that its own columns do not foresee is theirs all the same.
func TestNothingOfAPersonFallsBetweenTheSections(t *testing.T) {
	root := takenOver(t, map[string]string{
		"Candidates.csv": "Candidate Id,Candidate Ref,Full Name,First Name,Surname,Email,Date of Birth," +
			"Current Salary\n" +
			"a1,CA-1,Åsa Höglind,Åsa,Höglind,\"old@example.org; Åsa <asa@example.org>\"," +
			"31/02/1980,50000\n" +
			"a2,CA-2,Bo Li,Bo,Li,bo@example.org,28/02/1980,ask old@example.org\n" +
			"a2,CA-2,Bo Li,Bo,Li,bo.li@example.org,28/02/1980,\n" +
			"a3,CA-3,Ola Berg,Ola,Berg,ola@example.org,28/02/1980,40000,one,two,cells,more\n",
		"Audit_Logs.csv": "Audit Id,Event Time,Action,Entity Type,Entity Id,Field,Old Value," +
			"New Value,Message\n" +
			"l1,2024-01-02 03:04:05,NOTE,,a1,,,,of no kind\n" +
			"l2,2024-01-03 03:04:05,NOTE,Applicant,a1,,,,of another kind\n" +
			"l3,2024-01-04 03:04:05,UPDATE,CANDIDATE,a1,email,was@example.org,asa@example.org," +
			"changed by hand\n" +
			"l4,never,NOTE,CANDIDATE,a1,,,,without a time\n" +
			"l5,2024-01-05 03:04:05,NOTE,JOB,a1,,,,a job with the same ID\n" +
			"l6,2024-01-06 03:04:05,LOGIN,CANDIDATE,a1,,,,\n",
		"Folder_Records.csv": "Folder Record Id,Folder Id,Folder Name,Record Id,Record Type\n" +
			"f1,f,Do not hire,a1,CANDIDATE\n",
		"Job_Pipelines.csv": "Pipeline Id,Job Id,Candidate Id,Status Code,Commission Value\n" +
			"p1,j1,a1,OFFER,1250.50\n",
	})
	o := holdall(t, "person", root, "asa@EXAMPLE.org", "--json")
	var got map[string]json.RawMessage
	if err := json.Unmarshal([]byte(o.stdout), &got); err != nil || o.code != 0 {
		t.Fatalf("by one of two addresses: %v\n%+v", err, o)
	}
	for section, want := range map[string][]string{
		"timeline": {
			`"of no kind"`, `"of another kind"`,
			`"changed by hand (email: was@example.org -> asa@example.org)"`,
			`"without a time"`, `"what":"LOGIN","detail":null`,
		},
		"unread": {
			`"date_of_birth","row_number":1,"value":"31/02/1980"`, `"audit_logs","column_name":"event_time"`,
		},
		"folders": {`"Do not hire"`}, "pipeline": {`"commission_value":1250.50`},
		"mentions": {`"ask old@example.org"`},
	} {
		for _, w := range want {
			if !strings.Contains(strings.ReplaceAll(string(got[section]), `\u003e`, ">"), w) {
				t.Errorf("%s lacks %s:\n%s", section, w, got[section])
			}
		}
	}
	if strings.Contains(string(got["timeline"]), "a job with the same ID") {
		t.Errorf("the timeline has what is about a job: %s", got["timeline"])
	}
	o = holdall(t, "person", root, "a2", "--json")
	if o.code != 0 || !strings.Contains(o.stderr, "2 rows have the ID a2") ||
		!strings.Contains(o.stdout, `"bo@example.org"`) ||
		!strings.Contains(o.stdout, `"bo.li@example.org"`) {
		t.Errorf("an ID that is there twice: %+v", o)
	}
	o = holdall(t, "person", root, "OLA BERG")
	if o.code != 1 || !strings.Contains(o.stderr, "1 record that could not be loaded has this text") {
		t.Errorf("a person in quarantine: %+v", o)
	}
}

// What an archive holds of a person includes what it says of them in entries about others, and nothing of
// their namesake.
func TestWhatIsHeldOfOnePerson(t *testing.T) {
	root := takenOver(t, personal)
	o := holdall(t, "person", root, "a1", "--json")
	var got struct {
		Facts    map[string]any
		Files    []map[string]any
		Pipeline []map[string]any
		Tasks    []map[string]any
		Timeline []map[string]any
		Mentions []struct {
			Place    string `json:"place"`
			RecordID string `json:"record_id"`
			Column   string `json:"column"`
		}
	}
	if err := json.Unmarshal([]byte(o.stdout), &got); err != nil || o.code != 0 {
		t.Fatalf("%v\n%+v", err, o)
	}
	if diff := cmp.Diff(
		map[string]any{
			"candidate_id": "a1", "reference": "CA-1", "full_name": "Åsa Höglind", "first_name": "Åsa",
			"surname": "Höglind", "email": "asa@example.org",
		},
		got.Facts,
	); diff != "" {
		t.Errorf("facts (-want +got):\n%s", diff)
	}
	if len(got.Pipeline) != 1 || got.Pipeline[0]["job"] != "Welder" || len(got.Tasks) != 1 ||
		got.Tasks[0]["task_id"] != "t1" || len(got.Files) != 0 || len(got.Timeline) != 2 {
		t.Errorf("%+v", got)
	}
	var mentions []string
	for _, m := range got.Mentions {
		mentions = append(mentions, m.Place+" "+m.RecordID+" "+m.Column)
	}
	want := []string{
		"audit_logs l2 message", "candidates a2 full_name", "candidates a3 internal_note",
		"job_pipelines p2 comments", "tasks t2 subject",
	}
	if diff := cmp.Diff(want, mentions); diff != "" {
		t.Errorf("mentions (-want +got):\n%s", diff)
	}
}

// The folder that is handed out has the documents, and keeps what is about others apart.
func TestAPersonIsWrittenAsAFolder(t *testing.T) {
	root, _, _ := demo(t)
	o := holdall(
		t, "query", root,
		"select owner_id, count(*) from documents where owner_type = 'CANDIDATE' group by 1 order by 2 "+
			"desc, 1 limit 1",
	)
	id, n, _ := strings.Cut(strings.Split(o.stdout, "\n")[1], "\t")
	dir := filepath.Join(t.TempDir(), "out")
	if o := holdall(t, "person", root, id, "--to", dir); o.code != 0 || !strings.Contains(o.stderr, n+
		" document") {
		t.Fatalf("%+v", o)
	}
	if diff := cmp.Diff(
		[]string{"READ FIRST.txt", "documents", "for review only", "person.xlsx"}, names(t, dir),
	); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(
		[]string{"mentions.xlsx", "person.json"}, names(t, filepath.Join(dir, "for review only")),
	); diff != "" {
		t.Error(diff)
	}
	index := read(t, filepath.Join(dir, "documents", "index.csv"))
	if got := strings.Count(index, id+","); got != rowsOf(t, n) {
		t.Errorf("the index has %d documents, want %s\n%s", got, n, index)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder is open to others: %v, %v", info.Mode(), err)
	}
	if o := holdall(t, "person", root, id, "--to", dir); o.code != 2 ||
		!strings.Contains(o.stderr, "is not empty") {
		t.Errorf("into a folder that is not empty: %+v", o)
	}
}

// The documentation never teaches to choose a person's files by a name.
func TestHelpDoesNotTeachToSelectByName(t *testing.T) {
	for _, args := range [][]string{{"files", "--help"}, {"person", "--help"}, {"query", "--help"}} {
		if o := holdall(t, args...); o.code != 0 || strings.Contains(o.stdout, "owner_name") {
			t.Errorf("%q: %+v", args, o)
		}
	}
}
