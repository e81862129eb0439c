package fetch

import (
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"strings"
)

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
