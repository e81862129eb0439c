package exportsim

// A trade is a line of work that jobs and people belong to.
type trade struct {
	title, sector, industry string
	skills                  []string
	low, high               int // pounds a year
}

var trades = []trade{
	{
		"Software Engineer", "Technology", "Software",
		[]string{"Go", "Python", "SQL", "C++", "C#", "Kubernetes", "Git", "Linux"}, 38000, 85000,
	},
	{
		"Data Analyst", "Technology", "Analytics",
		[]string{"SQL", "Python", "Excel", "Power BI", "Statistics", "R"}, 30000, 55000,
	},
	{
		"DevOps Engineer", "Technology", "Software",
		[]string{"Kubernetes", "Terraform", "Linux", "Go", "AWS", "Git"}, 45000, 90000,
	},
	{
		"Product Manager", "Technology", "Software", []string{"Roadmaps", "Agile", "Excel", "User research"},
		45000, 85000,
	},
	{
		"Staff Nurse", "Healthcare", "Hospitals",
		[]string{"Wound care", "IV therapy", "Triage", "Manual handling", "Safeguarding"}, 28000, 38000,
	},
	{
		"Care Assistant", "Healthcare", "Social care",
		[]string{"Manual handling", "Safeguarding", "Dementia care", "Driving"}, 21000, 27000,
	},
	{
		"Pharmacist", "Healthcare", "Pharmacy", []string{"Dispensing", "Triage", "Controlled drugs"}, 40000,
		58000,
	},
	{
		"Management Accountant", "Finance", "Accountancy",
		[]string{"Excel", "Sage", "SQL", "Budgeting", "IFRS"}, 38000, 60000,
	},
	{"Credit Controller", "Finance", "Accountancy", []string{"Excel", "Sage", "Negotiation"}, 25000, 34000},
	{"Payroll Clerk", "Finance", "Accountancy", []string{"Payroll", "Excel", "Sage"}, 24000, 32000},
	{
		"Quantity Surveyor", "Construction", "Building",
		[]string{"NEC contracts", "Excel", "Cost planning", "Negotiation"}, 38000, 65000,
	},
	{
		"Site Manager", "Construction", "Building", []string{"SMSTS", "CSCS", "Scheduling", "First aid"},
		40000, 62000,
	},
	{
		"Electrician", "Construction", "Trades",
		[]string{"18th Edition", "CSCS", "Testing & inspection", "Driving"}, 30000, 46000,
	},
	{
		"Forklift Driver", "Logistics", "Warehousing",
		[]string{"Counterbalance", "Reach truck", "Driving", "First aid"}, 22000, 29000,
	},
	{
		"Warehouse Supervisor", "Logistics", "Warehousing",
		[]string{"WMS", "Scheduling", "Manual handling", "Excel"}, 27000, 36000,
	},
	{"HGV Driver", "Logistics", "Haulage", []string{"Class 1", "Driving", "CPC", "Tachograph"}, 30000, 44000},
	{
		"Account Manager", "Sales", "Business services",
		[]string{"Negotiation", "CRM", "Excel", "Forecasting"}, 28000, 50000,
	},
	{
		"Marketing Executive", "Marketing", "Media", []string{"SEO", "Copywriting", "CRM", "Photoshop"},
		25000, 38000,
	},
	{
		"Executive Assistant", "Office", "Business services",
		[]string{"Diary management", "Excel", "Minute taking"}, 28000, 45000,
	},
	{
		"HR Adviser", "Office", "Human resources",
		[]string{"Employment law", "Payroll", "Mediation", "Excel"}, 30000, 42000,
	},
	{
		"Chef de Partie", "Hospitality", "Restaurants", []string{"HACCP", "Pastry", "Stock control"}, 24000,
		32000,
	},
	{
		"Maths Teacher", "Education", "Schools", []string{"Safeguarding", "Lesson planning", "Statistics"},
		31000, 48000,
	},
}

var (
	companyFirst = words(
		"Amberfield Brackenridge Cobalt Dunmere Everglow Fernhill Goldcrest Highgarth Ironbark Juniper " +
			"Kestrel Larkspur Moorgate Nimbus Orchard Pennine Quayside Redwing Saltmarsh Thistle Upland " +
			"Verdant Westering Yellowhammer",
	)
	companySecond = words(
		"Analytics Builders Care Dairies Energy Foods Group Health Industries Joinery Kitchens Logistics " +
			"Media Networks Optics Partners Retail Systems Textiles Utilities",
	)
	companySuffix = []string{"Ltd", "plc", "LLP", "GmbH", "SARL", "sp. z o.o.", "& Sons Ltd", "(UK) Ltd"}
	agencyNames   = []string{
		"Harbour & Vale Recruitment", "Fenwright Talent", "Copperbeech People", "Larchway Resourcing",
		"Millrace Search", "Saddlerock Staffing",
	}
	streets = words(
		"Alder Beech Chestnut Damson Elder Foxglove Gorse Hawthorn Ivy Juniper Larch Maple Oak Poplar " +
			"Rowan Sycamore Thorn Willow",
	)
	sources = []string{
		"Job board", "Referral", "LinkedIn", "Website", "Walk-in", "Headhunted", "Careers fair", "",
	}
	statuses = []string{
		"Active", "Active", "Active", "Passive", "Placed", "On hold", "Registriert", "Actif", "Unavailable",
	}
	categories = []string{"A", "B", "C", "Temp desk", "Executive"}
	tagWords   = []string{
		"hot", "relocating", "remote only", "speaks Welsh", "bilingual", "night shifts", "own car",
		"security cleared", "to call back",
	}
	rejectReasons = []string{
		"Salary too high", "Not enough experience", "Client chose another", "Withdrew", "No right to work",
		"Failed reference", "",
	}
	universities = []string{
		"University of Brackenridge", "Fernhill Polytechnic", "École de Valombre", "Universität Lößnitz",
		"Moorgate College",
	}
	degrees     = []string{"BSc", "BA (Hons)", "MSc", "HND", "NVQ Level 3", "PhD", "GCSEs"}
	levels      = []string{"GCSE", "A level", "HND", "Bachelor", "Master", "Doctorate"}
	teams       = []string{"Technology", "Healthcare", "Industrial", "Professional"}
	folderNames = []string{
		"Hot list", "Clients 2024", "Nights & weekends", "Ready to place", "Executive search", "Archive",
		"Interview stage", "Key accounts", "Référence à vérifier", "Über 100k", "Talent pool", "Bench",
	}
	sentences = []string{
		`Very good on the phone; "exactly what we need", said the client.`,
		"Prefers to be called after 18:00, because of school runs.",
		"Has a clean driving licence & own transport.",
		"Notice period: 4 weeks; would move for the right role, i.e. permanent.",
		"Left the last role when the site closed <b>through no fault of their own</b>.",
		"References were taken up, both were positive.",
		"Asked twice about remote work; 2 days a week are fine.",
		"Rate was discussed: £22.50/h, PAYE.",
		"Took a career break of 14 months, came back full of energy.",
		"Speaks three languages, writes two.",
		"Would rather not work for <i>Amberfield</i> again.",
		"CV needs a rewrite, the dates overlap.",
	}
)
