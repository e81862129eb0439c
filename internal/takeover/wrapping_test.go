package takeover

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"holdall/internal/containertest"
	"holdall/query"
)

// The people of a delivery, their letters (attachments with rows) and their CVs.
const (
	personA, personB = "abcd00000000000000000000000000000001", "abcd00000000000000000000000000000002"
	peopleCSV        = "candidate_id,reference,full_name,has_cv\n" + personA + ",CA-1,Ada Byron,true\n" +
		personB + ",CA-2,Mary Fairfax,true\n"
)

type containerCase struct {
	name string
	d    delivery
	want []string // codes
}

// containerCases is one table, which reads best in one piece: hence its length.
func containerCases(t *testing.T) []containerCase {
	z := zipped(t, letters())
	first := zipped(t, letters()[:1])
	tells := func(codes ...string) []string { return codes }
	return []containerCase{
		{
			"two ZIPs, one behind the other",
			only("a.zip", append(bytes.Clone(first), zipped(t, letters()[1:])...)),
			tells("warning entries-unlisted"),
		},
		{
			"a directory offset that is too small",
			only("a.zip", le32(z, endOf(z)+16, uint32(directoryOf(z)-17))), nil,
		},
		{
			"a directory offset that is too large",
			only("a.zip", le32(z, endOf(z)+16, uint32(directoryOf(z)+17))), nil,
		},
		{
			"a page in front, offsets from the ZIP's start",
			only("a.zip", append([]byte("<p>wait</p>"), z...)), tells("warning bytes-unaccounted"),
		},
		{
			"a program in front, as of a self-extracting ZIP",
			only("a.exe", append(append([]byte("MZ\x90\x00"), noise(5000)...), z...)),
			tells("warning bytes-unaccounted"),
		},
		{
			"a page behind",
			only("a.zip", append(bytes.Clone(z), "<html>"+strings.Repeat("error ", 20_000)...)),
			tells("warning bytes-unaccounted"),
		},
		{"zeros behind", only("a.zip", append(bytes.Clone(z), make([]byte, 9000)...)), nil},
		{
			"an entry count that is wrong", only("a.zip", le16(z, endOf(z)+10, 9)),
			tells("warning container-contradictory"),
		},
		{"no directory", only("a.zip", z[:directoryOf(z)]), tells("error container-damaged")},
		{"a broken directory", only("a.zip", func() []byte {
			b := bytes.Clone(z)
			copy(b[directoryOf(z):], "XXXX")
			return b
		}()), tells("warning container-damaged")},
		{"a directory that breaks off", only("a.zip", func() []byte {
			b := bytes.Clone(z)
			copy(b[bytes.LastIndex(b, []byte("PK\x01\x02")):], "XXXX")
			return b
		}()), tells("warning container-damaged")},
		{"a ZIP of ZIPs in each part", delivery{
			data: []object{{
				"data.zip",
				zipped(
					t,
					[]handmadeFile{
						{"Part-1.zip", string(zipped(t, tablesOf(t)[:4]))},
						{"Part-2.zip", string(zipped(t, tablesOf(t)[4:]))},
					},
				),
			}},
			attachments: []object{{
				"a.zip",
				zipped(
					t,
					[]handmadeFile{
						{"Part-1.zip", string(first)}, {"Part-2.zip", string(zipped(t, letters()[1:]))},
					},
				),
			}},
			cvs: []object{{"c.zip", zipped(t, []handmadeFile{{"out/all.zip", string(zipped(t, lives()))}})}},
		}, nil},
		{
			"a ZIP cut into pieces, one a link",
			delivery{attachments: []object{
				{"a.zip.001", z[:700]}, {"a.zip.002", z[700:1400]}, {"a.zip.003", z[1400:]},
			}},
			nil,
		},
		{
			"a ZIP cut into pieces, in a ZIP",
			only(
				"a.zip",
				zipped(t, []handmadeFile{{"a.zip.001", string(z[:700])}, {"a.zip.002", string(z[700:])}}),
			),
			nil,
		},
		{"names from Windows and from nowhere", delivery{
			data: []object{{"data.zip", zipped(t, renamed(tablesOf(t), func(i int, name string) string {
				return []string{`DATA\`, "../", "/", `C:\export\`, "a/../../"}[i%5] + name
			}))}},
		}, nil},
	}
}

// Whatever form a part comes in, its documents and tables come out, with their owners, and what is odd about
// it is reported.
func TestContainersAsTheWorldMakesThem(t *testing.T) {
	for _, test := range containerCases(t) {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			checkDelivered(t, root, test.d.take(t, root), whole(), test.want...)
		})
	}
}

func renamed(files []handmadeFile, name func(int, string) string) []handmadeFile {
	files = slices.Clone(files)
	for i := range files {
		files[i].name = name(i, files[i].name)
	}
	return files
}

// Entries of the data part that nothing can read are refused, each reason told once, and the other tables are
// there.
func TestAnUnreadableTableStopsNothing(t *testing.T) {
	t.Parallel()
	files := append(
		tablesOf(t), handmadeFile{"Locked-1.csv", "id\n1\n"}, handmadeFile{"Locked-2.csv", "id\n2\n"},
	)
	z := zipped(t, files)
	for _, name := range []string{"Locked-1.csv", "Locked-2.csv"} {
		z[bytes.Index(z, []byte(name))-localName+6] |= 1
		z[bytes.LastIndex(z, []byte(name))-recordName+8] |= 1
	}
	root := t.TempDir()
	r := delivery{data: []object{{"data.zip", z}}}.take(t, root)
	checkDelivered(t, root, r, whole(), "warning locked-document")
	for _, f := range r.Findings {
		if f.Code == query.LockedDocument && (f.Count != 1 ||
			!strings.HasPrefix(f.Detail, "2 entries of data.zip")) {
			t.Errorf("told as %+v; want one finding about 2 entries", f)
		}
	}
}

// Names that a platform reserves, that lead elsewhere, that are too long or there twice are data; each file
// is there.
func TestIllNamedEntriesAreTakenUnderSafeNames(t *testing.T) {
	t.Parallel()
	names := []string{
		"CON", "aux.txt", "../../etc/passwd", `C:\Windows\x.txt`, "a\x00b.pdf",
		strings.Repeat("long/", 13_000) + "x.txt", "same.txt", "same.txt", "Same.TXT", "", ".", "nul.",
	}
	var files []handmadeFile
	for i, name := range names {
		files = append(files, handmadeFile{name, fmt.Sprint("content ", i)})
	}
	odd := append(tablesOf(t), handmadeFile{"CON.csv", "id,x\n1,2\n"},
		handmadeFile{"lpt1.csv", "id,x\n1,2\n"}, handmadeFile{"notes.csv.part", "x"},
		handmadeFile{"what.", "x"}, handmadeFile{"con.CSV", "id,x\n3,4\n"})
	d := delivery{
		data:        []object{{"data.zip", zipped(t, odd)}},
		attachments: []object{{"a.zip", zipped(t, append(letters(), files...))}},
	}
	root := t.TempDir()
	r := d.take(t, root)
	if r.State != StateComplete || r.Documents.Attachments != int64(3+len(files)) {
		t.Errorf("%+v; want complete, with %d attachments", r, 3+len(files))
	}
	sums := map[string]bool{}
	for _, k := range archivedRows(t, root, r) {
		sums[k] = true
	}
	for _, f := range files {
		if !sums[digestOf(f.content)] {
			t.Errorf("%.40q is not there", f.name)
		}
	}
	mustVerify(t, root, r)
}

// A ZIP that somebody attached is a document like any other, whatever is in it; so are office documents.
func TestAPortfolioIsNotOpened(t *testing.T) {
	t.Parallel()
	portfolio := string(zipped(t, []handmadeFile{{"poem.txt", "a poem"}}))
	h := handmade{tables: map[string]string{"candidates": peopleCSV,
		"attachments": "attachment_id,record_id,record_type,file_name,file_path,file_size\n" +
			fmt.Sprintf("f-1,%s,CANDIDATE,portfolio.zip,%[1]s/portfolio.zip,%d\n", personA, len(portfolio))}}
	d := delivery{
		data:        []object{{"data.zip", zipped(t, h.data(t))}},
		attachments: []object{{"a.zip", zipped(t, []handmadeFile{{personA + "/portfolio.zip", portfolio}})}},
		cvs: []object{{
			"c.zip",
			zipped(
				t,
				[]handmadeFile{
					{"CA-1 Ada Byron.zip", portfolio + "\x00"}, {"CA-2 Mary Fairfax.zip", portfolio},
				},
			),
		}},
	}
	root := t.TempDir()
	r := d.take(t, root)
	want := map[string]string{
		personA + "/portfolio.zip": personA + " " + digestOf(portfolio),
		"CA-1 Ada Byron.zip":       personA + " " + digestOf(portfolio+"\x00"),
		"CA-2 Mary Fairfax.zip":    personB + " " + digestOf(portfolio),
	}
	got := map[string]string{}
	for at, k := range archivedDocuments(t, openBag(t, root, r.Export)) {
		got[at.name] = k.owner + " " + k.sum.String()
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("documents (-want +got):\n%s", diff)
	}
}

// What cannot be opened is called what it is, and kept.
func TestWhatCannotBeOpenedIsNamed(t *testing.T) {
	t.Parallel()
	seven := "7z\xbc\xaf\x27\x1c\x00\x04 packed by somebody " + noise(500)
	broken := containertest.Gzip(t, []byte(noise(5000)))[:700]
	d := delivery{
		data: []object{{
			"data.zip",
			zipped(t, append(tablesOf(t)[1:], handmadeFile{tablesOf(t)[0].name + ".gz", string(broken)})),
		}},
		attachments: []object{{"letters.7z", []byte(seven)}},
		cvs: []object{{
			"cvs.zip",
			zipped(
				t,
				[]handmadeFile{
					{"all.zip.001", zippedString(t, lives())[:300]},
					{"all.zip.003", zippedString(t, lives())[300:]},
				},
			),
		}},
	}
	root := t.TempDir()
	r := d.take(t, root)
	var told []string
	status, err := ReadStatus(t.Context(), openBag(t, root, r.Export))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range allFindings(t, status, openBag(t, root, r.Export)) {
		if f.Severity != query.SeverityInfo {
			told = append(told, string(f.Code)+" "+f.Detail)
		}
	}
	all := strings.Join(told, "\n")
	for _, want := range []string{
		"container-unopened " + tablesOf(t)[0].name + ".gz", "letters.7z, a 7z archive",
		"container-damaged the structure of cvs.zip/all.zip",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("not told: %s\n%s", want, all)
		}
	}
	mustVerify(t, root, r)
}
