package master

import (
	"archive/zip"
	"bytes"
	"cmp"
	"encoding/csv"
	"encoding/xml"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"holdall/fetch/failure"
	"holdall/fetch/link"
)

// A workbook (.xlsx, ECMA-376) is a ZIP of XML files. What is needed of it is little: the text of the cells,
// and the links behind them, which are kept apart from the cells. Names are compared without their
// namespaces, of which there are two sets.

// workbook returns a workbook's cells as CSV, one sheet after the other.
func (m *CSV) workbook(files map[string]*zip.File) ([]byte, error) {
	var sheets []string
	for name := range files {
		if ok, _ := path.Match("xl/worksheets/*.xml", name); ok {
			sheets = append(sheets, name)
		}
	}
	// sheet2 before sheet10
	slices.SortFunc(
		sheets, func(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) },
	)
	var out bytes.Buffer
	w := csv.NewWriter(&out)
	shared, err := sharedStrings(files["xl/sharedStrings.xml"])
	for _, name := range sheets {
		if err != nil {
			break
		}
		err = writeSheet(w, files, name, shared)
	}
	w.Flush()
	if err != nil || len(sheets) == 0 || !link.In(out.String()) {
		return nil, &failure.Error{
			Code: failure.NotTheExport, Message: "this is an Excel workbook, and no link can be read from it",
			Hint: hintSaveAsCSV, Err: err,
		}
	}
	m.Notes = append(
		m.Notes, "the master CSV was saved as an Excel workbook; its links were read from the cells",
	)
	return out.Bytes(), nil
}

// A sheetText is the text of a cell or of a shared string: whole, or in runs that are formatted differently.
type sheetText struct {
	T    string `xml:"t"`
	Runs []struct {
		T string `xml:"t"`
	} `xml:"r"`
}

func (t sheetText) String() string {
	s := t.T
	for _, r := range t.Runs {
		s += r.T
	}
	return s
}

func sharedStrings(f *zip.File) ([]string, error) {
	if f == nil {
		return nil, nil
	}
	var x struct {
		Items []sheetText `xml:"si"`
	}
	if err := readXML(f, &x); err != nil {
		return nil, err
	}
	var all []string
	for _, item := range x.Items {
		all = append(all, item.String())
	}
	return all, nil
}

func readXML(f *zip.File, into any) error {
	b, err := readZIPMember(f)
	if err == nil {
		err = xml.Unmarshal(b, into)
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", f.Name, err)
	}
	return nil
}

type worksheet struct {
	Rows []struct {
		Cells []sheetCell `xml:"c"`
	} `xml:"sheetData>row"`
	Links []struct {
		Ref string `xml:"ref,attr"`
		ID  string `xml:"id,attr"`
	} `xml:"hyperlinks>hyperlink"`
}

type sheetCell struct {
	Ref     string    `xml:"r,attr"`
	Type    string    `xml:"t,attr"`
	Value   string    `xml:"v"`
	Formula string    `xml:"f"`
	Inline  sheetText `xml:"is"`
}

// writeSheet writes one sheet's rows.
func writeSheet(w *csv.Writer, files map[string]*zip.File, name string, shared []string) error {
	var sheet worksheet
	if err := readXML(files[name], &sheet); err != nil {
		return err
	}
	targets, err := linkTargets(files[path.Dir(name)+"/_rels/"+path.Base(name)+".rels"])
	if err != nil {
		return err
	}
	behind := map[string]string{} // cell: link
	for _, l := range sheet.Links {
		first, _, _ := strings.Cut(l.Ref, ":")
		behind[first] = targets[l.ID]
	}
	for _, row := range sheet.Rows {
		var record []string
		for _, c := range row.Cells {
			if column := columnOf(c.Ref); column > len(record) && column < 1000 {
				record = append(record, make([]string, column-len(record))...)
			}
			record = append(record, c.text(shared, behind[c.Ref]))
		}
		if err := w.Write(record); err != nil {
			return err
		}
	}
	return nil
}

// text is what the cell would be in a CSV: a link that lies after its text is put after it.
func (c sheetCell) text(shared []string, href string) string {
	s := c.Value
	switch c.Type {
	case "s":
		if i, err := strconv.Atoi(strings.TrimSpace(c.Value)); err == nil && i >= 0 && i < len(shared) {
			s = shared[i]
		}
	case "inlineStr":
		s = c.Inline.String()
	}
	switch {
	case link.In(s):
		return s
	case link.In(c.Formula):
		return "=" + c.Formula
	case link.In(href):
		return strings.TrimSpace(s + " " + href)
	}
	return s
}

// columnOf returns the column of a cell's name, from 0; -1 where it has none. B2 is in column 1.
func columnOf(ref string) int {
	n := 0
	for i := range len(ref) {
		if ref[i] < 'A' || ref[i] > 'Z' || n > 1<<20 {
			break
		}
		n = n*26 + int(ref[i]-'A') + 1
	}
	return n - 1
}

// linkTargets returns where the links of a sheet lead, by their IDs.
func linkTargets(f *zip.File) (map[string]string, error) {
	if f == nil {
		return nil, nil
	}
	var x struct {
		All []struct {
			ID     string `xml:"Id,attr"`
			Target string `xml:"Target,attr"`
		} `xml:"Relationship"`
	}
	if err := readXML(f, &x); err != nil {
		return nil, err
	}
	targets := map[string]string{}
	for _, r := range x.All {
		targets[r.ID] = r.Target
	}
	return targets, nil
}
