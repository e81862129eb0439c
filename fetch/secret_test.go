package fetch

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdall/fetch/link"
	"holdall/fetch/master"
)

// wantNoSecret searches every file below dir, and its name, for the secret of the test's links.
func wantNoSecret(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if bytes.Contains(b, []byte(secret)) || strings.Contains(path, secret) {
			t.Errorf("%s holds the secret", path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestALinkPrintsRedacted(t *testing.T) {
	l, err := link.New("https://files.example.com/x/attachments.zip?sig=" + secret)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(l.Secret(), secret) {
		t.Error("Secret does not return the whole link")
	}
	type holder struct {
		L    link.Link
		l    link.Link
		list []link.Link
		m    map[link.Link]int
	}
	h := holder{l, l, []link.Link{l}, map[link.Link]int{l: 1}}
	src := &Source{Link: l}
	for _, verb := range []string{"%v", "%s", "%q", "%+v", "%#v", "%x", "%X", "%d", "%10s", "%T"} {
		for _, v := range []any{l, &l, h, &h, *src, src, []any{l}, master.Link{Link: l}} {
			if got := fmt.Sprintf(verb, v); strings.Contains(got, secret) ||
				strings.Contains(strings.ToLower(got), fmt.Sprintf("%x", secret)) {
				t.Errorf("Sprintf(%q, %T) shows the secret: %s", verb, v, got)
			}
		}
	}
	for _, v := range []any{l, h, src} {
		b, err := json.Marshal(v)
		if err != nil || bytes.Contains(b, []byte(secret)) {
			t.Errorf("json of %T: %s, %v", v, b, err)
		}
	}
	if got, want := fmt.Sprint(l), "https://files.example.com/…/attachments.zip?…"; got != want {
		t.Errorf("String = %q, want %q", got, want)
	}
	if _, err := link.New("ftp://files.example.com/" + secret); err == nil ||
		strings.Contains(err.Error(), secret) {
		t.Errorf("NewLink of another scheme: %v; want an error without the secret", err)
	}
	if _, err := link.New("https://files.example.com/%zz" + secret); err == nil ||
		strings.Contains(err.Error(), secret) {
		t.Errorf("NewLink of nonsense: %v; want an error without the secret", err)
	}
}
