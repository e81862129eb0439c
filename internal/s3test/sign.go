package s3test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"
)

// presign signs a request in its query, as the S3 documentation has it in "Authenticating Requests: Using
// Query Parameters (AWS Signature Version 4)". path needs no escapes.
func (s *Server) presign(u User, method, path, query string, headers map[string]string) string {
	at := time.Now().UTC()
	scope := at.Format("20060102") + "/" + Region + "/s3/aws4_request"
	signed := map[string]string{"host": strings.TrimPrefix(s.URL, "http://")}
	maps.Copy(signed, headers)
	names := slices.Sorted(maps.Keys(signed))
	q, err := url.ParseQuery(query)
	if err != nil {
		s.t.Fatal(err)
	}
	q.Set("X-Amz-Algorithm", "AWS4-HMAC-SHA256")
	q.Set("X-Amz-Credential", u.AccessKey+"/"+scope)
	q.Set("X-Amz-Date", at.Format("20060102T150405Z"))
	q.Set("X-Amz-Expires", "60")
	q.Set("X-Amz-SignedHeaders", strings.Join(names, ";"))
	canonicalQuery := strings.ReplaceAll(q.Encode(), "+", "%20")
	lines := []string{method, path, canonicalQuery}
	for _, n := range names {
		lines = append(lines, n+":"+strings.TrimSpace(signed[n]))
	}
	lines = append(lines, "", strings.Join(names, ";"), "UNSIGNED-PAYLOAD")
	sum := sha256.Sum256([]byte(strings.Join(lines, "\n")))
	text := fmt.Sprintf("AWS4-HMAC-SHA256\n%s\n%s\n%x", at.Format("20060102T150405Z"), scope, sum)
	key := []byte("AWS4" + u.SecretKey)
	for part := range strings.SplitSeq(scope, "/") {
		key = sign(key, part)
	}
	return s.URL + path + "?" + canonicalQuery + "&X-Amz-Signature=" + hex.EncodeToString(sign(key, text))
}

func sign(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}
