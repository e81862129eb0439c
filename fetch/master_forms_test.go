package fetch

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"holdall/fetch/failure"
	"holdall/fetch/link"
	"holdall/fetch/master"
)

// zipFile makes a ZIP of names and contents, in pairs.
func zipFile(t testing.TB, pairs ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i < len(pairs); i += 2 {
		w, err := z.Create(pairs[i])
		if err == nil {
			_, err = w.Write([]byte(pairs[i+1]))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

const (
	sheetHead = `<?xml version="1.0" encoding="UTF-8"?><worksheet ` +
		`xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" ` +
		`xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheetData>`
	workbookXML = `<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"/>`
)

// escaped is a link as it is in XML.
func escaped(link string) string { return strings.ReplaceAll(link, "&", "&amp;") }

// excelWorkbook is what Excel makes of a master CSV: texts in a table of their own, one in pieces, links
// behind the cells.
func excelWorkbook(t testing.TB) []byte {
	return zipFile(t, "xl/workbook.xml", workbookXML,
		"xl/sharedStrings.xml",
		`<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><si><t>Data files</t>`+
			`</si><si><r><t>Attach</t></r><r><t>ments</t></r></si>`+
			`<si><t>Internal CVs</t></si><si><t>Download</t></si><si><t>`+escaped(cvsURL)+`</t></si></sst>`,
		"xl/worksheets/sheet1.xml",
		sheetHead+`<row r="3"><c r="B3" t="s"><v>0</v></c><c r="D3" t="s"><v>3</v></c></row>`+
			`<row r="4"><c r="B4" t="s"><v>1</v></c><c r="D4" t="str"><f>HYPERLINK("`+escaped(attachURL)+
			`","get")</f><v>get</v></c></row>`+
			`<row r="5"><c r="B5" t="s"><v>2</v></c><c r="D5" t="s"><v>4</v></c></row></sheetData>`+
			`<hyperlinks><hyperlink ref="D3" r:id="rId7"/><hyperlink ref="D5" r:id="rId8"/></hyperlinks>`+
			`</worksheet>`,
		"xl/worksheets/_rels/sheet1.xml.rels",
		`<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">`+
			`<Relationship Id="rId7" Target="`+escaped(dataURL)+
			`" TargetMode="External"/><Relationship Id="rId8" Target="`+escaped(cvsURL)+`"/></Relationships>`)
}

func gzipped(t testing.TB, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	w.Write(b)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func testPackedMaster(t *testing.T) {
	plain := "Part,Link\nData files," + dataURL + "\nAttachments," + attachURL + "\nInternal CVs," + cvsURL +
		"\n"
	inline := func(s string) string { return `<c t="inlineStr"><is><t>` + escaped(s) + `</t></is></c>` }
	for _, tc := range []struct {
		name string
		raw  []byte
		note string
	}{
		{"a workbook of Excel", excelWorkbook(t), "Excel workbook"},
		{"a workbook of a program that puts texts into the cells",
			zipFile(t, "xl/workbook.xml", workbookXML, "xl/worksheets/sheet1.xml", sheetHead+
				`<row>`+inline("Data files")+inline("Attachments")+inline("CVs")+`</row><row>`+
				inline(dataURL)+inline(attachURL)+inline(cvsURL)+`</row></sheetData></worksheet>`),
			"Excel workbook"},
		{"gzip", gzipped(t, []byte(plain)), "gzip"},
		{
			"a ZIP that a Mac made",
			zipFile(
				t, "Export/", "", "Export/master.csv", plain, "__MACOSX/Export/._master.csv",
				"\x00\x05\x16\x07",
			),
			"in a ZIP",
		},
		{"a workbook in a ZIP", zipFile(t, "master.xlsx", string(excelWorkbook(t))), "Excel workbook"},
	} {
		m, err := master.Read(tc.raw)
		if err != nil {
			t.Errorf("%s: %v", tc.name, err)
			continue
		}
		got := map[link.Part]string{}
		for _, l := range m.Links {
			got[l.Part] = l.Link.Secret()
		}
		if d := cmp.Diff(
			map[link.Part]string{
				link.PartData: dataURL, link.PartAttachments: attachURL, link.PartCVs: cvsURL,
			},
			got,
		); d != "" || len(m.Links) != 3 {
			t.Errorf("%s: %d links (-want +got):\n%s", tc.name, len(m.Links), d)
		}
		if notes := strings.Join(m.Notes, "\n"); !strings.Contains(notes, tc.note) {
			t.Errorf("%s: notes %q, want one with %q", tc.name, notes, tc.note)
		}
		if red := string(m.Redacted()); strings.Contains(red, secret) ||
			!strings.Contains(red, "https://files.example.com/") {
			t.Errorf("%s: the redacted copy is %q", tc.name, red)
		}
	}
}

type mistakenCase struct{ name, raw, what, hint string }

// mistakenCases is one table, which reads best in one piece: hence its length.
func mistakenCases(t *testing.T) []mistakenCase {
	const link = "https://example.com/download?token=" + secret
	compound := "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + strings.Repeat("\x00", 600)
	return []mistakenCase{
		{"a PDF", "%PDF-1.7\n" + link, "a PDF", "save the CSV"},
		{
			"a mail",
			"Return-Path: <noreply@example.com>\r\nFrom: Exports <noreply@example.com>\r\nTo: " +
				"ops@example.com\r\nSubject: Your export\r\n\r\nIt is here: " + link,
			"a mail", "save the CSV",
		},
		{
			"an mbox",
			"From MAILER Thu Nov 26\nFrom: Exports <noreply@example.com>\nDate: x\nSubject: y\n\n" + link,
			"a mail", "save the CSV",
		},
		{
			"a mail of Outlook", compound + string(inUTF16("__properties_version1.0", false)) + link,
			"Outlook", "save the CSV",
		},
		{"an old workbook", compound + string(inUTF16("Workbook", false)) + link, ".xls", "save it as CSV"},
		{
			"a locked workbook", compound + string(inUTF16("EncryptedPackage", false)), "password",
			"save it as CSV",
		},
		{
			"a document of LibreOffice",
			string(zipFile(
				t, "mimetype", "application/vnd.oasis.opendocument.spreadsheet", "content.xml", "<a/>",
			)),
			"LibreOffice", "save it as CSV",
		},
		{"a document of Numbers", string(zipFile(t, "Index/Document.iwa", "x")), "Numbers", "save it as CSV"},
		{
			"a workbook without links",
			string(zipFile(
				t, "xl/workbook.xml", workbookXML, "xl/worksheets/sheet1.xml",
				sheetHead+"</sheetData></worksheet>",
			)),
			"Excel workbook", "save it as CSV",
		},
		{"a workbook that is cut off", string(excelWorkbook(t)[:700]), "cut off", "export e-mail"},
		{"a shortcut of Windows", "[InternetShortcut]\r\nURL=" + link + "\r\n", "shortcut", "save the CSV"},
		{
			"a shortcut of a Mac",
			`<?xml version="1.0"?>` + "\n<!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST " +
				"1.0//EN\">\n<plist><dict><key>URL</key><string>" + link + "</string></dict></plist>",
			"shortcut", "save the CSV",
		},
		{
			"a page with links in it", "<html><body><a href=\"" + link + "\">Data files</a></body></html>",
			"web page", "new master CSV",
		},
		{"a photo of the mail", "\xff\xd8\xff\xe0\x00\x10JFIF\x00" + link, "an image", "export e-mail"},
		{"a photo of a telephone", "\x00\x00\x00\x18ftypheic\x00\x00", "an image", "export e-mail"},
		{
			"the export itself",
			string(zipFile(
				t, "export/Candidates.csv", "Candidate Id\n1\n", "export/Jobs.csv", "Job Id\n2\n",
			)),
			"Candidates.csv", "holdall fetches them itself",
		},
		{
			"a ZIP of documents", string(zipFile(t, "a.pdf", "%PDF", "b.pdf", "%PDF")), "a ZIP",
			"holdall fetches them itself",
		},
		{
			"a table of the export, with links in it",
			"Candidate Id,Full Name,Email,LinkedIn Url,Created On\nacme1,Ada " +
				"Oduya,ada@example.com,https://www.linkedin.com/in/ada,2024-01-02\n",
			"Candidates.csv", "holdall fetches them itself",
		},
		{"noise", "\x01\x00\x02\x00\x00\x07" + link, "binary file", "export e-mail"},
	}
}

func testMistakenForMaster(t *testing.T) {
	for _, tc := range mistakenCases(t) {
		_, err := master.Read([]byte(tc.raw))
		var e *failure.Error
		if !errors.As(err, &e) || e.Code != failure.NotTheExport || !strings.Contains(e.Message, tc.what) ||
			!strings.Contains(e.Hint, tc.hint) {
			t.Errorf("%s: %+v, want it named %q and a hint with %q", tc.name, err, tc.what, tc.hint)
			continue
		}
		if strings.Contains(e.Error()+e.Hint, secret) {
			t.Errorf("%s: the error tells the secret: %v", tc.name, e)
		}
	}
}

// What looks like one of the mistakes, and is none.
func TestOddMastersAreRead(t *testing.T) {
	for _, tc := range []struct{ name, raw string }{
		{
			"labels that end in a colon, as in a mail",
			"Subject: full export\nData files: " + dataURL + "\nAttachments: " + attachURL + "\n",
		},
		{
			"a list with an ID, a name, a type and a size for each link",
			"Id,File Name,File Type,Size,Url\n1,data,zip,5," + dataURL + "\n2,attachments,zip,7," +
				attachURL + "\n",
		},
		{"a list of links in angle brackets", "<" + dataURL + ">\n<" + attachURL + ">\n"},
		{
			"a note with a link to the vendor's help below them",
			"Part,Link\nData files," + dataURL + "\nAttachments," + attachURL +
				"\n\nAnything missing? Read https://support.vendor.test/full-export or ask us.\n",
		},
		{
			"two links without labels on hosts of their own",
			dataURL + "\nhttps://cdn.vendor.test/d/7f3kq09xw2mz81tb\n",
		},
		{"links in JSON", `{"data":"` + dataURL + `","attachments":"` + attachURL + `"}`},
	} {
		if m, err := master.Read([]byte(tc.raw)); err != nil || len(m.Links) != 2 {
			t.Errorf("%s: %+v, %v; want two links", tc.name, m, err)
		}
	}
}

func TestOnlyLink(t *testing.T) {
	for text, want := range map[string]bool{
		opaqueURL: true, "\ufeff<" + opaqueURL + ">\r\n\r\n": true, "\"" + opaqueURL + "\"\n": true,
		"Data files," + opaqueURL: false, opaqueURL + "\n" + dataURL: false,
		"the export: " + opaqueURL: false, "Link\n" + opaqueURL: false,
	} {
		m, err := master.Read([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if link, only := m.OnlyLink(); only != want || only && link.Secret() != opaqueURL {
			t.Errorf("%q: %v, want %v", text, only, want)
		}
	}
}
