package listing

import (
	"bytes"
	"net/url"

	"holdall/fetch/link"
	"holdall/fetch/loosecsv"
	"holdall/internal/filetype"
)

// Detect reports whether an object that begins so is a page of links, one a file, and not a table or a
// message.
func Detect(part link.Part, k filetype.Type, first []byte) bool {
	switch k {
	case filetype.XML:
		return bytes.Contains(first, []byte("<ListBucketResult"))
	case filetype.HTML, filetype.JSON:
		return len(Sample(k, first)) > 0 && !bytes.Contains(bytes.ToLower(first), []byte(`type="password"`))
	case filetype.CSV, filetype.Unknown:
		return csvOfLinks(part, first)
	}
	return false
}

// maxListingColumns is how wide a CSV may be and still be a listing. The tables of an export that have a
// column of links are wider: they say what the links belong to.
const maxListingColumns = 8

// csvOfLinks recognises a CSV in which every row leads to one file on one host.
func csvOfLinks(part link.Part, first []byte) bool {
	g := loosecsv.Read(string(WholeLines(first)))
	rows, links := 0, 0
	host := ""
	for i, row := range g.Rows {
		if len(row) > maxListingColumns {
			return false
		}
		n := 0
		for _, cell := range row {
			if !link.In(cell.Text) {
				continue
			}
			n++
			u, err := url.Parse(cell.Text)
			if err != nil || host != "" && u.Host != host {
				return false
			}
			host = u.Host
			if part == link.PartData && link.PartOf(u.Path) == link.PartUnknown {
				return false
			}
		}
		if n == 0 && i == 0 || len(row) == 1 && row[0].Text == "" {
			continue // the heading
		}
		rows++
		if n == 1 {
			links++
		}
	}
	return links > 0 && links == rows
}

// WholeLines cuts off the line that b ends in, unless there is no other.
func WholeLines(b []byte) []byte {
	if len(b) < filetype.HeadLen {
		return b
	}
	if i := bytes.LastIndexByte(b, '\n'); i > 0 {
		return b[:i]
	}
	return b
}

// Sample returns the files that the beginning of a listing names.
func Sample(k filetype.Type, first []byte) []Entry {
	var out []Entry
	base := &url.URL{Scheme: "https", Host: "listing.invalid", Path: "/"}
	_, _ = Read(k, bytes.NewReader(WholeLines(first)), base, func(l Entry) error {
		out = append(out, l)
		return nil
	})
	return out
}
