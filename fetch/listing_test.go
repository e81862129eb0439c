package fetch

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdall/fetch/failure"
	"holdall/fetch/link"
	"holdall/fetch/listing"
	"holdall/fetch/master"
	"holdall/internal/filetype"
)

// A listedFile is what a test expects of an entry.
type listedFile struct {
	Link, Name string
	Size       int64
}

var listingForms = []struct {
	name string
	kind filetype.Type
	text string
	want []listedFile
	next string
}{
	{"CSV with a heading", filetype.CSV,
		"File Name,Size,Link\r\n\"a, " +
			"b.pdf\",12,https://f.example.com/1?sig=x\r\nc.doc,0,https://f.example.com/2?sig=y\r\n",
		[]listedFile{
			{"https://f.example.com/1?sig=x", "a, b.pdf", 12},
			{"https://f.example.com/2?sig=y", "c.doc", 0},
		}, ""},
	{"CSV of bare links", filetype.Unknown,
		"https://f.example.com/x/a.pdf?sig=x\nhttps://f.example.com/x/b%20c.pdf?sig=y\n",
		[]listedFile{
			{"https://f.example.com/x/a.pdf?sig=x", "a.pdf", -1},
			{"https://f.example.com/x/b%20c.pdf?sig=y", "b c.pdf", -1},
		}, ""},
	{
		"CSV with semicolons and a path", filetype.CSV, "url;path\nhttps://f.example.com/1;12/cv.pdf\n",
		[]listedFile{{"https://f.example.com/1", "12/cv.pdf", -1}}, "",
	},
	{"JSON objects and a next page", filetype.JSON,
		`{"files":[{"name":"a.pdf","size":5,"url":"https://f.example.com/1"},{"fileName":"b.pdf",` +
			`"meta":{"x":1},"downloadUrl":"/rel/2"}],"next":"?page=2",` +
			`"url":"https://f.example.com/self"}`,
		[]listedFile{
			{"https://f.example.com/1", "a.pdf", 5}, {"https://files.example.com/rel/2", "b.pdf", -1},
		}, "https://files.example.com/exports/7/?page=2"},
	{"JSON array of links", filetype.JSON,
		`["https://f.example.com/a.pdf","https://f.example.com/b.pdf"]`,
		[]listedFile{
			{"https://f.example.com/a.pdf", "a.pdf", -1}, {"https://f.example.com/b.pdf", "b.pdf", -1},
		}, ""},
	{"S3", filetype.XML,
		`<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
			<Name>b</Name><IsTruncated>true</IsTruncated>
			<NextContinuationToken>t+1</NextContinuationToken>
			<Contents><Key>12/cv é.pdf</Key><LastModified>2026-11-20T08:00:00.000Z</LastModified>
			<ETag>"e"</ETag><Size>7</Size></Contents>
			<Contents><Key>dir/</Key><Size>0</Size></Contents></ListBucketResult>`,
		[]listedFile{{"https://files.example.com/exports/7/12/cv%20%C3%A9.pdf?tok=1", "12/cv é.pdf", 7}},
		"https://files.example.com/exports/7/?X-Amz-Signature=abc&continuation-token=t%2B1&" +
			"list-type=2&tok=1"},
	{"a web server's index", filetype.HTML,
		`<html><head><title>Index of /x</title><link rel="stylesheet" href="s.css"></head>
			<body><h1>Index of /x</h1><a href="../">../</a> <a href="?C=N;O=D">Name</a>
			<a href="a%20b.pdf">a b.pdf</a> 20-Nov-2026
			<a href="a-very-long-name-indeed.pdf">a-very-long-n..&gt;</a><a href="sub/">sub/</a>
			<a rel="next" href="?p=2">more</a></body></html>`,
		[]listedFile{
			{"https://files.example.com/exports/7/a%20b.pdf", "a b.pdf", -1},
			{
				"https://files.example.com/exports/7/a-very-long-name-indeed.pdf",
				"a-very-long-name-indeed.pdf", -1,
			},
		},
		"https://files.example.com/exports/7/?p=2"},
	{"an index whose links run a program", filetype.HTML,
		`<html><body><a href="?order=name">Name</a> <a href="/login.php">Home</a>
			<a href="/get?id=7">Ines Alder.pdf</a>
		<a href="fetch.php?f=8">offer.docx</a> <a href="?f=9">scan.tar.gz</a></body></html>`,
		[]listedFile{{"https://files.example.com/get?id=7", "Ines Alder.pdf", -1},
			{"https://files.example.com/exports/7/fetch.php?f=8", "offer.docx", -1},
			{"https://files.example.com/exports/7/?f=9", "scan.tar.gz", -1}}, ""},
}

