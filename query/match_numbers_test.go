package query

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Ids of some systems are plain numbers, and so are years, months, counters, telephone numbers and postcodes.
//
// Long because it is one table of cases.
func TestABareNumberIsAnIDOnlyWhereNothingSpeaksAgainstIt(t *testing.T) {
	t.Parallel()
	const people = "Candidate Id,Reference,Full Name,Email\n1,CA-1,Ama Mensah,ama@example.org\n2,CA-2,Bo " +
		"Lindqvist,bo@example.org\n" +
		"3,CA-3,Chidi Okafor,chidi@example.org\n412,CA-412,Dora Weiss,dora@example.org\n413,CA-413,Elif " +
		"Kaya,elif@example.org\n" +
		"2021,CA-2021,Fadi Haddad,fadi@example.org\n10115,CA-10115,Gesa " +
		"Brandt,gesa@example.org\n20230115,CA-20230115,Hana Sato,hana@example.org\n" +
		"4917012345678,CA-4917012345678,Ivo Novak,ivo@example.org\n"
	for _, test := range []struct {
		name string
		cvs  []string
		want []string // owners
	}{
		{"folders that are ids", []string{"412/CV.pdf", "413/CV.pdf"}, []string{"412", "413"}},
		{"files that are ids",
			[]string{
				"CVs/412.pdf", "CVs/10115.pdf", "CVs/2021.pdf", "CVs/413.pdf", "CVs/3.pdf",
				"CVs/20230115.pdf",
			},
			[]string{"412", "10115", "", "413", "3", ""}},
		{
			"an id and the name of its owner",
			[]string{"2021/Fadi Haddad.pdf", "3_Chidi Okafor.pdf", "Ama Mensah (1).pdf"},
			[]string{"2021", "3", "1"},
		},
		{
			"folders by year", []string{"2021/Ama Mensah.pdf", "2021/scan.pdf", "2022/Bo Lindqvist.pdf"},
			[]string{"1", "", "2"},
		},
		{"one folder for all, which is a year", []string{"2021/a.pdf", "2021/b.pdf"}, []string{"", ""}},
		{
			"folders by year and month",
			[]string{"2021/01/x.pdf", "2021/02/y.pdf", "2022/03/z.pdf", "2021/3/x.pdf"},
			[]string{"", "", "", ""},
		},
		{"counters", []string{"1_scan.pdf", "2_scan.pdf", "3_scan.pdf"}, []string{"", "", ""}},
		{
			"counters before other people's names",
			[]string{"1 - Dora Weiss.pdf", "2 - Elif Kaya.pdf", "413 - Ama Mensah.pdf"},
			[]string{"412", "413", "1"},
		},
		{
			"postcodes", []string{"10115/Ama Mensah.pdf", "10115/old.pdf", "80331/new.pdf"},
			[]string{"1", "", ""},
		},
		{
			"a date in the name", []string{"20230115/CV.pdf", "CV 20230115.pdf", "Bo Lindqvist 20230115.pdf"},
			[]string{"", "", "2"},
		},
		{"a telephone number", []string{"CV 4917012345678.pdf", "+4917012345678.pdf"}, []string{"", ""}},
		{
			"an id within a longer number", []string{"x4121/CV.pdf", "4120.pdf", "0412.pdf"},
			[]string{"", "", ""},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b, _ := build(t, BuildOptions{})
			load(t, b, "Candidates.csv", people)
			if d := cmp.Diff(test.want, ownersOf(t, b, "cvs", test.cvs...)); d != "" {
				t.Errorf("owners (-want +got):\n%s", d)
			}
		})
	}
}

// ownersOf returns the ids of the owners that files are given to.
func ownersOf(t testing.TB, b *Builder, part string, names ...string) []string {
	t.Helper()
	var owners []string
	for m, err := range b.Match(t.Context(), entries(part, names...)) {
		if err != nil {
			t.Fatal(err)
		}
		owners = append(owners, m.OwnerID)
	}
	return owners
}

