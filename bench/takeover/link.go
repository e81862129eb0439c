package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// A link is a way to nginx.
type link struct {
	title   string
	url     string // without a slash at its end
	missing string // why it cannot be had here
	nginx   *exec.Cmd
	undo    []func()
}

const (
	namespace  = "holdall-bench"
	ourSide    = "hdbench0"
	theirSide  = "hdbench1"
	ourIP      = "10.203.77.1"
	theirIP    = "10.203.77.2"
	serverPort = "18473"
)

// openLink starts nginx behind the link of that name; the caller closes it.
func openLink(name string, b *bench) (*link, error) {
	var l *link
	var err error
	switch name {
	case "loopback":
		l = &link{title: "bare loopback"}
		err = l.serve(b, "127.0.0.1")
	case "slow":
		l = &link{title: "a link of " + b.gbits}
		if os.Getuid() != 0 {
			l.missing = "needs root for a network namespace"
			return l, nil
		}
		if err = l.build(b.gbits); err == nil {
			err = l.serve(b, theirIP, "ip", "netns", "exec", namespace)
		}
	default:
		return nil, fmt.Errorf("unknown link %q: want loopback or slow", name)
	}
	if err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

// build lays a pair of interfaces into a namespace of its own; what the server sends passes a token bucket.
func (l *link) build(rate string) error {
	l.undo = append(l.undo, func() { exec.Command("ip", "netns", "delete", namespace).Run() })
	for _, line := range []string{
		"ip netns add " + namespace,
		"ip link add " + ourSide + " type veth peer name " + theirSide,
		"ip link set " + theirSide + " netns " + namespace,
		"ip address add " + ourIP + "/30 dev " + ourSide,
		"ip link set " + ourSide + " up",
		"ip netns exec " + namespace + " ip address add " + theirIP + "/30 dev " + theirSide,
		"ip netns exec " + namespace + " ip link set " + theirSide + " up",
		"ip netns exec " + namespace + " tc qdisc add dev " + theirSide + " root tbf rate " + rate + " burst 256kb latency 20ms",
	} {
		args := strings.Fields(line)
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w: %s", line, err, out)
		}
	}
	return nil
}

const config = `
daemon off;
%[4]s
pid %[1]s/nginx.pid;
error_log %[1]s/error.log;
worker_processes 2;
events { worker_connections 256; }
http {
    access_log off;
    client_body_temp_path %[1]s/tmp; proxy_temp_path %[1]s/tmp; fastcgi_temp_path %[1]s/tmp; uwsgi_temp_path %[1]s/tmp; scgi_temp_path %[1]s/tmp;
    sendfile on;
    tcp_nopush on;
    server { listen %[2]s; root %[3]s; }
}
`

// serve starts nginx, behind the command of prefix where one is given.
func (l *link) serve(b *bench, ip string, prefix ...string) error {
	dir, err := os.MkdirTemp(b.dir, "nginx-")
	if err != nil {
		return err
	}
	l.undo = append(l.undo, func() { os.RemoveAll(dir) })
	user := ""
	if os.Getuid() == 0 {
		user = "user root;"
	}
	address := net.JoinHostPort(ip, serverPort)
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, fmt.Appendf(nil, config, dir, address, b.www, user), 0o600); err != nil {
		return err
	}
	args := append(prefix, "nginx", "-e", filepath.Join(dir, "error.log"), "-p", dir, "-c", file)
	l.nginx = exec.Command(args[0], args[1:]...)
	if err := l.nginx.Start(); err != nil {
		return err
	}
	l.url = "http://" + address
	for range 100 {
		if c, err := net.Dial("tcp", address); err == nil {
			return c.Close()
		}
		time.Sleep(50 * time.Millisecond)
	}
	log, _ := os.ReadFile(filepath.Join(dir, "error.log"))
	return errors.New("nginx does not answer: " + string(log))
}

func (l *link) close() {
	if l.nginx != nil && l.nginx.Process != nil {
		l.nginx.Process.Signal(syscall.SIGTERM)
		l.nginx.Wait()
	}
	for i := len(l.undo) - 1; i >= 0; i-- {
		l.undo[i]()
	}
}
