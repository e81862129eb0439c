package fetch

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"holdall/fetch/failure"
	"holdall/fetch/master"
)

func s3Error(code, message string) []byte {
	return []byte(
		"<?xml version=\"1.0\"?><Error><Code>" + code + "</Code><Message>" + message + "</Message></Error>",
	)
}

// refuses answers with a status and an error body.
func refuses(status int, body []byte, headers ...string) func(
	*served, http.ResponseWriter, *http.Request,
) bool {
	return func(o *served, w http.ResponseWriter, r *http.Request) bool {
		return answer(w, status, body, headers...)
	}
}

var refusalFaults = []faultCase{
	{
		name:  "the link has expired before the start (S3)",
		fault: always(refuses(403, s3Error("AccessDenied", "Request has expired"))),
		want:  failure.LinkExpired, hint: "new master CSV",
	},
	{
		name:  "the link has expired before the start (Google)",
		fault: always(refuses(400, s3Error("ExpiredToken", "The provided token has expired."))),
		want:  failure.LinkExpired, hint: "new master CSV",
	},
	{
		name:  "the link has expired before the start (R2)",
		fault: always(refuses(403, s3Error("ExpiredRequest", "Request has expired"))),
		want:  failure.LinkExpired, hint: "new master CSV",
	},
	{
		name: "the link has expired before the start (Azure)",
		fault: always(refuses(
			403,
			[]byte(
				"\ufeff<?xml version=\"1.0\" "+
					"encoding=\"utf-8\"?><Error><Code>AuthenticationFailed</Code><Message>Server failed "+
					"to authenticate the request.</Message><AuthenticationErrorDetail>Signature not valid "+
					"in the specified time frame: Start [..] - Expiry "+
					"[..]</AuthenticationErrorDetail></Error>",
			),
		)),
		want: failure.LinkExpired, hint: "new master CSV",
	},
	{
		name:  "the link expires while it is being fetched (S3)",
		fault: after(2, refuses(403, s3Error("AccessDenied", "Request has expired"))),
		want:  failure.LinkExpired, hint: "new master CSV", check: fewRequests(2 + startConns),
	},
	{
		name:  "the link expires while it is being fetched (Google)",
		fault: after(2, refuses(400, s3Error("ExpiredToken", "expired"))), want: failure.LinkExpired,
		hint: "new master CSV", check: fewRequests(2 + startConns),
	},
	{
		name: "the signature is wrong",
		fault: always(refuses(
			403, s3Error("SignatureDoesNotMatch", "The request signature we calculated does not match"),
		)),
		want: failure.LinkDenied, hint: "new master CSV",
	},
	{
		name: "the link is refused without a reason", fault: always(refuses(403, nil)),
		want: failure.LinkDenied, hint: "new master CSV",
	},
	{
		name: "refused without a reason while it is being fetched", fault: after(2, refuses(403, nil)),
		want: failure.LinkDenied, hint: "new master CSV", check: fewRequests(3 + startConns),
	},
	{name: "403 for every connection but the first", fault: func(_ *faultWorld, o *served) {
		var open atomic.Int64
		o.fault = func(_ int, o *served, w http.ResponseWriter, r *http.Request) bool {
			defer open.Add(-1)
			if open.Add(1) > 1 {
				return answer(w, 403, nil)
			}
			o.serve(throttle(w, 8<<20), r)
			return true
		}
	}},
	{
		name:  "what the link leads to is still being prepared (202)",
		fault: first(2, refuses(202, []byte(`{"status":"processing"}`))),
	},
	{name: "it is too early (425)", fault: first(2, refuses(425, nil))},
	{
		name:  "there is nothing at the link yet, and the server says when to come back (404)",
		fault: first(2, refuses(404, nil, "Retry-After", "1")),
	},
	{
		name:  "a page says that the export is being made, and when to come back",
		fault: first(2, refuses(200, []byte(signInPage), "Content-Type", "text/html", "Retry-After", "1")),
	},
	{name: "it is still being prepared at the end, in an hour it will be there",
		fault: always(refuses(202, nil, "Retry-After", "3600")), want: failure.Busy, hint: "again",
		check: func(t *testing.T, w *faultWorld, r *Run, err error) {
			var e *failure.Error
			if in := time.Duration(0); errors.As(err, &e) {
				if in = time.Until(e.ResumeAfter); in < 59*time.Minute || in > time.Hour {
					t.Errorf("to be resumed in %s, want an hour", in)
				}
			}
			fewRequests(5)(t, w, r, err)
		}},
	{
		name: "the store has to bring the object back first (S3 Glacier)",
		fault: always(refuses(
			403, s3Error("InvalidObjectState", "The operation is not valid for the object's storage class"),
		)),
		want: failure.Busy, hint: "again",
	},
	{
		name: "there is nothing at the link", fault: always(refuses(404, nil)), want: failure.LinkGone,
		hint: "new master CSV",
	},
	{
		name: "the link no longer leads to anything", fault: always(refuses(410, nil)),
		want: failure.LinkGone, hint: "new master CSV",
	},
	{
		name: "gone while it is being fetched", fault: after(2, refuses(404, nil)), want: failure.LinkGone,
		hint: "new master CSV", check: fewRequests(2 + startConns),
	},
	{name: "503 a few times", fault: first(3, refuses(503, nil))},
	{name: "503 with Retry-After in seconds", fault: first(1, refuses(503, nil, "Retry-After", "1"))},
	{name: "429 with Retry-After as a date",
		fault: first(1, func(o *served, w http.ResponseWriter, r *http.Request) bool {
			return answer(
				w, 429, nil, "Retry-After", time.Now().Add(time.Second).UTC().Format(http.TimeFormat),
			)
		})},
	{name: "429 with a negative Retry-After", fault: first(1, refuses(429, nil, "Retry-After", "-7"))},
	{name: "429 with nonsense in Retry-After", fault: first(1, refuses(429, nil, "Retry-After", "soon"))},
	{name: "503 on every second request", fault: func(_ *faultWorld, o *served) {
		o.fault = func(n int, o *served, w http.ResponseWriter, r *http.Request) bool {
			return n%2 == 1 && answer(w, 503, nil)
		}
	}, opts: slow},
	{name: "503 without end", fault: after(1, refuses(503, nil)), want: failure.Network, hint: "again"},
	{name: "500 a few times", fault: first(2, refuses(500, nil))},
	{name: "502 a few times", fault: first(2, refuses(502, []byte("<html>Bad Gateway</html>")))},
	{name: "504 a few times", fault: first(2, refuses(504, nil))},
	{name: "408 a few times", fault: first(2, refuses(408, nil))},

	{
		name:  "the link expires while it is being fetched (R2)",
		fault: after(2, refuses(403, s3Error("ExpiredRequest", "Request has expired"))),
		want:  failure.LinkExpired, hint: "new master CSV", check: fewRequests(2 + startConns),
	},
	{
		name: "the link expires while it is being fetched (Azure)",
		fault: after(
			2,
			refuses(
				403,
				[]byte(
					"<Error><Code>AuthenticationFailed</Code><AuthenticationErrorDetail>Signature not "+
						"valid in the specified time frame</AuthenticationErrorDetail></Error>",
				),
			),
		),
		want: failure.LinkExpired, hint: "new master CSV", check: fewRequests(2 + startConns),
	},
	{
		name:  "refused without a reason after the time in the link (CloudFront)",
		world: linkWith("Expires=1700000000&Key-Pair-Id=K1"), fault: after(2, refuses(403, nil)),
		want: failure.LinkExpired, hint: "new master CSV", check: fewRequests(3 + startConns),
	},
	{
		name:  "refused without a reason after the time in the link (S3 version 2)",
		world: linkWith("Expires=1700000000&AWSAccessKeyId=A1"),
		fault: after(2, refuses(403, s3Error("AccessDenied", ""))), want: failure.LinkExpired,
		hint: "new master CSV", check: fewRequests(3 + startConns),
	},
	{
		name: "a link of temporary credentials dies before its time",
		world: linkWith(
			"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date=20991231T000000Z&X-Amz-Expires=604800&" +
				"X-Amz-Security-Token=t",
		),
		fault: after(2, refuses(400, s3Error("ExpiredToken", "The provided token has expired."))),
		want:  failure.LinkExpired, hint: "new master CSV", check: fewRequests(2 + startConns),
	},
	{
		name: "a vendor's link answers 401 after a while", fault: after(2, refuses(401, nil)),
		want: failure.LinkDenied, hint: "new master CSV", check: fewRequests(3 + startConns),
	},
	{name: "a vendor's link leads to a sign-in page after a while", fault: func(w *faultWorld, o *served) {
		w.put("/login", []byte(signInPage))
		after(2, func(o *served, rw http.ResponseWriter, r *http.Request) bool {
			http.Redirect(rw, r, "/login?sig="+secret, http.StatusFound)
			return true
		})(w, o)
	}, want: failure.NotTheExport, hint: "sign in", check: fewRequests(2 * (3 + startConns))},
	{name: "the clock is wrong by days, the link is good",
		world: linkWith("Expires=2000000000&AWSAccessKeyId=A1"), opts: func(o *Options) {
			o.Now = func() time.Time { return time.Unix(2100000000, 0) }
		}, fault: after(2, refuses(403, s3Error("AccessDenied", ""))), want: failure.LinkDenied,
		hint: "new master CSV"},
	{name: "503 with a Retry-After of a year", fault: first(1, refuses(503, nil, "Retry-After", "31536000"))},
	{
		name:  "escaped for HTML on its way (&amp;)",
		world: mangled(func(s string) string { return strings.ReplaceAll(s, "&", "&amp;") }),
		check: repaired("&amp;"),
	},
	{
		name:  "plus signs lost their escaping on the way (%2B)",
		world: mangled(func(s string) string { return strings.ReplaceAll(s, "%2B", "+") }),
		check: repaired("%2B"),
	},
	{
		name:  "plus signs became spaces on the way",
		world: mangled(func(s string) string { return strings.ReplaceAll(s, "%2B", " ") }),
		check: repaired("spaces"),
	},
	{
		name:  "escaped twice on the way (%252B)",
		world: mangled(func(s string) string { return strings.ReplaceAll(s, "%2B", "%252B") }),
		check: repaired("twice"),
	},
	{name: "wrapped by a mail program's protection (SafeLinks)", world: mangled(func(s string) string {
		return "https://eur01.safelinks.protection.outlook.com/?url=" + url.QueryEscape(s) +
			"&data=05&reserved=0"
	}), check: repaired("SafeLinks")},
	{
		name: "cut off on the way", world: mangled(func(s string) string { return s[:len(s)-9] }),
		want: failure.LinkDenied, hint: "new master CSV",
	},
}

