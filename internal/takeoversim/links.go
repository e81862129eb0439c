package takeoversim

import (
	"encoding/json"
	"fmt"
	"net/url"
	"path"
	"strings"
	"time"
)

// listed makes a part that is a page of links, one a file.
func (w *World) listed(part string, files []file) *object {
	o := &object{part: part, listing: w.pick(part+"-listing-form", 0.6, "csv", "json", "html")}
	o.path = part + "." + o.listing
	samePath := w.odd(part+"-one-path", 0.2)
	for i, f := range files {
		child := &object{
			path: fmt.Sprintf("%s/%d/%s", part, i, f.name), name: f.name, part: part, data: f.data,
		}
		if samePath {
			child.path = fmt.Sprintf("%s?file=%d", part, i)
		}
		o.files = append(o.files, child)
	}
	return o
}

// list writes a page of links as it is at the moment.
func (w *World) list(o *object, issue int) []byte {
	var b strings.Builder
	type row struct {
		Name string `json:"name"`
		URL  string `json:"url"`
	}
	var rows []row
	for _, f := range o.files {
		rows = append(rows, row{f.name, w.link(f, issue)})
	}
	switch o.listing {
	case "json":
		out, _ := json.Marshal(map[string]any{"files": rows}) // strings do not fail
		return out
	case "html":
		b.WriteString("<html><body><ul>\n")
		for _, r := range rows {
			fmt.Fprintf(
				&b, "<li><a href=\"%s\">%s</a></li>\n", strings.ReplaceAll(r.URL, "&", "&amp;"), r.Name,
			)
		}
		b.WriteString("</ul></body></html>\n")
	default:
		b.WriteString("name,url\r\n")
		for _, r := range rows {
			fmt.Fprintf(&b, "\"%s\",%s\r\n", strings.ReplaceAll(r.Name, `"`, `""`), r.URL)
		}
	}
	return []byte(b.String())
}

// secret is what gives access in an issue of the links.
func (w *World) secret(issue int) string {
	r := w.random(fmt.Sprint("secret ", issue))
	return fmt.Sprintf("%016x%016x%016x", r.Uint64(), r.Uint64(), r.Uint64())
}

// link is the link of an object in an issue.
func (w *World) link(o *object, issue int) string {
	secret := w.secret(issue)
	u := url.URL{Scheme: "http", Host: host, Path: "/exports/" + o.path}
	q := url.Values{}
	if p, file, ok := strings.Cut(o.path, "?file="); ok {
		u.Path = "/exports/" + p
		q.Set("file", file)
	}
	switch w.links {
	case "opaque":
		q.Set("token", secret)
	case "path":
		u.Path = "/exports/" + secret + strings.TrimPrefix(u.Path, "/exports")
	default:
		q.Set("X-Amz-Algorithm", "AWS4-HMAC-SHA256")
		q.Set("X-Amz-Date", w.issued[issue].UTC().Format("20060102T150405Z"))
		q.Set("X-Amz-Expires", fmt.Sprint(int(w.life.Seconds())))
		q.Set("X-Amz-Signature", secret)
	}
	u.RawQuery = q.Encode()
	return u.String()
}

// find returns the object that a URL leads to, and the secret in the URL.
func (w *World) find(u *url.URL) (*object, string) {
	q := u.Query()
	secret := q.Get("token") + q.Get("X-Amz-Signature")
	p := strings.TrimPrefix(path.Clean(u.Path), "/exports/")
	if w.links == "path" {
		secret, p, _ = strings.Cut(p, "/")
	}
	if f := q.Get("file"); f != "" {
		p += "?file=" + f
	}
	for _, o := range w.objects[w.server.state.Generation] {
		if o.path == p {
			return o, secret
		}
		for _, f := range o.files {
			if f.path == p {
				return f, secret
			}
		}
	}
	return nil, secret
}

func (w *World) issueOf(secret string) int {
	for i := range w.issued {
		if w.secret(i) == secret {
			return i
		}
	}
	return -1
}

// expired reports whether the links of an issue have expired.
func (w *World) expired(issue int) bool { return time.Now().After(w.issued[issue].Add(w.life)) }

// Secrets are all secrets that were given out.
func (w *World) Secrets() []string {
	var all []string
	for i := range w.issued {
		all = append(all, w.secret(i))
	}
	return all
}
