package listing

import (
	"encoding/xml"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"

	"holdall/fetch/link"
)

// listingParam reports whether a query parameter is one by which a bucket is listed, or of a version 4
// signature, which holds for the listing alone. Neither belongs to the links of its files.
func listingParam(name string) bool {
	switch strings.ToLower(name) {
	case "list-type", "prefix", "delimiter", "marker", "continuation-token", "max-keys", "start-after",
		"encoding-type", "fetch-owner":
		return true
	}
	return strings.HasPrefix(strings.ToLower(name), "x-amz-")
}

// readBucketPage reads S3's answer to ListObjects, version 1 or 2.
func readBucketPage(r io.Reader, base *url.URL, yield func(Entry) error) (PageEnd, error) {
	d := xml.NewDecoder(r)
	var page bucketPage
	depth := 0
	none := PageEnd{Total: -1}
	for {
		tok, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			return none, fmt.Errorf("%w: %w", ErrFormat, err)
		}
		start, ok := tok.(xml.StartElement)
		if !ok {
			if _, end := tok.(xml.EndElement); end {
				depth--
			}
			continue
		}
		if depth == 0 && start.Name.Local != "ListBucketResult" {
			return none, fmt.Errorf("%w: it is an XML document of another kind", ErrFormat)
		}
		switch start.Name.Local {
		case "ListBucketResult":
			depth++
		case "Contents":
			var c bucketObject
			if err := d.DecodeElement(&c, &start); err != nil {
				return none, fmt.Errorf("%w: %w", ErrFormat, err)
			}
			if l, ok := page.entry(base, c); ok {
				if err := yield(l); err != nil {
					return none, err
				}
			}
		default:
			var text string
			if err := d.DecodeElement(&text, &start); err != nil {
				return none, fmt.Errorf("%w: %w", ErrFormat, err)
			}
			page.set(start.Name.Local, text)
		}
	}
	return page.end(base), nil
}

// A bucketPage is what a page of ListObjects says about itself.
type bucketPage struct {
	truncated   bool
	token       string
	marker, key string
	encoded     bool
}

// A bucketObject is one Contents element.
type bucketObject struct {
	Key, LastModified, ETag string
	Size                    int64
}

func (p *bucketPage) set(element, text string) {
	switch element {
	case "IsTruncated":
		p.truncated, _ = strconv.ParseBool(strings.TrimSpace(text))
	case "NextContinuationToken":
		p.token = text
	case "NextMarker":
		p.marker = text
	case "EncodingType":
		p.encoded = text == "url"
	}
}

// entry is the file that an object is; false for folders, and for keys that no link can name.
func (p *bucketPage) entry(base *url.URL, c bucketObject) (Entry, bool) {
	p.key = c.Key
	if p.encoded {
		if plain, err := url.QueryUnescape(c.Key); err == nil {
			c.Key = plain
		}
	}
	if strings.HasSuffix(c.Key, "/") && c.Size == 0 {
		return Entry{}, false
	}
	l := Entry{Name: c.Key, Size: c.Size, ETag: c.ETag, Modified: ParseTime(c.LastModified)}
	var ok bool
	if l.Link, ok = keyLink(base, c.Key); !ok {
		return Entry{}, false
	}
	l.HideTokens()
	return l, true
}

// end says whether another page follows, and where.
func (p *bucketPage) end(base *url.URL) PageEnd {
	if !p.truncated {
		return PageEnd{Total: -1}
	}
	end := PageEnd{More: true, Total: -1}
	if p.token != "" || p.marker != "" || p.key != "" {
		end.Next = nextBucketPage(base, p.token, p.marker, p.key)
	}
	return end
}

// keyLink is the link of an object of a bucket that is listed at base.
func keyLink(base *url.URL, key string) (link.Link, bool) {
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
	l, err := link.New(u.String())
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
