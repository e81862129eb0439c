package query

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// reconcile loads tables and an index and returns the findings of some code as "severity table record:
// detail".
func reconcile(t testing.TB, parts map[string]bool, tables map[string]string, index, code string) []string {
	t.Helper()
	ctx := context.Background()
	b, _ := build(t, BuildOptions{})
	for _, name := range sortedKeys(tables) {
		load(t, b, name, tables[name])
	}
	if index != "" {
		if err := b.LoadDocuments(ctx, strings.NewReader(index)); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Reconcile(ctx, parts); err != nil {
		t.Fatal(err)
	}
	var got []string
	for f, err := range b.Findings(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		if string(f.Code) == code {
			got = append(got, string(f.Severity)+" "+f.Table+" "+f.RecordID+": "+f.Detail)
		}
	}
	return got
}

// TestReconcile: long because it is one table of cases.
func TestReconcile(t *testing.T) {
	t.Parallel()
	both := map[string]bool{"attachments": true, "cvs": true}
	const attachments = "Attachment Id,Record Id,Record Type,File Name,File " +
		"Size\n1,c1,CANDIDATE,a.pdf,5\n2,c9,CANDIDATE,b.pdf,\n3,L1,LEAD,c.pdf,\n"
	const candidates = "Candidate Id,Reference,Full Name,Has CV,Owner " +
		"Id\nc1,CA-1,Ama,yes,u1\nc2,CA-2,Bo,yes,u9\nc2,CA-3,Bo,no,u1\n,CA-4,Nobody,no,\n"
	const index = "doc_id,part,size,sha256,media_type,owner_type,owner_id,attachment_id,original_name," +
		"state,matched_by\n"
	for name, tt := range map[string]struct {
		parts         map[string]bool
		tables        map[string]string
		index, code   string
		want          []string
		wantToContain string
	}{
		"a row without a file": {both, map[string]string{"Attachments.csv": attachments},
			index + "d1,attachments,5,x,application/pdf,CANDIDATE,c1,1,a.pdf,ok,id\n" +
				"d3,attachments,5,z,application/pdf,LEAD,L1,3,c.pdf,ok,id\n",
			"attachment-missing", []string{"error attachments 2: no file for b.pdf"}, ""},
		"a part that was not received is one finding": {map[string]bool{"cvs": true},
			map[string]string{"Attachments.csv": attachments}, "", "part-missing",
			[]string{
				"error documents : the attachments were not received; 3 rows of attachments have no file: " +
					"ask the vendor for them while the account is open",
			}, ""},
		"and not one for each row": {
			map[string]bool{"cvs": true}, map[string]string{"Attachments.csv": attachments}, "",
			"attachment-missing", nil, "",
		},
		"a file without a row": {both, map[string]string{"Attachments.csv": attachments},
			index + "d1,attachments,5,x,text/plain,,,,x/new.txt,ok,\n", "file-unlisted",
			[]string{"warning documents d1: no row in attachments for x/new.txt"}, ""},
		"a file that several rows fit": {both, map[string]string{"Attachments.csv": attachments},
			index + "d1,attachments,5,x,text/plain,,,,x/new.txt,ok,ambiguous\n", "match-ambiguous",
			[]string{"warning documents d1: several rows of attachments fit x/new.txt: 1"}, ""},
		"files without the table are one finding": {both, nil,
			index + "d1,attachments,5,x,text/plain,,,,x,ok,\nd2,attachments,5,y,text/plain,,,,y,ok,\n",
			"file-unlisted",
			[]string{
				"warning documents : 2 files of the attachments have no row, as the table attachments is " +
					"missing or empty",
			}, ""},
		"a CV that is promised": {both, map[string]string{"Candidates.csv": candidates},
			index + "d1,cvs,5,x,text/plain,CANDIDATE,c1,,x,ok,id\n", "cv-missing",
			[]string{"error candidates c2: has_cv, but there is no CV of CA-2"}, ""},
		"a CV of nobody": {both, map[string]string{"Candidates.csv": candidates},
			index + "d1,cvs,5,x,text/plain,,,,scan.pdf,ok,\n", "owner-unknown",
			[]string{"warning documents d1: no candidate fits the CV scan.pdf"}, ""},
		"a size that differs": {both, map[string]string{"Attachments.csv": attachments},
			index + "d1,attachments,6,x,text/plain,CANDIDATE,c1,1,a.pdf,ok,id\n", "size-mismatch",
			[]string{"warning attachments 1: a.pdf: the row says 5 bytes, the file has 6"}, ""},
		"an error page": {
			both, nil, index + "d1,attachments,6,x,text/html,,,,a.pdf,error-page,\n", "error-page",
			[]string{"error documents d1: a.pdf: in place of the document it holds an error page"}, "",
		},
		"an empty file": {
			both, nil, index + "d1,attachments,0,x,,,,,a.pdf,empty,\n", "empty-file",
			[]string{"warning documents d1: a.pdf: it has no content"}, "",
		},
		"a type that differs": {both, nil,
			index + "d1,attachments,6,x,image/jpeg,,,,a.PDF,ok,\n" +
				"d2,attachments,6,y,application/zip,,,,b.docx,ok,\nd3,cvs,6,z,text/plain,,,,c.pdf,ok,\n",
			"type-mismatch", []string{"warning documents d1: a.PDF: by its bytes it is image/jpeg"}, ""},
		"the same content twice": {both, nil,
			index + "d1,attachments,6,x,,,,,a,ok,\nd2,cvs,6,x,,,,,b,ok,\nd3,cvs,0,e,,,,,c,empty,\n" +
				"d4,cvs,0,e,,,,,d,empty,\n", "duplicate-content",
			[]string{"info documents d1: 2 documents have the same content: a; b"}, ""},
		"keys that are not unique": {
			both, map[string]string{"Candidates.csv": candidates}, "", "duplicate-key",
			[]string{"warning candidates c2: candidate_id is in 2 rows"}, "",
		},
		"a row that is there twice is told once": {both,
			map[string]string{
				"Candidates.csv": "Candidate Id,Reference\nc1,CA-1\nc1,CA-1\nc2,CA-2\nc3,CA-2\n",
			}, "", "duplicate-key",
			[]string{
				"warning candidates CA-2: reference is in 2 rows",
				"warning candidates c1: candidate_id is in 2 rows",
			}, ""},
		"keys that are not there": {
			both, map[string]string{"Candidates.csv": candidates}, "", "key-missing",
			[]string{"warning candidates : 1 rows have no candidate_id"}, "",
		},
		"references to nobody": {both,
			map[string]string{"Candidates.csv": candidates, "Users.csv": "User Id\nu1\n"}, "",
			"reference-dangling",
			[]string{"warning candidates c2: owner_id u9 is not in users"}, ""},
		"references into a table that is not there are counted": {both,
			map[string]string{"Candidates.csv": candidates}, "", "reference-dangling",
			[]string{
				"warning candidates : 3 values of owner_id have no record, as users is missing or empty",
			}, ""},
		"references of several kinds": {both,
			map[string]string{"Candidates.csv": "Candidate Id\nc1\n", "Attachments.csv": attachments}, "",
			"reference-dangling",
			[]string{
				"warning attachments 2: record_id c9 is not in candidates",
				"info attachments : record_id: 1 values cannot be followed: the export has no table of " +
					"kind LEAD",
			}, ""},
		"links of tasks": {both,
			map[string]string{
				"Candidates.csv": "Candidate Id\nc1\n",
				"Tasks.csv": "Task Id,Linked Records\n" +
					"t1,\"[{\"\"_id\"\":\"\"c1\"\",\"\"type\"\":\"\"CANDIDATE\"\"}," +
					"{\"\"_id\"\":\"\"c8\"\",\"\"type\"\":\"\"candidate\"\"}]\"\n",
			}, "",
			"reference-dangling", []string{"warning tasks t1: record_id c8 is not in candidates"}, ""},
		"a list of users": {both,
			map[string]string{
				"Users.csv": "User Id\nu1\nu2\n",
				"Tasks.csv": "Task Id,Assigned To Id\nt1,u1; u2\nt2,\"u1,u7\"\n",
			}, "", "reference-dangling",
			[]string{"warning tasks t2: assigned_to_id u7 is not in users"}, ""},
		"a table that is not there": {
			both, map[string]string{}, "", "table-missing", nil, "error jobs : the export has no Jobs.csv",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := reconcile(t, tt.parts, tt.tables, tt.index, tt.code)
			if tt.wantToContain != "" {
				if !strings.Contains(strings.Join(got, "\n"), tt.wantToContain) {
					t.Errorf("no %q in %q", tt.wantToContain, got)
				}
				return
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestDocumentsAreTheIndexWithTheNamesOfTheOwners(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	b, _ := build(t, BuildOptions{})
	load(t, b, "Candidates.csv", people)
	index := "doc_id,part,pack,offset,size,owner_type,owner_id,original_name,state\n" +
		"d2,cvs,data/documents/cvs-00001.zip,75,4294967296,CANDIDATE," +
		"abcd00000000000000000000000000000002,\"a,\"\"b\"\"\nc.pdf\",ok\nd1,cvs,,,,,,x,ok\n"
	if err := b.LoadDocuments(ctx, strings.NewReader(index)); err != nil {
		t.Fatal(err)
	}
	want := [][]string{
		{"d2", "75", "4294967296", "José Núñez", "a,\"b\"\nc.pdf", "NULL"},
		{"d1", "NULL", "NULL", "NULL", "x", "NULL"},
	}
	if d := cmp.Diff(
		want,
		cells(t, b, `select doc_id, "offset", size, owner_name, original_name, text_state from documents`),
	); d != "" {
		t.Error(d)
	}
	for name, broken := range map[string]string{
		"a row that is too short": "doc_id,part\nd1\n", "a number that is none": "doc_id,size\nd1,many\n",
		"nothing": "",
	} {
		b, _ := build(t, BuildOptions{})
		if err := b.LoadDocuments(ctx, strings.NewReader(broken)); err == nil {
			t.Errorf("%s was loaded", name)
		}
	}
}

func TestViews(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	b, path := build(t, BuildOptions{})
	load(t, b, "Job_Pipelines.csv",
		"Pipeline Id,Job Id,Candidate Id,Status Log,Shortlist Date,Offer Date,Status Code\n"+
			"p1,j1,c1,\"[{\"\"currentStateId\"\":\"\"APPLIED\"\",\"\"addedBy\"\":\"\"u1\"\","+
			"\"\"addedOn\"\":\"\"2026-07-01T10:00:00Z\"\"},{\"\"currentStateName\"\":\"\"Offer\"\","+
			"\"\"addedBy\"\":{\"\"_id\"\":\"\"u2\"\"},\"\"addedOn\"\":1795354200000}]\","+
			"01/02/2026,,APPLIED\n"+
			"p2,j1,c2,,13/02/2026,14/02/2026 09:00,PLACED\n") // placed, and only its own row says so
	load(
		t, b, "Tasks.csv",
		"Task Id,Subject,Linked Records,Created "+
			"On\nt1,call,\"[{\"\"_id\"\":\"\"c1\"\",\"\"type\"\":\"\"candidate\"\"}]\",15/02/2026\n",
	)
	load(t, b, "Candidates.csv", "Candidate Id,Created On,Reference\nc1,14/01/2026,CA-1\n")
	if err := b.Finish(ctx); err != nil {
		t.Fatal(err)
	}
	d := open(t, path, OpenOptions{})
	for query, want := range map[string]string{
		"from stage_event order by pipeline_id, event_time nulls " +
			"last": "pipeline_id\tjob_id\tcandidate_id\tstage\tevent_time\tby_id\torigin\n" +
			"p1\tj1\tc1\tAPPLIED\t2026-07-01 11:00:00\tu1\tstatus_log\np1\tj1\tc1\tOffer\t2026-11-22 " +
			"13:30:00\tu2\tstatus_log\n" +
			"p2\tj1\tc2\tSHORTLIST\t2026-02-13 00:00:00\t\tshortlist_date\np2\tj1\tc2\tOFFER\t2026-02-14 " +
			"09:00:00\t\toffer_date\n" +
			"p2\tj1\tc2\tPLACED\t\t\tstatus_code\n",
		"from task_link": "task_id\trecord_type\trecord_id\nt1\tCANDIDATE\tc1\n",
		"select event_time, kind, what, detail, by_id from timeline where record_id = 'c1' order by " +
			"event_time": "event_time\tkind\twhat\tdetail\tby_id\n" +
			"2026-01-14 00:00:00\trecord\tcreated\tCA-1\t\n2026-02-15 " +
			"00:00:00\ttask\tcall\t\t\n2026-07-01 11:00:00\tstage\tAPPLIED\tjob j1\tu1\n2026-11-22 " +
			"13:30:00\tstage\tOffer\tjob j1\tu2\n",
	} {
		if diff := cmp.Diff(want, answer(t, d, query, nil)); diff != "" {
			t.Errorf("%s: %s", query, diff)
		}
	}
}
