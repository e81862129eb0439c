package exportsim

import (
	"bufio"
	"cmp"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"html"
	"io"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"holdall/internal/digest"
)

// A listing is written when its links are signed, so a fresh master CSV leads to fresh listings. They lie in
// a directory of the server's, which it removes in the end.
type listings struct {
	mu      sync.Mutex // guards what follows
	dir     string
	serial  int
	signed  time.Time
	current []Object
	index   map[string]*os.File // by part
}

// listingForm returns csv, json, xml or html.
func (c Config) listingForm(part string) string {
	if part == "cvs" {
		return cmp.Or(c.Listing, "json")
	}
	return cmp.Or(c.Listing, "csv")
}

// addListings opens what listings need; other shapes need nothing.
func (s *Server) addListings() (err error) {
	if s.e.cfg.Shape != ShapeListing {
		return nil
	}
	s.listings.index = map[string]*os.File{}
	for _, part := range []string{"attachments", "cvs"} {
		if s.listings.index[part], err = os.Open(filepath.Join(s.e.dir, indexFile(part))); err != nil {
			return errors.Join(err, s.closeListings())
		}
	}
	if s.listings.dir, err = os.MkdirTemp(s.e.dir, "serving-"); err == nil {
		err = s.writeListings(s.now())
	}
	if err != nil {
		return errors.Join(err, s.closeListings())
	}
	return nil
}

func (s *Server) closeListings() error {
	var errs []error
	for _, f := range s.listings.index {
		errs = append(errs, f.Close())
	}
	if s.listings.dir != "" {
		errs = append(errs, os.RemoveAll(s.listings.dir))
	}
	return errors.Join(errs...)
}

// masterObjects are the objects that the master CSV has links to.
func (s *Server) masterObjects() []Object {
	objects := s.e.truth.Objects
	if s.e.cfg.Shape != ShapeListing {
		return objects
	}
	now := s.now()
	l := &s.listings
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Sub(l.signed) > s.e.cfg.Expire/10 || s.revokedSince(l.signed) {
		_ = s.writeListings(now) // MasterCSV says what that means
	}
	return append(objects[:len(objects):len(objects)], l.current...)
}

func (s *Server) revokedSince(t time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return t.Before(s.revoked)
}

// writeListings makes new listings, signed at now. The caller holds listings.mu, or nobody else has the
// Server yet.
func (s *Server) writeListings(now time.Time) error {
	l := &s.listings
	l.serial++
	var all []Object
	for _, part := range []string{"attachments", "cvs"} {
		form := s.e.cfg.listingForm(part)
		if form == "xml" { // made page by page when it is asked for
			all = append(all, Object{Name: part + ".xml", Part: part})
			continue
		}
		name := fmt.Sprintf("%d-%s.%s", l.serial, part, form)
		out, err := newSink(l.dir, name)
		if err != nil {
			return err
		}
		if err := s.writeListing(out, part, form, now); err != nil {
			return errors.Join(err, out.f.Close())
		}
		o, err := out.finish(part)
		if err != nil {
			return err
		}
		s.mu.Lock()
		s.objects[s.root()+url.PathEscape(name)] = &object{
			name: part + "." + form, part: part, size: o.Size, etag: etagOf(o.SHA256), modified: now,
			mediaType: objectTypes["."+form], file: filepath.Join(l.dir, name),
		}
		s.mu.Unlock()
		all = append(all, Object{Name: name, Part: part, Size: o.Size, SHA256: o.SHA256})
	}
	l.signed, l.current = now, all
	return nil
}

// A listedFile is one file of a listing.
type listedFile struct {
	Document
	n    int64
	link string
}

func (s *Server) writeListing(w io.Writer, part, form string, now time.Time) error {
	out := bufio.NewWriterSize(w, 1<<16)
	frame := map[string][2]string{
		"csv":  {"File Name,Size,Link\r\n", ""},
		"json": {"{\"files\":[\n", "\n]}\n"},
		"html": {
			"<!DOCTYPE html>\n<html><head><title>Index</title></head><body><h1>Index</h1><ul>\n<li><a " +
				"href=\"../\">Parent directory</a></li>\n",
			"</ul></body></html>\n",
		},
	}[form]
	out.WriteString(frame[0])
	first := true
	for f, err := range s.listedFiles(part) {
		if err != nil {
			return err
		}
		f.link = s.link(s.filePath(f), now)
		if form == "json" && !first {
			out.WriteString(",\n")
		}
		out.WriteString(f.in(form))
		first = false
	}
	out.WriteString(frame[1])
	return out.Flush()
}

// in returns the file's line in a listing of that form.
func (f listedFile) in(form string) string {
	switch form {
	case "csv":
		return fmt.Sprintf("\"%s\",%d,\"%s\"\r\n", strings.ReplaceAll(f.Entry, `"`, `""`), f.Size, f.link)
	case "html":
		return fmt.Sprintf(
			"<li><a href=\"%s\">%s</a></li>\n", html.EscapeString(f.link), html.EscapeString(f.Entry),
		)
	}
	b, _ := json.Marshal(struct { // strings and a number always marshal
		Name string `json:"name"`
		Size int64  `json:"size"`
		URL  string `json:"url"`
	}{f.Entry, f.Size, f.link})
	return string(b)
}

