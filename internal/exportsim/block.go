package exportsim

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// A block is some people and everything the export says about them. Nothing in it refers to another block.
type block struct {
	n           int
	r           rng
	agency      *agency
	candidates  []candidate
	companies   []company
	contacts    []contact
	jobs        []job
	cards       []card
	tasks       []task
	folders     []folderRecord
	attachments []attachment
	cvs         []attachment // internal CVs: files without rows
	events      []event
	mistakes    []Mistake
}

type candidate struct {
	n                   int
	id, ref             string
	name                name
	woman               bool
	locale              *locale
	trade               *trade
	email, mobile       string
	city, region, post  string
	line1               string
	born                time.Time
	owner               *user
	created, modified   time.Time
	lastContacted       time.Time
	doNotContact, hasCV bool
	salary, rate        int
	skills, tags        []string
	employer            string
	jobStart            time.Time
	source              string
	copyOf              *candidate // registered before, under another id
}

type company struct {
	n                 int
	id, ref           string
	name, domain      string
	trade             *trade
	city, region, zip string
	country           string
	parent            string
	owner             *user
	created, modified time.Time
	client            bool
	employees         int
}

type contact struct {
	n                 int
	id, ref           string
	name              name
	company           *company
	title, email      string
	owner             *user
	created, modified time.Time
	lastContacted     time.Time
	doNotContact      bool
}

type job struct {
	n                 int
	id, ref           string
	trade             *trade
	company           *company
	contact           *contact
	owner             *user
	opened            time.Time
	closed            time.Time // zero while open
	lastActivity      time.Time
	low, high, fee    int
	city, region, zip string
}

// makeBlock invents block n.
func (w *agency) makeBlock(n int) *block {
	b := &block{n: n, agency: w, r: newRNG(w.seed, streamBlock, uint64(n))}
	people := min(blockPeople, w.people-n*blockPeople)
	share := func(full, least int) int { return max(least, full*people/blockPeople) }
	for i := range people {
		b.candidates = append(b.candidates, candidate{})
		b.fillCandidate(&b.candidates[i], n*blockPeople+i)
	}
	b.companies = make([]company, share(blockCompanies, 2))
	for i := range b.companies {
		b.fillCompany(&b.companies[i], n*blockCompanies+i)
	}
	b.contacts = make([]contact, share(blockContacts, 3))
	for i := range b.contacts {
		b.fillContact(&b.contacts[i], i)
	}
	b.jobs = make([]job, share(blockJobs, 3))
	for i := range b.jobs {
		b.fillJob(&b.jobs[i], i)
		b.fillPipeline(&b.jobs[i])
	}
	b.addConversations()
	b.makeTasks()
	b.makeFolders()
	b.makeDocuments()
	if n == 0 {
		b.logUsers()
	}
	slices.SortStableFunc(b.events, func(x, y event) int { return x.at.Compare(y.at) })
	return b
}

func (b *block) fillCandidate(c *candidate, n int) {
	r, w := b.r, b.agency
	*c = candidate{n: n, id: w.id(kindCandidate, n), ref: fmt.Sprintf("CA-%d", firstReference+n)}
	c.locale, c.trade = pick(r, w.weights), &trades[r.IntN(len(trades))]
	c.woman = r.chance(50)
	first, surname := pick(r, c.locale.men), pick(r, c.locale.surnames)
	if c.woman {
		first = pick(r, c.locale.women)
	}
	if rare(n) {
		c.locale = &locales[0]
		first, surname = rareName(n / 20)
	}
	c.name = c.locale.name(first, surname)
	c.email = fmt.Sprintf(
		"%s.%d@example.%s", slug(c.name.latin, "."), n, pick(r, []string{"com", "org", "net"}),
	)
	if r.chance(85) {
		c.mobile = mobile(n)
	}
	place := strings.Split(pick(r, c.locale.cities), ";")
	c.city, c.region, c.post = place[0], place[1], postcode(r, place[2])
	c.line1 = fmt.Sprintf(c.locale.street, r.between(1, 180), pick(r, streets))
	c.created = w.joined(r, n)
	c.born = time.Date(
		c.created.Year()-r.between(18, 62), time.Month(r.between(1, 12)), r.between(1, 28), 0, 0, 0, 0,
		time.UTC,
	)
	c.owner = w.userAt(r, c.created)
	c.salary = r.between(c.trade.low/500, c.trade.high/500) * 500
	c.rate = r.between(0, 5)
	c.skills = some(r, c.trade.skills, r.between(2, len(c.trade.skills)))
	c.tags = some(r, tagWords, r.between(0, 3))
	c.employer = pick(r, companyFirst) + " " + pick(r, companySecond)
	c.jobStart = c.created.AddDate(-r.between(0, 6), -r.between(1, 11), 0)
	c.source = pick(r, sources)
	c.hasCV = r.chance(72)
	c.modified = c.created
	b.copyPerson(c)
	if r.chance(55) {
		c.modified = b.someTimeAfter(c.created)
	}
	if r.chance(7) {
		c.doNotContact, c.modified = true, b.someTimeAfter(c.created)
	}
	b.logCandidate(c)
}

// rare reports whether candidate n has a name that nobody shares, and a CV that is named after it alone.
func rare(n int) bool { return n%20 == 7 }

