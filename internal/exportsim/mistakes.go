package exportsim

import (
	"fmt"
	"slices"
	"strings"
)

// Kinds of Mistake. Those about documents are made in the first blocks only, so their number does not grow
// with the people, and each happens to a document of its own. A small agency may lack a fitting document;
// then the mistake is left out.
const (
	MistakeNoFile    = "row-without-file" // attachment-missing
	MistakeUnlisted  = "file-without-row" // file-unlisted
	MistakeNoCV      = "cv-without-file"  // cv-missing
	MistakeStrayCV   = "cv-without-owner" // owner-unknown: a CV whose name says nothing
	MistakeSize      = "wrong-size"       // size-mismatch
	MistakeEmpty     = "empty-file"       // empty-file
	MistakeHTML      = "html-as-document" // error-page
	MistakeXML       = "xml-as-document"  // error-page
	MistakeType      = "wrong-type"       // type-mismatch: a JPEG called .pdf
	MistakeLocked    = "locked-pdf"       // locked-document
	MistakeSameBytes = "same-bytes"       // duplicate-content
	// two entries and two rows of one path; their sizes distinguish them
	MistakeSameName      = "same-name"
	MistakeUnsafeName    = "unsafe-name"     // an entry whose name begins with ../
	MistakeCRC           = "wrong-crc"       // damaged-in-source; ZIPs only
	MistakeEncrypted     = "encrypted-entry" // locked-document; ZIPs only
	MistakeSymlink       = "symlink-entry"   // entry-refused; not in listings
	MistakeDangling      = "dangling-key"    // reference-dangling
	MistakeDuplicateKey  = "duplicate-key"   // duplicate-key
	MistakeLongRow       = "row-too-long"    // rows-ragged
	MistakeShortRow      = "row-too-short"   // rows-ragged
	MistakeNumberInWords = "number-in-words" // cells-rejected
)

const errorPageXML = "<?xml version=\"1.0\" " +
	"encoding=\"UTF-8\"?>\n<Error><Code>AccessDenied</Code><Message>Access " +
	"Denied</Message><RequestId>EXAMPLE000000002</RequestId></Error>\n"

const errorPageHTML = "<!DOCTYPE html>\n<html><head><title>502 Bad Gateway</title></head><body><h1>502 " +
	"Bad Gateway</h1></body></html>\n"

// blocksSpoilt is how many blocks have mistakes in their documents.
const blocksSpoilt = 3

// spoil records a mistake.
func (b *block) spoil(m Mistake) { b.mistakes = append(b.mistakes, m) }

// spoilDocuments makes the mistakes that concern files.
func (b *block) spoilDocuments() {
	if !b.agency.mistakes || b.n >= blocksSpoilt {
		return
	}
	inZIP := b.agency.shape == ShapeZIP || b.agency.shape == ShapeParts
	b.spoilOne(MistakeNoFile, "attachment-missing", listed, nil)
	b.spoilOne(MistakeUnlisted, "file-unlisted", namesOwner, nil)
	b.spoilOne(MistakeSize, "size-mismatch", listed, nil)
	b.spoilOne(
		MistakeHTML, "error-page", listedPDF, func(a *attachment) { a.instead = []byte(errorPageHTML) },
	)
	b.spoilOne(MistakeXML, "error-page", listedPDF, func(a *attachment) { a.instead = []byte(errorPageXML) })
	b.spoilOne(MistakeLocked, "locked-document", listedPDF, func(a *attachment) { a.content.locked = true })
	b.spoilOne(MistakeType, "type-mismatch", listed, func(a *attachment) {
		a.content.format = "jpg"
		a.rename(strings.TrimSuffix(a.name, "."+extension(a.name)) + ".pdf")
	})
	b.spoilOne(
		MistakeUnsafeName, "", listed, func(a *attachment) { a.path = "../../" + a.ref + "/" + a.name },
	)
	b.spoilOne(MistakeEmpty, "empty-file", listed, func(a *attachment) { a.instead = []byte{} })
	b.spoilPair(MistakeSameBytes, "duplicate-content", func(a, o *attachment) {
		a.content = o.content
		a.rename(strings.TrimSuffix(a.name, "."+extension(a.name)) + "." + o.content.format)
	})
	b.spoilPair(MistakeSameName, "", func(a, o *attachment) {
		a.content.format, a.name, a.path, a.unlisted = o.content.format, o.name, o.path, false
		a.content.target += 5000
		a.content.lines = append(slices.Clone(a.content.lines), "The second file of this name")
	})
	if inZIP {
		b.spoilOne(MistakeCRC, "damaged-in-source", listed, nil)
		b.spoilOne(MistakeEncrypted, "locked-document", listed, nil)
	}
	if b.agency.shape != ShapeListing {
		b.addSymlink()
	}
	b.spoilCVs()
}

func listed(a *attachment) bool { return !a.unlisted }

// namesOwner holds for files whose owner can still be found when their row is gone.
func namesOwner(a *attachment) bool { return !a.unlisted && strings.Contains(a.path, a.ref) }

func listedPDF(a *attachment) bool { return !a.unlisted && a.content.format == "pdf" }

// rename changes the last element of the path with the name.
func (a *attachment) rename(name string) {
	a.path = strings.TrimSuffix(a.path, a.name) + name
	a.name = name
}

// unspoilt returns the first attachment that fits, has no mistake yet, and is not there in another part too;
// or nil.
func (b *block) unspoilt(fits func(*attachment) bool) *attachment {
	for i := range b.attachments {
		if a := &b.attachments[i]; a.mistake == "" && a.kind != "CV" && fits(a) {
			return a
		}
	}
	return nil
}

