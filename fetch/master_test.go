package fetch

import (
	"context"
	"encoding/binary"
	"errors"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"

	"holdall/fetch/failure"
	"holdall/fetch/link"
	"holdall/fetch/master"
)

const (
	dataURL = "https://files.example.com/exports/7/data.zip?X-Amz-Date=20261120T000000Z&X-Amz-Signature=" +
		secret
	attachURL = "https://files.example.com/exports/7/attachments.zip?X-Amz-Date=20261120T000000Z&" +
		"X-Amz-Signature=" + secret
	cvsURL = "https://files.example.com/exports/7/cvs.zip?X-Amz-Date=20261120T000000Z&X-Amz-Signature=" +
		secret
	opaqueURL = "https://go.example.com/dl/" + secret
)

var masterFaults = []faultCase{
	{
		name: "it is the message that its link has expired, a web page, empty, a ZIP, a table without links",
		test: testWhatIsNoMaster, outcome: "`link-expired` or `not-the-export`: new master CSV",
	},
	{
		name: "renamed or missing headings, rows for columns, formulas, escapes, UTF-16, mail protection; " +
			"two of three links",
		test: testReadMaster, outcome: "every link is found, and a missing part is told",
	},
	{
		name: "it was saved as a workbook, compressed, or put into a ZIP", test: testPackedMaster,
		outcome: "every link is found",
	},
	{name: "something else was handed over: a PDF, a mail, a shortcut, a page, an image, an old workbook, " +
		"the export itself, one of its tables",
		test: testMistakenForMaster, outcome: "`not-the-export`: it is named, with what to give instead"},
	{
		name: "it is itself behind a link that has expired or shows a page", test: testMasterIsFetched,
		outcome: "it is read, or `link-expired`, `not-the-export`: new master CSV",
	},
}

type href struct {
	Part link.Part
	URL  string
}

type readCase struct {
	name, text string
	want       []href
	note       string // part of a note, if one is wanted
}

