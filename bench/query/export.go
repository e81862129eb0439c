package main

import (
	"archive/zip"
	"fmt"
	"io"
	"os"
	"strings"

	"holdall/schemas"
)

// parts are the objects of the export.
var parts = []struct{ label, file string }{
	{"Data files", "data.zip"}, {"Attachments", "attachments.zip"}, {"Internal CVs", "cvs.zip"},
}

// make makes the export: one large table, and a document of each kind.
func (x *export) make(rows int, unique bool) error {
	if err := os.MkdirAll(x.path("www"), 0o700); err != nil {
		return err
	}
	csv := x.path("candidates.csv")
	if err := generate(csv, rows, unique); err != nil {
		return err
	}
	defer os.Remove(csv)
	const attachments = "Attachment Id,Record Id,Record Type,File Name,File Size\r\n" +
		"att-1,acme00000000000000000000000000000000,CANDIDATE,letter.txt,6\r\n"
	table, err := os.Open(csv)
	if err != nil {
		return err
	}
	defer table.Close()
	for name, entries := range map[string]map[string]io.Reader{
		"data.zip":        {"Attachments.csv": strings.NewReader(attachments), "Candidates.csv": table},
		"attachments.zip": {"letter.txt": strings.NewReader("hello\n")},
		"cvs.zip":         {"Rhys Gallagher CV.txt": strings.NewReader("a CV\n")},
	} {
		if err := writeZIP(x.path("www/"+name), entries); err != nil {
			return err
		}
	}
	return nil
}

func writeZIP(path string, entries map[string]io.Reader) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	z := zip.NewWriter(f)
	for name, r := range entries {
		w, err := z.Create(name)
		if err != nil {
			return err
		}
		if _, err := io.Copy(w, r); err != nil {
			return err
		}
	}
	return z.Close()
}

// peerSQL is what one would write who knows the file: every column spelt out, with the casts that the
// values need.
func peerSQL(csv, parquet string) string {
	candidates, _ := schemas.ByName(schemas.Recruitly(), "candidates")
	var columns, selected []string
	for _, c := range candidates.Match(headings) {
		name := candidates.Columns[c].Name
		columns = append(columns, fmt.Sprintf("'%s': 'VARCHAR'", name))
		value := name
		switch typ := candidates.Columns[c].Type; typ {
		case "VARCHAR":
		case "VARCHAR[]":
			value = "string_split(" + name + ", ';')"
		case "DATE":
			value = "try_strptime(" + name + ", '%d/%m/%Y')::DATE"
		case "TIMESTAMP":
			value = "try_strptime(" + name + ", '%d/%m/%Y %H:%M:%S')"
		case "BOOLEAN":
			value = name + " = 'Yes'"
		default:
			value = fmt.Sprintf("try_cast(%s AS %s)", name, typ)
		}
		selected = append(selected, value+" AS "+name)
	}
	return fmt.Sprintf(`COPY (SELECT %s FROM read_csv('%s', auto_detect=false, header=true, columns={%s},
		delim=',', quote='"', escape='"', new_line='\r\n')) TO '%s' (FORMAT parquet, COMPRESSION zstd)`,
		strings.Join(selected, ", "), csv, strings.Join(columns, ", "), parquet)
}
