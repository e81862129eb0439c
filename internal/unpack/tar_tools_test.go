package unpack

import (
	"archive/tar"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"holdall/internal/containertest"
	"holdall/internal/filetype"
	"holdall/internal/testneed"
)

func TestTarsOfOtherPrograms(t *testing.T) {
	for _, tc := range []struct {
		name, program string
		kind          filetype.Type
		args          []string
	}{
		{"GNU tar, ustar", "tar", filetype.Tar, []string{"-cf", "out", "--format=ustar", "files"}},
		{"GNU tar, gnu", "tar", filetype.Tar, []string{"-cf", "out", "--format=gnu", "files"}},
		{"GNU tar, pax", "tar", filetype.Tar, []string{"-cf", "out", "--format=pax", "files"}},
		{"GNU tar, sparse gnu", "tar", filetype.Tar, []string{"-cSf", "out", "--format=gnu", "files"}},
		{
			"GNU tar, sparse pax 0.1", "tar", filetype.Tar,
			[]string{"-cSf", "out", "--format=pax", "--sparse-version=0.1", "files"},
		},
		{"GNU tar, sparse pax 1.0", "tar", filetype.Tar, []string{"-cSf", "out", "--format=pax", "files"}},
		{"GNU tar, gzip", "tar", filetype.TarGzip, []string{"-czf", "out", "files"}},
		{"GNU tar, zstd", "tar", filetype.TarZstd, []string{"-c", "--zstd", "-f", "out", "files"}},
		{
			"Python tarfile", "python3", filetype.TarGzip,
			[]string{"-c", "import tarfile\nwith tarfile.open('out', 'w:gz') as t: t.add('files')"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			program := testneed.Command(t, tc.program, "Debian "+tc.program)
			if tc.kind == filetype.TarZstd {
				testneed.Command(t, "zstd", "Debian zstd")
			}
			dir := t.TempDir()
			want := writeFiles(t, filepath.Join(dir, "files"))
			want["holes.bin"] = writeHoles(t, filepath.Join(dir, "files", "holes.bin"))
			cmd := exec.Command(program, tc.args...)
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			b, err := os.ReadFile(filepath.Join(dir, "out"))
			if err != nil {
				t.Fatal(err)
			}
			if got := filetype.Detect(b[:512]); got != tc.kind {
				t.Errorf("Detect = %q, want %q", got, tc.kind)
			}
			checkFiles(t, openTarString(t, string(b), tc.kind, Limits{OverallRatio: 1000}), want)
		})
	}
}

// writeHoles makes a file that is mostly holes.
func writeHoles(t *testing.T, path string) string {
	t.Helper()
	const size = 1 << 20
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	content := make([]byte, size)
	for _, at := range []int{0, 200_000, 700_000} {
		copy(content[at:], "data between holes")
		if _, err := f.WriteAt([]byte("data between holes"), int64(at)); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Truncate(size); err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func FuzzTar(f *testing.F) {
	whole := makeTar(
		f, file("a", "content"), typed("link", tar.TypeSymlink, "x"),
		tarMember{tar.Header{Name: "t", ModTime: time.Unix(1, 5), Format: tar.FormatPAX}, "x"},
	)
	f.Add([]byte(whole), byte(0))
	f.Add([]byte(containertest.Gzip(f, whole)), byte(1))
	f.Add([]byte(containertest.Zstd(f, whole)), byte(2))
	f.Add([]byte(containertest.OldTar()), byte(0))
	f.Fuzz(func(t *testing.T, b []byte, kind byte) {
		c, err := OpenTar(
			bytes.NewReader(b), int64(len(b)), tarKinds[int(kind)%3].kind, Limits{EntrySize: 1 << 20},
		)
		if err != nil {
			t.Fatal(err)
		}
		last := int64(-1)
		for e, err := range c.Entries() {
			if err != nil {
				break
			}
			if e.Name == "" || e.Offset <= last || e.Size < 0 || e.CompressedSize < 0 {
				t.Fatalf("impossible entry %+v behind %d", e, last)
			}
			last = e.Offset
			if got, err := readEntry(c, e); err == nil && int64(len(got)) != e.Size {
				t.Fatalf("read %d bytes of %d", len(got), e.Size)
			}
		}
	})
}
