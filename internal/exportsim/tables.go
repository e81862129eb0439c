package exportsim

import (
	"fmt"

	"holdall/schemas"
)

// A csvSet is the ten CSVs in the making, by table name.
type csvSet map[string]*csvFile

func (s csvSet) writeUsers(w *agency) error {
	f := s["users"]
	for i := range w.users {
		u := &w.users[i]
		f.put("user_id", u.id)
		f.put("full_name", u.name.full)
		f.put("first_name", u.name.first)
		f.put("surname", u.name.surname)
		f.put("email", u.email)
		f.put("mobile", u.mobile)
		f.put("role", u.role)
		f.put("team_name", u.team)
		f.put("job_title", u.jobTitle)
		f.put("time_zone", u.zone)
		f.put("disabled", u.disabled)
		f.put("archived", u.archived)
		f.put("last_login", u.lastLogin)
		f.put("created_on", u.created)
		if err := f.end(); err != nil {
			return err
		}
	}
	return nil
}

// writeBlock writes the rows of a block whose documents have been written.
func (s csvSet) writeBlock(b *block) error {
	for _, write := range []func(*block) error{
		s.candidates, s.companies, s.contacts, s.jobs, s.cards, s.tasks, s.folders, s.attachments, s.audits,
	} {
		if err := write(b); err != nil {
			return err
		}
	}
	return nil
}

func (s csvSet) candidates(b *block) error {
	f := s["candidates"]
	for i := range b.candidates {
		c := &b.candidates[i]
		putPerson(f, c)
		b.putWork(f, c)
		b.putFile(f, c)
		f.putCustom(gender(c.woman), date(c.born), c.locale.nationality, c.trade.title,
			fmt.Sprintf("£%dk basic", c.salary/1000),
			fmt.Sprintf("%05d", c.n*7), pick(b.r, degrees), b.r.between(20, 33), c.employer)
		b.spoilCandidate(f, c)
		if err := f.end(); err != nil {
			return err
		}
	}
	return nil
}

func gender(woman bool) string {
	if woman {
		return "Female"
	}
	return "Male"
}

func putPerson(f *csvFile, c *candidate) {
	f.put("candidate_id", c.id)
	f.put("reference", c.ref)
	f.put("full_name", c.name.full)
	f.put("title", map[bool]string{true: "Ms", false: "Mr"}[c.woman])
	f.put("first_name", c.name.first)
	f.put("surname", c.name.surname)
	f.put("email", c.email)
	f.put("mobile", c.mobile)
	if c.n%6 == 0 {
		f.put("alternate_email", fmt.Sprintf("home.%d@example.net", c.n))
		f.put("home_phone", fmt.Sprintf("01632 960%03d", c.n%1000))
	}
	if c.n%9 == 0 {
		f.put("work_phone", fmt.Sprintf("020 7946 0%03d", c.n%1000))
	}
	f.put("linkedin", "https://linkedin.example/in/"+slug(c.name.latin, "-")+"-"+fmt.Sprint(c.n))
	if c.n%7 == 0 {
		f.put("twitter", "@"+slug(c.name.latin, "_"))
	}
	f.put("education_level", levels[c.n%len(levels)])
	f.put("nationality", c.locale.nationality)
	f.put("gender", gender(c.woman))
	f.put("date_of_birth", date(c.born))
	if c.locale.code == "GB" {
		f.put(
			"national_insurance_number",
			fmt.Sprintf("QQ %02d %02d %02d %c", c.n/10000%100, c.n/100%100, c.n%100, 'A'+c.n%4),
		)
	}
	f.put("address_line1", c.line1)
	if c.n%5 == 0 {
		f.put("address_line2", fmt.Sprintf("Flat %d", c.n%40+1))
	}
	f.put("address_city", c.city)
	f.put("address_region", c.region)
	f.put("address_postcode", c.post)
	f.put("address_country", c.locale.country)
	f.put("current_city", c.city)
	f.put("current_country", c.locale.country)
}

