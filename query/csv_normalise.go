package query

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"strconv"
)

// A badRecord is a record that cannot be loaded, and is kept in quarantine.
type badRecord struct {
	row    int64
	record string
	reason string
}

// normalise writes the loadable records of a scanned file to a CSV in dir that leaves nothing to
// interpretation: UTF-8, comma, LF, every cell in quotes, the record's number first, no headings. The others
// go to quarantine. It returns the path and the length of the longest record.
func normalise(
	ctx context.Context, file *os.File, s *scanned, dir string, quarantine func(badRecord) error,
) (path string, longest int, err error) {
	out, err := os.CreateTemp(dir, "normal-*.csv")
	if err != nil {
		return "", 0, err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	w := bufio.NewWriterSize(out, 256<<10)
	t := s.tokens(file)
	if _, err := t.next(); err != nil {
		return out.Name(), 0, ignoreEOF(err)
	}
	var line []byte
	j := recordChecker{s: s}
	for row := int64(0); ; {
		rec, err := t.next()
		if errors.Is(err, io.EOF) {
			return out.Name(), longest, w.Flush()
		}
		if err != nil {
			return "", 0, err
		}
		if s.isBlank(rec) {
			continue
		}
		row++
		if row%1024 == 0 && ctx.Err() != nil {
			return "", 0, ctx.Err()
		}
		if fault := j.fault(rec); fault != "" {
			if err := quarantine(badRecord{row, cleanText(rec.raw), fault}); err != nil {
				return "", 0, err
			}
			continue
		}
		line = appendRecord(line[:0], row, rec, len(s.headings))
		longest = max(longest, len(line))
		if _, err := w.Write(line); err != nil {
			return "", 0, err
		}
	}
}

// appendRecord writes one record in the normal form.
func appendRecord(line []byte, row int64, rec record, width int) []byte {
	line = strconv.AppendInt(line, row, 10)
	for i := range width {
		line = append(line, ',', '"')
		if i < len(rec.cells) {
			for _, b := range rec.cells[i].value() {
				if b == '"' {
					line = append(line, '"')
				}
				line = append(line, b)
			}
		}
		line = append(line, '"')
	}
	return append(line, '\n')
}
