package tablefiles

import (
	"encoding/csv"
	"io"

	"holdall/query"
)

// writeColumns writes what is known of each column as CSV.
func writeColumns(out io.Writer, tables []query.TableReport) error {
	if _, err := io.WriteString(out, "\uFEFF"); err != nil { // for Excel
		return err
	}
	w := csv.NewWriter(out)
	w.Write([]string{"table", "column", "type", "heading", "sensitive", "description"})
	for _, t := range tables {
		w.Write([]string{t.Table, "", t.Kind, t.File, "", t.Description})
		for _, c := range t.Columns {
			sensitive := ""
			if c.Sensitive {
				sensitive = "sensitive"
			}
			w.Write([]string{t.Table, c.Column, c.Type, c.Heading, sensitive, c.Description})
		}
	}
	w.Flush()
	return w.Error()
}
