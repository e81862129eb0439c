package listing

import (
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"strings"

	"holdall/fetch/link"
)

// readJSONListing finds every object that holds a link, however deep, and every bare link in an array.
func readJSONListing(r io.Reader, base *url.URL, yield func(Entry) error) (PageEnd, error) {
	d := json.NewDecoder(r)
	d.UseNumber()
	j := &jsonListing{d: d, base: base, yield: yield, end: PageEnd{Total: -1}}
	if err := j.value("", nil, 0); err != nil {
		return j.end, err
	}
	if j.end.Next != "" {
		u, err := base.Parse(j.end.Next)
		if err != nil {
			return PageEnd{More: true, Total: j.end.Total}, nil
		}
		j.end.Next = u.String()
	}
	return j.end, nil
}

type jsonListing struct {
	d     *json.Decoder
	base  *url.URL
	yield func(Entry) error
	end   PageEnd
	n     int // files yielded
}

const maxDepth = 32

// value reads one value. key is the member it is under; in collects the scalars of the object around it.
func (j *jsonListing) value(key string, in *fields, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("%w: nested too deep", ErrFormat)
	}
	tok, err := j.d.Token()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrFormat, err)
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
		if depth == 1 {
			j.count(key, t.String())
		}
		return j.scalar(key, t.String(), in)
	case bool:
		j.end.More = j.end.More || t && saysMore[strings.Join(link.Words(key), " ")]
	}
	return nil
}

// saysMore are members that say of a page that others follow, and not where.
var saysMore = map[string]bool{
	"has more": true, "more": true, "has next": true, "has next page": true, "is truncated": true,
	"truncated": true,
}

// count records how many files a listing says it has.
func (j *jsonListing) count(key, v string) {
	switch strings.Join(link.Words(key), " ") {
	case "total", "total count", "total files", "total items", "total results":
		if n, ok := ParseSize(v); ok {
			j.end.Total = n
		}
	}
}

func (j *jsonListing) scalar(key, v string, in *fields) error {
	switch words := strings.Join(link.Words(key), " "); words {
	case "next", "next page", "next url", "next link", "next page url", "odata next link":
		j.end.Next = v
		return nil
	case "next page token", "next token", "next cursor", "continuation token", "next continuation token",
		"next marker":
		j.end.More = j.end.More || v != ""
		return nil
	}
	if in != nil {
		in.set(key, v)
		return nil
	}
	f := fields{entry: Entry{Size: -1}}
	f.set("url", v)
	if !link.In(v) {
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
	f := fields{entry: Entry{Size: -1}}
	for j.d.More() {
		tok, err := j.d.Token()
		if err != nil {
			return fmt.Errorf("%w: %w", ErrFormat, err)
		}
		key, _ := tok.(string)
		if err := j.value(key, &f, depth+1); err != nil {
			return err
		}
	}
	if _, err := j.d.Token(); err != nil {
		return fmt.Errorf("%w: %w", ErrFormat, err)
	}
	// A link alongside the files is the listing's own.
	if l, ok := f.listed(j.base); ok && (depth > 0 || j.n == 0) {
		j.n++
		return j.yield(l)
	}
	return nil
}
