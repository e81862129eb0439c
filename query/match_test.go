package query

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// entries yields files of a part, "name" or "name|size", as their container lists them.
func entries(part string, names ...string) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		for i, n := range names {
			name, size, sized := strings.Cut(n, "|")
			e := Entry{
				DocID: strconv.Itoa(i), Part: part, Container: 1, Index: i, Offset: int64(100 * i),
				Name: name, Size: -1,
			}
			if sized {
				e.Size, _ = strconv.ParseInt(size, 10, 64)
			}
			if !yield(e, nil) {
				return
			}
		}
	}
}

// matches returns "name: owner attachment by" for each entry, in the order they are yielded.
func matches(t testing.TB, b *Builder, all iter.Seq2[Entry, error]) []string {
	t.Helper()
	var got []string
	for m, err := range b.Match(context.Background(), all) {
		if err != nil {
			t.Fatal(err)
		}
		owner := strings.TrimSpace(m.OwnerType + " " + m.OwnerID)
		got = append(got, fmt.Sprintf("%s: %s, %s, %s", m.Name, owner, m.AttachmentID, m.By))
		if m.Ambiguous != (m.By == "ambiguous") || m.Ambiguous && m.AttachmentID != "" {
			t.Errorf("%+v", m)
		}
	}
	return got
}

const people = "Candidate Id,Reference,Full Name,Has CV\n" +
	"abcd00000000000000000000000000000001,CA-1,Ama " +
	"Mensah,yes\nabcd00000000000000000000000000000002,CA-2,José Núñez,yes\n" +
	"abcd00000000000000000000000000000003,CA-3,Kim Lee,yes\nabcd00000000000000000000000000000004,CA-4,Kim " +
	"Lee,yes\n" +
	"abcd00000000000000000000000000000005,CA-5,李伟,yes\n"

