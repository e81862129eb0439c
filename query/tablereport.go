package query

// TableReport says how a CSV became a table.
type TableReport struct {
	// the table's name; a CSV that is none of the ten gets a name from its file name
	Table    string `json:"table"`
	File     string `json:"file"`  // as received: the path inside the container
	Known    bool   `json:"known"` // one of the ten
	Rows     int64  `json:"rows"`
	Rejected int64  `json:"rejected_cells"`
	// records that could not be loaded and are kept in the table quarantine
	Quarantined int64  `json:"quarantined_rows"`
	Encoding    string `json:"encoding"` // utf-8, utf-8-bom, utf-16le, utf-16be, windows-1252
	Delimiter   string `json:"delimiter"`
	LineEnd     string `json:"line_end"` // crlf, lf, cr, mixed
	// doubled, backslash, php, none, single, …; see the dialects
	Quoting string `json:"quoting"`
	// how, and on what evidence, where the file left a doubt
	Decided    string `json:"decided,omitempty"`
	LinesAbove int    `json:"lines_above,omitempty"` // lines before the headings
	// dmy, mdy, iso, epoch, text, ambiguous, mixed; empty: there are none
	Dates       string         `json:"dates"`
	Description string         `json:"description"`
	Kind        string         `json:"kind"`               // table or view
	Numbered    bool           `json:"numbered,omitempty"` // its Parquet file has a column row_number
	Columns     []ColumnReport `json:"columns"`
}

// ColumnReport is one column of a TableReport.
type ColumnReport struct {
	Column   string `json:"column"`
	Type     string `json:"type"`
	Heading  string `json:"heading"`            // as received; empty when the file lacks the column
	Position int    `json:"position,omitempty"` // in the file, from 1; 0 when the file lacks the column
	Layout   string `json:"layout,omitempty"`   // in which its values are written; see layout
	// of numbers: point (1,250.50), comma (1.250,50), mixed, ambiguous; empty: plain, or no numbers
	Notation    string `json:"notation,omitempty"`
	Description string `json:"description"`
	Nulls       int64  `json:"nulls"`
	Rejected    int64  `json:"rejected"`
	Sensitive   bool   `json:"sensitive"`
	// primary, unique, or the column that it refers to: users.user_id; "*": another column names the kind of
	// record
	Key    string `json:"key,omitempty"`
	Known  bool   `json:"known,omitempty"`  // the schema has it
	Reason string `json:"reason,omitempty"` // why the rejected cells do not fit the type
}
