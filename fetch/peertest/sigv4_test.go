package peertest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A signer presigns requests as an S3 client does ("Authenticating Requests: Using Query Parameters (AWS
// Signature Version 4)", Amazon S3 API reference).
type signer struct{ access, secret, region string }

// presign returns a link to base+path, good for life from at on; query may hold further parameters. headers
// are sent along, and signed, by whoever uses the link; their names are in lower case.
func (s signer) presign(
	method, base, path string, query url.Values, headers map[string]string, life time.Duration, at time.Time,
) string {
	u, err := url.Parse(base)
	if err != nil {
		panic(err)
	}
	at = at.UTC()
	scope := at.Format("20060102") + "/" + s.region + "/s3/aws4_request"
	signed := map[string]string{"host": u.Host}
	for name, v := range headers {
		signed[name] = v
	}
	names := sortedKeys(signed)
	q := url.Values{}
	for k, v := range query {
		q[k] = v
	}
	q.Set("X-Amz-Algorithm", "AWS4-HMAC-SHA256")
	q.Set("X-Amz-Credential", s.access+"/"+scope)
	q.Set("X-Amz-Date", at.Format("20060102T150405Z"))
	q.Set("X-Amz-Expires", strconv.Itoa(int(life/time.Second)))
	q.Set("X-Amz-SignedHeaders", strings.Join(names, ";"))
	canonicalQuery := strings.ReplaceAll(q.Encode(), "+", "%20")
	escaped := escapePath(path)
	lines := []string{method, escaped, canonicalQuery}
	for _, n := range names {
		lines = append(lines, n+":"+strings.TrimSpace(signed[n]))
	}
	lines = append(lines, "", strings.Join(names, ";"), "UNSIGNED-PAYLOAD")
	sum := sha256.Sum256([]byte(strings.Join(lines, "\n")))
	text := strings.Join(
		[]string{"AWS4-HMAC-SHA256", at.Format("20060102T150405Z"), scope, hex.EncodeToString(sum[:])}, "\n",
	)
	key := []byte("AWS4" + s.secret)
	for _, part := range strings.Split(scope, "/") {
		key = sign(key, part)
	}
	return base + escaped + "?" + canonicalQuery + "&X-Amz-Signature=" + hex.EncodeToString(sign(key, text))
}

// escapePath escapes every byte but the unreserved characters and slashes, as the signature wants it.
func escapePath(path string) string {
	var b strings.Builder
	for _, c := range []byte(path) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9',
			strings.IndexByte("-._~/", c) >= 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

func sign(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

func TestPresignAgreesWithTheExampleOfTheSpecification(t *testing.T) {
	s := signer{"AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "us-east-1"}
	at := time.Date(2013, 5, 24, 0, 0, 0, 0, time.UTC)
	link := s.presign(
		"GET", "https://examplebucket.s3.amazonaws.com", "/test.txt", nil, nil, 24*time.Hour, at,
	)
	const want = "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
	if _, got, _ := strings.Cut(link, "X-Amz-Signature="); got != want {
		t.Errorf("signature = %s, want %s", got, want)
	}
}
