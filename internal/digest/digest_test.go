package digest

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestReaderAcceptsWhatWasRecorded(t *testing.T) {
	const content = "every byte as it was received"
	r := NewReader(strings.NewReader(content), int64(len(content)), Of([]byte(content)))
	if err := iotest.TestReader(r, []byte(content)); err != nil {
		t.Fatal(err)
	}
}

func TestReaderRefusesOtherContent(t *testing.T) {
	const content = "every byte as it was received"
	for _, tc := range []struct{ name, got string }{
		{"one bit flipped", "every byte as it was receivee"},
		{"a byte short", content[:len(content)-1]},
		{"a byte more", content + "."},
		{"nothing", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := NewReader(strings.NewReader(tc.got), int64(len(content)), Of([]byte(content)))
			_, err := io.ReadAll(r)
			var mismatch *MismatchError
			if !errors.As(err, &mismatch) {
				t.Fatalf("read %q: got error %v, want a MismatchError", tc.got, err)
			}
		})
	}
}

func TestParse(t *testing.T) {
	want := Of([]byte("a"))
	got, err := Parse(want.String())
	if err != nil || got != want {
		t.Fatalf("Parse(String()) = %v, %v; want %v", got, err, want)
	}
	for _, bad := range []string{"", "abc", strings.Repeat("g", 64)} {
		if _, err := Parse(bad); err == nil {
			t.Errorf("Parse(%q) succeeded", bad)
		}
	}
}
