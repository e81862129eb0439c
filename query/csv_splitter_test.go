package query

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

// FuzzSplitter compares the splitter with the tokenizer, whose records it has to return in a shorter way.
func FuzzSplitter(f *testing.F) {
	for _, s := range []string{
		"", "a,b\r\n1,2\r\n", "a,\"b\"\"c\",d\ne,\"f\r\ng\",h\n", "\"a\"b,c\n", "a,\"b\\\",c\n",
		"a\rb,c\r\n,\r", "\ufeffa,b\n",
		"\"a\nb\"c,d\ne\n", "a;b\n\"c;d\";e\n", "\"\",\"\"\"\"\n", "\"open,\n1,2\n", "\n\n,\n", "x\"y,z\n",
		"\x00,\xff\n",
	} {
		f.Add([]byte(s), byte(','), uint8(16))
		f.Add([]byte(s), byte(';'), uint8(3))
	}
	f.Fuzz(func(t *testing.T, text []byte, delim byte, room uint8) {
		if delim == '"' || delim == '\n' || delim == 0 {
			t.Skip("no delimiter")
		}
		tokens := func() *tokenizer {
			r := newTokenizer(iotest.HalfReader(bytes.NewReader(text)), delim, false)
			r.buf = make([]byte, 0, 1+int(room)) // records lie across the buffer's end
			return r
		}
		compareRecords(t, tokens(), newSplitter(tokens()))
	})
}

func compareRecords(t *testing.T, want, got records) {
	t.Helper()
	for n := 1; ; n++ {
		a, aErr := want.next()
		b, bErr := got.next()
		if !errors.Is(aErr, bErr) && !errors.Is(bErr, aErr) {
			t.Fatalf("record %d: got error %v, want %v", n, bErr, aErr)
		}
		if d := cmp.Diff(a, b, cmp.AllowUnexported(record{}, cell{}), cmp.Comparer(bytes.Equal)); d != "" {
			t.Fatalf("record %d: %s", n, d)
		}
		if errors.Is(aErr, io.EOF) {
			return
		}
		if aErr != nil {
			t.Fatal(aErr)
		}
	}
}

// A file whose one odd character lies across the end of what was read at once must not be taken for
// another's.
func TestUTF8IsToldInPieces(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "plain", "Zoë, Ã©tÃ©", "\u00e2\u20ac\u00e2\u20ac\u2122 x", "caf\xe9", "\xe2\x82", "日本\xff語",
	} {
		want, err := countUTF8(t.Context(), bytes.NewReader([]byte(text)))
		if err != nil {
			t.Fatal(err)
		}
		var all, half utf8Check
		for _, c := range []struct {
			check *utf8Check
			r     io.Reader
		}{
			{&all, iotest.OneByteReader(bytes.NewReader([]byte(text)))},
			{&half, iotest.HalfReader(bytes.NewReader([]byte(text)))},
		} {
			if _, err := io.Copy(io.Discard, c.check.reading(c.r)); err != nil {
				t.Fatal(err)
			}
			got := c.check.count()
			// told by the bytes around, and only of files that are read again
			got.strange, want.strange, got.unlikely, want.unlikely = 0, 0, 0, 0
			if got != want {
				t.Errorf("%q: got %+v, want %+v", text, got, want)
			}
		}
	}
}
