package takeover

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
)

func growing(t *testing.T) *growingFile {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "growing"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return newGrowingFile(f)
}

func TestAGrowingFileIsReadToItsEnd(t *testing.T) {
	t.Parallel()
	g := growing(t)
	want := bytes.Repeat([]byte("what is written, "), 10_000)
	go func() {
		defer g.end(io.EOF)
		for rest := want; len(rest) > 0; rest = rest[min(777, len(rest)):] {
			if _, err := g.Write(rest[:min(777, len(rest))]); err != nil {
				t.Error(err)
			}
		}
	}()
	got, err := io.ReadAll(io.NewSectionReader(g, 0, 1<<62))
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("read %d bytes, %v; want the %d that were written", len(got), err, len(want))
	}
	if n, err := g.ReadAt(make([]byte, 10), int64(len(want))+5); n != 0 || err != io.EOF {
		t.Errorf("beyond the end: %d, %v; want io.EOF", n, err)
	}
}

func TestWhoReadsAFileThatIsGivenUpLearnsOfIt(t *testing.T) {
	t.Parallel()
	g := growing(t)
	if _, err := g.Write([]byte("the first try")); err != nil {
		t.Fatal(err)
	}
	read := make(chan error)
	go func() {
		_, err := g.ReadAt(make([]byte, 100), 0)
		read <- err
	}()
	g.end(errWrittenAgain)
	g.end(io.EOF)
	if err := <-read; !errors.Is(err, errWrittenAgain) {
		t.Errorf("%v, want errWrittenAgain", err)
	}
	if _, err := g.ReadAt(make([]byte, 3), 0); !errors.Is(err, errWrittenAgain) {
		t.Errorf("what was written before: %v, want errWrittenAgain", err)
	}
}
