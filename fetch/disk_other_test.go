//go:build !linux

package fetch

var diskFaults []faultCase // a small disk of one's own takes Linux
