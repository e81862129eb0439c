package query

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"holdall/internal/ctxio"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// The encodings a CSV is read in, as TableReport names them.
const (
	encUTF8    = "utf-8"
	encUTF8BOM = "utf-8-bom"
	encUTF16LE = "utf-16le"
	encUTF16BE = "utf-16be"
	encCP1252  = "windows-1252"
)

// An encodingReport says how a file's bytes become text.
type encodingReport struct {
	name    string
	bom     int   // bytes before the text
	foreign int64 // bytes of a UTF-8 file that are not UTF-8, and are read as windows-1252 one by one
	guessed int64 // bytes of a windows-1252 file beyond ASCII: that it is windows-1252 is said nowhere
	// of these, letters that hardly occur in windows-1252, but do in the code pages of DOS and old Macs
	strange int64
	// and of these, characters in places where they do not occur in texts of Western Europe: see isUnlikely
	unlikely int64
	garbled  int64 // places that look like UTF-8 that was read as windows-1252 once before: Ã© for é
	broken   int64 // units of UTF-16 that are not characters
}

// encodingAtFront says which encoding the beginning of a file suggests. Only of UTF-16 that is all there is
// to know.
func encodingAtFront(f io.ReaderAt) (encodingReport, error) {
	head := make([]byte, 4096)
	n, err := f.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return encodingReport{}, err
	}
	head = head[:n]
	switch {
	case bytes.HasPrefix(head, []byte{0xFF, 0xFE}):
		return encodingReport{name: encUTF16LE, bom: 2}, nil
	case bytes.HasPrefix(head, []byte{0xFE, 0xFF}):
		return encodingReport{name: encUTF16BE, bom: 2}, nil
	}
	if name := guessUTF16(head); name != "" {
		return encodingReport{name: name}, nil
	}
	if bytes.HasPrefix(head, []byte{0xEF, 0xBB, 0xBF}) {
		return encodingReport{name: encUTF8BOM, bom: 3}, nil
	}
	return encodingReport{name: encUTF8}, nil
}

// detectEncoding looks at the whole file: the one byte that is not UTF-8 may be its last.
func detectEncoding(ctx context.Context, f *os.File) (encodingReport, error) {
	r, err := encodingAtFront(f)
	if err != nil || r.name != encUTF8 && r.name != encUTF8BOM {
		return r, err
	}
	n8, err := countUTF8(ctx, io.NewSectionReader(f, int64(r.bom), 1<<62))
	if err != nil {
		return r, err
	}
	// A windows-1252 file has next to no valid multi-byte sequence; a UTF-8 file with a few foreign bytes has
	// many.
	if n8.invalid > n8.multi && r.bom == 0 {
		return encodingReport{
			name: encCP1252, guessed: n8.invalid, strange: n8.strange, unlikely: n8.unlikely,
		}, nil
	}
	r.foreign, r.garbled = n8.invalid, n8.garbled
	return r, nil
}

// guessUTF16 recognises UTF-16 without a byte order mark by the zero bytes in every other place of its Latin
// letters.
func guessUTF16(head []byte) string {
	var zeros [2]int
	for i, b := range head {
		if b == 0 {
			zeros[i%2]++
		}
	}
	third := len(head) / 6
	switch {
	case len(head) >= 8 && zeros[1] > third && zeros[0] <= zeros[1]/8:
		return encUTF16LE
	case len(head) >= 8 && zeros[0] > third && zeros[1] <= zeros[0]/8:
		return encUTF16BE
	}
	return ""
}

// utf8Count is what a text looks like as UTF-8.
type utf8Count struct {
	invalid int64 // bytes that are not UTF-8
	multi   int64 // sequences of several bytes that are
	// see encodingReport
	strange, unlikely int64
	garbled           int64
}

// countUTF8 reads a text as UTF-8.
func countUTF8(ctx context.Context, r io.Reader) (n utf8Count, err error) {
	buf := make([]byte, 256<<10)
	kept := 0
	for {
		read, err := r.Read(buf[kept:])
		chunk := buf[:kept+read]
		atEOF := errors.Is(err, io.EOF)
		if err != nil && !atEOF {
			return n, err
		}
		kept = copy(buf, chunk[n.add(chunk, atEOF):])
		if atEOF {
			return n, nil
		}
		if err := ctx.Err(); err != nil {
			return n, err
		}
	}
}

