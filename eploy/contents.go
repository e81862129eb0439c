package eploy

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// contents is how far the contents of files are.
type contents struct {
	template string // of the path; found by the probe unless it was given
	probed   bool
	received int
	refused  int
	bytes    int64
	of       map[string]*Receipt // by file, of contents that are here
	told     map[string]bool     // files that a finding was made for
	asked    map[*Receipt]string // file that an answer is about
}

// A file is what a listing says of a file.
type file struct {
	id, name  string
	cv        bool
	ownerType int // number of the kind of record; 0: not known
	owner     string
	created   string // sorts by time
	size      int64  // -1: not stated
}

// likelyContents are the paths that a probe tries, once each, with the first file. The guide does not name
// one.
var likelyContents = []string{
	"files/file/{id}/content", "files/file/{id}/download", "files/file/{id}/data", "files/{id}/content",
	"files/{id}/download", "files/{id}",
}

// fetchContents fetches the content of each file that is listed: CVs first, newest first.
func (p *pull) fetchContents(ctx context.Context) error {
	files, err := p.files()
	if err != nil || len(files) == 0 {
		return err
	}
	c := &p.contents
	c.received, c.refused, c.bytes, c.of = 0, 0, 0, map[string]*Receipt{}
	if c.told == nil {
		c.told, c.asked = map[string]bool{}, map[*Receipt]string{}
	}
	if c.template == "" {
		c.template = p.o.FileContent
	}
	for i, f := range files {
		r, err := p.content(ctx, f)
		if err != nil {
			return err
		}
		if r == nil || r.Status == http.StatusUnauthorized || r.Status == http.StatusForbidden {
			c.refused += len(files) - i
			p.tellContents(r, len(files)-i)
			return nil
		}
		p.count(f, r)
	}
	return nil
}

// tellContents says why no more contents are asked for.
func (p *pull) tellContents(r *Receipt, left int) {
	if p.contents.told[""] {
		return
	}
	p.contents.told[""] = true
	x := Finding{Code: ContentUnknown, Severity: Faulty, Type: "files", Detail: fmt.Sprintf(
		"no way to the contents of files was found, and %d are listed; name it with --file-content", left)}
	if r != nil {
		x.Code = Denied
		x.Detail = fmt.Sprintf("the key may not read files' contents: %d are listed without one", left)
	}
	p.findings = append(p.findings, x)
}

func (p *pull) count(f file, r *Receipt) {
	c := &p.contents
	c.asked[r] = f.id
	x := Finding{Severity: Warning, Type: "files", ID: f.id}
	switch {
	case r.File == "" || r.Status != http.StatusOK:
		c.refused++
		x.Code, x.Severity = ContentRefused, Faulty
		x.Detail = fmt.Sprintf("the content of file %s was not answered (status %d)", f.id, r.Status)
	default:
		c.received++
		c.of[f.id] = r
		c.bytes += r.Size
		x.Code = SizeDiffers
		x.Detail = fmt.Sprintf("file %s has %d bytes, and its record says %d", f.id, r.Size, f.size)
		if f.size < 0 || f.size == r.Size {
			return
		}
	}
	if !c.told[f.id] {
		c.told[f.id] = true
		p.findings = append(p.findings, x)
	}
}

// content fetches one file, probing for the way where it is not known. It is nil where there is none.
func (p *pull) content(ctx context.Context, f file) (*Receipt, error) {
	c := &p.contents
	if c.template != "" {
		return p.download(ctx, f, c.template, maxTries)
	}
	if c.probed {
		return nil, nil
	}
	c.probed = true
	for _, template := range likelyContents {
		r, err := p.download(ctx, f, template, 1)
		if err != nil {
			return nil, err
		}
		if r.Status == http.StatusOK && strings.HasPrefix(r.File, "files/") {
			c.template = template
			return r, nil
		}
	}
	return nil, nil
}

func (p *pull) download(ctx context.Context, f file, template string, tries int) (*Receipt, error) {
	p.part = "files/content"
	path := strings.ReplaceAll(template, "{id}", f.id)
	return p.ask(ctx, request{step: "content/" + path, method: http.MethodGet, path: path, id: f.id,
		name:  f.name,
		tries: tries, gentle: true})
}

var (
	aCV      = regexp.MustCompile(`(?i)\bcv\b|curriculum|r[eé]sum[eé]`)
	plainID  = regexp.MustCompile(`^[A-Za-z0-9-]{1,64}$`)
	nameKeys = []string{"filename", "name", "title"}
)

// files returns the listed files in the order they are fetched in. An ID that is not a plain word names no
// path of ours.
func (p *pull) files() ([]file, error) {
	byID := map[string]file{}
	for _, l := range p.listings {
		if l.table() != "files" {
			continue
		}
		g := p.of[l.name]
		err := p.journal.each(l, func(id string, record json.RawMessage) error {
			if g.have[id] && plainID.MatchString(id) {
				byID[id] = describe(id, record)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	var out []file
	for _, f := range byID {
		out = append(out, f)
	}
	slices.SortFunc(out, func(a, b file) int {
		if a.cv != b.cv {
			return map[bool]int{true: -1, false: 1}[a.cv]
		}
		return cmp.Or(cmp.Compare(b.created, a.created), cmp.Compare(a.id, b.id))
	})
	return out, nil
}

// describe reads what a file's record says of it, as far as it does.
func describe(id string, record json.RawMessage) file {
	f := file{id: id, size: -1}
	var all map[string]json.RawMessage
	if json.Unmarshal(record, &all) != nil {
		return f
	}
	m := map[string]json.RawMessage{}
	for name, value := range all {
		m[strings.ToLower(name)] = value
	}
	for _, key := range nameKeys {
		if f.name == "" {
			json.Unmarshal(m[key], &f.name)
		}
	}
	f.ownerType, _ = strconv.Atoi(text(m["recordtypeid"]))
	f.owner = text(m["recordid"])
	f.cv = aCV.Match(m["filetype"])
	json.Unmarshal(m["creationdate"], &f.created)
	if n, err := strconv.ParseInt(strings.Trim(string(m["filesize"]), `"`), 10, 64); err == nil {
		f.size = n
	}
	return f
}

// text is a number or text as text.
func text(v json.RawMessage) string { return strings.Trim(string(v), `"`) }
