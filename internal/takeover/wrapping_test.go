package takeover

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdall/internal/containertest"
	"holdall/query"
)

// A delivery is an export in the form in which it is served: objects by name, and in which order a master CSV
// links to them. What is not set is the plain form of its part.
type delivery struct {
	data, attachments, cvs []object
	// what happens to an object's bytes on the way; may be nil
	damage func(name string) *flipper
	header map[string]string // of the answers of the attachments
	once   string            // of this object, each link works once
	breaks bool              // and the answer of every link but the first breaks off
}

type object struct {
	name    string
	content []byte
}

// The people of a delivery, their letters (attachments with rows) and their CVs.
const (
	personA, personB = "abcd00000000000000000000000000000001", "abcd00000000000000000000000000000002"
	peopleCSV        = "candidate_id,reference,full_name,has_cv\n" + personA + ",CA-1,Ada Byron,true\n" +
		personB + ",CA-2,Mary Fairfax,true\n"
)

func letters() []handmadeFile {
	return []handmadeFile{
		{personA + "/terms.txt", strings.Repeat("the terms of Ada's contract\n", 40)},
		{personB + "/offer.txt", strings.Repeat("the offer made to Mary\n", 40)},
		{personB + "/notes.txt", noise(3000)},
	}
}

func lives() []handmadeFile {
	return []handmadeFile{
		{"CA-1 Ada Byron.txt", strings.Repeat("Ada's life\n", 100)}, {"CA-2 Mary Fairfax.txt", noise(2000)},
	}
}

// noise is text that hardly anything makes shorter.
func noise(n int) string {
	var b strings.Builder
	for x := uint32(n) | 1; b.Len() < n; {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		fmt.Fprintf(&b, "%08x ", x)
	}
	return b.String()
}

func tablesOf(t *testing.T) []handmadeFile {
	var rows strings.Builder
	rows.WriteString("attachment_id,record_id,record_type,file_name,file_path,file_size\n")
	for i, l := range letters() {
		owner, name := path.Split(l.name)
		fmt.Fprintf(
			&rows, "f-%d,%s,CANDIDATE,%s,%s,%d\n", i, strings.TrimSuffix(owner, "/"), name, l.name,
			len(l.content),
		)
	}
	return handmade{tables: map[string]string{"candidates": peopleCSV, "attachments": rows.String()}}.data(t)
}

// take serves the delivery, and takes it over into root until it is done.
func (d delivery) take(t *testing.T, root string) *Result {
	t.Helper()
	r, err := Take(t.Context(), MasterCSV{Raw: d.serve(t)}, options(t, root))
	if err != nil {
		t.Fatalf("take: %v", err)
	}
	return r
}

func (d delivery) serve(t *testing.T) (master []byte) {
	t.Helper()
	plain := func(given []object, name string, files []handmadeFile) []object {
		if given != nil {
			return given
		}
		return []object{{name, zipped(t, files)}}
	}
	objects := map[string][]byte{}
	var asked sync.Map // links that have worked
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := strings.TrimPrefix(r.URL.Path, "/")
		content, ok := objects[name]
		if !ok {
			http.NotFound(w, r)
			return
		}
		if _, before := asked.LoadOrStore(r.URL.String(), true); before && name == d.once {
			http.Error(w, "used", http.StatusGone)
			return
		}
		w.Header().Set("Content-Type", "application/octet-stream") // so that the first bytes are read once
		w.Header().Set("ETag", fmt.Sprintf(`W/"%x"`, len(content)))
		if strings.HasPrefix(name, "a") {
			for k, v := range d.header {
				w.Header().Set(k, v)
			}
		}
		var body io.ReadSeeker = bytes.NewReader(content)
		if d.damage != nil {
			if f := d.damage(name); f != nil {
				if f.refuses(r) {
					http.Error(w, "busy", http.StatusServiceUnavailable)
					return
				}
				body = &flipped{ReadSeeker: body, flipper: f}
			}
		}
		if name == d.once && d.breaks && r.URL.RawQuery != "sig=hush" {
			w.Header().Set("Content-Length", fmt.Sprint(len(content)))
			io.CopyN(w, body, int64(len(content)/4))
			http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}
		http.ServeContent(w, r, "", time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), body)
	}))
	t.Cleanup(s.Close)
	raw := []byte("Type,Link\n")
	for _, part := range []struct {
		label   string
		objects []object
	}{
		{"Data files", plain(d.data, "data.zip", tablesOf(t))},
		{"Attachments", plain(d.attachments, "attachments.zip", letters())},
		{"Internal CVs", plain(d.cvs, "cvs.zip", lives())},
	} {
		for _, o := range part.objects {
			objects[o.name] = o.content
			raw = fmt.Appendf(raw, "%s,%s/%s?sig=hush\n", part.label, s.URL, o.name)
		}
	}
	return raw
}

