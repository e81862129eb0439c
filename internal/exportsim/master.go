package exportsim

import (
	"bytes"
	"encoding/csv"
	"html"
	"net/url"
	"time"
)

// masterFaults are master CSVs of other forms, and damaged ones: see MasterCSV.
var masterFaults = []fault{
	{Fault: Fault{
		"master-wide", "the master CSV has a column for each part instead of a row for each object",
	}},
	{Fault: Fault{"master-semicolon", "the master CSV is separated by semicolons and begins with a BOM"}},
	{Fault: Fault{"master-two-links", "the master CSV lacks the internal CVs"}},
	{Fault: Fault{"master-renamed", "the master CSV's headings and labels are others"}},
	{Fault: Fault{"link-hyperlink", `links are written =HYPERLINK("…","Download")`}},
	{Fault: Fault{"link-escaped", "links are HTML-escaped: &amp; between parameters"}},
	{Fault: Fault{"link-plus", "links have %2F and the like escaped twice: %252F"}},
	{Fault: Fault{"link-safelinks", "links are wrapped by a mail filter"}},
}

var partLabels = map[string]string{"data": "Data Files", "attachments": "Attachments", "cvs": "Internal CVs"}

// MasterCSV returns a master CSV with new links: a row for each object with its part, name, link and when the
// link dies. Listings are signed again with it; where that fails, for lack of disk space, the earlier ones
// stay.
func (s *Server) MasterCSV() []byte {
	objects := s.masterObjects()
	at := s.now()
	heading, label := []string{"Part", "File", "Link", "Expires"}, func(part string) string {
		return partLabels[part]
	}
	if s.has("master-renamed") {
		heading = []string{"What", "Name", "Download here", "Until"}
		label = func(part string) string {
			return map[string]string{
				"data": "CSV data", "attachments": "Uploaded documents", "cvs": "CV archive",
			}[part]
		}
	}
	rows := [][]string{heading}
	for _, o := range objects {
		if o.Part == "cvs" && s.has("master-two-links") {
			continue
		}
		rows = append(
			rows,
			[]string{
				label(o.Part), o.Name, s.masterLink(o, at), at.Add(s.e.cfg.Expire).UTC().Format(time.RFC3339),
			},
		)
	}
	if s.has("master-wide") {
		rows = wide(rows)
	}
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	if s.has("master-semicolon") {
		b.WriteString("\ufeff")
		w.Comma = ';'
	}
	w.WriteAll(rows) // nothing fails into a buffer
	return b.Bytes()
}

// masterLink is the link to o as the master CSV writes it.
func (s *Server) masterLink(o Object, at time.Time) string {
	link := s.link(s.root()+url.PathEscape(o.Name), at)
	if s.e.cfg.Shape == ShapeListing && s.e.cfg.listingForm(o.Part) == "xml" && o.Part != "data" {
		link = s.base + s.bucketRoot(o.Part)
	}
	switch {
	case s.has("link-hyperlink"):
		return `=HYPERLINK("` + link + `","Download")`
	case s.has("link-escaped"):
		return html.EscapeString(link)
	case s.has("link-plus"):
		u, query, _ := bytes.Cut([]byte(link), []byte("?"))
		return string(u) + "?" + string(bytes.ReplaceAll(query, []byte("%2F"), []byte("%252F")))
	case s.has("link-safelinks"):
		return "https://safelinks.example/?url=" + url.QueryEscape(link) + "&data=05&reserved=0"
	}
	return link
}

// wide turns a row for each object into a column for each.
func wide(rows [][]string) [][]string {
	out := [][]string{nil, nil}
	for _, r := range rows[1:] {
		out[0], out[1] = append(out[0], r[0]), append(out[1], r[2])
	}
	return out
}
