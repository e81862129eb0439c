package main

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"time"
)

// headings are those of the made-up file of candidates: 22 columns that an export is known to have.
var headings = []string{"Candidate Id", "Reference", "Full Name", "First Name", "Surname", "Email", "Mobile",
	"Current Job Title", "Current Company", "Current Salary", "Date of Birth", "Nationality", "Address City",
	"Address - PIN/Postcode", "Candidate Skills", "Status", "Source", "Has CV", "Rating", "Created On",
	"Modified On",
	"Internal Note"}

var (
	firstNames = strings.Fields("Ama Bronwyn Callum Dilys Emeka Farah Gwen Hamish Imogen Jaspreet Kofi " +
		"Leila Morag Niamh Oluwaseun " +
		"Priya Rhys Saoirse Tariq Zuzana")
	surnames = strings.Fields(
		"Achebe Brennan Cadwallader Dhillon Ellsworth Farquhar Gallagher Hussain Ivanov Jones Kowalska " +
			"Llewellyn Mensah",
	)
	titles = []string{
		"Site Manager", "Nurse, Band 6", "Payroll Clerk", "Welder", "Data Engineer", "Teacher",
		`Fitter ("CNC")`, "Chef",
	}
	companies = []string{
		"Harbour & Sons Ltd", "Northgate Care", "Tidewater plc", "Brightwell, Moss and Partners",
		"Otter Foods",
	}
	cities   = strings.Fields("Leeds Cardiff Glasgow Truro Norwich Belfast Derby York")
	skills   = strings.Fields("Go SQL Welding Phlebotomy Payroll Excel CAD Tiling")
	nations  = strings.Fields("British Irish Polish Ghanaian Indian Welsh")
	statuses = strings.Fields("ACTIVE PLACED ARCHIVED NEW")
	sources  = []string{"Job board", "Referral", "LinkedIn", "Website"}
	notes    = []string{
		"Called; prefers to be reached after six.\r\nWill send references by Friday.",
		`Said: "not below forty-five", but would move for the right team.`,
		"Strong on paper. Interviewed twice; the second went better than the first.",
		"Left a message, then another.\nNo answer yet.",
		"Available from next month, has a clean licence, and knows the site.",
	}
)

// A generator writes a file of candidates that is the same for the same number of rows and kind, on every
// machine.
type generator struct {
	r      *rand.Rand
	unique bool // texts that do not compress, where the other kind takes them from short lists
	cells  []string
}

// generate writes rows candidates to path: CRLF, quotes, row ends within cells, and one in a thousand dates
// and amounts that no one can read.
func generate(path string, rows int, unique bool) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() {
		if cerr := f.Close(); err == nil {
			err = cerr
		}
	}()
	g := &generator{r: rand.New(rand.NewPCG(22, 650)), unique: unique, cells: make([]string, len(headings))}
	w := bufio.NewWriterSize(f, 1<<20)
	writeRecord(w, headings)
	for i := range rows {
		g.fill(i)
		writeRecord(w, g.cells)
	}
	return w.Flush()
}

func (g *generator) fill(i int) {
	first, last := g.pick(firstNames), g.pick(surnames)
	if g.unique {
		first, last = g.word(4, 9), g.word(5, 12)
	}
	id := strconv.Itoa(i + 1)
	day := time.Date(1950+g.r.IntN(55), 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, g.r.IntN(365))
	created := time.Date(2012, 1, 1, 0, 0, 0, 0, time.UTC).Add(
		time.Duration(g.r.Int64N(14*365*24*3600)) * time.Second,
	)
	copy(g.cells, []string{
		fmt.Sprintf("acme%032x", uint64(i)*0x9e3779b97f4a7c15), "CA-" + id, first + " " + last, first, last,
		strings.ToLower(first) + "." + strings.ToLower(last) + id + "@example.com",
		"07" + fmt.Sprintf("%09d", g.r.IntN(1e9)),
		g.pick(titles), g.pick(companies), g.salary(), g.date(day, "02/01/2006"), g.pick(nations),
		g.pick(cities),
		g.postcode(), g.skills(), g.pick(statuses), g.pick(sources), g.pick([]string{"Yes", "No"}),
		strconv.Itoa(1 + g.r.IntN(5)),
		g.date(created, "02/01/2006 15:04:05"),
		g.date(created.Add(time.Duration(g.r.Int64N(1e16))), "02/01/2006 15:04:05"), g.note(),
	})
}

func (g *generator) pick(from []string) string { return from[g.r.IntN(len(from))] }

// oneIn reports true once in n times.
func (g *generator) oneIn(n int) bool { return g.r.IntN(n) == 0 }

func (g *generator) word(least, most int) string {
	b := make([]byte, least+g.r.IntN(most-least))
	for i := range b {
		b[i] = 'a' + byte(g.r.IntN(26))
	}
	b[0] -= 'a' - 'A'
	return string(b)
}

func (g *generator) salary() string {
	switch {
	case g.oneIn(1000):
		return g.pick([]string{"n/a", "negotiable", "£45k", "forty"})
	case g.oneIn(4):
		return ""
	}
	return strconv.Itoa(18000+250*g.r.IntN(400)) + ".00"
}

func (g *generator) date(t time.Time, layout string) string {
	if g.oneIn(1000) {
		return g.pick([]string{"31/02/2024", "00/00/0000", "soon", "2024-13-01"})
	}
	return t.Format(layout)
}

func (g *generator) postcode() string {
	return fmt.Sprintf(
		"%s%d %d%s", g.pick([]string{"LS", "CF", "G", "TR"}), 1+g.r.IntN(20), g.r.IntN(10),
		g.pick([]string{"AB", "XY", "QQ"}),
	)
}

func (g *generator) skills() string {
	return g.pick(skills) + ";" + g.pick(skills) + ";" + g.pick(skills)
}

func (g *generator) note() string {
	if !g.unique {
		return g.pick(notes)
	}
	var b strings.Builder
	for range 9 {
		b.WriteString(g.word(3, 12))
		b.WriteByte(' ')
	}
	if g.oneIn(5) {
		b.WriteString("\r\n\"" + g.word(3, 9) + `"`)
	}
	return b.String()
}

// writeRecord writes a record after RFC 4180. Errors stay with the writer, whose Flush returns them.
func writeRecord(w *bufio.Writer, cells []string) {
	for i, c := range cells {
		if i > 0 {
			w.WriteByte(',')
		}
		if strings.ContainsAny(c, ",\"\r\n") {
			c = `"` + strings.ReplaceAll(c, `"`, `""`) + `"`
		}
		w.WriteString(c)
	}
	w.WriteString("\r\n")
}
