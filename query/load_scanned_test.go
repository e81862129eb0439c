package query

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestATableScannedWhileItIsWrittenIsTheSame: and what takes a second look gets it.
func TestATableScannedWhileItIsWrittenIsTheSame(t *testing.T) {
	t.Parallel()
	const head = "Candidate Id,Full Name,Date of Birth,Current Salary,Star Sign\r\n"
	row := "a1,\"Ama \"\"A\"\" Mensah\",23/04/1990,\"1,250.50\",Leo\r\n"
	for name, tt := range map[string]struct {
		content string
		once    bool
	}{
		"plain":                         {head + strings.Repeat(row, 5000), true},
		"a byte order mark":             {byteOrderMark + head + row, true},
		"headings alone":                {head, true},
		"nothing":                       {"", true},
		"notes above the headings":      {"Report of candidates\r\n\r\n" + head + row, true},
		"letters of UTF-8":              {head + "a2,Zoë Ní Bhriain,1990-02-03,1,Löwe\r\n", true},
		"a letter of windows-1252":      {head + strings.Repeat(row, 5000) + "a2,Zo\xeb,,,\r\n", false},
		"a byte that is no UTF-8 above": {"Zo\xeb\r\n" + head + row, false},
		"quotes that are not doubled":   {head + "a2,\"Bo \\\"B\\\" Li\",,,\r\n" + row, false},
		"UTF-16":                        {"\xff\xfeI\x00d\x00,\x00a\x00\n\x001\x00,\x002\x00", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "received.csv")
			writeFile(t, path, []byte(tt.content))
			b, _ := build(t, BuildOptions{})
			want, err := b.LoadCSV(t.Context(), "Candidates.csv", path)
			if err != nil {
				t.Fatal(err)
			}
			b, _ = build(t, BuildOptions{})
			ahead, err := b.ScanCSV(t.Context(), "Candidates.csv", strings.NewReader(tt.content))
			if err != nil || (ahead != nil) != tt.once {
				t.Fatalf("scanned %v, %v; want it scanned once: %t", ahead, err, tt.once)
			}
			got, err := b.LoadScanned(t.Context(), "Candidates.csv", path, ahead)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestAScanOfAnotherFileDoesNotCount(t *testing.T) {
	t.Parallel()
	b, _ := build(t, BuildOptions{})
	ahead, err := b.ScanCSV(t.Context(), "Users.csv", strings.NewReader("User Id,Full Name\nu1,Ada\n"))
	if err != nil || ahead == nil {
		t.Fatal(ahead, err)
	}
	path := filepath.Join(t.TempDir(), "received.csv")
	writeFile(t, path, []byte("User Id,Full Name\nu1,Ada\nu2,Bo\n"))
	r, err := b.LoadScanned(t.Context(), "Users.csv", path, ahead)
	if err != nil || r.Rows != 2 {
		t.Errorf("%+v, %v; want both rows", r, err)
	}
}

func TestAScanEndsWithTheFileThatIsNotWritten(t *testing.T) {
	t.Parallel()
	b, _ := build(t, BuildOptions{})
	text := cutReader{strings.NewReader(strings.Repeat("User Id,Full Name\n", 50_000)), 600 << 10}
	if s, err := b.ScanCSV(context.Background(), "Users.csv", text); s != nil || !errors.Is(err, errCut) {
		t.Errorf("%v, %v; want the error of the reader", s, err)
	}
}

var errCut = errors.New("it is written again")

// A cutReader fails from a byte on.
type cutReader struct {
	r  io.ReaderAt
	at int64
}

func (c cutReader) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) > c.at {
		return 0, errCut
	}
	return c.r.ReadAt(p, off)
}
