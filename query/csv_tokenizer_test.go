package query

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

// tokens returns the records of a text as their values; a bad record as one value in angle brackets.
func tokens(t testing.TB, r io.Reader, crEnds bool) [][]string {
	t.Helper()
	tok := newTokenizer(r, ',', crEnds)
	var all [][]string
	for {
		rec, err := tok.next()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		row := []string{}
		for _, c := range rec.cells {
			if len(c.value()) != c.size() {
				t.Errorf("size of %q is %d", c.value(), c.size())
			}
			row = append(row, string(c.value()))
		}
		if rec.bad {
			row = append(row, "<"+string(rec.raw)+">")
		}
		all = append(all, row)
	}
}

func TestTokenizer(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		text   string
		crEnds bool
		want   [][]string
	}{
		"nothing":              {"", false, nil},
		"plain":                {"a,b\nc,d\n", false, [][]string{{"a", "b"}, {"c", "d"}}},
		"no end at the end":    {"a,b\nc,d", false, [][]string{{"a", "b"}, {"c", "d"}}},
		"CRLF":                 {"a,b\r\nc,d\r\n", false, [][]string{{"a", "b"}, {"c", "d"}}},
		"a lone CR is content": {"a\rx,b\n", false, [][]string{{"a\rx", "b"}}},
		"or a row end": {
			"a,b\rc,\"d\r\"\r", true, [][]string{{"a", "b"}, {"c", "d\r"}},
		},
		"CR at the very end": {"a\r", false, [][]string{{"a\r"}}},
		"empty cells":        {",\n\"\",\n", false, [][]string{{"", ""}, {"", ""}}},
		"blank lines":        {"\n\na\n", false, [][]string{{""}, {""}, {"a"}}},
		"doubled quotes":     {"\"a\"\"b\",\"\"\"\"\n", false, [][]string{{`a"b`, `"`}}},
		"row ends in quotes keep their bytes": {
			"\"a\r\nb\nc\rd\"\r\nx\n", false, [][]string{{"a\r\nb\nc\rd"}, {"x"}},
		},
		"a quote in an unquoted cell": {"5\" x,=\"7\"\n", false, [][]string{{`5" x`, `="7"`}}},
		"a bare quote in one line":    {"\"a \"b\" c\",d\n", false, [][]string{{`a "b" c`, "d"}}},
		"a bare quote over lines": {
			"\"a \"b c\nd\",e\nf,g\n", false, [][]string{{`<"a "b c>`}, {`d"`, "e"}, {"f", "g"}},
		},
		"an open quote": {
			"a\n\"b\nc\nd\n", false, [][]string{{"a"}, {`<"b>`}, {"c"}, {"d"}},
		},
		"an open quote and a later quoted": {"\"b,1\nc,\"d\"\n", false, [][]string{{`<"b,1>`}, {"c", "d"}}},
		"an open quote at the end":         {"a\n\"", false, [][]string{{"a"}, {`<">`}}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, r := range []io.Reader{
				strings.NewReader(tt.text), iotest.OneByteReader(strings.NewReader(tt.text)),
				iotest.DataErrReader(strings.NewReader(tt.text)),
			} {
				if d := cmp.Diff(tt.want, tokens(t, r, tt.crEnds)); d != "" {
					t.Error(d)
				}
			}
		})
	}
}

func TestTokenizerPassesErrorsOn(t *testing.T) {
	t.Parallel()
	broken := errors.New("disk on fire")
	tok := newTokenizer(io.MultiReader(strings.NewReader("a,b\nc,\"d"), iotest.ErrReader(broken)), ',', false)
	if _, err := tok.next(); err != nil {
		t.Fatal(err)
	}
	if _, err := tok.next(); !errors.Is(err, broken) {
		t.Errorf("got error %v, want %v", err, broken)
	}
}

// reference splits well-formed CSV one byte at a time, as RFC 4180 says and no faster. It is not ok with
// anything else.
func reference(text string) (rows [][]string, ok bool) {
	var row []string
	var cell strings.Builder
	quoted, closed, started := false, false, false
	for i := 0; i < len(text); i++ {
		b := text[i]
		switch {
		case quoted && b == '"' && i+1 < len(text) && text[i+1] == '"':
			cell.WriteByte('"')
			i++
		case quoted && b == '"':
			quoted, closed = false, true
		case quoted:
			cell.WriteByte(b)
		case b == '"' && !started:
			quoted, started = true, true
		case b == '"':
			return nil, false
		case b == ',' || b == '\n' || b == '\r' && i+1 < len(text) && text[i+1] == '\n':
			row = append(row, cell.String())
			cell.Reset()
			closed, started = false, false
			if b == ',' {
				if i+1 == len(text) {
					row = append(row, "")
					rows, row = append(rows, row), nil
				}
				continue
			}
			if b == '\r' {
				i++
			}
			rows, row = append(rows, row), nil
		case closed:
			return nil, false
		default:
			cell.WriteByte(b)
			started = true
		}
	}
	if quoted {
		return nil, false
	}
	if started || len(row) > 0 {
		rows = append(rows, append(row, cell.String()))
	}
	return rows, true
}

// FuzzTokenizer holds the tokenizer against a slow reader of well-formed CSV, and in any case against the
// loss of a byte.
func FuzzTokenizer(f *testing.F) {
	for _, s := range []string{
		"a,b\nc,d\n", "\"a\"\"b\",\"c\r\nd\"\r\n", ",,\n\n", "\"a\nb,\"c\"\n", "a\"b,\"c\"d\"\n", "\r\n\r",
		"x,\"y\r",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := tokens(t, strings.NewReader(text), false)
		if want, ok := reference(text); ok {
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("%q: %s", text, d)
			}
		}
		if d := cmp.Diff(got, tokens(t, iotest.HalfReader(strings.NewReader(text)), false)); d != "" {
			t.Errorf("%q reads otherwise in halves: %s", text, d)
		}
		tok := newTokenizer(strings.NewReader(text), ',', false)
		var whole bytes.Buffer
		for {
			rec, err := tok.next()
			if err != nil {
				break
			}
			whole.Write(rec.raw)
			whole.WriteString([]string{endNone: "", endLF: "\n", endCRLF: "\r\n", endCR: "\r"}[rec.end])
		}
		if whole.String() != text {
			t.Errorf("%q became %q", text, &whole)
		}
	})
}
