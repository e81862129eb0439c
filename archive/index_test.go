package archive

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdall/internal/digest"
)

// TestARowReadsBackAsItWasWritten: long because it is one table of cases.
func TestARowReadsBackAsItWasWritten(t *testing.T) {
	base := Row{
		Document: Document{ID: "a1-000001", Part: "attachments", OwnerType: "CANDIDATE", OwnerID: "CAND1",
			AttachmentID: "ATT1",
			OriginalName: "cv.pdf", ReceivedIn: "01 a.zip",
			Modified: time.Date(2024, 5, 1, 12, 0, 0, 500, time.UTC), MatchedBy: "id"},
		Pack: "data/documents/attachments-00001.zip", Offset: 77, StoredSize: 10, Size: 20,
		Method: methodDeflated, CRC32: 0xabc,
		SHA256: digest.Of([]byte("x")), MediaType: "application/pdf", State: StateOK,
	}
	for _, tc := range []struct {
		name string
		edit func(*Row)
		want func(*Row) // what reading gives, where it is not what was written
	}{
		{"plain", func(*Row) {}, nil},
		{"nothing known", func(r *Row) {
			r.Document = Document{ID: "x", Part: "cvs"}
			r.State = StateEmpty
		}, nil},
		{
			"commas, quotes and newlines",
			func(r *Row) { r.OwnerID, r.OriginalName = "a,\"b\"\nc\rd", ` "a", b;'c'.pdf ` }, nil,
		},
		{"a name in another script", func(r *Row) { r.OriginalName = "履歴書 — résumé.pdf" }, nil},
		{
			"raw bytes that are the name add nothing", func(r *Row) { r.OriginalNameRaw = []byte("cv.pdf") },
			func(r *Row) { r.OriginalNameRaw = nil },
		},
		{
			"raw bytes of an old code page",
			func(r *Row) { r.OriginalName, r.OriginalNameRaw = "Jörg.pdf", []byte("J\x94rg.pdf") }, nil,
		},
		{"control characters stay in the raw name", func(r *Row) { r.OriginalName = "a\x00b\r\nc" },
			func(r *Row) {
				r.OriginalName, r.OriginalNameRaw = "a\uFFFDb\uFFFD\uFFFDc", []byte("a\x00b\r\nc")
			}},
		{"invalid UTF-8 stays in the raw name", func(r *Row) { r.OriginalName = "a\xffb" }, func(r *Row) {
			r.OriginalName, r.OriginalNameRaw = "a\uFFFDb", []byte("a\xffb")
		}},
		{"a long name", func(r *Row) { r.OriginalName = strings.Repeat("long ", 20_000) }, nil},
		{"damaged", func(r *Row) { r.State, r.Damaged = StateDamaged, true }, nil},
		{
			"a time in another zone", func(r *Row) { r.Modified = r.Modified.In(time.FixedZone("x", 3600)) },
			func(r *Row) { r.Modified = base.Modified },
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			row := base
			tc.edit(&row)
			want := row
			if tc.want != nil {
				tc.want(&want)
			}
			row.normalise()
			enc := rowEncoder{}
			file := append(bytes.Clone(headerLine), enc.line(&row)...)
			n := 0
			for got, err := range readRows(bytes.NewReader(file)) {
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(got, want); diff != "" {
					t.Errorf("row (-got +want):\n%s", diff)
				}
				if again := append(bytes.Clone(headerLine), enc.line(&got)...); !bytes.Equal(again, file) {
					t.Errorf("written again it is %q, want %q", again, file)
				}
				n++
			}
			if n != 1 {
				t.Errorf("%d rows, want 1", n)
			}
		})
	}
}

func TestARowThatIsNotOneIsAnError(t *testing.T) {
	good := Row{Document: Document{ID: "x"}, SHA256: digest.Of(nil), Method: methodStored}
	line := string((&rowEncoder{}).line(&good))
	for _, tc := range []struct{ name, file string }{
		{"an empty file", ""},
		{"another header", "id,name\nx,y\n"},
		{"a cell too few", string(headerLine) + strings.Replace(line, ",", "", 1)},
		{"a size that is no number", string(headerLine) + strings.Replace(line, ",0,", ",O,", 1)},
		{"a digest cut short", string(headerLine) + strings.Replace(line, good.SHA256.String(), "abc", 1)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var failed error
			for _, err := range readRows(strings.NewReader(tc.file)) {
				failed = err
			}
			if failed == nil {
				t.Errorf("%q was read", tc.file)
			}
		})
	}
}

