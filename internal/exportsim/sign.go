package exportsim

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Links are signed in the manner of S3 (Signature Version 4 in the query), with a key that is not a secret:
// it follows from the seed, so that links keep working when the same export is served again on the same
// address.
const (
	algorithm   = "AWS4-HMAC-SHA256"
	credential  = "EXAMPLESIMULATOR"
	amzTime     = "20060102T150405Z"
	maxLifetime = 604_800 * time.Second
)

type signer struct{ key []byte }

func newSigner(seed uint64) signer {
	h := sha256.Sum256([]byte("exportsim " + strconv.FormatUint(seed, 10)))
	return signer{h[:]}
}

func (s signer) signature(method, path, scope, date, expires string) string {
	h := hmac.New(sha256.New, s.key)
	for _, part := range []string{algorithm, method, path, scope, date, expires} {
		h.Write([]byte(part + "\n"))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// sign returns the query of a GET link to path (escaped) that works for a lifetime from at.
func (s signer) sign(path string, at time.Time, lifetime time.Duration) string {
	at = at.UTC()
	date, expires := at.Format(amzTime), strconv.Itoa(int(min(lifetime, maxLifetime)/time.Second))
	scope := credential + "/" + at.Format("20060102") + "/eu-west-2/s3/aws4_request"
	q := url.Values{}
	q.Set("X-Amz-Algorithm", algorithm)
	q.Set("X-Amz-Credential", scope)
	q.Set("X-Amz-Date", date)
	q.Set("X-Amz-Expires", expires)
	q.Set("X-Amz-SignedHeaders", "host")
	q.Set("X-Amz-Signature", s.signature(http.MethodGet, path, scope, date, expires))
	return q.Encode()
}

// A refusal is why a request is not answered.
type refusal struct {
	status        int
	code, message string
	extra         string // further XML elements
}

// check returns nil if the request's link is right and alive at now.
func (s signer) check(r *http.Request, now time.Time) *refusal {
	q := r.URL.Query()
	date, expires := q.Get("X-Amz-Date"), q.Get("X-Amz-Expires")
	if q.Get("X-Amz-Signature") == "" {
		return &refusal{status: http.StatusForbidden, code: "AccessDenied", message: "Access Denied"}
	}
	want := s.signature(r.Method, r.URL.EscapedPath(), q.Get("X-Amz-Credential"), date, expires)
	if q.Get("X-Amz-Algorithm") != algorithm || !hmac.Equal([]byte(want), []byte(q.Get("X-Amz-Signature"))) {
		return &refusal{
			status: http.StatusForbidden, code: "SignatureDoesNotMatch",
			message: "The request signature we calculated does not match the signature you provided. " +
				"Check your key and signing method.",
		}
	}
	at, err := time.Parse(amzTime, date)
	seconds, err2 := strconv.Atoi(expires)
	if err != nil || err2 != nil {
		return &refusal{
			status: http.StatusForbidden, code: "AuthorizationQueryParametersError",
			message: "X-Amz-Date or X-Amz-Expires is malformed",
		}
	}
	if end := at.Add(time.Duration(seconds) * time.Second); now.After(end) {
		return expired(end, now)
	}
	return nil
}

func expired(end, now time.Time) *refusal {
	return &refusal{status: http.StatusForbidden, code: "AccessDenied", message: "Request has expired",
		extra: "<Expires>" + end.UTC().Format(time.RFC3339) + "</Expires><ServerTime>" +
			now.UTC().Format(time.RFC3339) + "</ServerTime>"}
}