func TestListingForms(t *testing.T) {
	base, err := url.Parse("https://files.example.com/exports/7/?list-type=2&X-Amz-Signature=abc&tok=1")
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range listingForms {
		t.Run(tc.name, func(t *testing.T) {
			var got []listedFile
			end, err := listing.Read(tc.kind, strings.NewReader(tc.text), base, func(l listing.Entry) error {
				got = append(got, listedFile{l.Link.Secret(), l.Label(), l.Size})
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tc.want, got); d != "" {
				t.Errorf("files (-want +got):\n%s", d)
			}
			if end.Next != tc.next {
				t.Errorf("next = %q, want %q", end.Next, tc.next)
			}
			if len(got) > 0 && !listing.Detect(link.PartAttachments, tc.kind, []byte(tc.text)) {
				t.Error("it is not recognised as a listing")
			}
		})
	}
}

func TestWhatIsNoListing(t *testing.T) {
	for _, tc := range []struct {
		name string
		part link.Part
		kind filetype.Type
		text string
	}{
		{
			"a table with a column of links among many", link.PartData, filetype.CSV,
			"Id,Name,Email,Phone,Owner,Status,City,Country,LinkedIn\n1,a,b,c,d,e,f,g,https://li.example/1\n",
		},
		{
			"a table where some rows have a link", link.PartCVs, filetype.CSV,
			"Id,Web\n1,https://a.example/x.pdf\n2,\n",
		},
		{
			"a table of links to different hosts", link.PartCVs, filetype.CSV,
			"Id,Web\n1,https://a.example/x.pdf\n2,https://b.example/x.pdf\n",
		},
		{
			"a data table of links to documents", link.PartData, filetype.CSV,
			"Id,Url\n1,https://a.example/x.pdf\n",
		},
		{"a sign-in page", link.PartCVs, filetype.HTML, signInPage},
		{
			"a sign-in page with a link to a file", link.PartCVs, filetype.HTML,
			`<html><a href="help.pdf">Help</a><input type="password"></html>`,
		},
		{"an error in JSON", link.PartCVs, filetype.JSON, `{"error":"expired"}`},
		{"an error in XML", link.PartCVs, filetype.XML, string(s3Error("AccessDenied", "no"))},
	} {
		if listing.Detect(tc.part, tc.kind, []byte(tc.text)) {
			t.Errorf("%s is taken for a listing", tc.name)
		}
	}
}

// A listedServer serves a listing of files in one of the four forms.
type listedServer struct {
	*faultServer
	names  []string
	bodies map[string][]byte // by path
}

// serveListing puts n files and their listing at /list. size gives each file's size.
func serveListing(s *faultServer, form string, n, pageSize int, size func(i int) int) *listedServer {
	l := &listedServer{faultServer: s, bodies: map[string][]byte{}}
	for i := range n {
		path := fmt.Sprintf("/files/%d/cv %d.pdf", i, i)
		body := append([]byte("%PDF-1.7\n"), zipLike(size(i), uint64(i))...)[:max(size(i), 0)]
		l.names, l.bodies[path] = append(l.names, path), body
		s.put(path, body)
	}
	for from := 0; from == 0 || from < n; from += pageSize {
		next := ""
		if from+pageSize < n {
			next = "/list" + strconv.Itoa(from+pageSize)
		}
		path := "/list"
		if from > 0 {
			path += strconv.Itoa(from)
		}
		s.put(path, l.page(form, l.names[from:min(from+pageSize, n)], next))
	}
	return l
}

func (l *listedServer) signed(path string) string {
	return l.URL + (&url.URL{Path: path}).EscapedPath() + "?sig=" + secret
}

func (l *listedServer) page(form string, names []string, next string) []byte {
	var b bytes.Buffer
	switch form {
	case "csv":
		b.WriteString("File Name,Size,Link\r\n")
		for _, n := range names {
			fmt.Fprintf(&b, "%s,%d,%s\r\n", filepath.Base(n), len(l.bodies[n]), l.signed(n))
		}
	case "json":
		var files []map[string]any
		for _, n := range names {
			files = append(
				files, map[string]any{"name": filepath.Base(n), "size": len(l.bodies[n]), "url": l.signed(n)},
			)
		}
		page := map[string]any{"files": files}
		if next != "" {
			page["next"] = l.signed(next)
		}
		json.NewEncoder(&b).Encode(page)
	case "html":
		b.WriteString("<!DOCTYPE html><html><head><title>Index</title></head><body>\n")
		for _, n := range names {
			fmt.Fprintf(&b, "<a href=\"%s\">%s</a>\n", l.signed(n), filepath.Base(n))
		}
		if next != "" {
			fmt.Fprintf(&b, "<a rel=\"next\" href=\"%s\">more</a>\n", l.signed(next))
		}
		b.WriteString("</body></html>")
	case "xml":
		type key struct {
			Key  string
			Size int
		}
		page := struct {
			XMLName  xml.Name `xml:"ListBucketResult"`
			Contents []key
		}{}
		for _, n := range names {
			page.Contents = append(page.Contents, key{strings.TrimPrefix(n, "/"), len(l.bodies[n])})
		}
		xml.NewEncoder(&b).Encode(page)
	}
	return b.Bytes()
}

// wantFiles reads every file of the only object and compares it.
func wantFiles(t *testing.T, r *Run, l *listedServer) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	o := r.Objects[0]
	n := 0
	for f, err := range o.Files(ctx) {
		if err != nil {
			t.Fatalf("file %d: %v", n, err)
		}
		if f.Index != n || f.Err != nil {
			t.Fatalf("file %d: %+v", n, f)
		}
		rc, err := o.OpenFile(f)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(rc)
		rc.Close()
		want := l.bodies[l.names[n]]
		if err != nil || !bytes.Equal(got, want) || f.Size != int64(len(want)) {
			t.Errorf("file %d: %d bytes, %v, differ from the %d served", n, len(got), err, len(want))
		}
		if filepath.Base(f.Name) != filepath.Base(l.names[n]) {
			t.Errorf("file %d is called %q, want %q", n, f.Name, l.names[n])
		}
		n++
	}
	if n != len(l.names) {
		t.Errorf("%d files, want %d", n, len(l.names))
	}
}

