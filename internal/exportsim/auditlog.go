package exportsim

import (
	"fmt"
	"html"
	"strconv"
	"strings"
	"time"
)

func escape(s string) string { return html.EscapeString(s) }

// An event is one row of the audit log.
type event struct {
	at                   time.Time
	by                   *user
	action, code         string
	kind, id, label      string
	field, before, after string
	message              string
}

// log adds an event to the audit log, unless that lies after the export.
func (b *block) log(e event) {
	if !e.at.After(b.agency.now) {
		b.events = append(b.events, e)
	}
}

func (b *block) logCandidate(c *candidate) {
	by := b.agency.stillThere(b.r, c.owner, c.created)
	b.log(event{at: c.created, by: by, action: "CREATE", code: "CANDIDATE", kind: "CANDIDATE", id: c.id,
		label:   c.name.full,
		message: fmt.Sprintf("<p>Candidate created%s</p>", from(c.source))})
	if !c.modified.After(c.created) {
		return
	}
	e := event{
		at: c.modified, by: b.agency.stillThere(b.r, c.owner, c.modified), action: "UPDATE",
		code: "FIELD_CHANGE", kind: "CANDIDATE", id: c.id, label: c.name.full,
	}
	if c.doNotContact {
		e.field, e.before, e.after = "doNotContact", "false", "true"
		e.message = "<p>Asked not to be contacted again.</p>"
	} else {
		e.field, e.before, e.after = "currentSalary", strconv.Itoa(c.salary-500), strconv.Itoa(c.salary)
	}
	b.log(e)
}

func from(source string) string {
	if source == "" {
		return ""
	}
	return " (source: " + escape(source) + ")"
}

// addConversations adds the calls and e-mails with candidates, and with them when each was last contacted.
// Half of the conversations ended long ago. Somebody who asked not to be contacted hardly ever is.
func (b *block) addConversations() {
	for i := range b.candidates {
		c := &b.candidates[i]
		end := b.someTimeAfter(c.created)
		if b.r.chance(40) {
			end = b.agency.now
		}
		if c.doNotContact && end.After(c.modified) {
			end = c.modified
		}
		days := int(end.Sub(c.created).Hours() / 24)
		for range b.r.between(0, 9) {
			if days < 4 {
				break
			}
			b.addContact(c, b.r.when(c.created, 1, days-3))
		}
		if c.doNotContact && (i%3 == 0 || b.r.chance(20)) { // a breach
			b.addContact(c, b.someTimeAfter(c.modified))
		}
	}
}

// addContact logs a call or an e-mail to c at t.
func (b *block) addContact(c *candidate, t time.Time) {
	if t.After(b.agency.now) {
		return
	}
	e := event{
		at: t, by: b.agency.stillThere(b.r, c.owner, t), action: "CALL", code: "CALL", kind: "CANDIDATE",
		id: c.id, label: c.name.full,
	}
	if b.r.chance(55) {
		e.action, e.code = "EMAIL", "EMAIL"
		e.message = fmt.Sprintf(
			"<div>Subject: New role for a %s<br/>\nDear %s,<br/>\n<br/>%s\n</div>", escape(c.trade.title),
			escape(c.name.first), pick(b.r, sentences),
		)
	} else {
		e.message = "<p>" + pick(b.r, sentences) + "</p>"
	}
	c.lastContacted = latest(c.lastContacted, t)
	b.log(e)
}

// logUsers adds the history of the users themselves: arrivals, log-ins, departures, and what some took or
// deleted in their last days.
func (b *block) logUsers() {
	w := b.agency
	for i := range w.users {
		u := &w.users[i]
		r := newRNG(w.seed, streamUser, uint64(i)<<32|1)
		b.log(event{
			at: u.created, by: &w.users[0], action: "CREATE", code: "USER", kind: "USER", id: u.id,
			label: u.name.full, message: "<p>User invited</p>",
		})
		for range 3 {
			if t := r.when(u.created, 1, 300); u.activeAt(t) {
				b.log(event{
					at: t, by: u, action: "LOGIN", code: "LOGIN", kind: "USER", id: u.id, label: u.name.full,
				})
			}
		}
		b.log(event{
			at: u.lastLogin, by: u, action: "LOGIN", code: "LOGIN", kind: "USER", id: u.id,
			label: u.name.full,
		})
		if u.left.IsZero() {
			continue
		}
		b.log(event{
			at: u.left.Add(time.Hour), by: &w.users[0], action: "UPDATE", code: "FIELD_CHANGE", kind: "USER",
			id: u.id, label: u.name.full, field: "archived", before: "false",
			after: strconv.FormatBool(u.archived),
		})
		b.logDeparture(r, u)
	}
}

func (b *block) logDeparture(r rng, u *user) {
	night := u.left.Add(-20 * time.Hour).Truncate(time.Hour)
	for k := range r.between(2, 12) {
		b.log(event{
			at: night.Add(time.Duration(k) * 97 * time.Second), by: u, action: "EXPORT", code: "EXPORT",
			kind: "UNRECORDED", label: "Candidate list",
			message: fmt.Sprintf("<p>Exported %d records to CSV</p>", r.between(80, 900)),
		})
	}
	if u.n%8 != 3 {
		return
	}
	for k := range r.between(3, 20) { // of records that the export therefore does not hold
		b.log(event{
			at: night.Add(30*time.Minute + time.Duration(k)*31*time.Second), by: u, action: "DELETE",
			code: "DELETE", kind: "UNRECORDED", label: fmt.Sprintf("CA-%d", 100+r.IntN(899)),
			message: "<p>Record deleted</p>",
		})
	}
}

// notes are the long cells about a person: HTML, quotes, newlines of both kinds.
func (b *block) notes(c *candidate) (overview, internal, thread string) {
	overview = fmt.Sprintf("<p>%s with %d years in %s.</p>\n<ul>\n <li>%s</li>\n</ul>\n<p>%s</p>",
		escape(c.trade.title), c.created.Year()-c.born.Year()-18, escape(c.trade.industry),
		strings.ReplaceAll(escape(strings.Join(c.skills, "|")), "|", "</li>\n <li>"),
		escape(c.locale.greeting))
	if b.r.chance(60) {
		internal = strings.Join(some(b.r, sentences, b.r.between(1, 4)), "\n")
	}
	if b.r.chance(4) {
		internal += "\nSick leave in the last job was agreed; passport number seen, not copied."
	}
	if b.r.chance(30) {
		var t strings.Builder
		lines := b.r.between(2, 12)
		if b.r.chance(1) {
			lines = 900
		}
		for k := range lines {
			fmt.Fprintf(&t, "[%d] %s: \"%s\"\r\n", k+1, c.name.first, pick(b.r, sentences))
		}
		thread = t.String()
	}
	return overview, internal, thread
}
