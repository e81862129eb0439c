package listing

import (
	"bufio"
	"encoding/csv"
	"fmt"
	"io"
	"net/url"
	"strings"

	"holdall/fetch/link"
	"holdall/fetch/loosecsv"
	"holdall/internal/filetype"
)

// readCSVListing reads rows that hold a link each, with or without a heading.
func readCSVListing(br *bufio.Reader, base *url.URL, yield func(Entry) error) (PageEnd, error) {
	head, _ := br.Peek(filetype.HeadLen)
	r := csv.NewReader(br)
	r.Comma = rune(loosecsv.Delimiter(string(head)))
	r.LazyQuotes, r.FieldsPerRecord, r.ReuseRecord = true, -1, true
	var heading []string
	end := PageEnd{Total: -1}
	width := 0 // of the row before
	for row := 0; ; row++ {
		record, err := r.Read()
		if err == io.EOF {
			return end, nil
		}
		if err != nil {
			return end, fmt.Errorf("%w: row %d: %w", ErrFormat, row+1, err)
		}
		if row == 0 && !link.In(strings.Join(record, " ")) {
			heading = append(heading, record...)
			continue
		}
		f := fields{entry: Entry{Size: -1}}
		for i, v := range record {
			key := "name" // without a heading, the cell next to the link is its name
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
		end.Cut = len(record) < width && len(strings.Join(record, "")) > 0
		width = max(width, len(record))
	}
}