func (b *block) putWork(f *csvFile, c *candidate) {
	r := b.r
	f.put("headline", c.trade.title+" at "+c.employer)
	f.put("current_job_title", c.trade.title)
	f.put("current_company", c.employer)
	f.put("employer_name", c.employer)
	f.put("start_date", date(c.jobStart))
	if r.chance(20) {
		f.put("end_date", date(c.created))
	}
	f.put("current_job_type", pick(r, []string{"Permanent", "Contract", "Temp"}))
	f.put("job_types", some(r, []string{"Permanent", "Contract", "Temp"}, r.between(1, 3)))
	f.put("current_salary", money(c.salary))
	f.put("expected_salary", money(c.salary+2000))
	if r.chance(60) {
		f.put("expected_min_salary", money(c.salary+1000))
		f.put("expected_max_salary", money(c.salary+5000))
	}
	f.put("availability", pick(r, []string{"Immediately", "1 week", "4 weeks", "3 months", ""}))
	if r.chance(40) {
		f.put("available_from", date(b.agency.now.AddDate(0, 0, r.between(-60, 90))))
	}
	f.put(
		"reason_for_leaving",
		pick(
			r,
			[]string{
				"", "", "Redundancy", "New challenge", `Was told "no more overtime"`, "Moved house, too far",
			},
		),
	)
	f.put("relocate", r.chance(30))
	f.put("driving_license", pick(r, []string{"Full UK", "Provisional", "None", "EU"}))
	f.put("preferred_job_titles", []string{c.trade.title, "Senior " + c.trade.title})
	f.put("preferred_sectors", []string{c.trade.sector})
	f.put("preferred_industries", []string{c.trade.industry})
	f.put("preferences", pick(r, []string{"", "Days only", "Within 45 minutes; no weekends", "4-day week"}))
	f.put("skills", c.skills)
}

func (b *block) putFile(f *csvFile, c *candidate) {
	overview, internal, thread := b.notes(c)
	f.put("owner_name", c.owner.name.full)
	f.put("owner_id", c.owner.id)
	f.put("category", pick(b.r, categories))
	f.put("status", pick(b.r, statuses))
	f.put("source", c.source)
	f.put("industry", c.trade.industry)
	f.put("rating", c.rate)
	f.put("tags", c.tags)
	f.put("overview", overview)
	f.put("internal_note", internal)
	f.put("conversation_thread", thread)
	f.put("opt_out_sms", c.doNotContact || b.r.chance(10))
	f.put("marketing_emails", !c.doNotContact && b.r.chance(60))
	f.put("marketing_sms", !c.doNotContact && b.r.chance(25))
	f.put("do_not_contact", c.doNotContact)
	f.put("has_cv", c.hasCV)
	f.put("last_contacted", c.lastContacted)
	f.put("created_on", c.created)
	f.put("modified_on", c.modified)
}

func (s csvSet) companies(b *block) error {
	f := s["companies"]
	for i := range b.companies {
		c := &b.companies[i]
		f.put("company_id", c.id)
		f.put("reference", c.ref)
		f.put("name", c.name)
		f.put(
			"description",
			fmt.Sprintf(
				"<p>%s, in the trade of <em>%s</em>.</p>\n<p>%d people.</p>", escape(c.name),
				escape(c.trade.industry), c.employees,
			),
		)
		f.put("website", "https://www."+c.domain+"/")
		f.put("domain", c.domain)
		f.put("email", "office@"+c.domain)
		f.put("phone", fmt.Sprintf(landline(b.r), c.n%1000))
		f.put("linkedin", "https://linkedin.example/company/"+slug(c.name, "-"))
		f.put("head_office_name", "Head office")
		f.put("address_line1", fmt.Sprintf("Unit %d, %s Park", c.n%30+1, streets[c.n%len(streets)]))
		f.put("address_city", c.city)
		f.put("address_region", c.region)
		f.put("address_postcode", c.zip)
		f.put("address_country", c.country)
		f.put("industries", []string{c.trade.industry})
		f.put("sectors", []string{c.trade.sector})
		f.put("company_type", map[bool]string{true: "Client", false: "Prospect"}[c.client])
		f.put("company_size", map[bool]string{true: "LARGE", false: "SMALL"}[c.employees > 250])
		f.put("employees", c.employees)
		f.put("is_client", c.client)
		f.put("terms_agreed", c.client && c.n%5 > 0)
		f.put("status", map[bool]string{true: "Active", false: "Prospect"}[c.client])
		f.put("rating", c.n%6)
		f.put("parent_company_id", c.parent)
		f.put("owner_id", c.owner.id)
		f.put("owner_name", c.owner.name.full)
		f.put("created_on", c.created)
		f.put("modified_on", c.modified)
		f.putCustom(c.owner.name.full)
		if err := s.endCompany(b, c); err != nil {
			return err
		}
	}
	return nil
}