// checkDelivered compares what came of an export with what it holds: the tables' rows, each document with its
// owner, and the codes of all warnings and errors.
func checkDelivered(t *testing.T, root string, r *Result, docs map[string]string, codes ...string) {
	t.Helper()
	if r.State != StateComplete {
		t.Errorf("state %s, want complete", r.State)
	}
	var found []string
	for _, f := range r.Findings {
		if f.Severity != query.SeverityInfo {
			found = append(found, string(f.Severity)+" "+string(f.Code))
		}
	}
	slices.Sort(found)
	if diff := cmp.Diff(codes, found); diff != "" {
		t.Errorf("warnings and errors (-want +got):\n%s%+v", diff, r.Findings)
	}
	if r.Tables["candidates"].Rows != 2 || r.Tables["attachments"].Rows != 3 || r.Tables["users"].Rows != 1 ||
		len(r.Tables) != 10 {
		t.Errorf("tables %+v; want ten, with 2 candidates, 3 attachments, 1 user", r.Tables)
	}
	got := map[string]string{}
	for at, k := range archivedDocuments(t, openBag(t, root, r.Export)) {
		got[at.name] = k.owner + " " + k.sum.String()
	}
	if diff := cmp.Diff(docs, got); diff != "" {
		t.Errorf("documents by name, with owner and digest (-want +got):\n%s", diff)
	}
	mustVerify(t, root, r)
}

// whole are the documents of a delivery of which nothing is lost.
func whole() map[string]string {
	docs := map[string]string{}
	for _, l := range letters() {
		owner, _ := path.Split(l.name)
		docs[l.name] = strings.TrimSuffix(owner, "/") + " " + digestOf(l.content)
	}
	for i, l := range lives() {
		docs[l.name] = []string{personA, personB}[i] + " " + digestOf(l.content)
	}
	return docs
}

// A flipper changes one byte of an object in the first answers that hold it, and refuses ranges while it is
// told to.
type flipper struct {
	mu     sync.Mutex
	at     int64
	times  int  // answers that are wrong; -1: all
	refuse bool // answer 503 to whoever asks for the byte again
	seen   int
}

func (f *flipper) refuses(r *http.Request) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.refuse && f.seen > 0
}

type flipped struct {
	io.ReadSeeker
	*flipper
}

func (f *flipped) Read(p []byte) (int, error) {
	from, _ := f.Seek(0, io.SeekCurrent)
	n, err := f.ReadSeeker.Read(p)
	if i := f.at - from; i >= 0 && i < int64(n) {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.seen++; f.times < 0 || f.seen <= f.times {
			p[i] ^= 0x41
		}
	}
	return n, err
}

func le16(b []byte, at int, v uint16) []byte {
	b = bytes.Clone(b)
	binary.LittleEndian.PutUint16(b[at:], v)
	return b
}

func le32(b []byte, at int, v uint32) []byte {
	b = bytes.Clone(b)
	binary.LittleEndian.PutUint32(b[at:], v)
	return b
}

func endOf(z []byte) int { return bytes.LastIndex(z, []byte("PK\x05\x06")) }

func directoryOf(z []byte) int { return int(binary.LittleEndian.Uint32(z[endOf(z)+16:])) }

// only replaces the one object of the attachments.
func only(name string, content []byte) delivery {
	return delivery{attachments: []object{{name, content}}}
}

