package exportsim

import (
	"fmt"
	"math"
	"path"
	"strings"
	"time"
)

// An attachment is a file and, unless it is an internal CV, its row in Attachments.csv.
type attachment struct {
	n        int
	id       string
	owner    link
	ref      string
	name     string // file name as its uploader knew it
	path     string // of the entry in the bundle
	unlisted bool   // the row does not say the path
	kind     string // CV, Contract, …
	isCV     bool
	by       *user
	created  time.Time
	content  content
	size     int64  // known once it has been written
	mistake  string // Kind of a Mistake
	instead  []byte // the content, if it is not that of the document
}

// content is what a document says and the format it is written in. Equal contents make equal bytes.
type content struct {
	format string // pdf, docx, doc, rtf, txt, jpg, png, eml
	title  string
	lines  []string
	target int    // bytes that it should have; less text than that is made up for with pictures
	locked bool   // a PDF that asks for a password
	key    uint64 // differs between any two documents that are not copies
}

// maxDocuments bounds a block's documents of each kind, so that they can be numbered without looking at other
// blocks.
const maxDocuments = 512

// defaultDocumentSize is what half of the documents are larger than, in bytes.
const defaultDocumentSize = 50_000

// sizeOf draws a size: many small documents, few large ones.
func (b *block) sizeOf() int {
	half := float64(b.agency.documentSize)
	return int(min(half*math.Exp(1.35*b.r.NormFloat64()), 180*half))
}

func (b *block) makeDocuments() {
	defer b.spoilDocuments()
	for i := range b.candidates {
		c := &b.candidates[i]
		cv := b.cvOf(c)
		if c.hasCV {
			b.addCV(c, cv, 0)
			if b.r.chance(8) {
				old := cv
				old.format, old.key, old.target = "doc", b.contentKey(), 14_000
				old.lines = append([]string{"An older version"}, old.lines...)
				b.addCV(c, old, 1)
			}
		}
		b.attachmentsOf(c, cv)
	}
	for i := range b.companies {
		c := &b.companies[i]
		if c.client && b.r.chance(60) {
			lines := []string{
				"TERMS OF BUSINESS", "between " + b.agency.name, "and " + c.name, "",
				"1. The fee is a share of the first year's pay.", "2. It is due within 30 days.",
				"3. A rebate is paid pro rata within 12 weeks.",
			}
			b.attach(
				link{c.id, "COMPANY", c.name}, c.ref, c.created, "Terms of business signed", "Contract",
				content{format: "pdf", title: "Terms of business", lines: lines},
			)
		}
	}
	for i := range b.jobs {
		j := &b.jobs[i]
		if b.r.chance(70) {
			lines := []string{
				j.label(), j.company.name, j.city, "", "Skills: " + strings.Join(j.trade.skills, ", "),
				fmt.Sprintf("Pay: £%d to £%d a year", j.low, j.high),
			}
			b.attach(
				link{j.id, "JOB", j.label()}, j.ref, j.opened, "Job spec – "+j.trade.title, "Job description",
				content{
					format: pick(b.r, []string{"docx", "docx", "pdf", "rtf"}), title: j.trade.title,
					lines: lines,
				},
			)
		}
	}
	if b.r.chance(60) { // a file of a record that the export does not contain
		ref := fmt.Sprintf("LD-%d", firstReference+b.n)
		b.attach(
			link{b.agency.id(kindLead, b.n), "LEAD", "A lead"}, ref, b.candidates[0].created,
			"Notes of first call", "Other",
			content{
				format: "txt", title: "Notes",
				lines: []string{"First call about " + ref, pick(b.r, sentences)},
			},
		)
	}
}

// contentKey returns a key that no other document has.
func (b *block) contentKey() uint64 { return b.r.Uint64() }

func (b *block) cvOf(c *candidate) content {
	return content{
		format: b.cvFormat(), title: c.locale.cvTitle + " " + c.name.full, lines: b.cvLines(c),
		target: b.sizeOf(), key: b.contentKey(),
	}
}

func (b *block) cvFormat() string {
	switch n := b.r.IntN(100); {
	case n < 54:
		return "pdf"
	case n < 82:
		return "docx"
	case n < 86:
		return "doc"
	case n < 92:
		return "rtf"
	case n < 96:
		return "txt"
	}
	return "jpg"
}

func (b *block) cvLines(c *candidate) []string {
	r := b.r
	lines := []string{c.locale.cvTitle, c.name.full}
	if c.name.latin != c.name.first+" "+c.name.surname {
		lines = append(lines, "("+c.name.latin+")")
	}
	lines = append(
		lines, c.email, c.mobile, c.line1+", "+c.city+", "+c.locale.country, "", c.locale.greeting, "",
		"Skills: "+strings.Join(c.skills, ", "), "", "Employment",
	)
	year := c.created.Year()
	for range r.between(1, 4) {
		from := year - r.between(1, 5)
		lines = append(
			lines,
			fmt.Sprintf(
				"%d–%d  %s, %s %s", from, year, c.trade.title, pick(r, companyFirst), pick(r, companySecond),
			),
		)
		year = from
	}
	return append(
		lines, "", "Education",
		fmt.Sprintf("%d  %s, %s", c.born.Year()+21, pick(r, degrees), pick(r, universities)), "",
		"Reference "+c.ref,
	)
}

