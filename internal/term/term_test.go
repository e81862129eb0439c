package term

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTableAlignsWideCharacters(t *testing.T) {
	var out bytes.Buffer
	if err := Table(
		&out, []string{"name", "rows"}, map[int]bool{1: true}, [][]string{{"山田 太郎", "7"}, {"Ana", "1200"}},
	); err != nil {
		t.Fatal(err)
	}
	want := "name       rows\n" + strings.Repeat("─", 15) + "\n山田 太郎     7\nAna        1200\n"
	if diff := cmp.Diff(out.String(), want); diff != "" {
		t.Errorf("got -, want +:\n%s", diff)
	}
}

// What has no room on a narrow terminal is on further lines; nothing is cut.
func TestTableFoldsItsLastColumn(t *testing.T) {
	var out bytes.Buffer
	if err := tableWithin(&out, 28, []string{"table", "description"}, nil, [][]string{
		{"users", "The people of the agency who used it."},
		{"files", "/a/path/without/any/blank.pdf"},
		{"short", "Nothing more."},
	}); err != nil {
		t.Fatal(err)
	}
	want := "table  description\n" + strings.Repeat("─", 28) + `
users  The people of the
       agency who used it.
files  /a/path/without/any/b
       lank.pdf
short  Nothing more.
`
	if diff := cmp.Diff(out.String(), want); diff != "" {
		t.Errorf("got -, want +:\n%s", diff)
	}
}

func TestTSVKeepsOneRowOnOneLine(t *testing.T) {
	var out bytes.Buffer
	if err := TSV(&out, []string{"a", "b"}, [][]string{{"two\nlines", `tab	and \`}}); err != nil {
		t.Fatal(err)
	}
	if got, want := out.String(), "a\tb\ntwo\\nlines\ttab\\tand \\\\\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestBytes(t *testing.T) {
	for _, tc := range []struct {
		n    int64
		want string
	}{
		{0, "0 B"}, {999, "999 B"}, {1000, "1.0 kB"}, {9950, "10 kB"}, {123456, "123 kB"},
		{999_600, "1.0 MB"}, {5_000_000_000, "5.0 GB"},
	} {
		if got := Bytes(tc.n); got != tc.want {
			t.Errorf("Bytes(%d) = %q, want %q", tc.n, got, tc.want)
		}
	}
}

func TestBlockDrawsInPlaceAndLeavesNothing(t *testing.T) {
	var out bytes.Buffer
	b := &Block{w: &out, width: func() int { return 10 }}
	b.Draw("one", "a line that is too long")
	b.Draw("two")
	b.Clear()
	want := "\r\x1b[2Kone\n\r\x1b[2Ka line t…\n" + "\x1b[2A\r\x1b[2Ktwo\n\r\x1b[2K\n" + "\x1b[2A\r\x1b[J"
	if diff := cmp.Diff(out.String(), want); diff != "" {
		t.Errorf("got -, want +:\n%s", diff)
	}
}
