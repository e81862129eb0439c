package fetch

import (
	"bufio"
	"encoding/csv"
	"fmt"
	"io"
	"net/url"
	"strings"
)

// readCSVListing reads rows that hold a link each, with or without a heading.
func readCSVListing(br *bufio.Reader, base *url.URL, yield func(listed) error) (pageEnd, error) {
	head, _ := br.Peek(sniffLen)
	r := csv.NewReader(br)
	r.Comma = rune(guessDelimiter(string(head)))
	r.LazyQuotes, r.FieldsPerRecord, r.ReuseRecord = true, -1, true
	var heading []string
	end := pageEnd{total: -1}
	width := 0 // of the row before
	for row := 0; ; row++ {
		record, err := r.Read()
		if err == io.EOF {
			return end, nil
		}
		if err != nil {
			return end, fmt.Errorf("%w: row %d: %w", errListing, row+1, err)
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
				return end, err
			}
		}
		end.cut = len(record) < width && len(strings.Join(record, "")) > 0
		width = max(width, len(record))
	}
}
