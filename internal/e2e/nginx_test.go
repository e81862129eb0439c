package e2e

import (
	"path/filepath"
	"strings"
	"testing"

	"holdall/internal/nginxtest"
	"holdall/internal/testneed"
)

// A website is a directory served by nginx over https, with a certificate of a private authority.
type website struct {
	url string // without a slash at its end
	ca  string // PEM file of the authority
}

const nginxConfig = `
    access_log DIR/access.log;
    server {
        listen ADDRESS ssl;
        ssl_certificate DIR/server.pem;
        ssl_certificate_key DIR/server.key;
        root ROOT;
    }
`

// serve starts nginx on a free port; it stops when the test ends.
func serve(t *testing.T, root string) website {
	t.Helper()
	testneed.Command(t, "nginx", "Debian nginx")
	dir := t.TempDir()
	if err := nginxtest.Certificates(dir); err != nil {
		t.Fatal(err)
	}
	address, err := nginxtest.FreeAddress()
	if err != nil {
		t.Fatal(err)
	}
	http := strings.NewReplacer("ADDRESS", address, "ROOT", root).Replace(nginxConfig)
	s, err := nginxtest.Start(nginxtest.Config{Dir: dir, HTTP: http, Address: address})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return website{url: "https://" + address, ca: filepath.Join(dir, "ca.pem")}
}
