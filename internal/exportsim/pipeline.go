package exportsim

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// The stages that a candidate passes on the way into a job, in order, and what the agency calls them.
var (
	stages      = []string{"SOURCED", "APPLIED", "SHORTLIST", "CV_SENT", "INTERVIEW", "OFFER", "PLACED"}
	stageLabels = []string{"Sourced", "Applied", "Shortlist", "CV Sent", "Interview", "Offer", "Placed"}
)

const (
	sourced = iota
	applied
	shortlist
	cvSent
	interview
	offer
	placed
)

// A card is one candidate's way into one job.
type card struct {
	n           int
	id          string
	job         *job
	candidate   *candidate
	owner       *user
	application bool
	steps       []step // at least one, in order
	rejected    bool
	reason      int
	logged      bool // has a status log
	modified    time.Time
	fee         int
}

type step struct {
	stage int
	at    time.Time
	by    *user
}

func (c *card) stage() int { return c.steps[len(c.steps)-1].stage }

// reached returns when the card came to a stage, or zero.
func (c *card) reached(stage int) time.Time {
	for _, s := range c.steps {
		if s.stage == stage {
			return s.at
		}
	}
	return time.Time{}
}

// log is the card's history as the platform's API writes it, the same text in every dialect.
func (c *card) log() string {
	type entry struct {
		ID    string `json:"currentStateId"`
		Name  string `json:"currentStateName"`
		By    string `json:"addedBy"`
		Since string `json:"addedOn"`
	}
	var log []entry
	for _, s := range c.steps {
		log = append(log, entry{stages[s.stage], stageLabels[s.stage], s.by.id, s.at.Format(time.RFC3339)})
	}
	b, _ := json.Marshal(log)
	return string(b)
}

// maxCards bounds a job's pipeline, so that cards can be numbered without looking at other blocks.
const maxCards = 24

// fillPipeline puts some of the block's people into j's pipeline and decides how the job ended.
func (b *block) fillPipeline(j *job) {
	r := b.r
	filled := r.chance(60)
	start := len(b.cards)
	for k, c := range b.shortlisted(j) {
		from := latest(j.opened, c.created)
		limit := reachOf(r)
		if filled && k == 0 {
			limit = placed
		}
		b.addCard(j, c, from, limit, start)
	}
	for i := start; i < len(b.cards); i++ {
		j.lastActivity = latest(j.lastActivity, b.cards[i].modified)
	}
	b.closeJob(j, b.cards[start:])
}

// shortlisted picks who is put forward for j: people of its trade first, nobody who asked to be left alone.
func (b *block) shortlisted(j *job) []*candidate {
	var fit, others []*candidate
	for _, i := range b.r.Perm(len(b.candidates)) {
		c := &b.candidates[i]
		switch {
		case c.doNotContact, c.created.After(j.opened.AddDate(0, 0, 45)):
		case c.trade == j.trade:
			fit = append(fit, c)
		default:
			others = append(others, c)
		}
	}
	all := append(fit, others...)
	return all[:min(len(all), b.r.between(6, maxCards-2))]
}

// reachOf returns how far a card gets.
func reachOf(r rng) int {
	for stage, percent := range []int{30, 22, 34, 55, 80, 100} {
		if r.chance(percent) {
			return stage
		}
	}
	return sourced
}

func (b *block) addCard(j *job, c *candidate, from time.Time, limit, start int) {
	r, w := b.r, b.agency
	at := r.when(from, 1, 14)
	if at.After(w.now) {
		return
	}
	k := len(b.cards) - start
	n := (b.n*blockJobs+(j.n-b.n*blockJobs))*maxCards + k
	p := card{
		n: n, id: w.id(kindCard, n), job: j, candidate: c, application: r.chance(35), logged: r.chance(90),
		fee: j.fee,
	}
	p.owner = w.stillThere(r, j.owner, at)
	stage := sourced
	if p.application {
		stage, limit = applied, max(limit, applied)
	}
	for ; stage <= limit; stage++ {
		if at.After(w.now) {
			break
		}
		if stage == applied && !p.application {
			continue
		}
		p.steps = append(p.steps, step{stage, at, w.stillThere(r, p.owner, at)})
		b.logStep(&p)
		at = r.when(at, 1, 9)
	}
	p.modified = p.steps[len(p.steps)-1].at
	b.cards = append(b.cards, p)
}

// logStep logs the newest step: a call when somebody is shortlisted, a move in the job's history.
func (b *block) logStep(p *card) {
	s := p.steps[len(p.steps)-1]
	if s.stage == shortlist {
		b.addContact(p.candidate, s.at.Add(-20*time.Minute))
	}
	before := ""
	if len(p.steps) > 1 {
		before = stageLabels[p.steps[len(p.steps)-2].stage]
	}
	code := "STATUS_CHANGE"
	if s.stage == interview {
		code = "INTERVIEW"
	}
	b.log(event{at: s.at, by: s.by, action: "UPDATE", code: code, kind: "JOB", id: p.job.id,
		label: p.job.label(), field: "pipeline", before: before, after: stageLabels[s.stage],
		message: fmt.Sprintf(
			"<p>%s (%s) moved to <b>%s</b></p>", escape(p.candidate.name.full), p.candidate.ref,
			stageLabels[s.stage],
		)})
}

// closeJob ends a job whose placement was made or whose time was over, and turns down whoever was not placed.
func (b *block) closeJob(j *job, cards []card) {
	r := b.r
	won := slices.IndexFunc(cards, func(c card) bool { return c.stage() == placed })
	end := r.when(j.lastActivity, 3, 50)
	if won >= 0 {
		end = r.when(j.lastActivity, 1, 2)
	}
	if end.After(b.agency.now) || won < 0 && r.chance(15) {
		end = time.Time{} // still open
	}
	j.closed = end
	for i := range cards {
		c := &cards[i]
		if c.stage() == placed || end.IsZero() && !r.chance(20) {
			continue
		}
		c.rejected, c.reason = true, r.IntN(len(rejectReasons))
		if !end.IsZero() {
			c.modified = end
		}
	}
	if !end.IsZero() {
		j.lastActivity = end
		b.log(event{
			at: end, by: b.agency.stillThere(r, j.owner, end), action: "UPDATE", code: "FIELD_CHANGE",
			kind: "JOB", id: j.id, label: j.label(), field: "status", before: "OPEN", after: "CLOSED",
		})
	}
}
