package eploy

import (
	"fmt"
	"slices"
	"strings"
)

// A listing is something that can be searched page by page.
type listing struct {
	name   string   // candidates
	record string   // Candidate: begins routes, and the name of the ID
	path   string   // below the API's URL
	scope  string   // needed to read it; empty: none is listed in the guide
	blocks []string // worth asking for beside what a GET answers
	filter []filter // that every search of it has
	fixed  bool     // its blocks are known, and there is no GET of one record
}

type filter struct {
	Route     string `json:"Route"`
	Value     any    `json:"Value"`
	Operation string `json:"Operation"`
}

func typeOf(name, record string, blocks ...string) *listing {
	return &listing{name: name, record: record, path: name, scope: name + ".read", blocks: blocks}
}

// types are what the 15 scopes that read are for, in an order that has people and work first.
var types = []*listing{
	typeOf("users", "User"),
	typeOf("companies", "Company", "Questions"),
	typeOf("contacts", "Contact", "Questions"),
	typeOf("candidates", "Candidate", "Questions"),
	typeOf("vacancies", "Vacancy", "Questions"),
	typeOf("applications", "Application", "Questions", "QuestionFields"),
	typeOf("placements", "Placement", "Questions"),
	typeOf("actions", "Action"),
	typeOf("timesheets", "Timesheet"),
	typeOf("purchaseorders", "PurchaseOrder"),
	typeOf("payrates", "PayRate"),
	typeOf("paysalaries", "PaySalary"),
	typeOf("vacancytemplates", "VacancyTemplate"),
	typeOf("workflows", "Workflow", "QuestionFields"),
	{name: "files", record: "File", path: "files/file", scope: "files.read",
		blocks: []string{"RecordTypeID", "RecordID"}},
}

// besides are what hangs on the types: the history of applications, the log of exports, the lists of options
// in use.
func besides() []*listing {
	out := []*listing{
		{name: "statushistory", record: "StatusHistory", path: "applications/statushistory",
			scope: "applications.read", fixed: true,
			blocks: []string{"StatusHistoryId", "Application", "Vacancy", "Action", "Placement",
				"StatusDate", "Workflow"}},
		{name: "exports", record: "Export", path: "export", fixed: true,
			blocks: []string{"ExportId", "ExportPackageID", "Success", "DateExported", "ExternalID",
				"Vacancy", "Application"}},
	}
	for _, list := range optionLists {
		out = append(out, &listing{name: "options-" + list, record: "Option", path: "options/dropdown/" +
			list,
			blocks: []string{"ID", "Description", "Reference"}, fixed: true})
	}
	return out
}

// optionLists are the drop-down lists that the guide names: application and vacancy status, export packages,
// placement status, outcomes of actions, sub-stages, file types.
var optionLists = []string{"49", "50", "86", "91", "154", "183", "193"}

// TypeNames returns the names of the 15 record types.
func TypeNames() []string {
	var names []string
	for _, l := range types {
		names = append(names, l.name)
	}
	return names
}

// listingsOf returns the listings of some types, and with all types what hangs on them.
func listingsOf(names []string) ([]*listing, error) {
	if len(names) == 0 {
		return slices.Concat(types, besides()), nil
	}
	var out []*listing
	for _, name := range names {
		i := slices.IndexFunc(types, func(l *listing) bool { return l.name == strings.ToLower(name) })
		if i < 0 {
			return nil, &Failure{Code: CodeUsage, Message: fmt.Sprintf("there is no record type %q", name),
				Hint: "the types are " + strings.Join(TypeNames(), ", ")}
		}
		out = append(out, types[i])
	}
	return out, nil
}

// scopes returns what a token is asked for: reading these listings, and nothing else.
func scopes(all []*listing) []string {
	var out []string
	for _, l := range all {
		if l.scope != "" && !slices.Contains(out, l.scope) {
			out = append(out, l.scope)
		}
	}
	return out
}

// table is the type that a listing's records belong to.
func (l *listing) table() string {
	name, _, _ := strings.Cut(l.name, ".")
	return name
}

// idRoute is the route of the record's ID.
func (l *listing) idRoute() string {
	if l.record == "Option" {
		return "Option.ID"
	}
	return l.record + "." + l.record + "Id"
}

// bound returns the listing limited to files of one kind of record.
func (l *listing) bound(recordType int) *listing {
	b := *l
	b.name = fmt.Sprintf("%s.%d", l.name, recordType)
	b.filter = []filter{{Route: "File.RecordTypeID", Value: recordType, Operation: "Equals"}}
	return &b
}

// fileOwners are the kinds of records that the guide numbers: company, contact, candidate, vacancy,
// placement, application.
var fileOwners = []int{1, 2, 3, 4, 11, 18}