// copyPerson makes a few candidates people who had registered before: the same name and birthday, the e-mail
// address or the phone number again, written another way.
func (b *block) copyPerson(c *candidate) {
	i := c.n % blockPeople
	if i == 0 || rare(c.n) || i != 9 && !b.r.chance(3) {
		return
	}
	old := &b.candidates[b.r.IntN(i)]
	if rare(old.n) || old.copyOf != nil {
		return
	}
	c.copyOf, c.name, c.woman, c.locale, c.born = old, old.name, old.woman, old.locale, old.born
	c.trade, c.skills = old.trade, old.skills
	c.city, c.region, c.post, c.line1 = old.city, old.region, old.post, old.line1
	if old.mobile != "" && b.r.chance(60) {
		c.mobile = internationally(old.mobile)
		return
	}
	c.email = strings.ToUpper(old.email[:1]) + old.email[1:]
}

// someTimeAfter returns a moment between t and the export, or t where there is none.
func (b *block) someTimeAfter(t time.Time) time.Time {
	days := int(b.agency.now.Sub(t).Hours()/24) - 4
	if days < 1 {
		return t
	}
	return b.r.when(t, 1, days)
}

func (b *block) fillCompany(c *company, n int) {
	r, w := b.r, b.agency
	*c = company{
		n: n, id: w.id(kindCompany, n), ref: fmt.Sprintf("CY-%d", firstReference+n),
		trade: &trades[r.IntN(len(trades))],
	}
	c.name = pick(r, companyFirst) + " " + pick(r, companySecond) + " " + pick(r, companySuffix)
	c.domain = fmt.Sprintf("%s-%d.example", slug(c.name, "-"), n)
	l := pick(r, w.weights)
	place := strings.Split(pick(r, l.cities), ";")
	c.city, c.region, c.zip, c.country = place[0], place[1], postcode(r, place[2]), l.country
	c.created = b.candidates[0].created
	if b.n > 0 || n > 0 {
		c.created = b.aroundStart()
	}
	c.modified = b.someTimeAfter(c.created)
	c.owner = w.userAt(r, c.created)
	c.client, c.employees = r.chance(70), r.between(1, 900)*r.between(1, 6)
	if i := n - b.n*blockCompanies; i > 0 && r.chance(20) {
		c.parent = b.companies[r.IntN(i)].id
	}
	b.log(event{
		at: c.created, by: c.owner, action: "CREATE", code: "COMPANY", kind: "COMPANY", id: c.id,
		label: c.name, message: "<p>Company created</p>",
	})
}

// aroundStart returns a moment a little after the block's first person registered.
func (b *block) aroundStart() time.Time {
	t := b.candidates[0].created
	return b.r.when(t, 1, min(40, max(1, int(b.agency.now.Sub(t).Hours()/24)-8)))
}

func (b *block) fillContact(c *contact, i int) {
	r, w := b.r, b.agency
	n := b.n*blockContacts + i
	*c = contact{
		n: n, id: w.id(kindContact, n), ref: fmt.Sprintf("CT-%d", firstReference+n),
		company: &b.companies[i%len(b.companies)],
	}
	l := pick(r, w.weights)
	first := pick(r, l.men)
	if r.chance(50) {
		first = pick(r, l.women)
	}
	c.name = l.name(first, pick(r, l.surnames))
	c.title = pick(
		r,
		[]string{
			"HR Manager", "Head of Talent", "Operations Director", "Office Manager", "CTO", "Ward Manager",
			"Site Agent",
		},
	)
	c.email = fmt.Sprintf("%s.%d@%s", slug(c.name.latin, "."), n, c.company.domain)
	c.created = r.when(c.company.created, 0, 0)
	c.modified = b.someTimeAfter(c.created)
	c.lastContacted = b.someTimeAfter(c.created)
	c.owner = w.userAt(r, c.created)
	c.doNotContact = r.chance(4)
	b.log(event{
		at: c.created, by: c.owner, action: "CREATE", code: "CONTACT", kind: "CONTACT", id: c.id,
		label: c.name.full, message: "<p>Contact created</p>",
	})
	if c.lastContacted.After(c.created) {
		by := w.userAt(r, c.lastContacted)
		b.log(event{
			at: c.lastContacted, by: by, action: "CALL", code: "CALL", kind: "CONTACT", id: c.id,
			label: c.name.full, message: "<p>Spoke to " + escape(c.name.full) + " about open roles.</p>",
		})
	}
}

func (b *block) fillJob(j *job, i int) {
	r, w := b.r, b.agency
	n := b.n*blockJobs + i
	*j = job{n: n, id: w.id(kindJob, n), ref: fmt.Sprintf("JB-%d", firstReference+n)}
	j.contact = &b.contacts[i%len(b.contacts)]
	j.company = j.contact.company
	j.trade = b.candidates[r.IntN(len(b.candidates))].trade // so that somebody here can do it
	j.low = r.between(j.trade.low/500, (j.trade.low+j.trade.high)/1000) * 500
	j.high = j.low + r.between(4, 30)*500
	j.fee = (j.low + j.high) / 2 * r.between(15, 25) / 100
	j.city, j.region, j.zip = j.company.city, j.company.region, j.company.zip
	j.opened = b.someTimeAfter(j.contact.created)
	if i%5 == 2 { // some are new
		j.opened = latest(j.contact.created, r.when(w.now, -70, -10))
	}
	j.owner = w.userAt(r, j.opened)
	j.lastActivity = j.opened
	b.log(event{
		at: j.opened, by: j.owner, action: "CREATE", code: "JOB", kind: "JOB", id: j.id, label: j.label(),
		message: "<p>Job opened for <b>" + escape(j.company.name) + "</b></p>",
	})
}

func (j *job) label() string { return j.ref + " " + j.trade.title }

func (j *job) status() string {
	if j.closed.IsZero() {
		return "OPEN"
	}
	return "CLOSED"
}

func latest(ts ...time.Time) time.Time {
	return slices.MaxFunc(ts, func(x, y time.Time) int { return cmp.Compare(x.Unix(), y.Unix()) })
}
