package fetch

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

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
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
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