// addCV adds one of c's internal CVs. A file can be found to be c's by id, by reference, or by a name that
// nobody shares.
func (b *block) addCV(c *candidate, p content, version int) {
	n := b.n*maxDocuments + len(b.cvs)
	a := attachment{
		n: n, id: b.agency.id(kindCV, n), owner: link{c.id, "CANDIDATE", c.name.full}, ref: c.ref, kind: "CV",
		isCV: true, by: c.owner, created: c.created, content: p,
	}
	ext := "." + p.format
	switch {
	case version > 0:
		a.path = fmt.Sprintf("%s %s (old %d)%s", c.ref, c.name.full, version, ext)
	case rare(c.n):
		a.path = c.name.full + " CV" + ext
	case c.n%4 == 0:
		a.path = c.id + ext
	case c.n%4 == 1:
		a.path = c.ref + " " + c.name.full + ext
	case c.n%4 == 2:
		a.path = "CVs/" + c.ref + "/" + c.locale.cvTitle + ext
	default:
		a.path = c.name.full + "_" + c.ref + "_CV" + ext
	}
	a.name = path.Base(a.path)
	b.cvs = append(b.cvs, a)
}

// attachmentsOf adds what was uploaded to c's record.
func (b *block) attachmentsOf(c *candidate, cv content) {
	r := b.r
	owner := link{c.id, "CANDIDATE", c.name.full}
	if c.hasCV && r.chance(6) { // the same file in both parts
		b.attachAs(owner, c.ref, c.created, "CV "+c.name.full, "CV", cv)
	}
	for range []int{0, 1, 1, 1, 2, 3}[r.IntN(6)] {
		lines := []string{c.name.full, c.ref, "", pick(r, sentences), pick(r, sentences)}
		switch r.IntN(7) {
		case 0:
			b.attach(
				owner, c.ref, c.created, "Cover letter", "Cover letter",
				content{
					format: pick(r, []string{"docx", "pdf", "rtf", "txt"}), title: "Cover letter",
					lines: append(lines, c.locale.greeting),
				},
			)
		case 1:
			b.attach(
				owner, c.ref, c.created, "Certificate "+pick(r, c.skills), "Certificate",
				content{format: pick(r, []string{"jpg", "pdf", "png"}), title: "Certificate", lines: lines},
			)
		case 2:
			b.attach(
				owner, c.ref, c.created, "Right to work (scan)", "Right to work",
				content{
					format: pick(r, []string{"jpg", "jpg", "png", "pdf"}), title: "Right to work",
					lines: lines,
				},
			)
		case 3:
			b.attach(
				owner, c.ref, c.created, "Reference from "+c.employer, "Reference",
				content{
					format: pick(r, []string{"docx", "pdf", "doc"}), title: "Reference",
					lines: append(lines, "Worked here as "+c.trade.title),
				},
			)
		case 4:
			b.attach(
				owner, c.ref, c.created, "RE_ your application", "E-mail",
				content{format: "eml", title: "Your application", lines: append(lines, "From: "+c.email)},
			)
		case 5:
			b.attach(
				owner, c.ref, c.created, "Contract "+c.name.full, "Contract",
				content{format: "pdf", title: "Contract", lines: lines},
			)
		case 6:
			b.attach(
				owner, c.ref, c.created, "Photo", "Photo",
				content{format: "jpg", title: "Photo", lines: lines},
			)
		}
	}
}

func (b *block) attach(owner link, ref string, since time.Time, name, kind string, p content) {
	p.key = b.contentKey()
	p.target = b.sizeOf()
	b.attachAs(owner, ref, since, name, kind, p)
}

func (b *block) attachAs(owner link, ref string, since time.Time, name, kind string, p content) {
	r, w := b.r, b.agency
	n := b.n*maxDocuments + len(b.attachments)
	a := attachment{
		n: n, id: w.id(kindAttachment, n), owner: owner, ref: ref, kind: kind, isCV: kind == "CV", content: p,
	}
	a.created = b.someTimeAfter(since)
	a.by = w.userAt(r, a.created)
	a.name = strings.ReplaceAll(name, "/", "-") + "." + p.format
	folder := map[string]string{"CANDIDATE": "Candidates", "COMPANY": "Companies", "JOB": "Jobs"}[owner.Type]
	switch k := r.IntN(100); {
	case k < 60:
		label := strings.TrimPrefix(owner.Name, ref+" ")
		a.path = fmt.Sprintf("%s/%s %s/%s", orOther(folder), ref, strings.ReplaceAll(label, "/", "-"), a.name)
	case k < 75:
		a.path = a.id + "/" + a.name
	case k < 90:
		a.path, a.unlisted = "files/"+a.id+"_"+a.name, true
	default:
		a.path, a.unlisted = orOther(folder)+"/"+ref+"/"+a.name, true
	}
	b.uniquePath(&a)
	b.log(event{
		at: a.created, by: a.by, action: "CREATE", code: "ATTACHMENT", kind: owner.Type, id: owner.ID,
		label: owner.Name, message: "<p>Uploaded " + escape(a.name) + "</p>",
	})
	b.attachments = append(b.attachments, a)
}

func orOther(folder string) string {
	if folder == "" {
		return "Other"
	}
	return folder
}

// uniquePath gives a another name where its owner has a file of that name already.
func (b *block) uniquePath(a *attachment) {
	ext := path.Ext(a.name)
	stem := strings.TrimSuffix(a.name, ext)
	dir := strings.TrimSuffix(a.path, a.name)
	for k := 2; ; k++ {
		taken := false
		for i := range b.attachments {
			o := &b.attachments[i]
			taken = taken || o.owner.ID == a.owner.ID && strings.EqualFold(o.name, a.name)
		}
		if !taken {
			return
		}
		a.name = fmt.Sprintf("%s (%d)%s", stem, k, ext)
		a.path = dir + a.name
	}
}
