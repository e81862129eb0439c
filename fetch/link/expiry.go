package link

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// VendorLife is how long the vendor says that its links live.
const VendorLife = 7 * 24 * time.Hour

// Expiry reads from a signed link when it stops working, at the latest, and says how it knows. A link signed
// by temporary credentials may die earlier. It is zero for a link that does not tell.
func Expiry(l Link) (time.Time, string) {
	q := l.URL().Query()
	get := func(name string) string { return param(q, name) }
	switch {
	case get("X-Amz-Algorithm") != "":
		return signedAt(get("X-Amz-Date"), get("X-Amz-Expires"), amzNote(get("X-Amz-Security-Token")))
	case get("X-Goog-Algorithm") != "":
		return signedAt(get("X-Goog-Date"), get("X-Goog-Expires"), "X-Goog-Expires")
	case get("AWSAccessKeyId") != "":
		return unixTime(get("Expires"), "Expires")
	case get("GoogleAccessId") != "":
		return unixTime(get("Expires"), "Expires")
	case get("sig") != "" && get("sv") != "":
		return azureExpiry(get("se"), get("ske"))
	case get("Key-Pair-Id") != "" && get("Policy") != "":
		return cloudFrontPolicy(get("Policy"))
	case get("Key-Pair-Id") != "":
		return unixTime(get("Expires"), "Expires")
	}
	return time.Time{}, ""
}

// param finds a query parameter in any case of its name.
func param(q url.Values, name string) string {
	if v := q.Get(name); v != "" {
		return v
	}
	for k, v := range q {
		if strings.EqualFold(k, name) && len(v) > 0 {
			return v[0]
		}
	}
	return ""
}

func amzNote(token string) string {
	if token != "" {
		return "X-Amz-Expires (at the latest: signed with temporary credentials)"
	}
	return "X-Amz-Expires"
}

// maxSigned is the longest that a version 4 signature may be valid.
const maxSigned = 7 * 24 * time.Hour

func signedAt(date, seconds, from string) (time.Time, string) {
	t, err := time.Parse("20060102T150405Z", date)
	n, err2 := strconv.ParseInt(seconds, 10, 64)
	if err != nil || err2 != nil || n < 0 {
		return time.Time{}, ""
	}
	return t.Add(min(time.Duration(min(n, 1<<30))*time.Second, maxSigned)), from
}

func unixTime(s, from string) (time.Time, string) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n <= 0 || n > 1<<40 {
		return time.Time{}, ""
	}
	return time.Unix(n, 0).UTC(), from
}

func azureExpiry(se, ske string) (time.Time, string) {
	t, from := isoTime(se), "se"
	if k := isoTime(ske); !k.IsZero() && (t.IsZero() || k.Before(t)) {
		t, from = k, "ske"
	}
	if t.IsZero() {
		return t, ""
	}
	return t, from
}

func isoTime(s string) time.Time {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04Z", "2006-01-02"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC()
		}
	}
	return time.Time{}
}

// cloudFrontPolicy reads DateLessThan from a policy in CloudFront's own base64.
func cloudFrontPolicy(s string) (time.Time, string) {
	s = strings.NewReplacer("-", "+", "_", "=", "~", "/").Replace(s)
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		return time.Time{}, ""
	}
	var p struct {
		Statement []struct {
			Condition struct {
				DateLessThan struct {
					Time int64 `json:"AWS:EpochTime"`
				}
			}
		}
	}
	if json.Unmarshal(b, &p) != nil || len(p.Statement) == 0 {
		return time.Time{}, ""
	}
	return unixTime(strconv.FormatInt(p.Statement[0].Condition.DateLessThan.Time, 10), "Policy DateLessThan")
}
