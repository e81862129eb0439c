// Package schemas holds what is known of the tables of an export, as data: their columns, types, keys and meanings.
//
// A schema is a hint, never a gate. A file that disagrees with it is kept and loaded all the same, and the difference is
// reported. Nothing about Recruitly's ten CSVs is documented by their vendor; each column says what its evidence is.
package schemas

// A Table is one of the ten tables.
type Table struct {
	Name        string   `json:"name"`        // candidates
	File        string   `json:"file"`        // Candidates.csv, as the vendor's help page names it
	Description string   `json:"description"` // a sentence
	Columns     []Column `json:"columns"`
}

// A Column is one known column of a Table.
type Column struct {
	Name        string   `json:"name"`                  // snake_case: candidate_id
	Heading     string   `json:"heading"`               // Title Case, as in a spreadsheet: Candidate Id
	Aliases     []string `json:"aliases,omitempty"`     // other headings seen or likely, in any spelling
	Type        string   `json:"type"`                  // a DuckDB type: VARCHAR, DECIMAL(18,2), VARCHAR[], JSON, …
	Key         string   `json:"key,omitempty"`         // primary, unique, or empty
	References  string   `json:"references,omitempty"`  // users.user_id; "*" when another column names the kind of record
	Description string   `json:"description,omitempty"` // what it means
	Evidence    string   `json:"evidence"`              // spreadsheet, api, inferred, invented
	Sensitive   bool     `json:"sensitive,omitempty"`   // special category, identity number, or free text about a person
}

// A Dialect is a way of writing headings.
type Dialect string

// The dialects that exports are known to use.
const (
	Title Dialect = "title" // Candidate Id
	Camel Dialect = "camel" // candidateId
	Snake Dialect = "snake" // candidate_id
)
