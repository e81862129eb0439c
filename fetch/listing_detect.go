package fetch

import (
	"bytes"
	"net/url"

	"holdall/internal/unpack"
)

// looksLikeListing reports whether an object that begins so is a page of links, one a file, and not a table or a message.
func looksLikeListing(part Part, k unpack.Kind, first []byte) bool {
	switch k {
	case unpack.KindXML:
		return bytes.Contains(first, []byte("<ListBucketResult"))
	case unpack.KindHTML, unpack.KindJSON:
		return len(sampleListing(k, first)) > 0 && !bytes.Contains(bytes.ToLower(first), []byte(`type="password"`))
	case unpack.KindCSV, unpack.KindUnknown:
		return csvOfLinks(part, first)
	}
	return false
}

// maxListingColumns is how wide a CSV may be and still be a listing. The tables of an export that have a column of links are
// wider: they say what the links belong to.
const maxListingColumns = 8

// csvOfLinks recognises a CSV in which every row leads to one file on one host.
func csvOfLinks(part Part, first []byte) bool {
	g := readGrid(string(wholeLines(first)))
	rows, links := 0, 0
	host := ""
	for i, row := range g.rows {
		if len(row) > maxListingColumns {
			return false
		}
		n := 0
		for _, cell := range row {
			if !hasLink(cell.text) {
				continue
			}
			n++
			u, err := url.Parse(cell.text)
			if err != nil || host != "" && u.Host != host {
				return false
			}
			host = u.Host
			if part == PartData && partOf(u.Path) == PartUnknown {
				return false
			}
		}
		if n == 0 && i == 0 || len(row) == 1 && row[0].text == "" {
			continue // the heading
		}
		rows++
		if n == 1 {
			links++
		}
	}
	return links > 0 && links == rows
}

// wholeLines cuts off the line that b ends in, unless there is no other.
func wholeLines(b []byte) []byte {
	if len(b) < sniffLen {
		return b
	}
	if i := bytes.LastIndexByte(b, '\n'); i > 0 {
		return b[:i]
	}
	return b
}

// sampleListing returns the files that the beginning of a listing names.
func sampleListing(k unpack.Kind, first []byte) []listed {
	var out []listed
	base := &url.URL{Scheme: "https", Host: "listing.invalid", Path: "/"}
	_, _ = readListing(k, bytes.NewReader(wholeLines(first)), base, func(l listed) error {
		out = append(out, l)
		return nil
	})
	return out
}