// readCases is one table, which reads best in one piece: hence its length.
func readCases() []readCase {
	three := []href{{link.PartData, dataURL}, {link.PartAttachments, attachURL}, {link.PartCVs, cvsURL}}
	esc := func(s string) string { return strings.ReplaceAll(s, "&", "&amp;") }
	safe := "https://nam02.safelinks.protection.outlook.com/?url=" + url.QueryEscape(attachURL) +
		"&data=05%7C01&sdata=x%3D&reserved=0"
	proofpoint := "https://urldefense.proofpoint.com/v2/url?u=" +
		strings.NewReplacer("-", "-2D", "_", "-5F", "%", "-", "/", "_").Replace(url.QueryEscape(attachURL)) +
		"&d=DwMF&c=x"
	return []readCase{
		{
			"a column each",
			"Data Files,Attachments,Internal CVs\n" + dataURL + "," + attachURL + "," + cvsURL + "\n", three,
			"",
		},
		{
			"a row each",
			"Type,Link\nData files," + dataURL + "\nAttachments," + attachURL + "\nInternal CVs," + cvsURL +
				"\n",
			three, "",
		},
		{
			"a row each, the link first",
			"Download URL,File\n" + dataURL + ",CSV data\n" + attachURL + ",attachments\n" + cvsURL +
				",resumes\n",
			three, "",
		},
		{
			"semicolons",
			"Daten (data);Attachments;CVs\r\n" + dataURL + ";" + attachURL + ";" + cvsURL + "\r\n", three, "",
		},
		{
			"semicolons and HTML escapes",
			"data;attachments;cvs\r\n" + esc(dataURL) + ";" + esc(attachURL) + ";" + esc(cvsURL) + "\r\n",
			three, "HTML-escaped",
		},
		{
			"tabs", "data files\tATTACHMENTS\tinternalCvs\n" + dataURL + "\t" + attachURL + "\t" + cvsURL,
			three, "",
		},
		{
			"quotes",
			"\"Data files\",\"Attachments\",\"Internal CVs\"\n\"" + dataURL + "\",\"" + attachURL + "\",\"" +
				cvsURL + "\"\n",
			three, "",
		},
		{
			"a byte order mark",
			"\ufeffData files,Attachments,CVs\n" + dataURL + "," + attachURL + "," + cvsURL + "\n", three, "",
		},
		{
			"UTF-16",
			string(inUTF16("Data files,Attachments,CVs\n"+dataURL+","+attachURL+","+cvsURL+"\n", true)),
			three, "UTF-16",
		},
		{
			"UTF-16 without a mark",
			string(inUTF16("Data files,Attachments,CVs\n"+dataURL+","+attachURL+","+cvsURL+"\n", false)),
			three, "UTF-16",
		},
		{
			"spreadsheet formulas",
			"Part,Link\nData files,\"=HYPERLINK(\"\"" + dataURL +
				"\"\",\"\"Download\"\")\"\nAttachments,\"=HYPERLINK(\"\"" + attachURL +
				"\"\")\"\nCVs,\"=HYPERLINK(\"\"" + cvsURL + "\"\";\"\"get\"\")\"\n",
			three, "",
		},
		{"formulas that say what they are",
			"Link\n\"=HYPERLINK(\"\"" + opaqueURL + "1\"\",\"\"Attachments\"\")\"\n\"=HYPERLINK(\"\"" +
				opaqueURL + "2\"\",\"\"Internal CVs\"\")\"\n",
			[]href{{link.PartAttachments, opaqueURL + "1"}, {link.PartCVs, opaqueURL + "2"}},
			"no link for the data files"},
		{"no labels but the links' own names", dataURL + "\n" + attachURL + "\n" + cvsURL + "\n", three, ""},
		{
			"wrapped by SafeLinks", "Attachments\n" + safe + "\n", []href{{link.PartAttachments, attachURL}},
			"SafeLinks",
		},
		{
			"wrapped by Proofpoint", "Attachments\n" + proofpoint + "\n",
			[]href{{link.PartAttachments, attachURL}}, "Proofpoint",
		},
		{"an account column that sounds like data",
			"Account,Attachments,CVs\nAcme Data Ltd," + opaqueURL + "1," + opaqueURL + "2\n",
			[]href{{link.PartAttachments, opaqueURL + "1"}, {link.PartCVs, opaqueURL + "2"}}, ""},
		{
			"two of three", "Data files,Attachments,Internal CVs\n" + dataURL + ",," + cvsURL + "\n",
			[]href{three[0], three[2]}, "no link for the attachments",
		},
		{"several for one part",
			"Part,Link\nData," + dataURL + "\nAttachments 1," + attachURL + "1\nAttachments 2," + attachURL +
				"2\nCVs," + cvsURL + "\n",
			[]href{
				three[0], {link.PartAttachments, attachURL + "1"}, {link.PartAttachments, attachURL + "2"},
				three[2],
			}, ""},
		{
			"the same twice", "Part,Link\nData," + dataURL + "\nAttachments," + dataURL + "\n",
			[]href{three[0], {link.PartAttachments, dataURL}}, "more than once",
		},
		{
			"labels that say nothing", "A,B\nx," + opaqueURL + "\n", []href{{link.PartUnknown, opaqueURL}},
			"nothing says which part",
		},
		{
			"a link in a sentence", "Note\nPlease find the attachments here: <" + attachURL + ">.\n",
			[]href{{link.PartAttachments, attachURL}}, "",
		},
		{
			"Latin-1 labels", "R\xe9sum\xe9s\n" + opaqueURL + "\n", []href{{link.PartCVs, opaqueURL}},
			"not UTF-8",
		},
	}
}

func testReadMaster(t *testing.T) {
	for _, tc := range readCases() {
		t.Run(tc.name, func(t *testing.T) {
			m, err := master.Read([]byte(tc.text))
			if err != nil {
				t.Fatal(err)
			}
			var got []href
			for _, l := range m.Links {
				got = append(got, href{l.Part, l.Link.Secret()})
			}
			if d := cmp.Diff(tc.want, got); d != "" {
				t.Errorf("links (-want +got):\n%s", d)
			}
			notes := strings.Join(m.Notes, "\n")
			if !strings.Contains(notes, tc.note) {
				t.Errorf("notes %q, want one with %q", notes, tc.note)
			}
			red := string(m.Redacted())
			if strings.Contains(notes+red, secret) {
				t.Errorf("notes or redacted copy show the secret:\n%s\n%s", notes, red)
			}
			if !strings.Contains(red, "https://") || strings.Contains(tc.text, "CVs") &&
				!strings.Contains(red, "CVs") {
				t.Errorf("the redacted copy lost more than secrets:\n%s", red)
			}
		})
	}
}

// inUTF16 encodes little-endian, with a byte order mark or without.
func inUTF16(s string, mark bool) []byte {
	var b []byte
	if mark {
		b = []byte{0xff, 0xfe}
	}
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return b
}

func TestRedactedHidesASignatureWithSpaces(t *testing.T) {
	m, err := master.Read(
		[]byte(
			"Part,Link\nattachments,\"https://a.example/x.zip?sig=first " +
				"second/third\"\ncvs,https://a.example/y.zip?sig=fourth fifth\n",
		),
	)
	if err != nil {
		t.Fatal(err)
	}
	want := "Part,Link\nattachments,\"https://a.example/x.zip?…\"\ncvs,https://a.example/y.zip?…\n"
	if got := string(m.Redacted()); got != want {
		t.Errorf("redacted: %q, want %q", got, want)
	}
}

