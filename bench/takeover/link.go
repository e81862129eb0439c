package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"

	"holdall/internal/nginxtest"
)

// A link is a way to nginx.
type link struct {
	title   string
	url     string // without a slash at its end
	missing string // why it cannot be had here
	nginx   *nginxtest.Server
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
		"ip netns exec " + namespace + " tc qdisc add dev " + theirSide + " root tbf rate " + rate +
			" burst 256kb latency 20ms",
	} {
		args := strings.Fields(line)
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w: %s", line, err, out)
		}
	}
	return nil
}

// serve starts nginx, behind the command of prefix where one is given.
func (l *link) serve(b *bench, ip string, prefix ...string) error {
	dir, err := os.MkdirTemp(b.dir, "nginx-")
	if err != nil {
		return err
	}
	l.undo = append(l.undo, func() { os.RemoveAll(dir) })
	address := net.JoinHostPort(ip, serverPort)
	l.url = "http://" + address
	l.nginx, err = nginxtest.Start(nginxtest.Config{
		Dir: dir, HTTP: "access_log off; server { listen " + address + "; root " + b.www + "; }",
		Address: address, Prefix: prefix,
	})
	return err
}

func (l *link) close() {
	if l.nginx != nil {
		l.nginx.Stop()
	}
	for i := len(l.undo) - 1; i >= 0; i-- {
		l.undo[i]()
	}
}