func (s csvSet) contacts(b *block) error {
	f := s["contacts"]
	for i := range b.contacts {
		c := &b.contacts[i]
		f.put("contact_id", c.id)
		f.put("reference", c.ref)
		f.put("first_name", c.name.first)
		f.put("surname", c.name.surname)
		f.put("full_name", c.name.full)
		f.put("job_title", c.title)
		f.put("email", c.email)
		f.put("work_phone", fmt.Sprintf(landline(b.r), c.n%1000))
		f.put("linkedin", "https://linkedin.example/in/"+slug(c.name.latin, "-")+"-c"+fmt.Sprint(c.n))
		f.put("seniority", pick(b.r, []string{"Director", "Manager", "Senior", ""}))
		f.put("location", c.company.city+", "+c.company.country)
		f.put("postcode", c.company.zip)
		if b.r.chance(30) {
			f.put("description", pick(b.r, sentences)+"\n"+pick(b.r, sentences))
		}
		f.put("company_id", c.company.id)
		f.put("company_name", c.company.name)
		f.put("owner_id", c.owner.id)
		f.put("owner_name", c.owner.name.full)
		f.put("status", pick(b.r, []string{"Active", "Left company", "Decision maker"}))
		f.put("do_not_contact", c.doNotContact)
		f.put("tags", some(b.r, tagWords, b.r.between(0, 2)))
		f.put("last_contacted", c.lastContacted)
		f.put("created_on", c.created)
		f.put("modified_on", c.modified)
		if err := f.end(); err != nil {
			return err
		}
	}
	return nil
}

func (s csvSet) folders(b *block) error {
	f := s["folder_records"]
	for i := range b.folders {
		r := &b.folders[i]
		f.put("folder_record_id", r.id)
		f.put("folder_id", b.agency.id(kindFolder, r.folder))
		f.put("folder_name", folderNames[r.folder])
		if p := folderParent(r.folder); p >= 0 {
			f.put("parent_folder_id", b.agency.id(kindFolder, p))
		}
		f.put("folder_path", folderPath(r.folder))
		f.put("record_id", r.link.ID)
		f.put("record_type", r.link.Type)
		f.put("record_reference", r.ref)
		f.put("record_name", r.link.Name)
		f.put("owner_id", b.agency.users[r.folder%len(b.agency.users)].id)
		f.put("shared", r.folder%3 == 0)
		f.put("created_by", r.by.id)
		f.put("created_on", r.created)
		if err := f.end(); err != nil {
			return err
		}
	}
	return nil
}

func (s csvSet) attachments(b *block) error {
	f := s["attachments"]
	for i := range b.attachments {
		a := &b.attachments[i]
		if a.mistake == MistakeUnlisted || a.mistake == MistakeSymlink {
			continue
		}
		f.put("attachment_id", a.id)
		f.put("record_id", a.owner.ID)
		f.put("record_type", a.owner.Type)
		f.put("record_reference", a.ref)
		f.put("record_name", a.owner.Name)
		f.put("file_name", a.name)
		if !a.unlisted {
			f.put("file_path", a.path)
		}
		f.put("file_extension", extension(a.name))
		f.put("content_type", mediaTypes[extension(a.name)])
		f.put("file_size", a.rowSize())
		f.put("document_type", a.kind)
		f.put("is_cv", a.isCV)
		f.put("url", "https://app.example/files/"+a.id)
		f.put("uploaded_by_id", a.by.id)
		f.put("uploaded_by_name", a.by.name.full)
		f.put("created_on", a.created)
		if err := f.end(); err != nil {
			return err
		}
	}
	return nil
}

func (a *attachment) rowSize() int64 {
	if a.mistake == MistakeSize {
		return a.size + 4096
	}
	return a.size
}

func (s csvSet) audits(b *block) error {
	f := s["audit_logs"]
	for i := range b.events {
		e := &b.events[i]
		f.put("audit_id", b.agency.id(kindAudit, b.n<<20|i))
		f.put("event_time", e.at)
		f.put("actor_id", e.by.id)
		f.put("actor_name", e.by.name.full)
		f.put("action", e.action)
		f.put("activity_code", e.code)
		f.put("entity_type", e.kind)
		f.put("entity_id", e.id)
		f.put("entity_label", e.label)
		f.put("field", e.field)
		f.put("old_value", e.before)
		f.put("new_value", e.after)
		f.put("message", e.message)
		if i%4 > 0 {
			f.put("ip_address", fmt.Sprintf("192.0.2.%d", e.by.n%254+1))
			f.put("user_agent", "Mozilla/5.0 (sample)")
		}
		if err := f.end(); err != nil {
			return err
		}
	}
	return nil
}

// openTables starts the ten CSVs in dir.
func openTables(dir string, d schemas.Dialect) (csvSet, error) {
	set := csvSet{}
	for _, t := range schemas.Recruitly() {
		f, err := createCSV(dir+"/"+t.File, t, d)
		if err != nil {
			set.close()
			return nil, fmt.Errorf("create %s: %w", t.File, err)
		}
		set[t.Name] = f
	}
	return set, nil
}

func (s csvSet) close() {
	for _, f := range s {
		f.f.Close()
	}
}