func TestRedactedHidesTheRestOfALinkThatWasCut(t *testing.T) {
	m, err := master.Read(
		[]byte(
			"Part,Link\ncvs,https://a.example/y.zip?X-Amz-Expires=604800&" +
				"X-Amz-Signa\nture=0123456789abcdef0123\n0123456789abcdef0123456789abcdef0123\n",
		),
	)
	if err != nil {
		t.Fatal(err)
	}
	want := "Part,Link\ncvs,https://a.example/y.zip?…\nture=…\n…\n"
	if got := string(m.Redacted()); got != want {
		t.Errorf("redacted: %q, want %q", got, want)
	}
}

func TestRedactedKeepsEverythingElse(t *testing.T) {
	text := "Part;Link;Note\r\n\"Data; files\";" + dataURL + ";ready\r\n\r\nAttachments ;\"" + attachURL +
		"\";\"say \"\"hi\"\"\"\r\n"
	m, err := master.Read([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	want := "Part;Link;Note\r\n\"Data; " +
		"files\";https://files.example.com/…/data.zip?…;ready\r\n\r\nAttachments " +
		";\"https://files.example.com/…/attachments.zip?…\";\"say \"\"hi\"\"\"\r\n"
	if d := cmp.Diff(want, string(m.Redacted())); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func testWhatIsNoMaster(t *testing.T) {
	for _, tc := range []struct {
		name, text string
		want       failure.Code
	}{
		{"nothing", " \r\n", failure.NotTheExport},
		{"a web page", signInPage, failure.NotTheExport},
		{
			"an expired link's answer", string(s3Error("AccessDenied", "Request has expired")),
			failure.LinkExpired,
		},
		{
			"an expired token", string(s3Error("ExpiredToken", "The provided token has expired.")),
			failure.LinkExpired,
		},
		{"another error", string(s3Error("NoSuchKey", "")), failure.NotTheExport},
		{"an error in JSON", `{"error":{"code":"Gone"}}`, failure.NotTheExport},
		{"a table without links", "a,b\n1,2\n", failure.NotTheExport},
		{"a ZIP", "PK\x03\x04....", failure.NotTheExport},
	} {
		_, err := master.Read([]byte(tc.text))
		var e *failure.Error
		if !errors.As(err, &e) || e.Code != tc.want || e.Hint == "" {
			t.Errorf("%s: %v, want %s and a hint", tc.name, err, tc.want)
		}
	}
}

func testMasterIsFetched(t *testing.T) {
	s := newFaultServer(t)
	s.put("/master.csv", []byte("Attachments\n"+s.link("/attachments.zip")+"\n"))
	s.put("/expired.csv", nil).fault = func(_ int, _ *served, w http.ResponseWriter, r *http.Request) bool {
		return answer(w, 403, s3Error("AccessDenied", "Request has expired"))
	}
	s.put("/page.csv", []byte(signInPage))
	var receipts []Receipt
	f := newTestFetcher(
		t, func(o *Options) { o.Receipt = func(r Receipt) { receipts = append(receipts, r) } },
	)
	for _, tc := range []struct {
		path string
		want failure.Code
	}{{"/master.csv", ""}, {"/expired.csv", failure.LinkExpired}, {"/page.csv", failure.NotTheExport}} {
		l, err := link.New(s.link(tc.path))
		if err != nil {
			t.Fatal(err)
		}
		m, err := f.Master(context.Background(), l)
		var e *failure.Error
		switch {
		case errors.As(err, &e):
			if e.Code != tc.want || strings.Contains(e.Error(), secret) {
				t.Errorf("%s: %v, want %s", tc.path, err, tc.want)
			}
		case err != nil || tc.want != "" || len(m.Links) != 1 || m.Date.IsZero():
			t.Errorf("%s: %+v, %v; want one link and a date", tc.path, m, err)
		}
	}
	if len(receipts) != 3 || receipts[0].Object != 0 || receipts[0].Status != 206 ||
		receipts[0].End.Before(receipts[0].Start) {
		t.Errorf("receipts %+v, want three for object 0", receipts)
	}
}

func TestOnlyTheRightPackagesAreUsed(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, bad := range []string{"archive", "query", "internal/takeover", "cmd/"} {
			if strings.Contains(string(b), `"holdall/`+bad) {
				t.Errorf("%s imports holdall/%s; fetch stands on its own", name, bad)
			}
		}
	}
}
