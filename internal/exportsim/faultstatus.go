package exportsim

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

const (
	loginPage = `<!DOCTYPE html><html><head><title>Sign in</title></head><body><h1>Please sign in to ` +
		`continue</h1><form action="/login" method="post"><input name="email"><input name="password" ` +
		`type="password"></form></body></html>`
	proxyPage = `<!DOCTYPE html><html><head><title>Blocked</title></head><body><h1>This site is not ` +
		`allowed by your organisation's web gateway</h1></body></html>`
	slowDown = "<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
)

// statusFaults are answers that are not the object.
var statusFaults = []fault{
	instead(
		"html", "a sign-in page with status 200 comes instead of the object", http.StatusOK,
		"text/html; charset=utf-8", loginPage,
	),
	{Fault: Fault{
		"html-later", "after N requests for an object a sign-in page with status 200 comes instead",
	}, number: 2, spoil: func(f *activeFault, a *answer) {
		if int64(a.nth) > f.number {
			a.page(http.StatusOK, "text/html; charset=utf-8", loginPage)
		}
	}},
	instead(
		"proxy-page", "a web gateway's page with status 200 comes instead of the object", http.StatusOK,
		"text/html", proxyPage,
	),
	instead(
		"json", "an error in JSON with status 200 comes instead of the object", http.StatusOK,
		"application/json", `{"error":{"code":401,"message":"Session expired"}}`,
	),
	instead(
		"xml", "an error in XML with status 200 comes instead of the object", http.StatusOK,
		"application/xml",
		"<Error><Code>InternalError</Code><Message>We encountered an internal error. Please try "+
			"again.</Message></Error>",
	),
	{Fault: Fault{"empty", "the object is empty: 200 without a byte, and 416 with bytes */0 for ranges"},
		alter: func(f *activeFault, o *object, nth int) *object {
			return &object{
				name: o.name, group: o.group, part: o.part, etag: `"d41d8cd98f00b204e9800998ecf8427e"`,
				modified: o.modified, mediaType: o.mediaType,
			}
		}},
	{
		Fault:  Fault{"busy", "the first N requests for an object get 503 or 429 with Retry-After: 1"},
		number: 3, spoil: busy(func() string { return "1" }),
	},
	{
		Fault: Fault{"busy-date", "as busy, with a date two seconds ahead as Retry-After"}, number: 3,
		spoil: busy(func() string { return time.Now().Add(2 * time.Second).UTC().Format(http.TimeFormat) }),
	},
	{
		Fault: Fault{"busy-absurd", "as busy, with Retry-After: 31536000"}, number: 1,
		spoil: busy(func() string { return "31536000" }),
	},
	{
		Fault: Fault{"busy-negative", "as busy, with Retry-After: -5"}, number: 3,
		spoil: busy(func() string { return "-5" }),
	},
	failing("error-500", http.StatusInternalServerError),
	failing("error-502", http.StatusBadGateway),
	failing("error-504", http.StatusGatewayTimeout),
	failing("error-408", http.StatusRequestTimeout),
	{Fault: Fault{
		"disposition",
		"Content-Disposition names hostile files: ../, a backslash path, a NUL, 300 characters, RFC 5987, " +
			"in turn",
	}, spoil: func(f *activeFault, a *answer) {
		if a.body == nil {
			a.header.Set("Content-Disposition", hostileNames[a.nth%len(hostileNames)])
		}
	}},
	{Fault: Fault{"clock", "the server's clock is N seconds ahead"}, number: 259_200,
		spoil: func(f *activeFault, a *answer) {
			a.header.Set(
				"Date", time.Now().Add(time.Duration(f.number)*time.Second).UTC().Format(http.TimeFormat),
			)
		}},
	{Fault: Fault{"cookie", "every answer sets cookies, and a request that brings one is refused"},
		spoil: func(f *activeFault, a *answer) {
			if a.r.Header.Get("Cookie") != "" || a.r.Header.Get("Referer") != "" {
				a.page(http.StatusBadRequest, "text/plain", "no cookies and no referrers are wanted here")
			}
			a.header.Set("Set-Cookie", "session=EXAMPLE; Path=/")
		}},
}

var hostileNames = []string{
	`attachment; filename="../../../etc/passwd"`,
	`attachment; filename="..\\..\\windows\\system.ini"`,
	"attachment; filename=\"a\x00b.zip\"",
	`attachment; filename="` + strings.Repeat("x", 300) + `.zip"`,
	`attachment; filename*=UTF-8''%2e%2e%2f%e2%82%ac%20rates.zip`,
}

func instead(name, description string, status int, mediaType, text string) fault {
	return fault{
		Fault: Fault{name, description},
		spoil: func(f *activeFault, a *answer) { a.page(status, mediaType, text) },
	}
}

func failing(name string, status int) fault {
	return fault{Fault: Fault{name, fmt.Sprintf("the first N requests for an object get %d", status)},
		number: 3, spoil: func(f *activeFault, a *answer) {
			if int64(a.nth) <= f.number {
				a.page(status, "text/html", "<html><body><h1>"+http.StatusText(status)+"</h1></body></html>")
			}
		}}
}

func busy(after func() string) func(*activeFault, *answer) {
	return func(f *activeFault, a *answer) {
		if int64(a.nth) <= f.number {
			a.page(
				[]int{http.StatusServiceUnavailable, http.StatusTooManyRequests}[a.nth%2], "application/xml",
				slowDown,
			)
			a.header.Set("Retry-After", after())
		}
	}
}
