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

// typeOf is a record type; parts are those of its records that the guide or public client code names. A GET
// of one record shows them all, unless it leaves out what has no value.
func typeOf(name, record, parts string) *listing {
	return &listing{name: name, record: record, path: name, scope: name + ".read",
		blocks: strings.Fields(parts)}
}

// dated are parts that records of most types have.
const dated = " CreationDate ModificationDate Creator Modifier"

// types are what the 15 scopes that read are for, in an order that has people and work first.
var types = []*listing{
	typeOf("users", "User", dated),
	typeOf("companies", "Company", "ParentCompany Name CompanyStatus Questions"+dated),
	typeOf("contacts", "Contact", "Questions"+dated),
	typeOf("candidates", "Candidate", "Title FirstName Surname Address Telephone Mobile Email Gender "+
		"CriminalRecord WorkPermit WorkPermitType PreferredLocation1 IsEmployee IsPreviousEmployee Questions"+
		dated),
	typeOf("vacancies", "Vacancy", "Title VacancyStatus Location Company Salary Questions"+dated),
	typeOf("applications", "Application",
		"ApplicationDate ApplicationType InfluenceToApply Workflow Placement "+
			"Candidate Vacancy Questions QuestionFields"+dated),
	typeOf("placements", "Placement", "StartDate EndDate City WeekStartDay User Authoriser PlacementStatus "+
		"Vacancy Candidate PurchaseOrder NominalCode Department InvoiceFrequency SplitInvoiceMethod "+
		"RateCurrency "+
		"ChargeCurrency Salary WorkingHours NoticeRequired ReportTo ReportWhere ReportTime ReasonForLeaving "+
		"ReasonForLeavingComments Comments RatesDescription PayRate Questions"+dated),
	typeOf("actions", "Action", "StartDate EndDate CompletionDate ActionOutcome ActionPriority Vacancy "+
		"Candidate"+dated),
	typeOf("timesheets", "Timesheet", dated),
	typeOf("purchaseorders", "PurchaseOrder", dated),
	typeOf("payrates", "PayRate", dated),
	typeOf("paysalaries", "PaySalary", dated),
	typeOf("vacancytemplates", "VacancyTemplate", dated),
	typeOf("workflows", "Workflow", "Title Description QuestionFields"),
	{name: "files", record: "File", path: "files/file", scope: "files.read",
		blocks: strings.Fields("RecordTypeID RecordID" + dated)},
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

// SameTypes reports whether two lists of types name the same ones; none is all.
func SameTypes(a, b []string) bool {
	return slices.Equal(allTypes(a), allTypes(b))
}

func allTypes(names []string) []string {
	if len(names) == 0 {
		names = TypeNames()
	}
	var out []string
	for _, name := range names {
		out = append(out, strings.ToLower(name))
	}
	slices.Sort(out)
	return slices.Compact(out)
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

// isType reports whether a listing is of one of the 15 types, and does not only hang on them.
func (l *listing) isType() bool {
	return slices.ContainsFunc(types, func(t *listing) bool { return t.name == l.table() })
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