func TestListingsArriveWhole(t *testing.T) {
	for _, form := range []string{"csv", "json", "html", "xml"} {
		t.Run(form, func(t *testing.T) {
			t.Parallel()
			s := newFaultServer(t)
			pageSize := 50
			if form == "csv" || form == "xml" {
				pageSize = 1000
			}
			l := serveListing(s, form, 120, pageSize, func(i int) int { return i * 137 % 5000 })
			dir := t.TempDir()
			m := s.master(t, "", "", "/list")
			if form == "xml" {
				s.put("/", l.page("xml", l.names, ""))
				m = s.master(t, "", "", "/")
			}
			f := newTestFetcher(t, nil)
			r, err := take(t, f, m, dir)
			if err != nil {
				t.Fatal(err)
			}
			wantFiles(t, r, l)
			if p := r.Progress(); p.Files != 120 || p.TotalFiles != 120 || p.Done != p.Total {
				t.Errorf("progress %+v", p)
			}
			v, err := r.Objects[0].Wait(context.Background())
			if err != nil || v.Size == 0 {
				t.Errorf("Wait = %+v, %v", v, err)
			}
			r.Close()
			wantNoSecret(t, dir)

			before := len(s.log())
			r, err = take(t, f, m, dir)
			if err != nil {
				t.Fatal(err)
			}
			wantFiles(t, r, l)
			for _, q := range s.log()[before:] {
				if strings.Contains(q, "/files/") {
					t.Errorf("the second run asked again: %s", q)
				}
			}
			again, _ := r.Objects[0].Wait(context.Background())
			if again != v {
				t.Errorf("the second run says %+v, the first %+v", again, v)
			}
			r.Close()

			s.Close()
			p := f.offline(t, m, dir)
			if match, err := MatchSpool(dir, p); match.Complete != 1 || err != nil {
				t.Errorf("MatchSpool = %+v, %v; want a complete one", match, err)
			}
			r, err = f.Start(context.Background(), p, dir)
			if err != nil {
				t.Fatal(err)
			}
			if err := r.Wait(); err != nil {
				t.Fatal(err)
			}
			wantFiles(t, r, l)
			r.Close()
		})
	}
}

