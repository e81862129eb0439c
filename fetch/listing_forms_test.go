package fetch

import (
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"holdall/fetch/link"
	"holdall/fetch/listing"
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
