// Package master reads master CSVs: the small file, from people's hands, in whatever form, whose links lead
// to an export. Read is what to call first. It finds the links in a CSV, a workbook or a compressed file,
// says which part of the export each promises, and names what was handed over by mistake. It asks no network.
package master

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/text/encoding/unicode"

	"holdall/fetch/failure"
	"holdall/fetch/link"
	"holdall/fetch/loosecsv"
	"holdall/internal/redact"
)

// A CSV is a master CSV: the links that lead to an export.
type CSV struct {
	Raw   []byte    // as received, secrets and all; never written anywhere
	Links []Link    // in the order found
	Notes []string  // what was odd and how it was read, for the user; no secrets
	Date  time.Time // when it was made, as far as known; zero otherwise. Vendor links live 7 days from it

	text string // Raw as CSV in UTF-8, whatever it came in; secrets and all
}

// A Link is one link of a master CSV, with what the CSV says about it.
type Link struct {
	Part   link.Part
	Label  string // the heading, neighbouring cell or file name that the Part was taken from
	Link   link.Link
	Repair string // how a damaged link was repaired, or empty

	unlabelled bool // neither its cell nor one next to it names a part
}

// Read finds the links in a master CSV. One that was saved as an Excel workbook, compressed, or put into a
// ZIP is read as well. Anything else, or a file without any link, is an *Error that names what it is.
func Read(raw []byte) (*CSV, error) {
	m := &CSV{Raw: raw}
	plain, err := m.unpacked()
	if err != nil {
		return nil, err
	}
	if e := mistakenBinary(plain); e != nil {
		return nil, e
	}
	m.text = m.decode(plain)
	if e := mistakenText(m.text); e != nil {
		return nil, e
	}
	g := loosecsv.Read(m.text)
	columns := map[int]bool{}
	for _, row := range g.Rows {
		for c, cell := range row {
			if link.In(cell.Text) {
				columns[c] = true
			}
		}
	}
	for r, row := range g.Rows {
		for c, cell := range row {
			m.takeCell(g, r, c, cell.Text, len(columns) > 1)
		}
	}
	if len(m.Links) == 0 {
		return nil, &failure.Error{
			Code: failure.NotTheExport, Message: "the master CSV has no link",
			Hint: "use the file that the link in the export e-mail leads to, or that link itself",
		}
	}
	m.leaveOutHelp()
	m.addNotes()
	return m, nil
}

// exportFile is how the path of a link ends that leads to a part of an export.
var exportFile = regexp.MustCompile(`(?i)\.(zip|tar|tgz|gz|zst|csv|tsv|json|xml|xlsx|7z|rar|\d{3})$`)

// pathToken is what may give access in a path: a long word with a digit in it.
var pathToken = regexp.MustCompile(`/[\w-]*\d[\w-]{12,}|/[\w-]{12,}\d[\w-]*`)

// leaveOutHelp drops links that accompany an export and are not part of it: the vendor's help pages, in a
// note below the table. Such a link leads to another host than all that have a label, has none of its own,
// and nothing in it gives access or names a file.
func (m *CSV) leaveOutHelp() {
	hosts := map[string]bool{} // of labelled links
	for _, l := range m.Links {
		if !l.unlabelled {
			hosts[l.Link.Host()] = true
		}
	}
	m.Links = slices.DeleteFunc(m.Links, func(l Link) bool {
		u := l.Link.URL()
		secret := u.RawQuery != "" || u.User != nil || pathToken.MatchString(u.Path)
		help := len(hosts) > 0 && !hosts[l.Link.Host()] && l.unlabelled && !secret &&
			!exportFile.MatchString(u.Path)
		if help {
			m.Notes = append(m.Notes, fmt.Sprintf(
				"%s is not followed: it is in a note, and leads to another host than the export's links",
				l.Link,
			))
		}
		return help
	})
}

// OnlyLink returns the link of a file that holds nothing else, not even a word on what it leads to.
func (m *CSV) OnlyLink() (link.Link, bool) {
	t := strings.Trim(strings.TrimSpace(m.text), `<>"`)
	if len(m.Links) != 1 || strings.ContainsAny(t, " \t\r\n,;") || !startsFold(t, "http") {
		return link.Link{}, false
	}
	return m.Links[0].Link, true
}

// decode returns a text as UTF-8, and notes when it was not.
func (m *CSV) decode(raw []byte) string {
	var enc string
	var order unicode.Endianness
	switch {
	case bytes.HasPrefix(raw, []byte{0xEF, 0xBB, 0xBF}):
		return string(raw[3:])
	case bytes.HasPrefix(raw, []byte{0xFF, 0xFE}), looksUTF16(raw, 1):
		enc, order = "UTF-16 (little-endian)", unicode.LittleEndian
	case bytes.HasPrefix(raw, []byte{0xFE, 0xFF}), looksUTF16(raw, 0):
		enc, order = "UTF-16 (big-endian)", unicode.BigEndian
	case utf8.Valid(raw):
		return string(raw)
	default:
		m.Notes = append(m.Notes, "the master CSV is not UTF-8; its labels were read as Latin-1")
		runes := make([]rune, len(raw))
		for i, b := range raw {
			runes[i] = rune(b)
		}
		return string(runes)
	}
	m.Notes = append(m.Notes, "the master CSV is "+enc)
	out, err := unicode.UTF16(order, unicode.UseBOM).NewDecoder().Bytes(raw)
	if err != nil {
		return string(raw)
	}
	return string(out)
}

