// Package nginxtest runs nginx (Debian) for tests and benches.
package nginxtest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// A Config says how nginx runs.
type Config struct {
	Dir     string   // for its configuration, logs and certificates
	HTTP    string   // configuration inside http { }; DIR stands for Dir
	Address string   // host:port on which it answers once it runs
	Prefix  []string // a command that runs it, such as ip netns exec NAME; may be empty
}

// A Server is a running nginx.
type Server struct {
	Config
	cmd   *exec.Cmd
	ended chan struct{}
}

// Everything that nginx writes stays in its directory. As root it would give its workers to a user who cannot
// read the directories of tests.
const configuration = `
daemon off;
USER
pid DIR/nginx.pid;
error_log DIR/error.log;
worker_processes 2;
events { worker_connections 1024; }
http {
    log_format short '$request_method $status $body_bytes_sent "$http_range"';
    client_body_temp_path DIR/tmp; proxy_temp_path DIR/tmp; fastcgi_temp_path DIR/tmp;
    uwsgi_temp_path DIR/tmp; scgi_temp_path DIR/tmp;
    types { application/zip zip; text/csv csv; application/octet-stream bin; }
    keepalive_requests 1000000;
    sendfile on;
    tcp_nopush on;
HTTP
}
`

// Start runs nginx until Stop, and returns once it answers. It may log in the format "short": method, status,
// bytes and range of each request.
func Start(c Config) (*Server, error) {
	if err := os.MkdirAll(c.Dir, 0o755); err != nil {
		return nil, err
	}
	user := ""
	if os.Getuid() == 0 {
		user = "user root;"
	}
	text := strings.Replace(strings.Replace(configuration, "HTTP", c.HTTP, 1), "USER", user, 1)
	file := filepath.Join(c.Dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(text, "DIR", c.Dir)), 0o600); err != nil {
		return nil, err
	}
	args := append(
		append([]string{}, c.Prefix...), "nginx", "-e", filepath.Join(c.Dir, "error.log"), "-p", c.Dir, "-c",
		file,
	)
	s := &Server{c, exec.Command(args[0], args[1:]...), make(chan struct{})}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { defer close(s.ended); s.cmd.Wait() }()
	if err := s.await(); err != nil {
		s.Stop()
		return nil, err
	}
	return s, nil
}

func (s *Server) await() error {
	for range 200 {
		if c, err := net.Dial("tcp", s.Address); err == nil {
			return c.Close()
		}
		select {
		case <-s.ended:
			return fmt.Errorf("nginx ended at once: %s", s.errorLog())
		case <-time.After(25 * time.Millisecond):
		}
	}
	return fmt.Errorf("nginx does not answer: %s", s.errorLog())
}

func (s *Server) errorLog() []byte {
	b, _ := os.ReadFile(filepath.Join(s.Dir, "error.log"))
	return b
}

// Reload has nginx read its configuration again.
func (s *Server) Reload() error {
	if err := s.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		return err
	}
	time.Sleep(time.Second) // it does not tell when it has
	return s.await()
}

// Stop ends nginx and waits for it.
func (s *Server) Stop() {
	s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.ended:
	case <-time.After(5 * time.Second):
		s.cmd.Process.Kill()
		<-s.ended
	}
}

// FreeAddress returns an address on loopback that nobody listens on.
func FreeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	return l.Addr().String(), l.Close()
}
