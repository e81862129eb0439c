package fetch

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/html"

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
// address of the next page, absolute, or nothing. Links may be relative to base.
func readListing(k unpack.Kind, r io.Reader, base *url.URL, yield func(listed) error) (next string, err error) {
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
	return "", readCSVListing(br, base, yield)
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

// named fills in a name that the listing does not give, from the link, and makes it text.
func (l *listed) named() {
	if l.name == "" {
		l.name = cleanName(path.Base(l.link.parsed().Path))
	}
	if valid := strings.ToValidUTF8(l.name, "\uFFFD"); valid != l.name {
		l.raw, l.name = []byte(l.name), valid
	}
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

// readCSVListing reads rows that hold a link each, with or without a heading.
func readCSVListing(br *bufio.Reader, base *url.URL, yield func(listed) error) error {
	head, _ := br.Peek(sniffLen)
	r := csv.NewReader(br)
	r.Comma = rune(guessDelimiter(string(head)))
	r.LazyQuotes, r.FieldsPerRecord, r.ReuseRecord = true, -1, true
	var heading []string
	for row := 0; ; row++ {
		record, err := r.Read()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%w: row %d: %w", errListing, row+1, err)
		}
		if row == 0 && !hasLink(strings.Join(record, " ")) {
			heading = append(heading, record...)
			continue
		}
		f := fields{entry: listed{size: -1}}
		for i, v := range record {
			key := "name" // without a heading, what stands beside the link is its name
			if heading != nil && i < len(heading) {
				key = heading[i]
			}
			f.set(key, v)
		}
		if l, ok := f.listed(base); ok {
			if err := yield(l); err != nil {
				return err
			}
		}
	}
}

// readJSONListing finds every object that holds a link, however deep, and every bare link in an array.
func readJSONListing(r io.Reader, base *url.URL, yield func(listed) error) (next string, err error) {
	d := json.NewDecoder(r)
	d.UseNumber()
	j := &jsonListing{d: d, base: base, yield: yield}
	if err := j.value("", nil, 0); err != nil {
		return "", err
	}
	if j.next == "" {
		return "", nil
	}
	u, err := base.Parse(j.next)
	if err != nil {
		return "", nil
	}
	return u.String(), nil
}

type jsonListing struct {
	d     *json.Decoder
	base  *url.URL
	yield func(listed) error
	next  string
	n     int // files yielded
}

const maxDepth = 32

// value reads one value. key is the member it stands under; in collects the scalars of the object around it.
func (j *jsonListing) value(key string, in *fields, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("%w: nested too deep", errListing)
	}
	tok, err := j.d.Token()
	if err != nil {
		return fmt.Errorf("%w: %w", errListing, err)
	}
	switch t := tok.(type) {
	case json.Delim:
		if t == '[' {
			return j.array(key, depth)
		}
		return j.object(depth)
	case string:
		return j.scalar(key, t, in)
	case json.Number:
		return j.scalar(key, t.String(), in)
	}
	return nil
}

func (j *jsonListing) scalar(key, v string, in *fields) error {
	switch words := strings.Join(labelWords(key), " "); words {
	case "next", "next page", "next url", "next link", "next page url", "odata next link":
		j.next = v
		return nil
	}
	if in != nil {
		in.set(key, v)
		return nil
	}
	f := fields{entry: listed{size: -1}}
	f.set("url", v)
	if !hasLink(v) {
		return nil
	}
	if l, ok := f.listed(j.base); ok {
		j.n++
		return j.yield(l)
	}
	return nil
}

func (j *jsonListing) array(key string, depth int) error {
	for j.d.More() {
		if err := j.value(key, nil, depth+1); err != nil {
			return err
		}
	}
	_, err := j.d.Token()
	return err
}

func (j *jsonListing) object(depth int) error {
	f := fields{entry: listed{size: -1}}
	for j.d.More() {
		tok, err := j.d.Token()
		if err != nil {
			return fmt.Errorf("%w: %w", errListing, err)
		}
		key, _ := tok.(string)
		if err := j.value(key, &f, depth+1); err != nil {
			return err
		}
	}
	if _, err := j.d.Token(); err != nil {
		return fmt.Errorf("%w: %w", errListing, err)
	}
	// A link beside the files is the listing's own.
	if l, ok := f.listed(j.base); ok && (depth > 0 || j.n == 0) {
		j.n++
		return j.yield(l)
	}
	return nil
}

// listingParam reports whether a query parameter is one by which a bucket is listed, or of a version 4 signature, which holds
// for the listing alone. Neither belongs to the links of its files.
func listingParam(name string) bool {
	switch strings.ToLower(name) {
	case "list-type", "prefix", "delimiter", "marker", "continuation-token", "max-keys", "start-after", "encoding-type", "fetch-owner":
		return true
	}
	return strings.HasPrefix(strings.ToLower(name), "x-amz-")
}

