package eploy

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// contents is how far the contents of files are.
type contents struct {
	template string // of the path; found by the probe unless it was given
	probed   bool
	received int
	refused  int
	bytes    int64
	of       map[string]*Receipt   // by file, of contents that are here
	replaced map[string][]*Receipt // by file, of contents that it had before
	asked    map[*Receipt]string   // file that an answer is about
	findings []Finding             // of the last time that all files were gone through
}

// A file is what a listing says of a file.
type file struct {
	id, name  string
	cv        bool
	ownerType int // number of the kind of record; 0: not known
	owner     string
	created   string // sorts by time
	modified  string
	size      int64    // -1: not stated
	stated    []stated // what its record said of its content, in order
}

// A stated is what a record said of a file's content at one time: a difference shows that the content
// changed.
type stated struct {
	modified string
	size     int64
	at       int // place of the receipt
}

// likelyContents are the paths that a probe tries, once each, with the first file. The guide does not name
// one.
var likelyContents = []string{
	"files/file/{id}/content", "files/file/{id}/download", "files/file/{id}/data", "files/{id}/content",
	"files/{id}/download", "files/{id}",
}

const (
	// contentStep begins the steps of contents.
	contentStep = "content/"
	// stepGivenUp is of all contents together.
	stepGivenUp = contentStep + "#all"
	// inARow is how many files, or types, one after another, may fail before it is the system that fails.
	inARow = 3
)

// fetchContents fetches the content of each file that is listed: CVs first, newest first. Files whose content
// fails in a way that may pass are tried again when all others have been.
func (p *pull) fetchContents(ctx context.Context) error {
	files, err := p.files()
	c := &p.contents
	c.received, c.refused, c.bytes, c.findings = 0, 0, 0, nil
	c.of, c.replaced = map[string]*Receipt{}, map[string][]*Receipt{}
	if c.asked == nil {
		c.asked = map[*Receipt]string{}
	}
	if err != nil || len(files) == 0 {
		return err
	}
	if c.template == "" {
		c.template = p.o.FileContent
	}
	if p.journal.done[stepGivenUp] != nil {
		return p.countGivenUp(files)
	}
	var later []file
	failed := 0
	for i, f := range files {
		if !plainID.MatchString(f.id) {
			p.refuseFile(f, "has an ID that is no plain word, and is not asked for")
			continue
		}
		r, err := p.content(ctx, f)
		if f := stepFailure(err); f != nil {
			if failed++; failed == inARow {
				return p.giveUp(files, f)
			}
			later = append(later, files[i])
			continue
		}
		if err != nil {
			return err
		}
		if failed = 0; r == nil || r.denied() {
			c.refused += len(files) - i + len(later)
			p.tellContents(r, len(files)-i+len(later))
			return nil
		}
		p.count(f, r)
	}
	for _, f := range later {
		r, err := p.contentAtLast(ctx, f)
		if err != nil {
			return err
		}
		p.count(f, r)
	}
	return nil
}

// stepFailure is an error that is about one step only; nil if it is not.
func stepFailure(err error) *Failure {
	var f *Failure
	if errors.As(err, &f) && f.last != nil {
		return f
	}
	return nil
}

// contentAtLast tries again to fetch a content that failed. If it fails again although others came since, or
// has failed for a day, that is the system's answer.
func (p *pull) contentAtLast(ctx context.Context, f file) (*Receipt, error) {
	r, err := p.content(ctx, f)
	failure := stepFailure(err)
	if failure == nil {
		return r, err
	}
	step := failure.last.Step
	if first := p.journal.failed[step]; p.lasting(step) || p.journal.lastContent.After(first.Time) {
		return p.refuse(step, failure.last)
	}
	return nil, failure
}

// giveUp ends the fetching of contents, for now, or for good when none has come for a day.
func (p *pull) giveUp(files []file, f *Failure) error {
	if time.Since(p.journal.failing) < patience {
		return f
	}
	if _, err := p.refuse(stepGivenUp, f.last); err != nil {
		return err
	}
	return p.countGivenUp(files)
}

// countGivenUp counts the contents that came before the others were given up.
func (p *pull) countGivenUp(files []file) error {
	c := &p.contents
	left := 0
	for _, f := range files {
		_, r := p.version(f)
		if r == nil && c.template == "" {
			for _, c.template = range likelyContents { // it was found by the probe
				if _, r = p.version(f); r != nil && r.brought() {
					break
				}
				c.template = ""
			}
		}
		if r == nil {
			left++
			continue
		}
		p.count(f, r)
	}
	c.refused += left
	r := p.journal.done[stepGivenUp]
	why := fmt.Sprintf(
		"for a day, no content of a file was answered (status %d, %s): %d are listed without one",
		r.Status, r.Refusal, left)
	c.findings = append(c.findings, Finding{Code: ContentRefused, Severity: Faulty, Type: "files",
		Detail: why})
	return nil
}

