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
	o.more = w.laterPick(part+"-listing-more", 0.4, "sized", "tagged", "relative", "paged")
	for i, f := range files {
		child := &object{
			path: fmt.Sprintf("%s/%d/%s", part, i, f.name), name: f.name, part: part, data: f.data,
		}
		if samePath {
			child.path = fmt.Sprintf("%s?file=%d", part, i)
		}
		o.files = append(o.files, child)
	}
	if half := len(o.files) / 2; o.more == "paged" && o.listing == "json" && half > 0 {
		o.next = &object{part: part, listing: "json", path: part + "-2.json", files: o.files[half:]}
		o.files = o.files[:half]
	}
	return o
}

// row is what a listing says of a file.
type row struct {
	Name string `json:"name"`
	URL  string `json:"url"`
	Size int    `json:"size,omitempty"`
	ETag string `json:"etag,omitempty"`
}

// rowOf describes a file as its listing does.
func (w *World) rowOf(o, f *object, issue int) row {
	r := row{Name: f.name, URL: w.link(f, issue)}
	switch o.more {
	case "sized":
		r.Size = len(f.data)
	case "tagged":
		if !f.style.noETag && !f.style.weakETag && !f.style.edgeETag && !f.style.gzipped {
			r.ETag = strings.Trim((&reply{o: f, body: f.data}).etag(), `"`)
		}
	case "relative": // in a CSV nobody could tell it from a name
		if o.listing != "csv" {
			r.URL = strings.TrimPrefix(r.URL, "http://"+host)
		}
	}
	return r
}

// list writes a page of links as it is at the moment.
func (w *World) list(o *object, issue int) []byte {
	var b strings.Builder
	var rows []row
	for _, f := range o.files {
		rows = append(rows, w.rowOf(o, f, issue))
	}
	switch o.listing {
	case "json":
		page := map[string]any{"files": rows}
		if o.next != nil {
			page["next"] = w.link(o.next, issue)
		}
		out, _ := json.Marshal(page) // strings do not fail
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
		b.WriteString("name,url,size,etag\r\n")
		if o.more == "" || o.more == "paged" {
			b.Reset()
			b.WriteString("name,url\r\n")
		}
		for _, r := range rows {
			fmt.Fprintf(&b, "\"%s\",%s", strings.ReplaceAll(r.Name, `"`, `""`), r.URL)
			if o.more != "" && o.more != "paged" {
				fmt.Fprintf(&b, ",%s,%s", strings.TrimPrefix(fmt.Sprint(r.Size), "0"), r.ETag)
			}
			b.WriteString("\r\n")
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
		for _, f := range o.children() {
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
