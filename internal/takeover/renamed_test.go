package takeover

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Exporters number, cut, escape and replace. What still agrees, owner and size, brings a file and its row
// together; nothing that has been received is called missing, and what has not been received is.
func TestFilesThatWereRenamedOnExport(t *testing.T) {
	t.Parallel()
	const long = "Zeugnis der Firma Hansen und Söhne über die Tätigkeit im Einkauf, März 2018.pdf"
	root := t.TempDir()
	r := handmade{
		tables: map[string]string{
			"candidates": "candidate_id,reference,full_name\nabcd00000000000000000000000000000001,CA-1," +
				"Ada Byron\nabcd00000000000000000000000000000002,CA-2,Bo Lindqvist\n",
			"attachments": "attachment_id,record_id,record_type,file_name,file_size\n" +
				"f-1,abcd00000000000000000000000000000001,CANDIDATE,CV.txt,11\n" +
				"f-2,abcd00000000000000000000000000000001,CANDIDATE,CV.txt,12\n" +
				"f-3,abcd00000000000000000000000000000001,CANDIDATE,\"" + long + "\",13\n" +
				"f-4,abcd00000000000000000000000000000002,CANDIDATE,Bewerbung für: Köln?.txt,14\n" +
				"f-5,abcd00000000000000000000000000000002,CANDIDATE,photo one.txt,15\n" +
				"f-6,abcd00000000000000000000000000000002,CANDIDATE,photo two.txt,15\n" +
				"f-7,abcd00000000000000000000000000000002,CANDIDATE,gone.txt,99\n",
		},
		attachments: []handmadeFile{
			{"CA-1/CV (1).txt", strings.Repeat("a", 11)},
			{"CA-1/CV.txt", strings.Repeat("b", 12)},
			{"CA-1/" + long[:29] + ".pdf", strings.Repeat("c", 13)},
			{"CA-2/Bewerbung%20f%C3%BCr_%20K%C3%B6ln_.txt", strings.Repeat("d", 14)},
			{"CA-2/0001.txt", strings.Repeat("e", 15)},
			{"CA-2/0002.txt", strings.Repeat("f", 15)},
		},
	}.take(t, root)
	got := ask(
		t, root, r,
		"select original_name, owner_id[-1], attachment_id, matched_by from documents order by original_name",
	)
	want := []string{"CA-1/CV (1).txt|1|f-1|renamed-owner-size", "CA-1/CV.txt|1|f-2|name-size",
		"CA-1/" + long[:29] + ".pdf|1|f-3|renamed-owner-size",
		"CA-2/0001.txt|2||ambiguous", "CA-2/0002.txt|2||ambiguous",
		"CA-2/Bewerbung%20f%C3%BCr_%20K%C3%B6ln_.txt|2|f-4|renamed-owner-size"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("documents (-want +got):\n%s", d)
	}
	got = ask(
		t, root, r,
		"select severity, code, record_id, detail from findings where severity <> 'info' and code <> "+
			"'type-mismatch' order by all",
	)
	want = []string{
		"error|attachment-missing|f-7|no file for gone.txt",
		"warning|attachment-unclear|f-5|no file is surely that of photo one.txt; it may be CA-2/0001.txt; " +
			"CA-2/0002.txt",
		"warning|attachment-unclear|f-6|no file is surely that of photo two.txt; it may be CA-2/0001.txt; " +
			"CA-2/0002.txt",
		"warning|match-ambiguous|a2-000004|several rows of attachments fit CA-2/0001.txt: f-5, f-6",
		"warning|match-ambiguous|a2-000005|several rows of attachments fit CA-2/0002.txt: f-5, f-6",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("findings (-want +got):\n%s", d)
	}
	mustVerify(t, root, r)
}

// Integer ids, CVs in folders by year, two people of one name: each CV is its owner's or nobody's, and nobody
// who may have one is said to have none.
func TestCVsInFoldersByYear(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	r := handmade{
		tables: map[string]string{"candidates": "candidate_id,reference,full_name,has_cv\n2022,CA-2022," +
			"Ada Byron,true\n2023,CA-2023,Bo Lindqvist,true\n" +
			"311,CA-311,Chidi Okafor,true\n312,CA-312,Kim Lee,true\n313,CA-313,Kim " +
			"Lee,true\n314,CA-314,Dora Weiss,true\n"},
		cvs: []handmadeFile{
			{"2022/Bo Lindqvist.txt", "Bo"}, {"2022/Okafor, Chidi.txt", "Chidi"},
			{"2023/A. Byron CV.txt", "Ada"}, {"2023/Kim Lee.txt", "Kim"},
		},
	}.take(t, root)
	got := ask(t, root, r, "select original_name, owner_id, matched_by from documents order by original_name")
	want := []string{
		"2022/Bo Lindqvist.txt|2023|name-owner", "2022/Okafor, Chidi.txt|311|name-owner",
		"2023/A. Byron CV.txt|2022|name", "2023/Kim Lee.txt||ambiguous",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("documents (-want +got):\n%s", d)
	}
	got = ask(t, root, r, "select code, record_id from findings where severity <> 'info' order by all")
	want = []string{
		"cv-missing|314", "cv-missing|", "cv-unclear|312", "cv-unclear|313", "match-ambiguous|c3-000003",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("findings (-want +got):\n%s", d)
	}
	mustVerify(t, root, r)
}
