package takeover

import (
	"strings"
	"time"

	"holdall/query"
	"holdall/schemas"
)

// The Frictionless Data Package v2 that describes the tables
// (https://datapackage.org/standard/data-package/).
type dataPackage struct {
	Schema    string         `json:"$schema"`
	Name      string         `json:"name"`
	Title     string         `json:"title"`
	Created   time.Time      `json:"created"`
	Resources []dataResource `json:"resources"`
}

type dataResource struct {
	Name        string       `json:"name"`
	Type        string       `json:"type,omitempty"`
	Path        string       `json:"path"`
	Format      string       `json:"format"`
	MediaType   string       `json:"mediatype"`
	Description string       `json:"description,omitempty"`
	Bytes       int64        `json:"bytes"`
	Hash        string       `json:"hash"`
	Rows        int64        `json:"rows"`
	Received    StoredFile   `json:"holdall:received"`
	Further     []StoredFile `json:"holdall:received_further,omitempty"`
	Schema      tableSchema  `json:"schema"`
}

type tableSchema struct {
	Fields      []field      `json:"fields"`
	PrimaryKey  []string     `json:"primaryKey,omitempty"`
	ForeignKeys []foreignKey `json:"foreignKeys,omitempty"`
}

type field struct {
	Name        string `json:"name"`
	Type        string `json:"type"`
	Title       string `json:"title,omitempty"` // the heading as received
	Description string `json:"description,omitempty"`
	Sensitive   bool   `json:"holdall:sensitive,omitempty"`
}

type foreignKey struct {
	Fields    []string  `json:"fields"`
	Reference reference `json:"reference"`
}

type reference struct {
	Resource string   `json:"resource"`
	Fields   []string `json:"fields"`
}

func datapackage(r *Result, created time.Time, schema []schemas.Table, tables []TableRecord) dataPackage {
	p := dataPackage{
		Schema:    "https://datapackage.org/profiles/2.0/datapackage.json",
		Name:      strings.ToLower(r.Export),
		Title:     "Tables of the export " + r.Export,
		Created:   created,
		Resources: []dataResource{},
	}
	known := map[string]schemas.Table{}
	for _, t := range schema {
		known[t.Name] = t
	}
	for _, t := range tables {
		p.Resources = append(p.Resources, dataResource{
			Name: strings.ReplaceAll(t.Table, "_", "-"), Type: "table", Path: t.Parquet.Path,
			Format:      "parquet",
			MediaType:   "application/vnd.apache.parquet",
			Description: known[t.Table].Description,
			Bytes:       t.Parquet.Bytes, Hash: "sha256:" + t.Parquet.SHA256.String(), Rows: t.Rows,
			Received: t.Received, Further: t.Further,
			Schema: describe(t, known[t.Table]),
		})
	}
	return p
}

func describe(t TableRecord, known schemas.Table) tableSchema {
	s := tableSchema{Fields: []field{}}
	present := map[string]bool{}
	for _, c := range t.Columns {
		present[c.Column] = true
		s.Fields = append(
			s.Fields,
			field{
				Name: c.Column, Type: fieldType(c), Title: c.Heading, Description: c.Description,
				Sensitive: c.Sensitive,
			},
		)
	}
	for _, c := range known.Columns {
		if !present[c.Name] {
			continue
		}
		if c.Key == "primary" {
			s.PrimaryKey = append(s.PrimaryKey, c.Name)
		}
		if table, column, ok := strings.Cut(c.References, "."); ok {
			s.ForeignKeys = append(
				s.ForeignKeys,
				foreignKey{
					[]string{c.Name}, reference{strings.ReplaceAll(table, "_", "-"), []string{column}},
				},
			)
		}
	}
	return s
}

// fieldType is the Table Schema type (https://datapackage.org/standard/table-schema/) of a DuckDB type.
func fieldType(c query.ColumnReport) string {
	switch t := c.Type; {
	case strings.HasSuffix(t, "[]"):
		return "array"
	case strings.HasPrefix(t, "DECIMAL"), t == "DOUBLE":
		return "number"
	case t == "INTEGER", t == "BIGINT":
		return "integer"
	case t == "BOOLEAN":
		return "boolean"
	case t == "DATE":
		return "date"
	case t == "TIMESTAMP":
		return "datetime"
	case t == "JSON":
		return "any" // an object or an array
	}
	return "string"
}
