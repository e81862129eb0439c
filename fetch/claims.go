package fetch

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"regexp"
	"strings"
)

var nvme = crc64.MakeTable(0x9a6c9329ac4bc9b5)

// newHash returns the digest of that name.
func newHash(name string) hash.Hash {
	switch name {
	case "sha-512":
		return sha512.New()
	case "sha-1":
		return sha1.New()
	case "md5":
		return md5.New()
	case "crc32c":
		return crc32.New(castagnoli)
	case "crc32":
		return crc32.NewIEEE()
	case "crc64nvme":
		return crc64.New(nvme)
	}
	return sha256.New()
}

// A claim is a digest that a server gives for an object.
type claim struct {
	name   string // its name in reports
	digest string // which one it is
	sum    []byte
	firm   bool // a mismatch is a fault; an ETag may not be a digest at all
}

// claims returns what id says of the content, the most telling first.
func (id Identity) claims() []claim {
	var cs []claim
	add := func(check, digest, b64 string, firm bool) {
		sum, err := base64.StdEncoding.DecodeString(b64)
		if err == nil && len(sum) == newHash(digest).Size() {
			cs = append(cs, claim{check, digest, sum, firm})
		}
	}
	for _, d := range strings.Split(id.Checksums["repr-digest"], ",") {
		name, v, _ := strings.Cut(strings.TrimSpace(d), "=")
		switch name = strings.ToLower(name); name {
		case "sha-256", "sha-512":
			add("repr-digest", name, strings.Trim(v, ":"), true)
		}
	}
	for _, n := range []string{
		"sha256:sha-256", "crc64nvme:crc64nvme", "sha1:sha-1", "crc32c:crc32c", "crc32:crc32",
	} {
		header, digest, _ := strings.Cut(n, ":")
		// A value with "-N" is a digest of the parts' digests.
		if v := id.Checksums["x-amz-checksum-"+header]; v != "" && !strings.Contains(v, "-") {
			add("x-amz-checksum-"+header, digest, v, true)
		}
	}
	for _, d := range strings.Split(id.Checksums["x-goog-hash"], ",") {
		name, v, _ := strings.Cut(strings.TrimSpace(d), "=")
		if name == "md5" || name == "crc32c" {
			add("x-goog-hash-"+name, name, v, true)
		}
	}
	if v := id.Checksums["content-md5"]; v != "" {
		add("content-md5", "md5", v, true)
	}
	if plainMD5.MatchString(id.strong()) && !id.Transcoded {
		sum, _ := hex.DecodeString(strings.Trim(id.ETag, `"`))
		cs = append(cs, claim{"etag-md5", "md5", sum, false})
	}
	return cs
}

var (
	plainMD5     = regexp.MustCompile(`^"?[0-9a-f]{32}"?$`)
	multipartMD5 = regexp.MustCompile(`^"?([0-9a-f]{32})-([1-9][0-9]{0,4})"?$`)
)

// digestNames returns the digests to compute alongside SHA-256 so that the first claim can be checked.
func (id Identity) digestNames() []string {
	names := []string{"sha-256"}
	if cs := id.claims(); len(cs) > 0 && cs[0].digest != "sha-256" {
		names = append(names, cs[0].digest)
	}
	return names
}
