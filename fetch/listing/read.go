// Package listing reads listings: pages of links, one a file, as CSV, JSON, an index page in HTML, or S3's
// XML. They come from others and are not trusted. Detect tells a listing from a table or a message, Read
// yields the entries of one page, and a Digest recognises a listing whose links have been signed again. It
// asks no network.
package listing

import (
	"bufio"
	"errors"
	"io"
	"net/url"
	"strconv"
	"strings"
	"time"

	"holdall/fetch/link"
	"holdall/internal/filetype"
)

// ErrFormat says that a page is not a listing after all.
var ErrFormat = errors.New("the listing cannot be read")

// Read yields the files of one page in its order, in memory that does not grow with their number, and returns
// what it says of the pages that follow. Links may be relative to base.
func Read(k filetype.Type, r io.Reader, base *url.URL, yield func(Entry) error) (PageEnd, error) {
	br := bufio.NewReaderSize(r, 64<<10)
	if b, _ := br.Peek(3); string(b) == "\xef\xbb\xbf" {
		br.Discard(3)
	}
	switch k {
	case filetype.XML:
		return readBucketPage(br, base, yield)
	case filetype.JSON:
		return readJSONListing(br, base, yield)
	case filetype.HTML:
		return readHTMLListing(br, base, yield)
	}
	return readCSVListing(br, base, yield)
}

// A PageEnd is what a page of a listing says of itself.
type PageEnd struct {
	Next  string // the address of the next page, absolute, or nothing
	More  bool   // that there are more files than on this page
	Total int64  // how many there are in all; -1 when not given
	Cut   bool   // its last row is not whole
}

// fields collects what the columns of a row, or the members of a JSON object, say of one file.
type fields struct {
	link, name, path string
	entry            Entry
}

// set records one value, by its name.
func (f *fields) set(key, value string) {
	value = strings.TrimSpace(value)
	words := strings.Join(link.Words(key), " ")
	switch {
	case value == "":
	case link.Scheme.MatchString(value) && link.Scheme.FindStringIndex(value)[0] == 0:
		if f.link == "" {
			f.link = value
		}
	case words == "size" || strings.HasSuffix(words, " size") || words == "bytes" || words == "length" ||
		words == "content length":
		if n, ok := ParseSize(value); ok {
			f.entry.Size = n
		}
	case words == "etag" || words == "e tag":
		f.entry.ETag = value
	case strings.Contains(words, "modified"):
		f.entry.Modified = ParseTime(value)
	case words == "path" || words == "key":
		f.path = value
	case words == "name" || strings.HasSuffix(words, "file name") || strings.HasSuffix(words, "filename") ||
		words == "file" || words == "title":
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
func (f *fields) listed(base *url.URL) (Entry, bool) {
	if f.link == "" {
		return Entry{}, false
	}
	raw, _ := link.Unwrap(f.link)
	l, ok := resolve(base, raw)
	if !ok {
		return Entry{}, false
	}
	f.entry.Link = l
	f.entry.Name = f.name
	if f.path != "" {
		f.entry.Name = f.path
	}
	f.entry.HideTokens()
	return f.entry, true
}

func resolve(base *url.URL, ref string) (link.Link, bool) {
	u, err := base.Parse(strings.TrimSpace(ref))
	if err != nil {
		return link.Link{}, false
	}
	u.Fragment = ""
	l, err := link.New(u.String())
	return l, err == nil
}

func ParseTime(s string) time.Time {
	for _, layout := range []string{
		time.RFC3339Nano, "2006-01-02 15:04:05", "2006-01-02T15:04:05", time.RFC1123, time.RFC1123Z,
		"02-Jan-2006 15:04",
	} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC()
		}
	}
	return time.Time{}
}

// ParseSize reads decimal digits and nothing else: no sign, no space. The largest size is left out, so that
// one may be added.
func ParseSize(s string) (int64, bool) {
	for _, c := range s {
		if c < '0' || c > '9' {
			return 0, false
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil && n < 1<<62
}
