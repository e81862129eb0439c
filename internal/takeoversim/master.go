package takeoversim

import (
	"fmt"
	"html"
	"strings"
)

// masterForms are the ways in which a master CSV has been seen or may be thought to be written, the plain one
// first.
var masterForms = []string{
	"rows", "columns", "hyperlink", "escaped", "bare", "semicolon", "utf-16", "titled", "quoted",
}

// masterCSV writes the master CSV of the present links.
func (w *World) masterCSV() []byte {
	words := map[string]string{"data": "Data Files", "attachments": "Attachments", "cvs": "Internal CVs"}
	var labels, links []string
	for _, o := range w.objects[w.server.state.Generation] {
		labels = append(labels, words[o.part])
		links = append(links, w.link(o, w.server.state.Issue))
	}
	d := dialect{delimiter: ",", quoting: "minimal", lineEnd: "\r\n", encoding: "utf-8"}
	rows := [][]string{{"Type", "Download Link"}}
	add := func(cell func(i int) string) {
		for i := range links {
			rows = append(rows, []string{labels[i], cell(i)})
		}
	}
	plain := func(i int) string { return links[i] }
	switch w.masterMore {
	case "markdown":
		plain = func(i int) string { return "[Download](" + links[i] + ")" }
	case "brackets":
		plain = func(i int) string { return "<" + links[i] + ">" }
	}
	switch w.master {
	case "columns":
		rows = [][]string{labels, links}
	case "hyperlink":
		add(func(i int) string { return fmt.Sprintf(`=HYPERLINK("%s","Download")`, links[i]) })
	case "escaped":
		add(func(i int) string { return strings.ReplaceAll(links[i], "&", "&amp;") })
	case "bare":
		rows = nil
		for _, l := range links {
			rows = append(rows, []string{l})
		}
	case "titled":
		rows = [][]string{{"Your full data export"}, {""}, rows[0]}
		add(plain)
	default:
		add(plain)
	}
	if w.master == "rows" {
		rows = moreInMaster(rows, w.masterMore)
	}
	if w.workbook {
		return workbook(rows)
	}
	switch w.master {
	case "semicolon":
		d.delimiter = ";"
	case "utf-16":
		d.encoding, d.delimiter = "utf-16", "\t"
	case "quoted":
		d.quoting = "all"
	}
	var b strings.Builder
	for _, row := range rows {
		d.record(&b, row)
	}
	return d.encode(b.String())
}

// moreInMaster adds what else a master CSV may say.
func moreInMaster(rows [][]string, more string) [][]string {
	for i := range rows {
		switch more {
		case "expiry":
			rows[i] = append(rows[i], []string{"Expires", "in 7 days"}[min(i, 1)])
		case "numbered":
			rows[i] = append([]string{[]string{"No.", fmt.Sprint(i)}[min(i, 1)]}, rows[i]...)
		}
	}
	if more == "note-below" {
		rows = append(rows, []string{""}, []string{
			"Questions? See https://help.vendor.example/exports or write to help@vendor.example",
		})
	}
	return rows
}

// workbook is a table as Excel saves it (ECMA-376): each cell's text in the cell itself.
func workbook(rows [][]string) []byte {
	var b strings.Builder
	const namespace = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
	fmt.Fprintf(&b, `<?xml version="1.0" encoding="UTF-8"?><worksheet xmlns="%s"><sheetData>`, namespace)
	for i, row := range rows {
		fmt.Fprintf(&b, `<row r="%d">`, i+1)
		for j, cell := range row {
			fmt.Fprintf(
				&b, `<c r="%c%d" t="inlineStr"><is><t>%s</t></is></c>`, 'A'+j, i+1, html.EscapeString(cell),
			)
		}
		b.WriteString("</row>")
	}
	b.WriteString("</sheetData></worksheet>")
	part := func(name, content string) file { return file{name: name, data: []byte(content)} }
	return zipped([]file{
		part("xl/workbook.xml", `<workbook xmlns="`+namespace+`"><sheets><sheet name="Sheet1" sheetId="1"/>`+
			`</sheets></workbook>`),
		part("xl/worksheets/sheet1.xml", b.String()),
	}, zipStyle{})
}