// add counts a piece of text and returns how much of it: the beginning of a sequence be at
// the end.
func (n *utf8Count) add(chunk []byte, atEOF bool) int {
	for i := 0; ; {
		if i += asciiLen(chunk[i:]); i >= len(chunk) {
			return i
		}
		if !atEOF && len(chunk)-i < len(garbledEuro) {
			return i
		}
		if r, size := utf8.DecodeRune(chunk[i:]); r == utf8.RuneError && size == 1 {
			n.invalid++
			if isStrange(chunk[i]) && i > 0 && isASCIILetter(chunk[i-1]) {
				n.strange++
			}
			if isUnlikely(chunk, i) {
				n.unlikely++
			}
			i++
		} else {
			n.multi++
			if r < 0x100 && isGarbled(chunk[i:]) {
				n.garbled++
			}
			i += size
		}
	}
}

// asciiLen returns how many bytes of ASCII a text begins with.
func asciiLen(text []byte) int {
	i := 0
	for ; i+8 <= len(text); i += 8 {
		if binary.LittleEndian.Uint64(text[i:])&0x8080808080808080 != 0 {
			break
		}
	}
	for i < len(text) && text[i] < utf8.RuneSelf {
		i++
	}
	return i
}

// A utf8Check counts the text that a reader yields.
type utf8Check struct {
	n       utf8Count
	pending []byte // the last bytes read, with which something may begin
}

// reading returns r, whose text is taken account of as it is read. A nil check takes none.
func (c *utf8Check) reading(r io.Reader) io.Reader {
	if c == nil {
		return r
	}
	return io.TeeReader(r, c)
}

// Write counts a piece of text. It never fails.
func (c *utf8Check) Write(p []byte) (int, error) {
	rest := p
	if len(c.pending) > 0 {
		joined := append(c.pending, p[:min(len(p), 2*len(garbledEuro))]...)
		done := c.n.add(joined, false)
		if done < len(c.pending) { // p is too short to decide
			c.pending = append([]byte(nil), joined[done:]...)
			return len(p), nil
		}
		rest = p[done-len(c.pending):]
	}
	c.pending = append([]byte(nil), rest[c.n.add(rest, false):]...)
	return len(p), nil
}

// count returns what the text looks like, of which nothing more is to come.
func (c *utf8Check) count() utf8Count {
	c.n.add(c.pending, true)
	c.pending = nil
	return c.n
}

// isStrange reports whether a byte is none of the quotes, dashes and signs that windows-1252 has in this
// range.
func isStrange(b byte) bool {
	return b > 0x80 && b < 0xa0 && b != 0x85 && (b < 0x91 || b > 0x97) && b != 0x99
}

// unlikelySigns are the signs of windows-1252 that no letter follows, nor an accented one comes before: in
// other code pages these bytes are letters, or halves of characters.
const unlikelySigns = "\x81\x83\x86\x87\x88\x89\x8d\x8f\x90\x98\x9d" +
	"\xa2\xa3\xa4\xa5\xa6\xa8\xac\xaf\xb1\xb2\xb3\xb6\xb8\xb9\xbc\xbd\xbe"

// isUnlikely reports whether the byte at i, read as windows-1252, is where no text of Western Europe has it:
// the third accented letter in a row, a sign before a letter, a quote that opens within a word. Texts in
// Cyrillic, Greek, Polish, Hebrew, Arabic, Chinese, Japanese or Korean code pages are full of such.
func isUnlikely(text []byte, i int) bool {
	at := func(k int) byte {
		if k < 0 || k >= len(text) {
			return ' '
		}
		return text[k]
	}
	accented := func(k int) bool { return at(k) >= 0xc0 }
	letter := func(k int) bool { return accented(k) || isASCIILetter(at(k)) }
	sign := func(k int) bool { return strings.IndexByte(unlikelySigns, at(k)) >= 0 }
	switch b := at(i); {
	case b >= 0xc0:
		return accented(i-1) && (accented(i-2) || accented(i+1)) || accented(i+1) && accented(i+2)
	case sign(i):
		return letter(i+1) || accented(i-1) || sign(i-1)
	case b == 0x93:
		return letter(i-1) && letter(i+1)
	}
	return false
}

