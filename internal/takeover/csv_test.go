package takeover

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Two people of oddCSVs.
const ada, bob = "abcd00000000000000000000000000000001", "abcd00000000000000000000000000000002"

// oddCSVs are CSVs each of which is odd in another way.
func oddCSVs() []handmadeFile {
	tab := strings.NewReplacer(",", "\t")
	return []handmadeFile{
		// PHP's quotes: read after RFC 4180, Ada's cells move by one, and nothing is too many.
		{"Candidates.csv",
			"Candidate Id,Reference,Full Name,Internal Note,Email,Mobile,Owner Id,Current Salary,Created " +
				"On,Has CV,Home Phone\n" +
				ada + `,CA-1,Ada Byron,"said \"maybe\", twice",ada@mail.example,07700900001,u-1,45.000,` +
				`2024-01-15 09:30:00 UTC,,` + "\n" +
				bob + `,CA-2,Bob Stone,"likes ""tea""",bob@mail.example,07700900002,u-1,52.500,` +
				`2024-07-15 09:30:00 UTC,true,` + "\n"},
		{
			"Attachments.csv",
			"\r\n\"SEP=;\"\r\nAttachment Id;Record Id;Record Type;File Name\r\na-1;" + ada +
				";CANDIDATE;offer.pdf\r\n",
		},
		{
			"Users.csv",
			"User Id,Full Name,Email\x00\x00\nu-1,Grace Hopper,grace@agency.example\nUser Id,Full " +
				"Name,Email\nu-2,Joan Clarke,joan@agency.example\nTotal: 2 users\n",
		},
		{
			"Jobs.txt",
			tab.Replace(
				"Report of jobs\nJob Id,Reference,Job Title,Status,Created On\nj-1,JB-1,Welder,OPEN,1 May " +
					"2024 10:00\n",
			),
		},
		{
			"Companies.csv",
			"\"Company Id\", \"Company Name\", \"Employees\"\n\"c-1\", \"Larch, \"\"Sons\"\"\", \"2.000\"\n",
		},
		{"Contacts.csv", "Contact Id,First Name\n1,Rui,x\n2,Ana,y\n3,Eva,z\n"},
		{"Tasks.csv", "\x00\x01\x02\x03\x00\xff\xfe\x00\x00\x07 no table at all \x00\""},
		{"it's; DROP\n--.csv", "a\x00,a\x00\n1,2\n"},
	}
}

// oddCSVAnswers are what an archive of oddCSVs answers.
var oddCSVAnswers = map[string][]string{
	"select full_name, email, mobile, internal_note, current_salary is null, created_on::varchar from " +
		"candidates order by reference": {
		`Ada Byron|ada@mail.example|07700900001|said \"maybe\", twice|true|2024-01-15 09:30:00`,
		`Bob Stone|bob@mail.example|07700900002|likes "tea"|true|2024-07-15 10:30:00`},
	"select full_name, email from users order by 1": {
		"Grace Hopper|grace@agency.example", "Joan Clarke|joan@agency.example",
	},
	"select title, created_on::varchar from jobs": {
		"Welder|2024-05-01 10:00:00",
	},
	"select name, employees is null from companies": {
		`Larch, "Sons"|true`,
	},
	"select original_name, owner_id from documents order by 1": {
		"CA-2 Bob Stone.pdf|" + bob, "offer.pdf|" + ada,
	},
	"select table_name, count(*) from quarantine where table_name <> 'tasks' group by 1 order by 1": {
		"contacts|3", "users|2",
	},
}

// An export whose CSVs are each odd in another way is taken whole: every table has its rows, every document
// its owner, and what nobody can read is kept and reported.
func TestOddCSVsAreTables(t *testing.T) {
	t.Parallel()
	site := newSite(t, map[string]string{
		"/data.zip":        string(zipped(t, oddCSVs())),
		"/attachments.zip": zipOf(t, "offer.pdf", "%PDF-1.4 an offer"),
		"/cvs.zip":         zipOf(t, "CA-2 Bob Stone.pdf", "%PDF-1.4 a life"),
	})
	root := t.TempDir()
	r := mustTake(t, site.master("s3cret", "/data.zip", "/attachments.zip", "/cvs.zip"), quick(t, root))

	for table, want := range map[string]int64{
		"candidates": 2, "attachments": 1, "users": 2, "jobs": 1, "companies": 1, "contacts": 0,
	} {
		if got := r.Tables[table].Rows; got != want {
			t.Errorf("%s has %d rows, want %d", table, got, want)
		}
	}
	for sql, want := range oddCSVAnswers {
		if d := cmp.Diff(want, ask(t, root, r, sql)); d != "" {
			t.Errorf("%s: %s", sql, d)
		}
	}
	bag := openBag(t, root, r.Export)
	status, err := ReadStatus(t.Context(), bag)
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	for _, f := range allFindings(t, status, bag) {
		told = append(told, string(f.Severity)+" "+string(f.Code)+" "+f.Table)
	}
	for _, want := range []string{"info headings-found attachments", "info headings-found jobs",
		"info headings-repeated users", "warning rows-ragged users",
		"error rows-ragged contacts", "warning numbers-ambiguous candidates",
		"warning numbers-ambiguous companies", "error headings-unknown tasks"} {
		if !slices.Contains(told, want) {
			t.Errorf("no %s in %q", want, told)
		}
	}
	mustVerify(t, root, r)
}
