package unpack

import (
	"archive/tar"
	"bytes"
	"io"
	"strings"
	"testing"

	"holdall/internal/containertest"
	"holdall/internal/filetype"
)

// tarKinds are the three ways a tar arrives.
var tarKinds = []struct {
	kind filetype.Type
	pack func(testing.TB, string) string
}{
	{filetype.Tar, func(_ testing.TB, s string) string { return s }},
	{filetype.TarGzip, containertest.Gzip[string]},
	{filetype.TarZstd, containertest.Zstd[string]},
}

func openTarString(t testing.TB, s string, kind filetype.Type, lim Limits) Container {
	t.Helper()
	c, err := OpenTar(strings.NewReader(s), int64(len(s)), kind, lim)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// makeTar writes members; one without a type is a file that holds its content.
func makeTar(t testing.TB, members ...tarMember) string {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, m := range members {
		m.Size, m.Mode = int64(len(m.content)), 0o644
		if err := w.WriteHeader(&m.Header); err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, m.content)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

type tarMember struct {
	tar.Header
	content string
}

func file(name, content string) tarMember { return tarMember{tar.Header{Name: name}, content} }

func typed(name string, kind byte, link string) tarMember {
	return tarMember{tar.Header{Name: name, Typeflag: kind, Linkname: link}, ""}
}