func (b *block) spoilOne(kind, code string, fits func(*attachment) bool, change func(*attachment)) {
	a := b.unspoilt(fits)
	if a == nil {
		return
	}
	a.mistake = kind
	if change != nil {
		change(a)
	}
	m := Mistake{Kind: kind, Code: code, Table: "attachments", RecordID: a.id, File: a.path}
	if kind == MistakeUnlisted {
		m.RecordID = ""
	}
	b.spoil(m)
}

// spoilPair spoils an attachment by likening it to another.
func (b *block) spoilPair(kind, code string, change func(a, other *attachment)) {
	other := b.unspoilt(listed)
	if other == nil {
		return
	}
	other.mistake = "like-" + kind
	a := b.unspoilt(listed)
	if a == nil {
		other.mistake = ""
		return
	}
	a.mistake = kind
	change(a, other)
	b.spoil(Mistake{
		Kind: kind, Code: code, Table: "attachments", RecordID: a.id, File: a.path,
		Detail: "like " + other.path + " of " + other.id,
	})
}

// addSymlink adds an entry that points out of the bundle.
func (b *block) addSymlink() {
	n := b.n*maxDocuments + len(b.attachments)
	a := attachment{
		n: n, id: b.agency.id(kindGhost, n), path: fmt.Sprintf("Other/latest-%d.pdf", b.n), unlisted: true,
		mistake: MistakeSymlink, instead: []byte("../../../../etc/hostname"), created: b.agency.now,
		content: content{format: "txt"},
	}
	b.attachments = append(b.attachments, a)
	b.spoil(Mistake{
		Kind: MistakeSymlink, Code: "entry-refused", File: a.path,
		Detail: "a symbolic link to ../../../../etc/hostname",
	})
}

// spoilCVs loses one CV and adds one that names nobody.
func (b *block) spoilCVs() {
	i := slices.IndexFunc(b.cvs, func(a attachment) bool { return b.filesWithCV(a.owner.ID) == 1 })
	if i >= 0 {
		lost := b.cvs[i]
		b.cvs = slices.Delete(b.cvs, i, i+1)
		b.spoil(Mistake{
			Kind: MistakeNoCV, Code: "cv-missing", Table: "candidates", RecordID: lost.owner.ID,
			File: lost.path,
		})
	}
	n := b.n*maxDocuments + maxDocuments - 1
	p := content{
		format: "pdf", title: "Scan", lines: []string{"A page without a name"}, target: 20_000,
		key: mix(b.agency.seed ^ uint64(n)),
	}
	a := attachment{
		n: n, id: b.agency.id(kindCV, n), path: fmt.Sprintf("scan%04d.pdf", b.n+1), kind: "CV", isCV: true,
		created: b.agency.now, content: p, mistake: MistakeStrayCV,
	}
	a.name = a.path
	b.cvs = append(b.cvs, a)
	b.spoil(Mistake{Kind: MistakeStrayCV, Code: "owner-unknown", File: a.path})
}

// filesWithCV returns in how many files of both parts a candidate's CV is.
func (b *block) filesWithCV(owner string) (n int) {
	for i := range b.cvs {
		if b.cvs[i].owner.ID == owner {
			n++
		}
	}
	for i := range b.attachments {
		if a := &b.attachments[i]; a.owner.ID == owner && a.isCV {
			n++
		}
	}
	return n
}

// spoilCandidate gives one candidate a salary in words.
func (b *block) spoilCandidate(f *csvFile, c *candidate) {
	if b.agency.mistakes && c.n == 5 {
		f.put("current_salary", "negotiable")
		b.spoil(Mistake{
			Kind: MistakeNumberInWords, Code: "cells-rejected", Table: "candidates", RecordID: c.id,
			Detail: "current_salary is negotiable",
		})
	}
}

// spoilCard lets the second card of the first job refer to a candidate that does not exist.
func (b *block) spoilCard(f *csvFile, c *card) {
	if b.agency.mistakes && c.n == 1 {
		ghost := b.agency.id(kindGhost, c.n)
		f.put("candidate_id", ghost)
		b.spoil(Mistake{
			Kind: MistakeDangling, Code: "reference-dangling", Table: "job_pipelines", RecordID: c.id,
			Detail: "candidate_id " + ghost + " is nobody's",
		})
	}
}

// endCompany writes the first company twice.
func (s csvSet) endCompany(b *block, c *company) error {
	f := s["companies"]
	if b.agency.mistakes && c.n == 0 {
		again := slices.Clone(f.cells)
		if err := f.end(); err != nil {
			return err
		}
		copy(f.cells, again)
		b.spoil(Mistake{Kind: MistakeDuplicateKey, Code: "duplicate-key", Table: "companies", RecordID: c.id})
	}
	return f.end()
}

// endTask gives the first task a cell too many and the second two too few.
func (s csvSet) endTask(b *block, t *task) error {
	f := s["tasks"]
	switch {
	case b.agency.mistakes && t.n == 0:
		f.ragged(append(slices.Clone(f.cells), "one more"))
		b.spoil(Mistake{Kind: MistakeLongRow, Code: "rows-ragged", Table: "tasks", RecordID: t.id})
	case b.agency.mistakes && t.n == 1:
		f.ragged(f.cells[:len(f.cells)-2])
		b.spoil(Mistake{Kind: MistakeShortRow, Code: "rows-ragged", Table: "tasks", RecordID: t.id})
	default:
		return f.end()
	}
	return nil
}

// ragged writes a record of another width and starts an empty one; a write error comes back from finish.
func (c *csvFile) ragged(cells []string) {
	c.rows++
	c.writeRecord(cells)
	clear(c.cells)
}
