package eploysim

import "strings"

// A kind is one searchable type of record.
type kind struct {
	name   string // candidates
	record string // Candidate: begins routes and the name of the ID
	path   string // below /api; empty: name
	scope  string // needed to read it; empty: name + ".read"
	fields []field
	number int  // RecordTypeID that files of it have; 0: none
	dates  bool // has CreationDate, ModificationDate, Creator and Modifier
}

func (k *kind) route() string {
	if k.path != "" {
		return k.path
	}
	return k.name
}

func (k *kind) needs() string {
	if k.scope != "" {
		return k.scope
	}
	return k.name + ".read"
}

// idField is the record's ID as answers spell it; routes and blocks are also written with a capital D.
func (k *kind) idField() string {
	if k.name == "workflows" {
		return k.record + "ID"
	}
	return k.record + "Id"
}

// A field makes one member of a record.
type field struct {
	name string
	of   shape
	arg  string  // option list, linked type or words to choose from
	in   []field // of a wrapper
}

type shape int

const (
	text shape = iota
	longText
	email
	phone
	date
	integer
	money
	boolean
	option    // {"Id":"6","Description":…,"Reference":…}
	link      // {"Id":5026,"Url":…}
	wrapper   // an object of further fields
	workflow  // an application's stage, sub-stage and status
	questions // a URL on GET, the answers in a search
	fileOf    // RecordTypeID and RecordID of a file
)

// words turns "City:town Title:job Salary:money" into fields; a name alone is a text.
func words(spec string) []field {
	shapes := map[string]shape{
		"text": text, "long": longText, "email": email, "phone": phone,
		"date": date, "int": integer, "money": money,
		"bool": boolean, "option": option, "link": link,
		"workflow": workflow, "questions": questions, "fileof": fileOf,
	}
	var fields []field
	for _, w := range strings.Fields(spec) {
		name, of, _ := strings.Cut(w, ":")
		of, arg, _ := strings.Cut(of, "/")
		f := field{name: name, arg: arg}
		if of != "" {
			f.of = shapes[of]
		}
		fields = append(fields, f)
	}
	return fields
}

func wrap(name, spec string) field { return field{name: name, of: wrapper, in: words(spec)} }

func with(spec string, more ...field) []field { return append(words(spec), more...) }

// catalogue has the 15 types that a key can be allowed to read, and the status history of applications.
// Members are those that the guide or public client code names; of types that neither describes, a few are
// invented.
var catalogue = []*kind{
	{name: "users", record: "User", dates: true, fields: words(
		`FirstName:text/first Surname:text/last Email:email IsActive:bool`)},
	{name: "companies", record: "Company", number: 1, dates: true, fields: words(
		`ParentCompany:link/companies Name:text/company CompanyStatus:option/60 Questions:questions`)},
	{name: "contacts", record: "Contact", number: 2, dates: true, fields: words(
		`FirstName:text/first Surname:text/last JobTitle:text/job Email:email Telephone:phone
		Company:link/companies Questions:questions`,
	)},
	{name: "candidates", record: "Candidate", number: 3, dates: true, fields: with(
		`Title:option/70 FirstName:text/first Surname:text/last Telephone:phone Mobile:phone Email:email
		Gender:option/71 CriminalRecord:bool WorkPermit:bool WorkPermitType:option/72
		PreferredLocation1:option/73 IsEmployee:bool IsPreviousEmployee:bool Questions:questions`,
		wrap("Address", `Address1:text/street Address2 Town:text/town County:text/county Country:option/74
		PostCode:text/postcode`))},
	{name: "vacancies", record: "Vacancy", number: 4, dates: true, fields: with(
		`Title:text/job VacancyStatus:option/50 Location:option/73 Company:link/companies
		Questions:questions`,
		salary,
	)},
	{name: "vacancytemplates", record: "VacancyTemplate", dates: true, fields: words(
		`Title:text/job Description:long`)},
	{name: "applications", record: "Application", number: 18, dates: true, fields: words(
		`ApplicationDate:date ApplicationType:option/76 InfluenceToApply:option/77 Workflow:workflow
		Placement:link/placements Candidate:link/candidates Vacancy:link/vacancies Questions:questions`)},
	{name: "statushistory", record: "StatusHistory", path: "applications/statushistory",
		scope: "applications.read", fields: words(
			`Application:link/applications Vacancy:link/vacancies Action:link/actions
			Placement:link/placements StatusDate:date Workflow:workflow`)},
	{name: "actions", record: "Action", dates: true, fields: words(
		`StartDate:date EndDate:date CompletionDate:date ActionOutcome:option/154 ActionPriority:option/78
		Vacancy:link/vacancies Candidate:link/candidates`)},
	{name: "placements", record: "Placement", number: 11, dates: true, fields: with(
		`StartDate:date EndDate:date City:text/town WeekStartDay:option/79 User:link/users
		Authoriser:link/contacts PlacementStatus:option/91 Vacancy:link/vacancies Candidate:link/candidates
		PurchaseOrder:link/purchaseorders NominalCode Department:text/job InvoiceFrequency:option/80
		SplitInvoiceMethod:option/81 RateCurrency:option/82 ChargeCurrency:option/82 WorkingHours:long
		NoticeRequired ReportTo:text/last ReportWhere:text/street ReportTime ReasonForLeaving:option/83
		ReasonForLeavingComments:long Comments:long RatesDescription:long PayRate:link/payrates
		Questions:questions`, salary)},
	{name: "timesheets", record: "Timesheet", dates: true, fields: words(
		`WeekEnding:date Placement:link/placements HoursWorked:int Approved:bool`)},
	{name: "purchaseorders", record: "PurchaseOrder", dates: true, fields: words(
		`Reference Company:link/companies Amount:money`)},
	{name: "payrates", record: "PayRate", dates: true, fields: words(`Description:text/job Rate:money`)},
	{
		name:   "paysalaries",
		record: "PaySalary",
		dates:  true,
		fields: words(`Description:text/job Amount:money`),
	},
	{
		name:   "workflows",
		record: "Workflow",
		fields: words(`Title:text/job Description:long QuestionFields:questions`),
	},
	{name: "files", record: "File", path: "files/file", dates: true, fields: words(
		`FileName:text/file FileType:option/193 FileSize:int RecordTypeID:fileof RecordID:fileof`)},
}

