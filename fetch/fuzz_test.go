package fetch

import (
	"bytes"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"holdall/fetch/link"
	"holdall/fetch/listing"
	"holdall/fetch/master"
	"holdall/internal/filetype"
)

func FuzzReadMaster(f *testing.F) {
	f.Add([]byte("Data files,Attachments\nhttps://a.example/x?sig=1,https://a.example/y?sig=2\n"))
	f.Add([]byte("a;b\n\"=HYPERLINK(\"\"https://a.example/x?sig=1\"\";\"\"Attachments\"\")\";\n"))
	f.Add([]byte("\xff\xfea\x00,\x00h\x00t\x00t\x00p\x00s\x00"))
	f.Add(excelWorkbook(f))
	f.Add(zipFile(f, "master.csv", "Part,Link\nData,https://a.example/x?sig=1\n"))
	f.Add(gzipped(f, []byte("Part,Link\nData,https://a.example/x?sig=1\n")))
	f.Add([]byte("From: a@example.com\nTo: b@example.com\nSubject: c\n\nhttps://a.example/x?sig=1\n"))
	f.Add([]byte("x\thttps://a.safelinks.protection.outlook.com/?url=https%3A%2F%2Fb.example%2F&amp;x"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := master.Read(raw)
		if err != nil {
			return
		}
		if len(m.Links) == 0 {
			t.Error("no error and no link")
		}
		red := m.Redacted()
		for _, l := range m.Links {
			u := l.Link.URL()
			if u.Hostname() == "" {
				t.Errorf("a link without a host: %q", l.Link.Secret())
			}
			// A signature of some length must be gone from whatever is shown.
			if sig := u.Query().Get("sig"); utf8.RuneCountInString(sig) > 12 &&
				!strings.Contains(u.Host, sig) && bytes.Contains(red, []byte("sig="+sig)) {
				t.Errorf("the redacted copy shows %q", sig)
			}
			_ = l.Link.String()
			_ = l.Link.Fingerprint()
			_ = keyOf(l.Link)
			link.Expiry(l.Link)
			link.Repairs(l.Link)
		}
	})
}

func FuzzListing(f *testing.F) {
	for i, s := range []string{
		"File Name,Size,Link\r\na.pdf,12,https://f.example.com/1?sig=x\r\n",
		`{"files":[{"name":"a.pdf","size":5,"url":"https://f.example.com/1"}],"next":"?page=2"}`,
		`<ListBucketResult><IsTruncated>true</IsTruncated><Contents><Key>a</Key><Size>1</Size></Contents>` +
			`</ListBucketResult>`,
		`<html><a href="a.pdf">a.pdf</a><a rel="next" href="?p=2">more</a></html>`,
	} {
		f.Add(byte(i), []byte(s))
	}
	kinds := []filetype.Type{filetype.CSV, filetype.JSON, filetype.XML, filetype.HTML}
	f.Fuzz(func(t *testing.T, k byte, b []byte) {
		base, err := url.Parse("https://files.example.com/a/b?x=1")
		if err != nil {
			t.Fatal(err)
		}
		kind := kinds[int(k)%len(kinds)]
		_, _ = listing.Read(kind, bytes.NewReader(b), base, func(l listing.Entry) error {
			if l.Link.IsZero() || !utf8.ValidString(l.Name) || l.Size < -1 {
				t.Errorf("%+v", l)
			}
			return nil
		})
		listing.Detect(link.PartCVs, kind, b)
	})
}

func FuzzContentRange(f *testing.F) {
	for _, s := range []string{
		"bytes 0-499/1234", "bytes 0-0/*", "bytes */1234", "bytes 5-4/10", "bytes 0-9223372036854775807/*",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		b, err := parseContentRange(s)
		if err != nil {
			return
		}
		unsatisfied := b.start == -1 && b.end == -1
		if !unsatisfied && (b.start < 0 || b.end <= b.start || b.total >= 0 && b.end > b.total) {
			t.Errorf("%q gives %+v", s, b)
		}
	})
}

func FuzzContentDisposition(f *testing.F) {
	for _, s := range []string{
		`attachment; filename="a.zip"`, `attachment; filename*=UTF-8''%e2%82%ac.zip`,
		`attachment; filename=../../etc/passwd`, "inline; filename=\"a\x00b\"",
		`filename=` + strings.Repeat("x", 400),
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		name := dispositionName(http.Header{"Content-Disposition": {s}})
		if strings.ContainsAny(name, "/\\\x00\r\n") || name == ".." || name == "." ||
			len(name) > link.MaxName || !utf8.ValidString(name) {
			t.Errorf("%q gives %q", s, name)
		}
	})
}

func FuzzJournal(f *testing.F) {
	f.Add([]byte("H\x10\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		mem, err := readJournal(bytes.NewReader(b))
		if err == nil && (mem.pieceSize <= 0 || mem.end > int64(len(b))) {
			t.Errorf("%+v", mem)
		}
	})
}

func TestContentDisposition(t *testing.T) {
	for _, tc := range []struct{ name, header, want string }{
		{"quoted", `attachment; filename="attachments 1.zip"`, "attachments 1.zip"},
		{"bare", `attachment; filename=a.zip`, "a.zip"},
		{
			"RFC 5987", `attachment; filename="x.zip"; filename*=UTF-8''na%C3%AFve%20%E2%82%AC.zip`,
			"naïve €.zip",
		},
		{"no type", `filename="a.zip"`, "a.zip"},
		{"a space that is not quoted", `attachment; filename=my file.zip`, "my file.zip"},
		{"a path", `attachment; filename="../../etc/passwd"`, "passwd"},
		{"a path of another system", `attachment; filename="C:\\Users\\x\\a.zip"`, "a.zip"},
		{"NUL and line breaks", "attachment; filename=\"a\x00\r\nb.zip\"", "ab.zip"},
		{"text that runs backwards", "attachment; filename=\"a\u202epiz.exe\"", "apiz.exe"},
		{"only dots", `attachment; filename=".."`, ""},
		{
			"300 characters", `attachment; filename="` + strings.Repeat("x", 300) + `.zip"`,
			strings.Repeat("x", 251) + ".zip",
		},
		{"no name", `inline`, ""},
	} {
		if got := dispositionName(http.Header{"Content-Disposition": {tc.header}}); got != tc.want {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
}
