// Package peertest holds package fetch against servers and proxies that were not written for it: nginx, a
// real S3 server with links that really expire, tinyproxy; and kills it a great many times on the way. It
// contains tests only.
//
// They need nginx and tinyproxy (Debian), and a module cache or a network to build the S3 server pinned in
// tools/versitygw; without them they skip, see package testneed. All traffic stays on the loopback interface.
package peertest