// looksUTF16 recognises UTF-16 without a mark by the zeros at every other byte; zero is where they stand in
// each pair.
func looksUTF16(raw []byte, zero int) bool {
	if len(raw) < 16 || len(raw)%2 != 0 {
		return false
	}
	for i := 0; i < 16; i += 2 {
		if raw[i+zero] != 0 || raw[i+1-zero] == 0 {
			return false
		}
	}
	return true
}

// takeCell adds the links of one cell.
func (m *CSV) takeCell(g *loosecsv.Table, r, c int, text string, manyColumns bool) {
	for _, found := range link.Find(text) {
		whole, repair := link.Unwrap(found)
		href, err := link.New(whole)
		if err != nil {
			m.Notes = append(m.Notes, fmt.Sprintf("row %d: %v", r+1, err))
			continue
		}
		part, label := classify(labels(g, r, c, href, manyColumns))
		m.Links = append(m.Links, Link{
			Part: part, Label: label, Link: href, Repair: repair, unlabelled: !labelledIn(g.Rows[r]),
		})
	}
}

// labelledIn reports whether a cell of a row names a part.
func labelledIn(row []loosecsv.Cell) bool {
	return slices.ContainsFunc(row, func(c loosecsv.Cell) bool {
		return link.PartOf(link.Strip(c.Text)) != link.PartUnknown
	})
}

// classify returns the part that the first telling label names, and that label; else the first label.
func classify(labels []string) (link.Part, string) {
	first := ""
	for _, l := range labels {
		if p := link.PartOf(l); p != link.PartUnknown {
			return p, l
		}
		if first == "" {
			first = l
		}
	}
	return link.PartUnknown, first
}

// addNotes reports what is unusual about the links as a whole.
func (m *CSV) addNotes() {
	seen := map[link.Link]int{}
	count := map[link.Part]int{}
	for _, l := range m.Links {
		if seen[l.Link]++; seen[l.Link] == 2 {
			m.Notes = append(
				m.Notes,
				"the master CSV has the same link more than once ("+l.Link.String()+
					"); it is fetched once",
			)
		}
		if seen[l.Link] == 1 {
			count[l.Part]++
		}
		if l.Repair != "" {
			m.Notes = append(m.Notes, l.Repair+" ("+l.Link.String()+")")
		}
	}
	for _, p := range []link.Part{link.PartData, link.PartAttachments, link.PartCVs} {
		if count[p] == 0 {
			m.Notes = append(m.Notes, "no link for "+p.Noun())
		}
	}
	if n := count[link.PartUnknown]; n > 0 {
		m.Notes = append(m.Notes, fmt.Sprintf("nothing says which part %d of the links are", n))
	}
}

// Redacted returns the master CSV with each link's secrets replaced; everything else is as received, but in
// UTF-8. Of a workbook it is the cells, as CSV.
func (m *CSV) Redacted() []byte {
	text := m.text
	var b strings.Builder
	at := 0
	for _, row := range loosecsv.Read(text).Rows {
		for _, cell := range row {
			b.WriteString(text[at:cell.Start])
			b.WriteString(redactCell(text[cell.Start:cell.End], cell.Text))
			at = cell.End
		}
	}
	b.WriteString(text[at:])
	return []byte(b.String())
}

// straySecret is what looks like the rest of a link that was cut in two: an assignment, or a long run of what
// signatures are made of.
var straySecret = regexp.MustCompile(`([\w-]+=)[^\s"'<>]{12,}|[A-Za-z0-9%+/_=-]{32,}`)

// redactCell redacts a cell as it is in the file. What counts is its text: quotes in odd places may cut a
// link in two. A cell that is nothing but one link is redacted whole: one that has lost its escaping may have
// spaces in its signature.
func redactCell(raw, text string) string {
	quoted := strings.HasPrefix(strings.TrimLeft(raw, " "), `"`)
	if quoted && link.In(text) {
		raw = text
	}
	if links := link.Find(text); len(links) == 1 && strings.ContainsAny(links[0], " \t") {
		raw = strings.ReplaceAll(raw, links[0], redact.URL(links[0]))
	}
	raw = straySecret.ReplaceAllString(redact.Text(raw), "$1"+redact.Hidden)
	if quoted && link.In(text) {
		raw = `"` + strings.ReplaceAll(raw, `"`, `""`) + `"`
	}
	return raw
}
