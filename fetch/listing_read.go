package fetch

import (
	"bufio"
	"errors"
	"io"
	"net/url"
	"strings"
	"time"

	"holdall/internal/unpack"
)

// listed is one file as its listing tells of it.
type listed struct {
	link     Link
	name     string // as text; may be empty, or hold slashes
	raw      []byte // the name as received, where that is something else
	size     int64  // -1 when not told
	etag     string
	modified time.Time
}

// errListing says that a page is not a listing after all.
var errListing = errors.New("the listing cannot be read")

// readListing yields the files of one page in its order, in memory that does not grow with their number, and returns the
// what it says of the pages behind it. Links may be relative to base.
func readListing(k unpack.Kind, r io.Reader, base *url.URL, yield func(listed) error) (pageEnd, error) {
	br := bufio.NewReaderSize(r, 64<<10)
	if b, _ := br.Peek(3); string(b) == "\xef\xbb\xbf" {
		br.Discard(3)
	}
	switch k {
	case unpack.KindXML:
		return readBucketPage(br, base, yield)
	case unpack.KindJSON:
		return readJSONListing(br, base, yield)
	case unpack.KindHTML:
		return readHTMLListing(br, base, yield)
	}
	return readCSVListing(br, base, yield)
}

// A pageEnd is what a page of a listing says of itself.
type pageEnd struct {
	next  string // the address of the next page, absolute, or nothing
	more  bool   // that there are more files than on this page
	total int64  // how many there are in all; -1 when not told
	cut   bool   // its last row is not whole
}

// fields collects what the columns of a row, or the members of a JSON object, say of one file.
type fields struct {
	link, name, path string
	entry            listed
}

// set takes in one value by the name it stands under.
func (f *fields) set(key, value string) {
	value = strings.TrimSpace(value)
	words := strings.Join(labelWords(key), " ")
	switch {
	case value == "":
	case schemeAt.MatchString(value) && schemeAt.FindStringIndex(value)[0] == 0:
		if f.link == "" {
			f.link = value
		}
	case words == "size" || strings.HasSuffix(words, " size") || words == "bytes" || words == "length" || words == "content length":
		if n, ok := parseSize(value); ok {
			f.entry.size = n
		}
	case words == "etag" || words == "e tag":
		f.entry.etag = value
	case strings.Contains(words, "modified"):
		f.entry.modified = anyTime(value)
	case words == "path" || words == "key":
		f.path = value
	case words == "name" || strings.HasSuffix(words, "file name") || strings.HasSuffix(words, "filename") || words == "file" || words == "title":
		if f.name == "" {
			f.name = value
		}
	case words == "url" || words == "link" || words == "href" || words == "download url":
		if f.link == "" {
			f.link = value
		}
	}
}

// listed returns the file, or false when the fields hold no link.
func (f *fields) listed(base *url.URL) (listed, bool) {
	if f.link == "" {
		return listed{}, false
	}
	raw, _ := unwrap(f.link)
	l, ok := resolve(base, raw)
	if !ok {
		return listed{}, false
	}
	f.entry.link = l
	f.entry.name = f.name
	if f.path != "" {
		f.entry.name = f.path
	}
	f.entry.named()
	return f.entry, true
}

func resolve(base *url.URL, ref string) (Link, bool) {
	u, err := base.Parse(strings.TrimSpace(ref))
	if err != nil {
		return Link{}, false
	}
	u.Fragment = ""
	l, err := NewLink(u.String())
	return l, err == nil
}

func anyTime(s string) time.Time {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02 15:04:05", "2006-01-02T15:04:05", time.RFC1123, time.RFC1123Z, "02-Jan-2006 15:04"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC()
		}
	}
	return time.Time{}
}
