package fetch

import (
	"net/http"
)

const signInPage = "<!DOCTYPE html><html><head><title>Sign in</title></head><body><form>Sign in to continue</form></body></html>"

var pageFaults = []faultCase{
	{name: "a sign-in page with status 200", fault: always(refuses(200, []byte(signInPage), "Content-Type", "text/html")), want: NotTheExport, hint: "sign in"},
	{name: "an error in JSON with status 200", fault: always(refuses(200, []byte(`{"error":"link expired","code":"E42"}`))), want: NotTheExport, hint: "new master CSV"},
	{name: "an error in XML with status 200", fault: always(refuses(200, s3Error("AccessDenied", "no"))), want: NotTheExport, hint: "new master CSV"},
	{name: "a proxy's page on a later range", fault: after(1, refuses(200, []byte(signInPage), "Content-Type", "text/html")), want: NotTheExport, hint: "sign in"},
	{name: "a proxy's page once, on a later range", fault: func(_ *faultWorld, o *served) {
		o.fault = func(n int, o *served, w http.ResponseWriter, r *http.Request) bool {
			if n == 3 {
				return answer(w, 200, []byte(signInPage), "Content-Type", "text/html")
			}
			return broken(600_000)(o, w, r)
		}
	}},
}