func TestTheSameNumberInSeveralTables(t *testing.T) {
	t.Parallel()
	b, _ := build(t, BuildOptions{})
	load(t, b, "Candidates.csv", "Candidate Id,Full Name\n57,Ama Mensah\n58,Bo Lindqvist\n91,Chidi Okafor\n")
	load(t, b, "Jobs.csv", "Job Id,Title\n57,Welder\n58,Nurse\n92,Cook\n")
	load(
		t, b, "Attachments.csv",
		"Attachment Id,Record Id,Record Type,File Name,File "+
			"Size\n57,58,JOB,advert.pdf,311\n900,57,CANDIDATE,terms.pdf,299\n",
	)
	got := matches(
		t, b,
		entries(
			"attachments", "57/terms.pdf|299", "58/advert.pdf|311", "57/other.pdf|5", "Jobs/57/brief.pdf|7",
			"Candidates/58/photo.jpg|8", "91/x.pdf|9", "92/y.pdf|9",
		),
	)
	want := []string{"57/terms.pdf: CANDIDATE 57, 900, name-size", "58/advert.pdf: JOB 58, 57, name-size",
		"57/other.pdf: , , ",
		"Jobs/57/brief.pdf: JOB 57, , id", "Candidates/58/photo.jpg: CANDIDATE 58, , id",
		"91/x.pdf: CANDIDATE 91, , id", "92/y.pdf: JOB 92, , id"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

// A long id is believed whatever else stands in the path; two rows whose ids begin alike are not mixed up.
func TestALongIDOutweighsNames(t *testing.T) {
	t.Parallel()
	b, _ := build(t, BuildOptions{})
	const one, other = "3f0c1a52-9d1e-4c0a-8a43-6e2d0a0a1e11", "7b9d2e10-52fd-4d0a-9c43-1e2d0a0a1e22"
	load(
		t, b, "Candidates.csv",
		"Candidate Id,Reference,Full Name\n"+one+",CA-1,Ama Mensah\n"+other+",CA-10,Bo Lindqvist\n",
	)
	got := ownersOf(
		t, b, "cvs", one+"/Bo Lindqvist.pdf", "Reference by Ama Mensah "+other+".pdf", "CA-10 Ama Mensah.pdf",
		"CA-1.pdf", "ca-100.pdf",
	)
	if d := cmp.Diff([]string{one, other, other, one, ""}, got); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

func TestCVsAreGivenByNamesAndAddresses(t *testing.T) {
	t.Parallel()
	b, _ := build(t, BuildOptions{})
	load(t, b, "Candidates.csv", "Candidate Id,Reference,Full Name,First Name,Surname,Email\n"+
		"a1,CA-1,Ama Mensah,Ama,Mensah,ama@example.org\na2,CA-2,Ana María "+
		"López,Ana,López,ana.lopez@example.org\na3,CA-3,Kim Lee,Kim,Lee,kim1@example.org\n"+
		"a4,CA-4,Kim Lee,Kim,Lee,kim2@example.org\na5,CA-5,April May,April,May,\na6,CA-6,Wolfgang "+
		"Brandt,Wolfgang,Brandt,\na7,CA-7,Wiebke Brandt,Wiebke,Brandt,\n")
	var want, names []string
	for _, pair := range [][2]string{
		{"Mensah, Ama.pdf", "a1"}, {"mensah_ama_cv.pdf", "a1"}, {"AmaMensah.pdf", "a1"},
		{"A. Mensah.pdf", "a1"}, {"MENSAH A CV 2023.pdf", "a1"},
		{"Ama Mensah - Senior Welder.pdf", "a1"}, {"Ama Mensah Okafor.pdf", ""}, {"Mensah.pdf", ""},
		{"Ana Lopez.pdf", "a2"}, {"López, Ana María.docx", "a2"},
		{"Kim Lee.pdf", ""}, {"kim2@example.org.pdf", "a4"}, {"Kim Lee (CA-3).pdf", "a3"},
		{"April May.pdf", "a5"}, {"W. Brandt.pdf", ""},
		{"Wolfgang Brandt CV.pdf", "a6"}, {"Ama Mensah - Kim Lee.pdf", ""}, {"scan0001.pdf", ""},
		{"Ama%20Mensah.pdf", "a1"},
	} {
		names, want = append(names, pair[0]), append(want, pair[1])
	}
	got := ownersOf(t, b, "cvs", names...)
	for i := range got {
		if got[i] != want[i] {
			t.Errorf("%s: given to %q, want %q", names[i], got[i], want[i])
		}
	}
	if !slices.Contains(got, "a1") {
		t.Error("nothing was found at all")
	}
}
