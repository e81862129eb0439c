// Package schemas holds what is known of the tables of an export, as data: their columns, types, keys and
// meanings.
//
// A schema is a hint, never a gate. A file that disagrees with it is kept and loaded all the same, and the
// difference is reported. Nothing about Recruitly's ten CSVs is documented by their vendor, and of Eploy's
// records only some; each column says what its evidence is.
package schemas

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"sync"
)

// A Table is one table of a source.
type Table struct {
	Name        string   `json:"name"`            // candidates
	File        string   `json:"file"`            // Candidates.csv, as the vendor's help page names it
	Description string   `json:"description"`     // a sentence
	Kind        string   `json:"kind,omitempty"`  // of its records, where they own documents: CANDIDATE
	Label       []string `json:"label,omitempty"` // columns that name such a record to people
	Columns     []Column `json:"columns"`
}

// A Column is one known column of a Table.
type Column struct {
	Name    string   `json:"name"`              // snake_case: candidate_id
	Heading string   `json:"heading"`           // Title Case, as in a spreadsheet: Candidate Id
	Aliases []string `json:"aliases,omitempty"` // other headings seen or likely, in any spelling
	// a DuckDB type: VARCHAR, DECIMAL(18,2), VARCHAR[], JSON, …
	Type string `json:"type"`
	Key  string `json:"key,omitempty"` // primary, unique, or empty
	// users.user_id; "*" when another column names the kind of record
	References  string `json:"references,omitempty"`
	Description string `json:"description,omitempty"` // what it means
	Evidence    string `json:"evidence"`              // spreadsheet, api, inferred, invented; guide, seen
	// special category, identity number, or free text about a person
	Sensitive bool `json:"sensitive,omitempty"`
}

//go:embed recruitly.json
var recruitlyJSON []byte

//go:embed eploy.json
var eployJSON []byte

var (
	recruitly = sync.OnceValue(func() []Table { return parse("recruitly.json", recruitlyJSON) })
	eploy     = sync.OnceValue(func() []Table { return parse("eploy.json", eployJSON) })
)

func parse(name string, content []byte) []Table {
	var tables []Table
	if err := json.Unmarshal(content, &tables); err != nil {
		panic(fmt.Sprintf("schemas: %s, which is embedded, does not parse: %v", name, err))
	}
	return tables
}

// Recruitly returns the ten tables of a Recruitly export, ordered by name. They are shared: do not change
// them.
func Recruitly() []Table { return recruitly() }

// Eploy returns the tables that records read from Eploy make: its 15 types, the history of applications'
// statuses, and the log of exports. Evidence is the vendor's API guide, what public client code shows, or
// nothing. They are shared: do not change them.
func Eploy() []Table { return eploy() }

// ByName returns the table of that name.
func ByName(tables []Table, name string) (Table, bool) {
	for _, t := range tables {
		if t.Name == name {
			return t, true
		}
	}
	return Table{}, false
}

// Column returns the column of that name.
func (t Table) Column(name string) (Column, bool) {
	for _, c := range t.Columns {
		if c.Name == name {
			return c, true
		}
	}
	return Column{}, false
}

// PrimaryKey returns the column whose values should be there and differ in every row.
func (t Table) PrimaryKey() (Column, bool) {
	for _, c := range t.Columns {
		if c.Key == "primary" {
			return c, true
		}
	}
	return Column{}, false
}