// tellContents says why no more contents are asked for.
func (p *pull) tellContents(r *Receipt, left int) {
	x := Finding{Code: ContentUnknown, Severity: Faulty, Type: "files", Detail: fmt.Sprintf(
		"no way to the contents of files was found, and %d are listed; name it with --file-content", left)}
	if r != nil {
		x.Code = Denied
		x.Detail = fmt.Sprintf("the key may not read files' contents: %d are listed without one", left)
	}
	p.contents.findings = append(p.contents.findings, x)
}

func (p *pull) refuseFile(f file, why string) {
	p.contents.refused++
	p.contents.findings = append(p.contents.findings, Finding{Code: ContentRefused, Severity: Faulty,
		Type: "files", ID: f.id, Detail: fmt.Sprintf("file %s %s", f.id, why)})
}

func (p *pull) count(f file, r *Receipt) {
	c := &p.contents
	c.asked[r] = f.id
	for _, was := range c.replaced[f.id] {
		c.asked[was] = f.id
	}
	if !r.brought() {
		why := fmt.Sprintf("status %d", r.Status)
		if r.Refusal != "" {
			why += ", " + r.Refusal
		}
		p.refuseFile(f, "came without its content ("+why+")")
		return
	}
	c.received++
	c.of[f.id] = r
	c.bytes += r.Size
	x := Finding{Severity: Info, Type: "files", ID: f.id}
	if n := len(c.replaced[f.id]); n > 0 && c.replaced[f.id][n-1].SHA256 != r.SHA256 {
		x.Code = FileReplaced
		x.Detail = fmt.Sprintf(
			"file %s has another content than when it was first received, which is kept, too",
			f.id)
		c.findings = append(c.findings, x)
	}
	if f.size >= 0 && f.size != r.Size {
		x.Code, x.Severity = SizeDiffers, Warning
		x.Detail = fmt.Sprintf("file %s has %d bytes, and its record says %d", f.id, r.Size, f.size)
		c.findings = append(c.findings, x)
	}
}

// content fetches one file, probing for the way where it is not known. It is nil where there is none.
func (p *pull) content(ctx context.Context, f file) (*Receipt, error) {
	c := &p.contents
	if c.template != "" {
		return p.download(ctx, f, contentTries)
	}
	if c.probed {
		return nil, nil
	}
	var failed []*Failure
	for _, template := range likelyContents {
		c.template = template
		r, err := p.download(ctx, f, 1)
		if err == nil && r.brought() {
			return r, p.notTheWay(failed)
		}
		c.template = ""
		if x := stepFailure(err); x != nil {
			failed = append(failed, x)
		} else if err != nil {
			return nil, err
		}
	}
	if len(failed) > 0 && !p.lasting(failed[0].last.Step) { // that may have been the way
		return nil, failed[0]
	}
	c.probed = true
	return nil, p.notTheWay(failed)
}

// notTheWay takes paths that failed for such as lead to no content.
func (p *pull) notTheWay(failed []*Failure) error {
	for _, f := range failed {
		if _, err := p.refuse(f.last.Step, f.last); err != nil {
			return err
		}
	}
	return nil
}

// contentTries is how often a content is asked for before the next one is.
const contentTries = 3

// version is the step that the content of a file is to be received by, and its receipt, if it is there. When
// the record says that the content has changed since it was received, it is received once more.
func (p *pull) version(f file) (step string, r *Receipt) {
	c := &p.contents
	delete(c.replaced, f.id)
	for n := 0; ; n++ {
		step = contentStep + strings.ReplaceAll(c.template, "{id}", f.id)
		if n > 0 {
			step += fmt.Sprintf("#%d", n)
		}
		r = p.journal.done[step]
		if r == nil || !f.changed(r.at) {
			return step, r
		}
		if r.brought() {
			c.replaced[f.id] = append(c.replaced[f.id], r)
		}
	}
}

// changed reports whether the file's record says otherwise than it did when a receipt was written.
func (f *file) changed(at int) bool {
	now, then := f.stated[len(f.stated)-1], stated{size: -1}
	for _, t := range f.stated {
		if t.at < at {
			then = t
		}
	}
	return now.modified != "" && then.modified != "" && now.modified != then.modified ||
		now.size >= 0 && then.size >= 0 && now.size != then.size
}

func (p *pull) download(ctx context.Context, f file, tries int) (*Receipt, error) {
	p.part = "files/content"
	step, r := p.version(f)
	if r != nil && !r.denied() {
		return r, nil
	}
	name := f.id
	if n := len(p.contents.replaced[f.id]); n > 0 {
		name += fmt.Sprintf(".%d", n)
	}
	return p.ask(ctx, request{step: step, method: http.MethodGet, id: name, name: f.name, tries: tries,
		path: strings.ReplaceAll(p.contents.template, "{id}", f.id)})
}
