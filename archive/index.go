package archive

import (
	"bytes"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"holdall/internal/digest"
)

// columns are the fields of the index and of every _pack.csv, in order.
var columns = []string{
	"doc_id", "part", "pack", "offset", "stored_size", "size", "method", "crc32", "sha256", "media_type",
	"owner_type", "owner_id", "attachment_id", "original_name", "original_name_raw", "received_in",
	"received_modified",
	"state", "text_state", "matched_by",
}

// headerLine is the first line of the index and of every _pack.csv.
var headerLine = []byte(strings.Join(columns, ",") + "\n")

// normalise makes the row's texts such that CSV can hold them: valid UTF-8, no control characters in the
// name. The bytes of a name that this changes stay in OriginalNameRaw.
func (r *Row) normalise() {
	name := clean(r.OriginalName)
	if name != r.OriginalName && len(r.OriginalNameRaw) == 0 {
		r.OriginalNameRaw = []byte(r.OriginalName)
	}
	r.OriginalName = name
	if string(r.OriginalNameRaw) == name {
		r.OriginalNameRaw = nil
	}
	for _, s := range []*string{
		&r.OwnerType, &r.OwnerID, &r.AttachmentID, &r.ReceivedIn, &r.MatchedBy, &r.MediaType, &r.TextState,
	} {
		// encoding/csv reads CR LF inside a field as LF; a lone CR survives.
		*s = strings.ReplaceAll(strings.ToValidUTF8(*s, "\uFFFD"), "\r\n", "\n")
	}
	if !r.Modified.IsZero() {
		r.Modified = r.Modified.UTC()
	}
}

func clean(name string) string {
	return strings.Map(func(c rune) rune {
		if unicode.IsControl(c) || c == '\u2028' || c == '\u2029' {
			return utf8.RuneError
		}
		return c
	}, strings.ToValidUTF8(name, "\uFFFD"))
}

// fields returns the row's cells in the order of columns.
func (r *Row) fields() []string {
	modified := ""
	if !r.Modified.IsZero() {
		modified = r.Modified.UTC().Format(time.RFC3339Nano)
	}
	return []string{
		r.ID, r.Part, r.Pack, strconv.FormatInt(r.Offset, 10), strconv.FormatInt(r.StoredSize, 10),
		strconv.FormatInt(r.Size, 10), r.Method, fmt.Sprintf("%08x", r.CRC32), r.SHA256.String(), r.MediaType,
		r.OwnerType, r.OwnerID, r.AttachmentID, r.OriginalName, hex.EncodeToString(r.OriginalNameRaw),
		r.ReceivedIn, modified,
		string(r.State), r.TextState, r.MatchedBy,
	}
}

// A rowEncoder writes rows as CSV records. Its zero value is ready.
type rowEncoder struct {
	buf bytes.Buffer
	csv *csv.Writer
}

// line returns the row as one record with its line end. It is valid until the next call.
func (e *rowEncoder) line(r *Row) []byte {
	e.buf.Reset()
	e.append(r)
	return e.buf.Bytes()
}

// append adds the row's record to buf.
func (e *rowEncoder) append(r *Row) {
	if e.csv == nil {
		e.csv = csv.NewWriter(&e.buf)
	}
	e.csv.Write(r.fields()) // into memory: it cannot fail
	e.csv.Flush()
}

// A rowReader reads the index or a _pack.csv.
type rowReader struct {
	csv *csv.Reader
	n   int
}

// newRowReader reads the header, which must be that of this format; columns added at its end by a later
// version are left out.
func newRowReader(r io.Reader) (*rowReader, error) {
	cr := csv.NewReader(r)
	cr.ReuseRecord = true // of the slice; the strings are new ones for each record
	header, err := cr.Read()
	if err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, fmt.Errorf("read the header: %w", err)
	}
	if len(header) < len(columns) || !slices.Equal(header[:len(columns)], columns) {
		return nil, fmt.Errorf("the header is not that of an index: %.200q", strings.Join(header, ","))
	}
	return &rowReader{csv: cr}, nil
}

// next returns the next row, or io.EOF.
func (rr *rowReader) next() (Row, error) {
	rec, err := rr.csv.Read()
	if err != nil {
		return Row{}, err
	}
	rr.n++
	row, err := parseRow(rec)
	if err != nil {
		return Row{}, fmt.Errorf("row %d: %w", rr.n, err)
	}
	return row, nil
}

func parseRow(rec []string) (Row, error) {
	p := fieldParser{}
	r := Row{
		Document: Document{
			ID: rec[0], Part: rec[1],
			OwnerType: rec[10], OwnerID: rec[11], AttachmentID: rec[12],
			OriginalName: rec[13], OriginalNameRaw: p.hex("original_name_raw", rec[14]),
			ReceivedIn: rec[15], Modified: p.time("received_modified", rec[16]), MatchedBy: rec[19],
			Damaged: rec[17] == string(StateDamaged),
		},
		Pack: rec[2], Offset: p.number("offset", rec[3]), StoredSize: p.number("stored_size", rec[4]),
		Size: p.number("size", rec[5]), Method: rec[6], CRC32: p.crc("crc32", rec[7]),
		SHA256: p.sum("sha256", rec[8]), MediaType: rec[9],
		State: State(rec[17]), TextState: rec[18],
	}
	return r, p.err
}

// A fieldParser keeps the first error of the cells that it parses.
type fieldParser struct{ err error }

func (p *fieldParser) fail(column string, err error) {
	if err != nil && p.err == nil {
		p.err = fmt.Errorf("%s: %w", column, err)
	}
}

func (p *fieldParser) number(column, s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err == nil && n < 0 {
		err = fmt.Errorf("%d is negative", n)
	}
	p.fail(column, err)
	return n
}

func (p *fieldParser) crc(column, s string) uint32 {
	n, err := strconv.ParseUint(s, 16, 32)
	p.fail(column, err)
	return uint32(n)
}

func (p *fieldParser) sum(column, s string) digest.Sum {
	sum, err := digest.Parse(s)
	p.fail(column, err)
	return sum
}

func (p *fieldParser) hex(column, s string) []byte {
	if s == "" {
		return nil
	}
	b, err := hex.DecodeString(s)
	p.fail(column, err)
	return b
}

func (p *fieldParser) time(column, s string) time.Time {
	if s == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	p.fail(column, err)
	return t
}

// readRows yields the rows of an index or a _pack.csv, ending with the first error.
func readRows(r io.Reader) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		rr, err := newRowReader(r)
		if err != nil {
			yield(Row{}, err)
			return
		}
		for {
			row, err := rr.next()
			if err == io.EOF {
				return
			}
			if !yield(row, err) || err != nil {
				return
			}
		}
	}
}