// linkWith serves the object at a link with more parameters.
func linkWith(params string) func(t *testing.T, w *faultWorld) *master.CSV {
	return func(t *testing.T, w *faultWorld) *master.CSV {
		w.object = w.put("/attachments.zip", w.body)
		m, err := master.Read([]byte("Attachments\n" + w.link("/attachments.zip") + "&" + params + "\n"))
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
}

// mangled serves the object at a link whose signature must be right to the letter, and damages the link in
// the master CSV.
func mangled(damage func(string) string) func(t *testing.T, w *faultWorld) *master.CSV {
	return func(t *testing.T, w *faultWorld) *master.CSV {
		const signature = "a+b/c+d=="
		w.object = w.put("/attachments.zip", w.body)
		w.object.fault = func(_ int, _ *served, rw http.ResponseWriter, r *http.Request) bool {
			if r.URL.Query().Get("signature") == signature {
				return false
			}
			return answer(rw, 403, s3Error("SignatureDoesNotMatch", ""))
		}
		m, err := master.Read(
			[]byte(
				"Attachments\n\"" + damage(w.link("/attachments.zip")+"&signature="+
					url.QueryEscape(signature)) + "\"\n",
			),
		)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
}

// repaired checks that the plan says which repair worked.
func repaired(how string) func(*testing.T, *faultWorld, *Run, error) {
	return func(t *testing.T, w *faultWorld, r *Run, _ error) {
		if got := r.Objects[0].Source.Repair; !strings.Contains(got, how) {
			t.Errorf("Repair = %q, want something with %q", got, how)
		}
	}
}
