package link

import (
	"net/url"
	"regexp"
	"strings"
)

// Scheme finds where a link begins.
var Scheme = regexp.MustCompile(`(?i)https?://`)

var (
	linkAt  = regexp.MustCompile(`(?i)https?://[^\s"'<>|\\^{}` + "`" + `]+`)
	formula = regexp.MustCompile(`(?i)^\s*=\s*HYPERLINK\s*\(|["();,]`)
)

// In reports whether a link is in s.
func In(s string) bool { return Scheme.MatchString(s) }

// Find returns the links of a cell as they are there. A cell that is nothing but one link is taken whole,
// so that a link that lost its escaping is not cut at the first space.
func Find(text string) []string {
	t := strings.Trim(strings.TrimSpace(text), `<>`)
	at := Scheme.FindAllStringIndex(t, -1)
	if len(at) == 0 {
		return nil
	}
	if at[0][0] == 0 && (len(at) == 1 || !strings.ContainsAny(t, " \t\r\n")) &&
		!strings.ContainsAny(t, "\"<>\r\n") {
		return []string{t}
	}
	var out []string
	for _, s := range linkAt.FindAllString(t, -1) {
		out = append(out, strings.TrimRight(s, ").,;]"))
	}
	return out
}

// Strip returns a cell's text without its links.
func Strip(text string) string {
	return formula.ReplaceAllString(linkAt.ReplaceAllString(text, ""), " ")
}

// Unwrap takes off what mail programs and mail protection wrap a link in, and says so.
func Unwrap(s string) (link, repair string) {
	var notes []string
	for range 4 {
		inner, note := unwrapOnce(s)
		if note == "" {
			break
		}
		s, notes = inner, append(notes, note)
	}
	return s, strings.Join(notes, "; ")
}

func unwrapOnce(s string) (link, note string) {
	if strings.Contains(s, "&amp;") {
		return strings.ReplaceAll(s, "&amp;", "&"), "a link was HTML-escaped (&amp;)"
	}
	u, err := url.Parse(s)
	if err != nil {
		return s, ""
	}
	host := strings.ToLower(u.Hostname())
	q := u.Query()
	inner, by := "", ""
	switch {
	case strings.HasSuffix(host, ".safelinks.protection.outlook.com"):
		inner, by = q.Get("url"), "Outlook's SafeLinks"
	case host == "urldefense.proofpoint.com" && strings.HasPrefix(u.Path, "/v2/"):
		v, err := url.QueryUnescape(strings.NewReplacer("-", "%", "_", "/").Replace(q.Get("u")))
		if err == nil {
			inner, by = v, "Proofpoint"
		}
	case (host == "www.google.com" || host == "google.com") && u.Path == "/url":
		inner, by = q.Get("q"), "Google"
		if inner == "" {
			inner = q.Get("url")
		}
	}
	if inner == "" || !Scheme.MatchString(inner) {
		return s, ""
	}
	return inner, "a link was wrapped by " + by
}
