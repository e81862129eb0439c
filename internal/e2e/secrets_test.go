package e2e

import (
	"bytes"
	"encoding/csv"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// A link grants access to whoever knows it. Whatever happens, nothing that the program prints or leaves on
// the disk holds the secret of one.
func TestNoSecretAnywhere(t *testing.T) {
	for _, tc := range []struct {
		name     string
		simulate []string
		take     []string
		exit     int
	}{
		{"all goes well", nil, nil, 0},
		{"containers are kept", nil, []string{"--keep-containers"}, 0},
		{"links expire in between", []string{"--fault", "expire=1", "--fault", "drop=200000"}, nil, 4},
		{"a sign-in page comes instead", []string{"--fault", "html"}, nil, 4},
		{
			"connections break and the server is busy", []string{"--fault", "drop=200000", "--fault", "busy"},
			nil, 0,
		},
		{"ranges are ignored", []string{"--fault", "no-range"}, nil, 0},
		{"links in listings", []string{"--shape", "listing"}, nil, 0},
		{"the export has mistakes", []string{"--mistakes"}, nil, 5},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			p, _ := simulate(t, dir, append([]string{"--people", "20", "--seed", "3"}, tc.simulate...)...)
			root := filepath.Join(dir, "archives")
			o := start(
				t, append([]string{"take", p.url, "--to", root, "--allow-private", "-v"}, tc.take...)...,
			).wait()
			if o.code != tc.exit {
				t.Errorf("want exit %d, got:\n%s", tc.exit, o)
			}
			again := start(
				t,
				append(
					[]string{"take", p.master, "--to", root, "--allow-private", "-v", "--json"}, tc.take...,
				)...,
			).wait()
			status := start(t, "status", root, "--json").wait()
			secrets := append(secretsIn(t, p.master), secretsOf(t, p.url)...)
			if len(secrets) == 0 {
				t.Fatal("the master CSV has no secret to look for")
			}
			for _, o := range []outcome{o, again, status} {
				find(t, "stdout of "+o.args[0], []byte(o.stdout), secrets)
				find(t, "stderr of "+o.args[0], []byte(o.stderr), secrets)
			}
			for _, path := range files(t, root) {
				find(t, path, contents(t, path), secrets)
			}
		})
	}
}

// secretsIn collects the secrets of all links in a master CSV.
func secretsIn(t *testing.T, master string) []string {
	t.Helper()
	f, err := os.Open(master)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, row := range rows {
		for _, cell := range row {
			if strings.HasPrefix(cell, "http") {
				all = append(all, secretsOf(t, cell)...)
			}
		}
	}
	return all
}

var tokenLike = regexp.MustCompile(`[A-Za-z0-9_-]{24,}`)

// secretsOf returns what in a link nobody could guess: long values of its query, and long tokens in its path.
func secretsOf(t *testing.T, link string) []string {
	t.Helper()
	u, err := url.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	all := tokenLike.FindAllString(u.Path, -1)
	for key, values := range u.Query() {
		for _, v := range values {
			if strings.Contains(strings.ToLower(key), "sig") && tokenLike.MatchString(v) {
				all = append(all, v, url.QueryEscape(v))
			}
		}
	}
	return all
}

// contents returns a file as it is, and what it holds when it is compressed.
func contents(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(path, ".zst") {
		return b
	}
	z, err := zstd.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	inner, _ := io.ReadAll(z) // one that is being written may be cut
	return append(b, inner...)
}

// signature is how any link of the simulator would show, those of listings included.
var signature = regexp.MustCompile(`X-Amz-Signature(=|%3[Dd])[0-9a-f]{16}`)

func find(t *testing.T, where string, b []byte, secrets []string) {
	t.Helper()
	if at := signature.FindIndex(b); at != nil {
		t.Errorf("%s holds a signature at byte %d: …%.60q", where, at[0], b[max(0, at[0]-40):])
		return
	}
	for _, s := range secrets {
		if i := bytes.Index(b, []byte(s)); i >= 0 {
			t.Errorf("%s holds a secret at byte %d: …%.60q", where, i, b[max(0, i-40):])
			return
		}
	}
}
