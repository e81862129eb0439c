package exportsim

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// linkFaults are links that die, are refused, or lead elsewhere.
var linkFaults = []fault{
	dying(
		"expire", "as S3's do: 403 AccessDenied, Request has expired", http.StatusForbidden,
		"application/xml",
		"<Error><Code>AccessDenied</Code><Message>Request has "+
			"expired</Message><Expires>%[1]s</Expires><ServerTime>%[2]s</ServerTime></Error>",
	),
	dying(
		"expire-token", "as with S3's temporary credentials: 400 ExpiredToken", http.StatusBadRequest,
		"application/xml",
		"<Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message></Error>",
	),
	dying(
		"expire-r2", "as R2's do: 403 ExpiredRequest", http.StatusForbidden, "application/xml",
		"<Error><Code>ExpiredRequest</Code><Message>Request has expired</Message></Error>",
	),
	dying(
		"expire-google", "as Google's do: 400 ExpiredToken", http.StatusBadRequest, "application/xml",
		"<Error><Code>ExpiredToken</Code><Message>The provided token has "+
			"expired.</Message><Details>Request signature expired at: %[1]s</Details></Error>",
	),
	dying(
		"expire-azure", "as Azure's do: 403 AuthenticationFailed", http.StatusForbidden, "application/xml",
		"<Error><Code>AuthenticationFailed</Code><Message>Server failed to authenticate the "+
			"request.</Message><AuthenticationErrorDetail>Signature not valid in the specified time "+
			"frame: Expiry [%[1]s] - Current [%[2]s]</AuthenticationErrorDetail></Error>",
	),
	dying(
		"expire-cloudfront", "as CloudFront's do: 403 without a hint", http.StatusForbidden, "text/xml",
		"<Error><Code>AccessDenied</Code><Message>Access denied</Message></Error>",
	),
	dying(
		"expire-410", "as a vendor's might: 410", http.StatusGone, "text/html",
		"<html><body><h1>This download is no longer available</h1></body></html>",
	),
	dying(
		"expire-401", "as a vendor's might: 401", http.StatusUnauthorized, "application/json",
		`{"message":"link expired"}`,
	),
	dying(
		"expire-html", "as a vendor's might: a sign-in page with status 200", http.StatusOK,
		"text/html; charset=utf-8", loginPage,
	),
	instead(
		"denied", "links are refused: 403 SignatureDoesNotMatch", http.StatusForbidden, "application/xml",
		"<Error><Code>SignatureDoesNotMatch</Code><Message>The request signature we calculated does not "+
			"match the signature you provided.</Message></Error>",
	),
	instead(
		"gone", "there is no such object: 404 NoSuchKey", http.StatusNotFound, "application/xml",
		"<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message></Error>",
	),
	{Fault: Fault{"redirect", "links redirect to other links of the same host, which live as long"},
		spoil: func(f *activeFault, a *answer) {
			a.redirect(func(path string) string { return a.s.link(path, time.Now()) })
		}},
	{Fault: Fault{"redirect-host", "links redirect to another host name: localhost"},
		spoil: func(f *activeFault, a *answer) {
			a.redirect(func(path string) string {
				u, err := url.Parse(a.s.link(path, time.Now()))
				if err == nil {
					u.Host = "localhost:" + u.Port()
				}
				return u.String()
			})
		}},
	{Fault: Fault{"redirect-short", "links redirect to links that live for N seconds"}, number: 2,
		spoil: func(f *activeFault, a *answer) {
			a.redirect(func(path string) string {
				return a.s.base + path + "?" + a.s.signer.sign(
					path, time.Now(), time.Duration(f.number)*time.Second,
				)
			})
		}},
	{Fault: Fault{"redirect-loop", "links redirect to themselves without end"},
		spoil: func(f *activeFault, a *answer) {
			a.page(http.StatusFound, "text/html", "")
			a.header.Set("Location", a.r.URL.RequestURI())
		}},
	{Fault: Fault{"redirect-login", "links redirect to a sign-in page with status 200"},
		spoil: func(f *activeFault, a *answer) {
			a.page(http.StatusFound, "text/html", "")
			a.header.Set("Location", a.s.base+loginPath)
		}},
	{Fault: Fault{
		"redirect-private", "links redirect to a cloud machine's metadata address, 169.254.169.254",
	}, spoil: func(f *activeFault, a *answer) {
		a.page(http.StatusFound, "text/html", "")
		a.header.Set("Location", "http://169.254.169.254/latest/meta-data/")
	}},
	{Fault: Fault{"redirect-plain", "links redirect to http, wherever they began"},
		spoil: func(f *activeFault, a *answer) {
			a.redirect(func(path string) string {
				return "http" + strings.TrimPrefix(
					strings.TrimPrefix(a.s.link(path, time.Now()), "https"), "http",
				)
			})
		}},
}

const (
	loginPath = "/login"
	movedPath = "moved/" // under the root: the same objects again, where redirects lead
)

// dying is a fault by which links die before the time that they state. Links of a master CSV made later live.
func dying(name, how string, status int, mediaType, page string) fault {
	return fault{Fault: Fault{name, "links die before their time, after N requests for an object, " + how +
		"; links of a master CSV made after that live"}, number: 2, spoil: func(f *activeFault, a *answer) {
		if int64(a.nth) > f.number {
			a.s.revoke()
		}
		if !a.s.isRevoked(a.r) {
			return
		}
		now := time.Now().UTC()
		if strings.Contains(page, "%[1]s") {
			a.page(
				status, mediaType,
				fmt.Sprintf(
					page+"%[3]s", now.Add(-time.Second).Format(time.RFC3339), now.Format(time.RFC3339), "",
				),
			)
			return
		}
		a.page(status, mediaType, page)
	}}
}

// redirect answers with 302 to where target puts the object's other path, unless the request came to that
// already.
func (a *answer) redirect(target func(path string) string) {
	rest, ok := strings.CutPrefix(a.r.URL.EscapedPath(), a.s.root())
	if !ok || strings.HasPrefix(rest, movedPath) {
		return
	}
	a.page(http.StatusFound, "text/html", "")
	a.header.Set("Location", target(a.s.root()+movedPath+rest))
}