func TestAttachmentsFindTheirRows(t *testing.T) {
	t.Parallel()
	b, _ := build(t, BuildOptions{})
	load(t, b, "Candidates.csv", people)
	load(t, b, "Attachments.csv",
		"Attachment Id,Record Id,Record Type,Record Ref,File Name,File Path,File Size\n"+
			"abcd0000000000000000000000000000aaaa,abcd00000000000000000000000000000001,CANDIDATE,CA-1,"+
			"terms.pdf,,\n"+
			"f-2,abcd00000000000000000000000000000001,CANDIDATE,CA-1,CV.pdf,Candidates/CA-1/CV.pdf,10\n"+
			"f-3,abcd00000000000000000000000000000002,CANDIDATE,CA-2,CV.pdf,Candidates/CA-2/CV.pdf,20\n"+
			"f-4,abcd00000000000000000000000000000002,candidate,CA-2,photo.jpg,,77\n"+
			"f-5,abcd00000000000000000000000000000003,CANDIDATE,CA-3,letter.doc,,5\n"+
			"f-6,abcd00000000000000000000000000000004,CANDIDATE,CA-4,letter.doc,,5\n"+
			"f-7,,,CA-5,Unterlagen Übersicht.txt,,8\n"+
			"f-8,lead1,LEAD,LD-7,twin.txt,x/twin.txt,1\nf-9,lead1,LEAD,LD-7,twin.txt,x/twin.txt,2\n"+
			"f-10,abcd00000000000000000000000000000001,CANDIDATE,CA-1,once.txt,,9\n"+
			"f-11,abcd00000000000000000000000000000001,CANDIDATE,CA-1,nosize.txt,,\n"+
			"f-12,abcd00000000000000000000000000000004,CANDIDATE,CA-4,up.txt,../up.txt,\n"+
			// Two files of one path, which holds the key of one of the rows: their sizes tell which is whose.
			"abcd0000000000000000000000000000bbbb,abcd00000000000000000000000000000001,CANDIDATE,CA-1,"+
			"scan.jpg,abcd0000000000000000000000000000bbbb/scan.jpg,41\n"+
			"f-13,abcd00000000000000000000000000000002,CANDIDATE,CA-2,scan.jpg,"+
			"abcd0000000000000000000000000000bbbb/scan.jpg,9\n")
	got := matches(t, b, entries("attachments",
		"abcd0000000000000000000000000000AAAA_terms.pdf|4", "Attachments/Candidates/CA-1/CV.pdf|10",
		`Candidates\CA-2\CV.pdf|20`, "photo.jpg|77", "letter.doc|5", "CA-4 Kim Lee/letter.doc|6",
		"Unterlagen U\u0308bersicht.txt|8", "x/twin.txt|2", "x/twin.txt|1", "a/once.txt|9", "b/once.txt|9",
		"CA-3/stranger.txt|1", "stranger.txt|1", "some/nosize.txt|3", "../up.txt|1", "bad\xff.txt|1",
		"abcd0000000000000000000000000000bbbb/scan.jpg|9",
		"abcd0000000000000000000000000000bbbb/scan.jpg|41"))
	want := []string{
		"abcd0000000000000000000000000000AAAA_terms.pdf: CANDIDATE abcd00000000000000000000000000000001, " +
			"abcd0000000000000000000000000000aaaa, id",
		"Attachments/Candidates/CA-1/CV.pdf: CANDIDATE abcd00000000000000000000000000000001, f-2, path",
		`Candidates\CA-2\CV.pdf: CANDIDATE abcd00000000000000000000000000000002, f-3, path`,
		"photo.jpg: CANDIDATE abcd00000000000000000000000000000002, f-4, name-size",
		"letter.doc: , , ambiguous",
		"CA-4 Kim Lee/letter.doc: CANDIDATE abcd00000000000000000000000000000004, f-6, name-owner",
		"Unterlagen U\u0308bersicht.txt: CANDIDATE abcd00000000000000000000000000000005, f-7, name-size",
		"x/twin.txt: LEAD lead1, f-9, path", "x/twin.txt: LEAD lead1, f-8, path",
		"a/once.txt: , , ambiguous", "b/once.txt: , , ambiguous",
		"CA-3/stranger.txt: CANDIDATE abcd00000000000000000000000000000003, , id", "stranger.txt: , , ",
		"some/nosize.txt: CANDIDATE abcd00000000000000000000000000000001, f-11, name",
		"../up.txt: CANDIDATE abcd00000000000000000000000000000004, f-12, path",
		"bad\xff.txt: , , ",
		"abcd0000000000000000000000000000bbbb/scan.jpg: CANDIDATE abcd00000000000000000000000000000002, " +
			"f-13, path",
		"abcd0000000000000000000000000000bbbb/scan.jpg: CANDIDATE abcd00000000000000000000000000000001, " +
			"abcd0000000000000000000000000000bbbb, id",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestCVsFindTheirPeople(t *testing.T) {
	t.Parallel()
	b, _ := build(t, BuildOptions{})
	load(t, b, "Candidates.csv", people)
	load(
		t, b, "Attachments.csv",
		"Attachment Id,Record Id,Record Type,File Name,File Path,Is "+
			"CV\nf-1,abcd00000000000000000000000000000003,CANDIDATE,x.pdf,cvs/x.pdf,true\n",
	)
	got := matches(t, b,
		entries("cvs", "ABCD00000000000000000000000000000001.pdf", "CVs/CA-2/Lebenslauf.pdf",
			"Mensah, Ama - CV (2).docx", "Jose Nunez Resume.pdf", "Kim Lee CV.pdf",
			"Kim Lee CA-4.pdf", "李伟.pdf", "Ama Mensah/CV.pdf", "scan0001.pdf", "cvs/x.pdf",
			"CA-1 and CA-2.pdf"))
	id := "CANDIDATE abcd0000000000000000000000000000000"
	want := []string{"ABCD00000000000000000000000000000001.pdf: " + id + "1, , id",
		"CVs/CA-2/Lebenslauf.pdf: " + id + "2, , id", "Mensah, Ama - CV (2).docx: " + id + "1, , name-owner",
		"Jose Nunez Resume.pdf: " + id + "2, , name-owner", "Kim Lee CV.pdf: , , ambiguous",
		"Kim Lee CA-4.pdf: " + id + "4, , id", "李伟.pdf: " + id + "5, , name-owner",
		"Ama Mensah/CV.pdf: " + id + "1, , name-owner", "scan0001.pdf: , , ",
		"cvs/x.pdf: " + id + "3, f-1, path", "CA-1 and CA-2.pdf: , , ambiguous"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestMatchingWithoutTablesFindsNothing(t *testing.T) {
	t.Parallel()
	b, _ := build(t, BuildOptions{})
	if d := cmp.Diff([]string{"a.pdf: , , "}, matches(t, b, entries("attachments", "a.pdf|1"))); d != "" {
		t.Error(d)
	}
}

func TestMatchYieldsInTheOrderOfTheContainer(t *testing.T) {
	t.Parallel()
	b, _ := build(t, BuildOptions{})
	load(t, b, "Candidates.csv", people)
	const n = 10_000 // more than is read at a time
	var got []int
	for m, err := range b.Match(context.Background(), func(yield func(Entry, error) bool) {
		for i := range n {
			if !yield(
				Entry{
					DocID: "x", Part: "cvs", Container: 2 - i%2, Index: i, Offset: int64(n - i), Name: "x",
					Size: 1,
				},
				nil,
			) {
				return
			}
		}
	}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, m.Container*1_000_000+int(m.Offset))
	}
	for i := 1; i < len(got); i++ {
		if got[i] <= got[i-1] {
			t.Fatalf("%d comes before %d", got[i-1], got[i])
		}
	}
	if len(got) != n {
		t.Errorf("%d of %d", len(got), n)
	}
}

func TestMatchPassesErrorsOnAndMayBeLeft(t *testing.T) {
	t.Parallel()
	b, _ := build(t, BuildOptions{})
	broken := errors.New("broken container")
	for _, err := range b.Match(
		context.Background(), func(yield func(Entry, error) bool) { yield(Entry{}, broken) },
	) {
		if !errors.Is(err, broken) {
			t.Errorf("got error %v, want %v", err, broken)
		}
	}
	for range b.Match(context.Background(), entries("cvs", "a", "b", "c")) {
		break
	}
	if got := matches(t, b, entries("cvs", "a")); len(got) != 1 {
		t.Errorf("afterwards: %q", got)
	}
}

// TestMatchAtSize matches HOLDALL_QUERY_ENTRIES entries, half of which are called CV.pdf, and tells the peak
// memory.
func TestMatchAtSize(t *testing.T) {
	n, _ := strconv.Atoi(os.Getenv("HOLDALL_QUERY_ENTRIES"))
	if n == 0 {
		t.Skip("set HOLDALL_QUERY_ENTRIES to a number of entries to measure with")
	}
	b, _ := build(t, BuildOptions{})
	var rows strings.Builder
	rows.WriteString("Attachment Id,Record Id,Record Type,File Name,File Path,File Size\n")
	for i := range n {
		fmt.Fprintf(&rows, "abcd%032x,cand%032x,CANDIDATE,CV.pdf,,%d\n", i, i/3, i%1000)
	}
	load(t, b, "Attachments.csv", rows.String())
	rows.Reset()
	t.Logf("loaded, peak %s", peak(t))
	by := map[string]int{}
	for m, err := range b.Match(context.Background(), func(yield func(Entry, error) bool) {
		for i := range n {
			name := fmt.Sprintf("files/abcd%032x_CV.pdf", i)
			if i%2 == 0 {
				name = fmt.Sprintf("files/cand%032x/CV.pdf", i/3)
			}
			if !yield(
				Entry{
					DocID: strconv.Itoa(i), Part: "attachments", Index: i, Offset: int64(i), Name: name,
					Size: int64(i % 1000),
				},
				nil,
			) {
				return
			}
		}
	}) {
		if err != nil {
			t.Fatal(err)
		}
		by[m.By]++
	}
	t.Logf("%v, peak %s", by, peak(t))
}