// filePath is the escaped path of a listed file: its number and its base name.
func (s *Server) filePath(f listedFile) string {
	return s.root() + "files/" + f.Part + "/" + strconv.FormatInt(f.n, 10) + "/" +
		url.PathEscape(path.Base(f.Entry))
}

// listedFiles yields what a part's listing names. The listing faults make some of it wrong.
func (s *Server) listedFiles(part string) func(yield func(listedFile, error) bool) {
	return func(yield func(listedFile, error) bool) {
		n := int64(0)
		for d, err := range s.e.Documents() {
			if err != nil {
				yield(listedFile{}, err)
				return
			}
			if d.Part != part {
				continue
			}
			for _, f := range s.spoilListed(listedFile{Document: d, n: n}) {
				if !yield(f, nil) {
					return
				}
			}
			n++
		}
	}
}

// spoilListed returns what a listing with the server's faults says in place of f.
func (s *Server) spoilListed(f listedFile) []listedFile {
	out := []listedFile{f}
	for _, a := range s.faults {
		if a.where != "" && a.where != f.Part || f.n%max(a.number, 1) != max(a.number, 1)-1 {
			continue
		}
		switch a.Name {
		case "listing-duplicates":
			out = append(out, f)
		case "listing-equal-names":
			out[0].Entry = "document." + extension(f.Entry)
		case "listing-gone":
			out[0].n += 1 << 40 // no such file
		}
	}
	return out
}

// findListed returns the single file at a path, or nil.
func (s *Server) findListed(escaped string) (*object, error) {
	rest, ok := strings.CutPrefix(escaped, s.root()+"files/")
	if !ok || s.listings.index == nil {
		return nil, nil
	}
	part, rest, _ := strings.Cut(rest, "/")
	number, _, _ := strings.Cut(rest, "/")
	n, err := strconv.ParseInt(number, 10, 64)
	index := s.listings.index[part]
	if err != nil || index == nil || n < 0 {
		return nil, nil
	}
	r, err := readLoose(index, n)
	if errors.Is(err, io.EOF) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &object{name: "files/" + part + "/" + number, group: "files/" + part, part: part, size: r.Size,
		etag: `"` + hex.EncodeToString(r.ETag[:]) + `"`, modified: r.modified(),
		mediaType: cmp.Or(strings.TrimRight(string(r.MediaType[:]), "\x00"), "application/octet-stream"),
		file:      filepath.Join(s.e.dir, blobFile(part)), offset: r.Offset}, nil
}

// bucketPageSize is how many keys a page of an XML listing has, as in S3.
const bucketPageSize = 1000

// A bucket page is S3's ListObjectsV2 answer. Its keys need no signature: whoever knows the token in the path
// may read.
type bucketPage struct {
	XMLName     xml.Name    `xml:"ListBucketResult"`
	Xmlns       string      `xml:"xmlns,attr"`
	Name        string      `xml:"Name"`
	KeyCount    int         `xml:"KeyCount"`
	MaxKeys     int         `xml:"MaxKeys"`
	IsTruncated bool        `xml:"IsTruncated"`
	Next        string      `xml:"NextContinuationToken,omitempty"`
	Contents    []bucketKey `xml:"Contents"`
}

type bucketKey struct {
	Key          string `xml:"Key"`
	LastModified string `xml:"LastModified"`
	ETag         string `xml:"ETag"`
	Size         int64  `xml:"Size"`
}

// bucketRoot is the path of a part's bucket; its token is a secret as good as a signature.
func (s *Server) bucketRoot(part string) string {
	return s.root() + "bucket/" + s.signer.signature("LIST", part, "", "", "")[:32] + "/" + part + "/"
}

// findInBucket returns the page or the file at an unsigned path of a bucket, or nil. after is the
// continuation token.
func (s *Server) findInBucket(escaped, after string) (*object, error) {
	for part := range s.listings.index {
		rest, ok := strings.CutPrefix(escaped, s.bucketRoot(part))
		switch {
		case !ok || s.e.cfg.listingForm(part) != "xml":
		case rest == "":
			return s.page(part, after)
		default:
			return s.findListed(s.root() + "files/" + part + "/" + rest)
		}
	}
	return nil, nil
}

// page makes one page of a part's listing.
func (s *Server) page(part, after string) (*object, error) {
	from, _ := strconv.ParseInt(after, 10, 64)
	p := bucketPage{Xmlns: "http://s3.amazonaws.com/doc/2006-03-01/", Name: part, MaxKeys: s.pageSize}
	for f, err := range s.listedFiles(part) {
		if err != nil {
			return nil, err
		}
		if f.n < from {
			continue
		}
		if len(p.Contents) >= s.pageSize {
			p.IsTruncated, p.Next = true, strconv.FormatInt(f.n, 10)
			break
		}
		p.Contents = append(
			p.Contents,
			bucketKey{
				strconv.FormatInt(f.n, 10) + "/" + f.Entry, s.e.truth.Snapshot.Format(time.RFC3339),
				`"` + f.SHA256.String()[:32] + `"`, f.Size,
			},
		)
	}
	p.KeyCount = len(p.Contents)
	b, err := xml.Marshal(p)
	if err != nil {
		return nil, err
	}
	b = append([]byte(xml.Header), b...)
	return &object{
		name: part + ".xml", part: part, size: int64(len(b)), etag: etagOf(digest.Of(b)),
		modified: s.e.truth.Snapshot, mediaType: "application/xml", bytes: b,
	}, nil
}