func isASCIILetter(b byte) bool { return b|0x20 >= 'a' && b|0x20 <= 'z' }

// garbledEuro is the longest of what isGarbled looks for.
const garbledEuro = "\u00e2\u20ac"

// isGarbled reports whether text begins with two characters that are one of UTF-8, read byte by byte.
func isGarbled(text []byte) bool {
	for _, begin := range []string{"\u00c3\xc2", "\u00c2\xc2", garbledEuro} {
		if bytes.HasPrefix(text, []byte(begin)) {
			return true
		}
	}
	return false
}

// decode returns r, from after its byte order mark, as UTF-8.
func (e encodingReport) decode(r io.Reader) io.Reader {
	switch e.name {
	case encUTF16LE:
		return transform.NewReader(r, unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM).NewDecoder())
	case encUTF16BE:
		return transform.NewReader(r, unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM).NewDecoder())
	case encCP1252:
		return transform.NewReader(r, cp1252{})
	}
	if e.foreign > 0 {
		return transform.NewReader(r, cp1252{butUTF8: true})
	}
	return r
}

// cp1252 reads bytes as windows-1252: all of them, or those that are not UTF-8. The five bytes that
// windows-1252 leaves open become the control characters of their number, as in browsers, so that no two
// bytes become the same.
type cp1252 struct {
	transform.NopResetter
	butUTF8 bool
}

func (c cp1252) Transform(dst, src []byte, atEOF bool) (nDst, nSrc int, err error) {
	for nSrc < len(src) {
		if c.butUTF8 && !atEOF && !utf8.FullRune(src[nSrc:]) {
			return nDst, nSrc, transform.ErrShortSrc
		}
		r, size := utf8.RuneError, 1
		if c.butUTF8 {
			r, size = utf8.DecodeRune(src[nSrc:])
		}
		if r == utf8.RuneError && size == 1 {
			if r = charmap.Windows1252.DecodeByte(src[nSrc]); r == utf8.RuneError {
				r = rune(src[nSrc])
			}
		}
		if nDst+utf8.RuneLen(r) > len(dst) {
			return nDst, nSrc, transform.ErrShortDst
		}
		nDst += utf8.EncodeRune(dst[nDst:], r)
		nSrc += size
	}
	return nDst, nSrc, nil
}

// asUTF8 returns a file that holds the text of f as UTF-8: f itself, or a copy in dir, which the caller
// closes and removes. It adds to e what it finds on the way.
func asUTF8(
	ctx context.Context, f *os.File, e *encodingReport, dir string,
) (text *os.File, copied bool, err error) {
	if (e.name == encUTF8 || e.name == encUTF8BOM) && e.foreign == 0 {
		return f, false, nil
	}
	text, err = os.CreateTemp(dir, "utf8-*.csv")
	if err != nil {
		return nil, false, err
	}
	src := e.decode(io.NewSectionReader(f, int64(e.bom), 1<<62))
	var count replacements
	if _, err := io.Copy(io.MultiWriter(text, &count), ctxio.NewReader(ctx, src)); err != nil {
		return nil, false, errors.Join(
			fmt.Errorf("read as %s: %w", e.name, err), text.Close(), os.Remove(text.Name()),
		)
	}
	if e.name == encUTF16LE || e.name == encUTF16BE {
		e.broken = count.n
	}
	return text, true, nil
}

// replacements counts the U+FFFD in the UTF-8 that is written to it.
type replacements struct {
	n    int64
	seen int // bytes of one that have been seen
}

func (r *replacements) Write(p []byte) (int, error) {
	const mark = "\uFFFD"
	for _, b := range p {
		switch {
		case b == mark[r.seen]:
			r.seen++
		case b == mark[0]:
			r.seen = 1
		default:
			r.seen = 0
		}
		if r.seen == len(mark) {
			r.n++
			r.seen = 0
		}
	}
	return len(p), nil
}
