package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	crand "crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// An nginx serves the files in www, over http and over https with a certificate of its own authority.
type nginx struct {
	dir, www    string
	http, https string // addresses, host:port
	ca          string
	cmd         *exec.Cmd
}

// served is a file that nginx serves, with a Repr-Digest (RFC 9530).
type served struct {
	name string
	size int64
	sum  [32]byte
}

const nginxConfig = `
daemon off;
%[4]s
pid %[1]s/nginx.pid;
error_log %[1]s/error.log;
worker_processes 2;
events { worker_connections 1024; }
http {
    access_log off;
    keepalive_requests 1000000;
    client_body_temp_path %[1]s/tmp; proxy_temp_path %[1]s/tmp; fastcgi_temp_path %[1]s/tmp; uwsgi_temp_path %[1]s/tmp; scgi_temp_path %[1]s/tmp;
    types { application/zip zip; text/csv csv; application/octet-stream bin; }
    sendfile on;
    tcp_nopush on;
    ssl_certificate %[1]s/server.pem;
    ssl_certificate_key %[1]s/server.key;
    server {
        listen %[2]s; listen %[3]s ssl;
        root %[1]s/www;
        include %[1]s/digest-*.conf;
        location /tiny/ { return 200 "tiny"; }
    }
}
`

func startNginx(dir string) (*nginx, error) {
	n := &nginx{dir: filepath.Join(dir, "nginx")}
	n.www, n.ca = filepath.Join(n.dir, "www"), filepath.Join(n.dir, "ca.pem")
	if err := os.MkdirAll(n.www, 0o755); err != nil {
		return nil, err
	}
	if err := writeCertificates(n.dir); err != nil {
		return nil, err
	}
	var err error
	if n.http, err = freeAddress(); err != nil {
		return nil, err
	}
	if n.https, err = freeAddress(); err != nil {
		return nil, err
	}
	user := ""
	if os.Getuid() == 0 {
		user = "user root;"
	}
	config := filepath.Join(n.dir, "nginx.conf")
	if err := os.WriteFile(config, fmt.Appendf(nil, nginxConfig, n.dir, n.http, n.https, user), 0o600); err != nil {
		return nil, err
	}
	n.cmd = exec.Command("nginx", "-e", filepath.Join(n.dir, "error.log"), "-p", n.dir, "-c", config)
	if err := n.cmd.Start(); err != nil {
		return nil, err
	}
	return n, n.await()
}

func (n *nginx) await() error {
	for range 100 {
		if c, err := net.Dial("tcp", n.http); err == nil {
			return c.Close()
		}
		time.Sleep(50 * time.Millisecond)
	}
	log, _ := os.ReadFile(filepath.Join(n.dir, "error.log"))
	return errors.New("nginx does not answer: " + string(log))
}

func (n *nginx) stop() {
	n.cmd.Process.Signal(syscall.SIGTERM)
	n.cmd.Wait()
}

// add makes a file of noise that begins like a ZIP, and serves it.
func (n *nginx) add(name string, size int64) (served, error) {
	f, err := os.Create(filepath.Join(n.www, name))
	if err != nil {
		return served{}, err
	}
	defer f.Close()
	h := sha256.New()
	noise := io.MultiReader(bytes.NewReader([]byte("PK\x03\x04\x14\x00\x00\x00\x00\x00")), rand.NewChaCha8([32]byte{1}))
	if _, err := io.CopyN(io.MultiWriter(f, h), noise, size); err != nil {
		return served{}, err
	}
	s := served{name: name, size: size, sum: [32]byte(h.Sum(nil))}
	conf := fmt.Sprintf("location = /%s { add_header Repr-Digest \"sha-256=:%s:\"; }\n", name, base64.StdEncoding.EncodeToString(s.sum[:]))
	if err := os.WriteFile(filepath.Join(n.dir, "digest-"+name+".conf"), []byte(conf), 0o600); err != nil {
		return served{}, err
	}
	if err := n.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		return served{}, err
	}
	time.Sleep(time.Second)
	return s, n.await()
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

func writeCertificates(dir string) error {
	now := time.Now()
	authority := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Example Bench Authority"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(48 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	server := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "files.example.test"}, NotBefore: authority.NotBefore, NotAfter: authority.NotAfter,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), crand.Reader)
	if err != nil {
		return err
	}
	serverKey, err := ecdsa.GenerateKey(elliptic.P256(), crand.Reader)
	if err != nil {
		return err
	}
	write := func(name, kind string, der []byte, err error) error {
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
	}
	ca, err := x509.CreateCertificate(crand.Reader, authority, authority, &caKey.PublicKey, caKey)
	if err := write("ca.pem", "CERTIFICATE", ca, err); err != nil {
		return err
	}
	cert, err := x509.CreateCertificate(crand.Reader, server, authority, &serverKey.PublicKey, caKey)
	if err := write("server.pem", "CERTIFICATE", cert, err); err != nil {
		return err
	}
	key, err := x509.MarshalPKCS8PrivateKey(serverKey)
	return write("server.key", "PRIVATE KEY", key, err)
}
