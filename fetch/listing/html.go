package listing

import (
	"fmt"
	"io"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/net/html"
)

// readHTMLListing reads the links of an index page, as web servers make them for a folder.
func readHTMLListing(r io.Reader, base *url.URL, yield func(Entry) error) (PageEnd, error) {
	next := ""
	z := html.NewTokenizer(r)
	z.SetMaxBuf(1 << 20)
	var href, text string
	inside := false
	for {
		switch z.Next() {
		case html.ErrorToken:
			if err := z.Err(); err != io.EOF {
				return PageEnd{}, fmt.Errorf("%w: %w", ErrFormat, err)
			}
			return PageEnd{Next: next, Total: -1}, nil
		case html.TextToken:
			if inside {
				text += string(z.Text())
			}
		case html.StartTagToken, html.SelfClosingTagToken:
			name, attrs := z.TagName()
			tag := string(name)
			if tag != "a" && tag != "link" {
				continue
			}
			var rel string
			href, rel = linkAttrs(z, attrs)
			if strings.EqualFold(rel, "next") {
				if u, err := base.Parse(href); err == nil {
					next = u.String()
				}
				continue
			}
			inside, text = tag == "a", ""
		case html.EndTagToken:
			if name, _ := z.TagName(); string(name) != "a" || !inside {
				continue
			}
			inside = false
			if l, ok := indexEntry(base, href, strings.TrimSpace(text)); ok {
				if err := yield(l); err != nil {
					return PageEnd{}, err
				}
			}
		}
	}
}

func linkAttrs(z *html.Tokenizer, more bool) (href, rel string) {
	for more {
		var k, v []byte
		k, v, more = z.TagAttr()
		switch string(k) {
		case "href":
			href = string(v)
		case "rel":
			rel = string(v)
		}
	}
	return href, rel
}

// namesFile fits a link's text that is the name of a file, whatever its address: "/download?id=7".
var namesFile = regexp.MustCompile(
	`(?i)[^./]\.(pdf|docx?|rtf|txt|odt|ods|pages|jpe?g|png|gif|tiff?|bmp|webp|heic|msg|eml|xlsx?|csv|pptx?|` +
		`zip|7z|tar|gz|zst|mp[34]|wav)$`,
)

// indexEntry makes a file of a link in an index page. Links to folders, to other orders of the page and to
// other pages are not files.
func indexEntry(base *url.URL, href, text string) (Entry, bool) {
	named := namesFile.MatchString(text)
	if href == "" || strings.HasPrefix(href, "#") || strings.HasPrefix(href, "?") && !named {
		return Entry{}, false
	}
	link, ok := resolve(base, href)
	if !ok {
		return Entry{}, false
	}
	u := link.URL()
	if !named && !fileAddress(u) {
		return Entry{}, false
	}
	l := Entry{Link: link, Name: text, Size: -1}
	// Web servers cut long names short in the text; the link has the whole one.
	if text == "" || strings.HasSuffix(text, "..>") || strings.HasSuffix(text, "…") || path.Ext(text) == "" {
		l.Name = ""
	}
	l.HideTokens()
	return l, true
}

// fileAddress reports whether an address in an index page looks like a file's.
func fileAddress(u *url.URL) bool {
	ext := path.Ext(path.Base(u.Path))
	if strings.HasSuffix(u.Path, "/") || ext == "" {
		return false
	}
	return !slices.Contains([]string{".css", ".js", ".php", ".aspx", ".ico", ".svg"}, strings.ToLower(ext))
}