// readBucketPage reads S3's answer to ListObjects, version 1 or 2.
func readBucketPage(r io.Reader, base *url.URL, yield func(listed) error) (next string, err error) {
	d := xml.NewDecoder(r)
	var page struct {
		truncated   bool
		token       string
		marker, key string
		encoded     bool
	}
	depth := 0
	for {
		tok, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			return "", fmt.Errorf("%w: %w", errListing, err)
		}
		start, ok := tok.(xml.StartElement)
		if !ok {
			if _, end := tok.(xml.EndElement); end {
				depth--
			}
			continue
		}
		if depth == 0 && start.Name.Local != "ListBucketResult" {
			return "", fmt.Errorf("%w: it is an XML document of another kind", errListing)
		}
		switch start.Name.Local {
		case "ListBucketResult":
			depth++
		case "Contents":
			var c struct {
				Key, LastModified, ETag string
				Size                    int64
			}
			if err := d.DecodeElement(&c, &start); err != nil {
				return "", fmt.Errorf("%w: %w", errListing, err)
			}
			page.key = c.Key
			if page.encoded {
				if plain, err := url.QueryUnescape(c.Key); err == nil {
					c.Key = plain
				}
			}
			if strings.HasSuffix(c.Key, "/") && c.Size == 0 {
				continue // a folder
			}
			l := listed{name: c.Key, size: c.Size, etag: c.ETag, modified: anyTime(c.LastModified)}
			if l.link, ok = keyLink(base, c.Key); !ok {
				continue
			}
			l.named()
			if err := yield(l); err != nil {
				return "", err
			}
		default:
			var text string
			if err := d.DecodeElement(&text, &start); err != nil {
				return "", fmt.Errorf("%w: %w", errListing, err)
			}
			switch start.Name.Local {
			case "IsTruncated":
				page.truncated, _ = strconv.ParseBool(strings.TrimSpace(text))
			case "NextContinuationToken":
				page.token = text
			case "NextMarker":
				page.marker = text
			case "EncodingType":
				page.encoded = text == "url"
			}
		}
	}
	if !page.truncated {
		return "", nil
	}
	return nextBucketPage(base, page.token, page.marker, page.key), nil
}

// keyLink is the link of an object of a bucket that is listed at base.
func keyLink(base *url.URL, key string) (Link, bool) {
	u := *base
	u.RawPath = ""
	u.Path = strings.TrimSuffix(base.Path, "/") + "/" + key
	q := u.Query()
	for name := range q {
		if listingParam(name) {
			q.Del(name)
		}
	}
	u.RawQuery = q.Encode()
	l, err := NewLink(u.String())
	return l, err == nil
}

func nextBucketPage(base *url.URL, token, marker, lastKey string) string {
	u := *base
	q := u.Query()
	switch {
	case token != "":
		q.Set("continuation-token", token)
	case marker != "":
		q.Set("marker", marker)
	default:
		q.Set("marker", lastKey)
	}
	u.RawQuery = q.Encode()
	return u.String()
}

// readHTMLListing reads the links of an index page, as web servers make them for a folder.
func readHTMLListing(r io.Reader, base *url.URL, yield func(listed) error) (next string, err error) {
	z := html.NewTokenizer(r)
	z.SetMaxBuf(1 << 20)
	var href, text string
	inside := false
	for {
		switch z.Next() {
		case html.ErrorToken:
			if err := z.Err(); err != io.EOF {
				return "", fmt.Errorf("%w: %w", errListing, err)
			}
			return next, nil
		case html.TextToken:
			if inside {
				text += string(z.Text())
			}
		case html.StartTagToken, html.SelfClosingTagToken:
			name, attrs := z.TagName()
			tag := string(name)
			if tag != "a" && tag != "link" {
				continue
			}
			var rel string
			href, rel = linkAttrs(z, attrs)
			if strings.EqualFold(rel, "next") {
				if u, err := base.Parse(href); err == nil {
					next = u.String()
				}
				continue
			}
			inside, text = tag == "a", ""
		case html.EndTagToken:
			if name, _ := z.TagName(); string(name) != "a" || !inside {
				continue
			}
			inside = false
			if l, ok := indexEntry(base, href, strings.TrimSpace(text)); ok {
				if err := yield(l); err != nil {
					return "", err
				}
			}
		}
	}
}

func linkAttrs(z *html.Tokenizer, more bool) (href, rel string) {
	for more {
		var k, v []byte
		k, v, more = z.TagAttr()
		switch string(k) {
		case "href":
			href = string(v)
		case "rel":
			rel = string(v)
		}
	}
	return href, rel
}

// indexEntry makes a file of a link in an index page. Links to folders, to other orders of the page and to other pages are not files.
func indexEntry(base *url.URL, href, text string) (listed, bool) {
	if href == "" || strings.HasPrefix(href, "#") || strings.HasPrefix(href, "?") {
		return listed{}, false
	}
	link, ok := resolve(base, href)
	if !ok {
		return listed{}, false
	}
	u := link.parsed()
	file := path.Base(u.Path)
	if strings.HasSuffix(u.Path, "/") || u.Path == "" || path.Ext(file) == "" {
		return listed{}, false
	}
	switch strings.ToLower(path.Ext(file)) {
	case ".css", ".js", ".php", ".aspx", ".ico", ".svg":
		return listed{}, false
	}
	l := listed{link: link, name: text, size: -1}
	// Web servers cut long names short in the text; the link has the whole one.
	if text == "" || strings.HasSuffix(text, "..>") || strings.HasSuffix(text, "…") || path.Ext(text) == "" {
		l.name = file
	}
	l.named()
	return l, true
}