func testListingLargeFiles(t *testing.T) {
	s := newFaultServer(t)
	l := serveListing(s, "json", 6, 100, func(i int) int {
		if i%2 == 1 {
			return 3<<20 + i
		}
		return 1000
	})
	o := s.objects[l.names[3]]
	first(3, broken(700_000))(nil, o)
	r, err := take(t, newTestFetcher(t, nil), s.master(t, "", "", "/list"), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	wantFiles(t, r, l)
	total := int64(0)
	for _, b := range l.bodies {
		total += int64(len(b))
	}
	if p := r.Progress(); p.Fetched > total+1<<20 {
		t.Errorf("fetched %d for %d bytes", p.Fetched, total)
	}
}

func testListingDeadLinks(t *testing.T) {
	s := newFaultServer(t)
	l := serveListing(s, "csv", 40, 100, func(i int) int { return 500 })
	always(refuses(404, nil))(nil, s.objects[l.names[7]])
	first(2, refuses(500, nil))(nil, s.objects[l.names[9]])
	first(
		1, func(o *served, w http.ResponseWriter, r *http.Request) bool { panic(http.ErrAbortHandler) },
	)(nil, s.objects[l.names[11]])
	dir := t.TempDir()
	f := newTestFetcher(t, nil)
	m := s.master(t, "", "/list", "")
	r, err := take(t, f, m, dir)
	if err != nil {
		t.Fatal(err)
	}
	for file, err := range r.Objects[0].Files(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
		if (file.Err != nil) != (file.Index == 7) || file.Index == 7 && (file.Err.Code != failure.LinkGone ||
			file.Size != -1) {
			t.Errorf("file %d: %v", file.Index, file.Err)
		}
	}
	r.Close()
	s.objects[l.names[7]].fault = nil
	before := len(s.log())
	r, err = take(t, f, m, dir)
	if err != nil {
		t.Fatal(err)
	}
	wantFiles(t, r, l)
	if got := len(s.log()) - before; got != 2 {
		t.Errorf("the next run made %d requests, want two: the listing and what was missing", got)
	}
}

func testListingExpires(t *testing.T) {
	s := newFaultServer(t)
	l := serveListing(s, "csv", 400, 1000, func(i int) int { return 500 })
	for i, n := range l.names {
		if i >= 100 {
			always(refuses(403, s3Error("AccessDenied", "Request has expired")))(nil, s.objects[n])
		}
	}
	_, err := take(t, newTestFetcher(t, nil), s.master(t, "", "", "/list"), t.TempDir())
	var e *failure.Error
	if !errors.As(err, &e) || e.Code != failure.LinkExpired {
		t.Errorf("Wait = %v, want expired links", err)
	}
	if got := len(s.log()); got > 101+maxFileConns+1 {
		t.Errorf("%d requests, want no more than one a connection after the expiry", got-101)
	}
}

func testListingOfPages(t *testing.T) {
	s := newFaultServer(t)
	l := serveListing(s, "csv", 40, 100, func(i int) int { return 500 })
	for _, n := range l.names {
		always(refuses(200, []byte(signInPage), "Content-Type", "text/html"))(nil, s.objects[n])
	}
	_, err := take(t, newTestFetcher(t, nil), s.master(t, "", "", "/list"), t.TempDir())
	var e *failure.Error
	if !errors.As(err, &e) || e.Code != failure.NotTheExport {
		t.Errorf("Wait = %v, want not-the-export", err)
	}
}

func testListingDuplicates(t *testing.T) {
	s := newFaultServer(t)
	l := serveListing(s, "csv", 10, 100, func(i int) int { return 500 })
	l.names = append(l.names, l.names[3], l.names[3])
	s.put("/list", l.page("csv", l.names, ""))
	r, err := take(t, newTestFetcher(t, nil), s.master(t, "", "", "/list"), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	wantFiles(t, r, l)
	if got := len(s.log()); got != 11 {
		t.Errorf("%d requests, want 11", got)
	}
}

func testListingBreaks(t *testing.T) {
	s := newFaultServer(t)
	l := serveListing(s, "json", 300, 1000, func(i int) int { return 100 })
	list := s.objects["/list"]
	list.fault = func(n int, o *served, w http.ResponseWriter, r *http.Request) bool {
		return n <= 6 && broken(7000)(list, w, r)
	}
	r, err := take(t, newTestFetcher(t, nil), s.master(t, "", "", "/list"), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	wantFiles(t, r, l)
}

func testFreshListing(t *testing.T) {
	s := newFaultServer(t)
	l := serveListing(s, "csv", 50, 100, func(i int) int { return 900 })
	for i, n := range l.names {
		if i >= 30 {
			always(refuses(403, s3Error("AccessDenied", "Request has expired")))(nil, s.objects[n])
		}
	}
	dir := t.TempDir()
	f := newTestFetcher(t, func(o *Options) { o.Connections = 1 })
	if _, err := take(t, f, s.master(t, "", "", "/list"), dir); err == nil {
		t.Fatal("no error")
	} else if err := err.(*failure.Error); err.Code != failure.LinkExpired {
		t.Fatal(err)
	}
	os.Remove(filepath.Join(dir, "lock"))
	for _, n := range l.names {
		s.objects[n].fault = nil
	}
	// Signed anew, the listing has other bytes and the links another parameter.
	s.put(
		"/fresh", bytes.ReplaceAll(l.page("csv", l.names, ""), []byte("?sig="), []byte("?X-Amz-Date=2&sig=")),
	)
	before := len(s.log())
	r, err := take(t, f, s.master(t, "", "", "/fresh"), dir)
	if err != nil {
		t.Fatal(err)
	}
	wantFiles(t, r, l)
	if got := len(s.log()) - before; got != 1+50 {
		t.Errorf("%d requests, want one for the listing and one a file", got)
	}
	// Another export may have files of the same names and sizes at the same places, so each is asked for, and
	// known by its ETag.
	if p := r.Progress(); p.Reused != 30*900 || p.Fetched != 20*900 {
		t.Errorf(
			"%d bytes reused and %d fetched, want the 30 files that were here and the 20 that were missing",
			p.Reused, p.Fetched,
		)
	}
}

func testListingKilled(t *testing.T) {
	s := newFaultServer(t)
	l := serveListing(s, "json", 400, 1000, func(i int) int {
		if i%100 == 50 {
			return 2 << 20
		}
		return 2000
	})
	for _, n := range l.names {
		o := s.objects[n]
		o.fault = func(_ int, o *served, w http.ResponseWriter, r *http.Request) bool {
			time.Sleep(20 * time.Millisecond)
			o.serve(throttle(w, 8<<20), r)
			return true
		}
	}
	dir := t.TempDir()
	m := s.master(t, "", "", "/list")
	kills := killAtRandom(t, m, dir, 6, 500*time.Millisecond)
	r, err := take(t, newTestFetcher(t, nil), m, dir)
	if err != nil {
		t.Fatal(err)
	}
	wantFiles(t, r, l)
	if p := r.Progress(); p.Fetched != 0 {
		t.Errorf("after %d kills and a run to the end, %d bytes were fetched again", kills, p.Fetched)
	}
	wantNoSecret(t, dir)
}

func testListingOddFiles(t *testing.T) {
	s := newFaultServer(t)
	l := &listedServer{faultServer: s, bodies: map[string][]byte{}}
	page := "Name,URL\n"
	for i, size := range []int{0, 1000, 0, 2000} {
		path := fmt.Sprintf("/files/%d/cv.pdf", i)
		l.names, l.bodies[path] = append(l.names, path), zipLike(max(size, 4), uint64(i))[:size]
		s.put(path, l.bodies[path])
		page += "cv.pdf," + l.signed(path) + "\n"
	}
	s.put("/list", []byte(page))
	r, err := take(t, newTestFetcher(t, nil), s.master(t, "", "", "/list"), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	wantFiles(t, r, l)
}

func TestAListingOfZIPsIsTheZIPs(t *testing.T) {
	s := newFaultServer(t)
	bodies := map[string][]byte{
		"/attachments-1.zip": zipLike(2<<20+3, 1), "/attachments-2.zip": zipLike(5000, 2),
		"/cvs.zip": zipLike(100, 3), "/portfolio.pdf": []byte("%PDF-1.7"),
	}
	for path, body := range bodies {
		s.put(path, body)
	}
	signed := func(path string) string { return path + "?sig=" + secret }
	s.put(
		"/list",
		[]byte(
			"Name,URL\nattachments-1.zip,"+s.URL+signed("/attachments-1.zip")+"\nattachments-2.zip,"+s.URL+
				signed("/attachments-2.zip")+"\n",
		),
	)
	s.put(
		"/page",
		[]byte(
			`<!DOCTYPE html><html><body><a href="`+signed("/attachments-2.zip")+
				`">Download</a></body></html>`,
		),
	)
	s.put(
		"/mixed",
		[]byte(
			"Name,URL\na.zip,"+s.URL+signed("/attachments-2.zip")+"\nportfolio.pdf,"+s.URL+
				signed("/portfolio.pdf")+"\n",
		),
	)
	for _, tc := range []struct {
		path string
		want []string // of the attachments
	}{
		{"/list", []string{"/attachments-1.zip", "/attachments-2.zip"}},
		{"/page", []string{"/attachments-2.zip"}}, {"/mixed", nil},
	} {
		t.Run(tc.path, func(t *testing.T) {
			m, dir := s.master(t, "", tc.path, "/cvs.zip"), t.TempDir()
			r, err := take(t, newTestFetcher(t, nil), m, dir)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			if tc.want == nil {
				if !r.Objects[0].Source.Listing {
					t.Error("a listing of documents is not one any more")
				}
				return
			}
			want := append(tc.want, "/cvs.zip")
			if len(r.Objects) != len(want) {
				t.Fatalf("%d objects, want %d", len(r.Objects), len(want))
			}
			for i, o := range r.Objects {
				if o.Source.Number != i+1 || o.Source.Kind != filetype.ZIP {
					t.Errorf("object %d: number %d, kind %s", i, o.Source.Number, o.Source.Kind)
				}
				wantBytes(t, o, bodies[want[i]])
			}
			r.Close()
			wantNoSecret(t, dir)
			testDeadButComplete(t, s, m, dir, bodies, want)
		})
	}
}

// testDeadButComplete goes on with a spool that holds all of m, whose links do not answer any more.
func testDeadButComplete(
	t *testing.T, s *faultServer, m *master.CSV, dir string, bodies map[string][]byte, want []string,
) {
	s.mu.Lock()
	served := s.objects
	s.objects = nil
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.objects = served
		s.mu.Unlock()
	}()
	f := newTestFetcher(t, nil)
	p, err := f.Plan(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range p.Sources {
		if s.Err == nil || s.Err.Code != failure.LinkGone {
			t.Errorf("%s: %v, want %s", s.Link, s.Err, failure.LinkGone)
		}
	}
	if err := f.AnswerFrom(dir, p); err != nil {
		t.Fatal(err)
	}
	if match, err := MatchSpool(dir, p); match.Complete != len(want) || err != nil {
		t.Errorf("MatchSpool = %+v, %v; want %d complete", match, err, len(want))
	}
	r, err := f.Start(t.Context(), p, dir)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := r.Wait(); err != nil || len(r.Objects) != len(want) {
		t.Fatalf("%d objects, %v; want %d", len(r.Objects), err, len(want))
	}
	for i, o := range r.Objects {
		if o.Source.Number != i+1 || "/"+o.Source.Link.FileName() != want[i] {
			t.Errorf("object %d: number %d, %s", i, o.Source.Number, o.Source.Link)
		}
		wantBytes(t, o, bodies[want[i]])
	}
	r.Close()
	remove(t, dir+"/object-01.journal")
	for i, src := range f.offline(t, m, dir).Sources {
		if complete := src.Identity.Size >= 0; complete != (i == 1) {
			t.Errorf("source %d, while the first object is not whole: complete is %t", i+1, complete)
		}
	}
}
