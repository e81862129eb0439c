package fetch

import (
	"net"
	"net/netip"
	"syscall"

	"holdall/fetch/failure"
)

type rawConn = syscall.RawConn

// reserved are the networks that a link has no business to lead to: they are inside of whatever network
// holdall runs in. Loopback, private, link-local and multicast addresses are recognised by netip itself.
var reserved = func() []netip.Prefix {
	var ps []netip.Prefix
	for _, s := range []string{
		"0.0.0.0/8",          // this network (RFC 791)
		"100.64.0.0/10",      // carrier-grade NAT (RFC 6598); some clouds' metadata
		"192.0.0.0/24",       // IETF protocol assignments (RFC 6890)
		"192.0.2.0/24",       // documentation (RFC 5737)
		"198.18.0.0/15",      // benchmarking (RFC 2544)
		"198.51.100.0/24",    // documentation
		"203.0.113.0/24",     // documentation
		"240.0.0.0/4",        // reserved, and broadcast
		"64:ff9b:1::/48",     // local-use NAT64 (RFC 8215)
		"100::/64",           // discard (RFC 6666)
		"2001:db8::/32",      // documentation
		"fec0::/10",          // site-local, deprecated
		"168.63.129.16/32",   // Azure's host
		"fd00:ec2::254/128",  // AWS metadata; also unique local
		"169.254.169.254/32", // metadata; also link-local
	} {
		ps = append(ps, netip.MustParsePrefix(s))
	}
	return ps
}()

// embedding are networks whose addresses carry an IPv4 address, and where in them it stands.
var embedding = []struct {
	prefix netip.Prefix
	at     int
}{
	{netip.MustParsePrefix("64:ff9b::/96"), 12}, // NAT64 (RFC 6052)
	{netip.MustParsePrefix("2002::/16"), 2},     // 6to4 (RFC 3056)
	{netip.MustParsePrefix("::/96"), 12},        // IPv4-compatible, deprecated (RFC 4291)
}

// publicAddress returns an error matching errRefused unless ip is a public unicast address.
func publicAddress(ip net.IP) error {
	a, ok := netip.AddrFromSlice(ip)
	if !ok {
		return forbid(failure.ReasonPrivateAddress, "%s is not an IP address", ip)
	}
	a = a.Unmap()
	if kind := insideAddress(a); kind != "" {
		return forbid(failure.ReasonPrivateAddress, "the link leads to %s, a %s address", a, kind)
	}
	return nil
}

func insideAddress(a netip.Addr) string {
	switch {
	case a.IsLoopback():
		return "loopback"
	case a.IsPrivate():
		return "private"
	case a.IsLinkLocalUnicast():
		return "link-local"
	case a.IsMulticast():
		return "multicast"
	case a.IsUnspecified():
		return "unspecified"
	}
	for _, p := range reserved {
		if p.Contains(a) {
			return "reserved"
		}
	}
	for _, e := range embedding {
		if e.prefix.Contains(a) {
			b := a.As16()
			if kind := insideAddress(netip.AddrFrom4([4]byte(b[e.at : e.at+4]))); kind != "" {
				return kind
			}
		}
	}
	return ""
}
