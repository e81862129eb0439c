package query

import (
	"fmt"
	"strings"
)

// An entityTable is one of the ten tables whose records others refer to by kind and ID.
type entityTable struct {
	kind, table, key string
	name             string // SQL for a record's name; "" where documents do not belong to such records
	referenced       bool   // the table has a reference such as CA-1042, by which paths may name a record
}

// fullNameSQL is a person's name: the column full_name, else first_name and surname.
const fullNameSQL = "coalesce(full_name, concat_ws(' ', first_name, surname))"

// entityTables says which table holds the records of a kind, and which columns name one. Kinds that are not
// listed, such as leads, are in none of the ten tables.
var entityTables = []entityTable{
	{"CANDIDATE", "candidates", "candidate_id", fullNameSQL, true},
	{"CONTACT", "contacts", "contact_id", fullNameSQL, true},
	{"COMPANY", "companies", "company_id", "name", true},
	{"JOB", "jobs", "job_id", "title", true},
	{"USER", "users", "user_id", "full_name", false},
	{"TASK", "tasks", "task_id", "", false},
	{"PIPELINE", "job_pipelines", "pipeline_id", "", false},
	{"ATTACHMENT", "attachments", "attachment_id", "", false},
	{"FOLDER", "folder_records", "folder_id", "", false},
}

// ownerNames is a query for the names of all records that documents can belong to.
func (b *Builder) ownerNames() string {
	if !b.opts.full() {
		return b.schemaOwnerNames()
	}
	var selects []string
	for _, e := range entityTables {
		if e.name == "" {
			continue
		}
		table, _ := b.relation(e.table)
		selects = append(selects, fmt.Sprintf("SELECT %s AS owner_type, %s AS owner_id, %s AS name FROM %s",
			text(e.kind), e.key, e.name, table))
	}
	return strings.Join(selects, " UNION ALL ")
}

// schemaOwnerNames is ownerNames of a schema that says what names its records.
func (b *Builder) schemaOwnerNames() string {
	selects := []string{
		"SELECT NULL::VARCHAR AS owner_type, NULL::VARCHAR AS owner_id, NULL::VARCHAR AS name WHERE false",
	}
	for _, t := range b.opts.Schema {
		key, ok := t.PrimaryKey()
		if t.Kind == "" || !ok {
			continue
		}
		table, _ := b.relation(t.Name)
		var label []string
		for _, column := range t.Label {
			label = append(label, ident(column))
		}
		selects = append(selects,
			fmt.Sprintf("SELECT %s, %s, concat_ws(' ', %s) FROM %s", text(t.Kind), ident(key.Name),
				strings.Join(label, ", "), table))
	}
	return strings.Join(selects, " UNION ALL ")
}

// owners is a query for all records that paths can name, by ID or by reference.
func (b *Builder) owners() string {
	var selects []string
	for _, e := range entityTables {
		if !e.referenced {
			continue
		}
		table, _ := b.relation(e.table)
		selects = append(selects, fmt.Sprintf("SELECT %s AS owner_type, %s AS owner_id, reference FROM %s",
			text(e.kind), e.key, table))
	}
	return strings.Join(selects, " UNION ALL ")
}

// everyKeySQL is a query for the keys of all records.
func everyKeySQL() string {
	keys := make([]string, len(entityTables))
	for i, e := range entityTables {
		keys[i] = fmt.Sprintf("SELECT %s FROM main.%s", ident(e.key), ident(e.table))
	}
	return "SELECT * FROM (" + strings.Join(keys, " UNION ALL ") + ") AS e(id) WHERE id IS NOT NULL"
}
