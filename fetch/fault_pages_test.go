package fetch

import (
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"holdall/fetch/failure"
)

const signInPage = "<!DOCTYPE html><html><head><title>Sign in</title></head><body><form>Sign in to " +
	"continue</form></body></html>"

var pageFaults = []faultCase{
	{name: "file names in Content-Disposition that lead out of the directory, or are none",
		fault: hostileNames, check: func(t *testing.T, w *faultWorld, r *Run, _ error) {
			for _, o := range r.Objects {
				if n := o.Source.Name; strings.ContainsAny(n, "/\\\x00") || len(n) > 255 {
					t.Errorf("an object is called %q", n)
				}
			}
			left, err := filepath.Glob(filepath.Join(filepath.Dir(w.dir), "evil*"))
			if err != nil || len(left) > 0 {
				t.Errorf("outside of the spool lie %q, %v", left, err)
			}
		}},
	{
		name:  "a sign-in page with status 200",
		fault: always(refuses(200, []byte(signInPage), "Content-Type", "text/html")),
		want:  failure.NotTheExport, hint: "sign in",
	},
	{
		name:  "an error in JSON with status 200",
		fault: always(refuses(200, []byte(`{"error":"link expired","code":"E42"}`))),
		want:  failure.NotTheExport, hint: "new master CSV",
	},
	{
		name: "an error in XML with status 200", fault: always(refuses(200, s3Error("AccessDenied", "no"))),
		want: failure.NotTheExport, hint: "new master CSV",
	},
	{
		name:  "a proxy's page on a later range",
		fault: after(1, refuses(200, []byte(signInPage), "Content-Type", "text/html")),
		want:  failure.NotTheExport, hint: "sign in",
	},
	{name: "a proxy's page once, on a later range", fault: func(_ *faultWorld, o *served) {
		o.fault = func(n int, o *served, w http.ResponseWriter, r *http.Request) bool {
			if n == 3 {
				return answer(w, 200, []byte(signInPage), "Content-Type", "text/html")
			}
			return broken(600_000)(o, w, r)
		}
	}},
}

// hostileNames gives every answer another name that must not be taken as it is.
func hostileNames(_ *faultWorld, o *served) {
	names := []string{
		"../evil.zip", "..\\evil.zip", "/tmp/evil.zip", "evil.zip\x00.csv", strings.Repeat("e", 300) + ".zip",
		"",
	}
	o.fault = func(n int, o *served, w http.ResponseWriter, r *http.Request) bool {
		name := names[n%len(names)]
		w.Header().Set(
			"Content-Disposition",
			`attachment; filename="`+strings.ReplaceAll(name, "\x00", "")+`"; filename*=UTF-8''`+
				url.PathEscape(name),
		)
		return false
	}
}
