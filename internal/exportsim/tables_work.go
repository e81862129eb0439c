package exportsim

import (
	"fmt"
	"strings"
)

func (s csvSet) jobs(b *block) error {
	f := s["jobs"]
	for i := range b.jobs {
		j := &b.jobs[i]
		b.putJob(f, j)
		f.put("company_id", j.company.id)
		f.put("company_name", j.company.name)
		f.put("contact_id", j.contact.id)
		f.put("contact_name", j.contact.name.full)
		f.put("owner_id", j.owner.id)
		f.put("owner_name", j.owner.name.full)
		f.put("address_city", j.city)
		f.put("address_region", j.region)
		f.put("address_postcode", j.zip)
		f.put("address_country_code", j.company.country)
		f.put("apply_url", "https://jobs.example/apply/"+j.id)
		f.put("apply_email", "apply+"+strings.ToLower(j.ref)+"@jobs.example")
		f.put("posted_on", date(j.opened.AddDate(0, 0, 1)))
		f.put("date_opened", date(j.opened))
		f.put("last_activity_date", j.lastActivity)
		f.put("created_on", j.opened)
		f.put("modified_on", latest(j.opened, j.closed))
		if err := f.end(); err != nil {
			return err
		}
	}
	return nil
}

func (b *block) putJob(f *csvFile, j *job) {
	r := b.r
	f.put("job_id", j.id)
	f.put("unique_id", 500_000+j.n)
	f.put("reference", j.ref)
	f.put("title", j.trade.title)
	f.put("status", j.status())
	f.put("job_type", pick(r, []string{"Permanent", "Permanent", "Contract", "Temp"}))
	f.put("sector", j.trade.sector)
	f.put("industry", j.trade.industry)
	f.put("experience", pick(r, []string{"Entry", "2+ years", "5+ years", ""}))
	f.put("short_description", j.trade.title+" in "+j.city)
	f.put(
		"description",
		fmt.Sprintf(
			"<h3>%s</h3>\n<p>Our client, a leader in %s, needs:</p>\n<ul><li>%s</li></ul>\n<p>\"You\" "+
				"will fit in, if you like people.</p>",
			j.trade.title, escape(strings.ToLower(j.trade.industry)),
			strings.ReplaceAll(escape(strings.Join(j.trade.skills, "|")), "|", "</li><li>"),
		),
	)
	f.put("internal_description", pick(r, sentences))
	f.put("package_overview", fmt.Sprintf("£%d to £%d, pension", j.low, j.high))
	f.put("min_pay", money(j.low))
	f.put("max_pay", money(j.high))
	if r.chance(12) { // unset
		f.put("min_pay", money(0))
		f.put("max_pay", money(0))
	}
	f.put("pay_currency", "GBP")
	f.put("pay_tenure", "Annual")
	f.put("commission_amount", money(j.fee))
	f.put("remote_working", r.chance(25))
	f.put("hot", r.chance(15))
	f.put("tags", some(r, tagWords, r.between(0, 2)))
}

func (s csvSet) cards(b *block) error {
	f := s["job_pipelines"]
	for i := range b.cards {
		c := &b.cards[i]
		b.putCard(f, c)
		f.put("job_id", c.job.id)
		f.put("job_reference", c.job.ref)
		f.put("job_title", c.job.trade.title)
		f.put("candidate_id", c.candidate.id)
		f.put("candidate_reference", c.candidate.ref)
		f.put("candidate_name", c.candidate.name.full)
		f.put("candidate_email", c.candidate.email)
		f.put("candidate_mobile", c.candidate.mobile)
		f.put("candidate_source", c.candidate.source)
		f.put("candidate_owner_id", c.candidate.owner.id)
		f.put("company_id", c.job.company.id)
		f.put("company_name", c.job.company.name)
		f.put("contact_id", c.job.contact.id)
		f.put("contact_name", c.job.contact.name.full)
		f.put("job_owner_id", c.job.owner.id)
		f.put("owner_id", c.owner.id)
		f.put("owner_name", c.owner.name.full)
		b.spoilCard(f, c)
		if err := f.end(); err != nil {
			return err
		}
	}
	return nil
}

func (b *block) putCard(f *csvFile, c *card) {
	f.put("pipeline_id", c.id)
	f.put("status_code", stages[c.stage()])
	f.put("status_name", stageLabels[c.stage()])
	f.put("state_id", fmt.Sprintf("%s-%d", strings.ToLower(stages[c.stage()]), c.n%2+1))
	f.put("state_name", []string{"Awaiting feedback", "In progress"}[c.n%2])
	f.put("rejected", c.rejected)
	if c.rejected && rejectReasons[c.reason] != "" {
		f.put("reject_reason_id", b.agency.id(kindReason, c.reason))
		f.put("reject_reason", rejectReasons[c.reason])
	}
	f.put("job_application", c.application)
	if c.stage() >= interview {
		f.put("commission_value", money(c.fee))
	}
	f.put("shortlist_date", c.reached(shortlist))
	f.put("cv_sent_date", c.reached(cvSent))
	f.put("interview_date", c.reached(interview))
	f.put("offer_date", c.reached(offer))
	if c.stage() == placed {
		f.put("placement_ref", fmt.Sprintf("PL-%d", firstReference+c.n))
	}
	f.put("comments", pick(b.r, append(sentences[:3:3], "", "", "")))
	if c.logged {
		f.put("status_log", c.log())
	}
	f.put("created_on", c.steps[0].at)
	f.put("modified_on", c.modified)
}

func (s csvSet) tasks(b *block) error {
	f := s["tasks"]
	for i := range b.tasks {
		t := &b.tasks[i]
		f.put("task_id", t.id)
		f.put("subject", t.subject)
		f.put("description", t.text)
		f.put("status", t.status)
		f.put("priority", t.priority)
		f.put("due_date", t.due)
		f.put("completed_on", t.done)
		f.put("assigned_by_id", t.by.id)
		f.put("assigned_by_name", t.by.name.full)
		f.put("assigned_to_id", t.to.id)
		f.put("assigned_to_name", t.to.name.full)
		f.put("linked_records", t.linkedRecords())
		f.put("reminder_date", t.reminder)
		f.put("created_on", t.created)
		f.put("modified_on", t.modified)
		if err := s.endTask(b, t); err != nil {
			return err
		}
	}
	return nil
}