var salary = wrap("Salary", `Salary:money SalaryInterval:option/75 HoursPerWeek:int ChargeToClient:bool
	PaySalaryItem:link/paysalaries`)

var vocabulary = map[string][]string{
	"first":    {"Ines", "Kofi", "Maeve", "Piotr", "Renée", "Suki", "Tomos", "Yusuf", "Zoë", "Ásta"},
	"last":     {"Achebe", "Brannigan", "Castellanos", "Dunmore", "Eriksdóttir", "Hale", "O'Shea"},
	"company":  {"Ardent Foundry", "Blue Heron Freight", "Corbel & Sons", "Dovetail Joinery Ltd"},
	"job":      {"Finance Controller", "Forklift Driver", "Ward Sister", "Data Engineer", "Site Manager"},
	"street":   {"4 Quarry Rise", "Flat 2, 19 Kiln Lane", "The Old Maltings", "77 Harbour Parade"},
	"town":     {"Alnwick", "Brecon", "Carlow", "Diss", "Enniskillen"},
	"county":   {"Northumberland", "Powys", "Norfolk", "Fermanagh"},
	"postcode": {"ZZ1 2AB", "ZZ9 9YX", "ZZ34 0QQ"},
	"":         {"North", "A-114", "as agreed", "to be confirmed", "second floor"},
}

// optionLists are the drop-down lists that the guide names by number; others make up five values of their
// own.
var optionLists = map[string][]string{
	"49":  {"Draft", "Open", "Closed"},
	"50":  {"Draft", "Live", "On hold", "Filled", "Withdrawn"},
	"86":  {"Payroll feed", "HR system"},
	"91":  {"Provisional", "Confirmed", "Ended"},
	"154": {"Attended", "Cancelled", "Did not attend"},
	"183": subStages,
	"193": {"Curriculum vitae", "Covering letter", "Contract", "Right to work"},
}

// subStages are numbered from 1 in the order of the guide.
var subStages = []string{
	"Action Not Created", "Unconfirmed", "Confirmed", "Declined", "Complete",
	"Placement Not Created", "Placement Created", "Application Stage",
	"Talent Pool", "Long List", "Not Suitable",
}

func optionsOf(list string) []string {
	if values, ok := optionLists[list]; ok {
		return values
	}
	var values []string
	for _, letter := range "ABCDE" {
		values = append(values, "Value "+string(letter)+" of "+list)
	}
	return values
}