func TestEntryNames(t *testing.T) {
	for _, tc := range []struct{ owner, name, media, want string }{
		{"CAND1", "Lebenslauf Jörg Müller.PDF", "application/pdf", "CAND1/d1-lebenslauf-jorg-muller.pdf"},
		{"", "cv.docx", "", "-/d1-cv.docx"},
		{"acme:42/../x", "a.b.c.txt", "", "acme-42-x/d1-a-b-c.txt"},
		{"C", "履歴書.pdf", "application/pdf", "C/d1.pdf"},
		{"C", "../../etc/passwd", "application/pdf", "C/d1-passwd.pdf"},
		{"C", `C:\Users\me\cv.doc`, "", "C/d1-cv.doc"},
		{"C", "", "text/plain", "C/d1.txt"},
		{"C", "noext", "application/octet-stream", "C/d1-noext.bin"},
		{"C", "strange.e%x", "image/png", "C/d1-strange-e-x.png"},
		{
			"C", strings.Repeat("very long ", 30) + ".pdf", "",
			"C/d1-very-long-very-long-very-long-very-long.pdf",
		},
		{strings.Repeat("X", 100), "a.pdf", "", strings.Repeat("X", 40) + "/d1-a.pdf"},
	} {
		row := Row{
			Document: Document{ID: "d1", OwnerID: tc.owner, OriginalName: tc.name}, MediaType: tc.media,
		}
		got := entryName(&row)
		if got != tc.want {
			t.Errorf("entryName(%q, %q) = %q, want %q", tc.owner, tc.name, got, tc.want)
		}
		if n := len(got); n > maxEntryName {
			t.Errorf("%q has %d characters", got, n)
		}
	}
}

func TestIDs(t *testing.T) {
	start := time.Date(2026, 11, 22, 2, 33, 0, 0, time.FixedZone("CET", 3600))
	for _, tc := range []struct{ tenant, want string }{
		{"acme", "recruitly-acme-20261122T013300Z-"},
		{"Acme & Söhne", "recruitly-acme---s-hne-20261122T013300Z-"},
		{"", "recruitly-export-20261122T013300Z-"},
		{strings.Repeat("x", 90), "recruitly-" + strings.Repeat("x", 40) + "-20261122T013300Z-"},
	} {
		id := NewID("recruitly", tc.tenant, start)
		if !strings.HasPrefix(id, tc.want) || len(id) != len(tc.want)+4 || !validID(id) {
			t.Errorf("NewID(%q) = %q, want %s and four letters", tc.tenant, id, tc.want)
		}
		if !StartOf(id).Equal(start) {
			t.Errorf("the time in %s is %v, want %v", id, StartOf(id), start)
		}
		if err := CheckStoreName(exportsDir + id + "/" + strings.Repeat("n", maxName)); err != nil {
			t.Error(err)
		}
	}
	older, newer := "recruitly-zzz-20250101T000000Z-aaaa", "recruitly-aaa-20260101T000000Z-aaaa"
	if compareIDs(older, newer) >= 0 {
		t.Errorf("%s does not come before %s", older, newer)
	}
}

func TestNamesOfOneBagAreUniqueAfterCaseFolding(t *testing.T) {
	set := nameSet{}
	for _, tc := range []struct {
		name string
		ok   bool
	}{
		{"data/a.csv", true}, {"data/A.csv", false}, {"Data/b.csv", false}, {"data", false},
		{"data/a.csv/b", false},
		{"data/b.csv", true}, {"data/a.csv", false}, {"datapackage.json", true},
	} {
		if err := set.add(tc.name); (err == nil) != tc.ok {
			t.Errorf("add %s: %v, want success %v", tc.name, err, tc.ok)
		}
	}
	if err := CheckName(strings.Repeat("x", maxName+1)); err == nil {
		t.Error("a name of 121 characters is accepted")
	}
}

func ExampleNewID() {
	id := NewID("recruitly", "Acme Ltd", time.Date(2026, 11, 22, 1, 33, 0, 0, time.UTC))
	fmt.Println(id[:len(id)-4] + "xxxx")
	// Output: recruitly-acme-ltd-20261122T013300Z-xxxx
}