// Whatever form a part comes in, its documents and tables come out, with their owners, and what is odd about
// it is told.
func TestContainersAsTheWorldMakesThem(t *testing.T) {
	z := zipped(t, letters())
	first := zipped(t, letters()[:1])
	tells := func(codes ...string) []string { return codes }
	for _, test := range []struct {
		name string
		d    delivery
		want []string // codes
	}{
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
	} {
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

// What a Mac, a Windows share and an office leave behind is no document; a person's file that is merely named
// so is one.
func TestSystemLitterIsKeptApart(t *testing.T) {
	t.Parallel()
	const twin = "\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X        and some attributes"
	litter := []handmadeFile{
		{"__MACOSX/" + personA + "/._terms.txt", twin},
		{personA + "/.DS_Store", "\x00\x00\x00\x01Bud1 view settings"},
		{personB + "/Thumbs.db", "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 pictures"},
		{"desktop.ini", "[.ShellClassInfo]\r\n"},
		{personB + "/~$offer.docx", "\x05Mary" + strings.Repeat("\x00", 157)},
		{"@eaDir/offer.txt@SynoEAStream", "attributes"},
	}
	real := handmadeFile{personA + "/._letter.pdf", "%PDF-1.4\nnot a twin"}
	var twins []handmadeFile
	for _, f := range tablesOf(t) {
		twins = append(twins, handmadeFile{"__MACOSX/._" + f.name, twin}, f)
	}
	d := delivery{
		data:        []object{{"data.zip", zipped(t, twins)}},
		attachments: []object{{"a.zip", zipped(t, append(append(litter, letters()...), real))}},
		cvs: []object{{
			"c.zip", zipped(t, append(lives(), handmadeFile{"__MACOSX/._CA-1 Ada Byron.txt", twin})),
		}},
	}
	root := t.TempDir()
	r := d.take(t, root)
	docs := whole()
	docs[real.name] = personA + " " + digestOf(real.content)
	checkDelivered(t, root, r, docs, "warning file-unlisted")
	var told []query.Finding
	status, err := ReadStatus(t.Context(), openBag(t, root, r.Export))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range allFindings(t, status, openBag(t, root, r.Export)) {
		if f.Code == query.SystemLitter {
			told = append(told, f)
		}
	}
	if len(told) != 1 || !strings.HasPrefix(told[0].Detail, "17 files") ||
		told[0].Severity != query.SeverityInfo {
		t.Errorf("litter is told as %+v; want one info of 17 files", told)
	}
	rows := refusedRows(t, root, r)
	if len(rows) != 17 {
		t.Fatalf("refused.csv has %d rows, want 17", len(rows))
	}
	for _, row := range rows {
		if row["reason"] != "system-litter" || row["kept_in"] == "" {
			t.Errorf("row %+v; want system-litter, kept", row)
		}
	}
	if got := keptContent(
		t, root, r,
		rows[slices.IndexFunc(rows, func(r map[string]string) bool { return r["name"] == "desktop.ini" })],
	); got != "[.ShellClassInfo]\r\n" {
		t.Errorf("desktop.ini is kept as %q", got)
	}
}

// Litter in a tar takes more room than its compressed bytes, and is kept all the same.
func TestLitterOfACompressedTarIsKept(t *testing.T) {
	t.Parallel()
	store := handmadeFile{".DS_Store", "\x00\x00\x00\x01Bud1" + noise(1_300_000)}
	root := t.TempDir()
	r := only("a.tar.gz", containertest.Gzip(t, tarred(t, append(letters(), store)))).take(t, root)
	checkDelivered(t, root, r, whole())
	rows := refusedRows(t, root, r)
	if len(rows) != 1 || rows[0]["kept_in"] == "" || !strings.Contains(
		keptContent(t, root, r, rows[0]), store.content,
	) {
		t.Errorf("refused.csv: %.300v; want .DS_Store, kept", rows)
	}
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

func zippedString(t *testing.T, files []handmadeFile) string { return string(zipped(t, files)) }

func archivedRows(t *testing.T, root string, r *Result) []string {
	t.Helper()
	return ask(t, root, r, "select sha256 from documents")
}

// Where names stand behind the start of their headers.
const localName, recordName = 30, 46
