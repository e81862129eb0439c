package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"

	"holdall/internal/nginxtest"
)

// An nginx serves the files in www, over http and over https with a certificate of its own authority.
type nginx struct {
	*nginxtest.Server
	www         string
	http, https string // addresses, host:port
	ca          string
}

// served is a file that nginx serves, with a Repr-Digest (RFC 9530).
type served struct {
	name string
	size int64
	sum  [32]byte
}

const nginxConfig = `
    access_log off;
    ssl_certificate DIR/server.pem;
    ssl_certificate_key DIR/server.key;
    server {
        listen PLAIN; listen SECURE ssl;
        root DIR/www;
        include DIR/digest-*.conf;
        location /tiny/ { return 200 "tiny"; }
    }
`

func startNginx(dir string) (*nginx, error) {
	dir = filepath.Join(dir, "nginx")
	n := &nginx{www: filepath.Join(dir, "www"), ca: filepath.Join(dir, "ca.pem")}
	if err := os.MkdirAll(n.www, 0o755); err != nil {
		return nil, err
	}
	err := nginxtest.Certificates(dir)
	if err != nil {
		return nil, err
	}
	if n.http, err = nginxtest.FreeAddress(); err != nil {
		return nil, err
	}
	if n.https, err = nginxtest.FreeAddress(); err != nil {
		return nil, err
	}
	config := strings.NewReplacer("PLAIN", n.http, "SECURE", n.https).Replace(nginxConfig)
	n.Server, err = nginxtest.Start(nginxtest.Config{Dir: dir, HTTP: config, Address: n.http})
	return n, err
}

// add makes a file of noise that begins like a ZIP, and serves it.
func (n *nginx) add(name string, size int64) (served, error) {
	f, err := os.Create(filepath.Join(n.www, name))
	if err != nil {
		return served{}, err
	}
	defer f.Close()
	h := sha256.New()
	noise := io.MultiReader(
		bytes.NewReader([]byte("PK\x03\x04\x14\x00\x00\x00\x00\x00")), rand.NewChaCha8([32]byte{1}),
	)
	if _, err := io.CopyN(io.MultiWriter(f, h), noise, size); err != nil {
		return served{}, err
	}
	s := served{name: name, size: size, sum: [32]byte(h.Sum(nil))}
	conf := fmt.Sprintf(
		"location = /%s { add_header Repr-Digest \"sha-256=:%s:\"; }\n", name,
		base64.StdEncoding.EncodeToString(s.sum[:]),
	)
	if err := os.WriteFile(filepath.Join(n.Dir, "digest-"+name+".conf"), []byte(conf), 0o600); err != nil {
		return served{}, err
	}
	return s, n.Reload()
}
