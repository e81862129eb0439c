package fetch

import (
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strings"

	"holdall/fetch/listing"
)

// bounds are the bytes a response brings: from start up to end, which is -1 when the server does not say;
// and the size of the whole object, -1 when not given.
type bounds struct{ start, end, total int64 }

// parseContentRange reads "bytes 0-499/1234", with "*" for a total not given (RFC 9110, section 14.4). The
// unsatisfied form "bytes */1234" has start and end -1.
func parseContentRange(s string) (bounds, error) {
	bad := errors.New("its Content-Range makes no sense")
	unit, rest, ok := strings.Cut(strings.TrimSpace(s), " ")
	if !ok || !strings.EqualFold(unit, "bytes") {
		return bounds{}, bad
	}
	span, size, ok := strings.Cut(strings.TrimSpace(rest), "/")
	if !ok {
		return bounds{}, bad
	}
	total := int64(-1)
	if size != "*" {
		if total, ok = listing.ParseSize(size); !ok {
			return bounds{}, bad
		}
	}
	if span == "*" {
		return bounds{-1, -1, total}, nil
	}
	a, b, ok := strings.Cut(span, "-")
	start, ok1 := listing.ParseSize(a)
	last, ok2 := listing.ParseSize(b)
	if !ok || !ok1 || !ok2 || last < start || total >= 0 && last >= total {
		return bounds{}, bad
	}
	return bounds{start, last + 1, total}, nil
}

// errAnswer marks a response that cannot be used as an answer to what was asked, though its status is one of
// success.
var errAnswer = errors.New("unusable answer")

func unusable(format string, a ...any) error {
	return fmt.Errorf("%w: %w", errAnswer, fmt.Errorf(format, a...))
}

// readBounds says which bytes a response with status 200 or 206 brings. It trusts what the response says, not
// what was asked: a 200 with a valid Content-Range counts as what it says, and any other 200 is the object
// from its first byte.
func readBounds(resp *http.Response) (bounds, error) {
	cr := resp.Header.Get("Content-Range")
	switch resp.StatusCode {
	case http.StatusOK:
		if b, err := parseContentRange(cr); err == nil && b.start >= 0 {
			return b.within(resp.ContentLength)
		}
		return bounds{0, resp.ContentLength, resp.ContentLength}, nil
	case http.StatusPartialContent:
		if mt, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); mt == "multipart/byteranges" {
			return bounds{}, unusable("several ranges in one response, though one was asked for")
		}
		b, err := parseContentRange(cr)
		if err != nil {
			return bounds{}, unusable("status 206, but %w", err)
		}
		if b.start < 0 {
			return bounds{}, unusable("status 206 with an unsatisfied range")
		}
		return b.within(resp.ContentLength)
	}
	return bounds{}, unusable("status %d", resp.StatusCode)
}

// within compares bounds with the length of the body: a body that is shorter is used for what it is, a longer
// one lies.
func (b bounds) within(length int64) (bounds, error) {
	if length > b.end-b.start {
		return bounds{}, unusable("%d bytes for a range of %d", length, b.end-b.start)
	}
	if length >= 0 {
		b.end = b.start + length
	}
	return b, nil
}
