package exportsim

import (
	"encoding/json"
	"fmt"
	"time"
)

// A task is something that somebody has to do about some records.
type task struct {
	n                   int
	id, subject, text   string
	status, priority    string
	due, done, reminder time.Time
	by, to              *user
	links               []link
	created, modified   time.Time
}

// A link points from a task to a record.
type link struct {
	ID   string `json:"_id"`
	Type string `json:"type"`
	Name string `json:"name"`
}

// A folderRecord says that a record lies in a folder.
type folderRecord struct {
	n       int
	id      string
	folder  int
	link    link
	ref     string
	by      *user
	created time.Time
}

// maxTasks bounds a block's tasks, so that tasks can be numbered without looking at other blocks.
const maxTasks = 64

func (b *block) makeTasks() {
	r, w := b.r, b.agency
	for k := range max(2, len(b.candidates)*3/5) {
		c := &b.candidates[r.IntN(len(b.candidates))]
		n := b.n*maxTasks + k
		t := task{n: n, id: w.id(kindTask, n), priority: pick(r, []string{"LOW", "NORMAL", "HIGH"})}
		t.created = b.someTimeAfter(c.created)
		t.by, t.to = w.userAt(r, t.created), w.userAt(r, t.created)
		t.subject = pick(
			r,
			[]string{
				"Call back", "Check references", "Send contract", "Chase timesheet", "Update CV",
				"Right to work check", `Ask about the "other" offer`,
			},
		) + " – " + c.name.full
		if r.chance(50) {
			t.text = "<p>" + pick(r, sentences) + "</p>\n<p>" + pick(r, sentences) + "</p>"
		}
		t.due = r.when(t.created, 1, 30)
		if r.chance(30) {
			t.reminder = r.when(t.created, 0, 1)
		}
		t.links = b.taskLinks(c)
		t.status, t.modified = "DONE", r.when(t.created, 1, 25)
		t.done = t.modified
		// What leavers had not done stays undone, and so does what is new.
		if left := !t.to.left.IsZero(); t.done.After(w.now) || left && r.chance(60) || !left && r.chance(12) {
			t.status, t.modified, t.done = pick(r, []string{"TODO", "TODO", "DOING"}), t.created, time.Time{}
		}
		b.tasks = append(b.tasks, t)
	}
}

// taskLinks is what a task is about: mostly one person, often a job or a company as well, sometimes a lead
// that no export contains.
func (b *block) taskLinks(c *candidate) []link {
	r := b.r
	links := []link{{c.id, "CANDIDATE", c.name.full}}
	if r.chance(35) {
		j := &b.jobs[r.IntN(len(b.jobs))]
		links = append(links, link{j.id, "JOB", j.label()})
	}
	if r.chance(20) {
		co := &b.companies[r.IntN(len(b.companies))]
		links = append(links, link{co.id, "COMPANY", co.name})
	}
	if r.chance(4) {
		n := r.IntN(5000)
		links = append(links, link{b.agency.id(kindLead, n), "LEAD", fmt.Sprintf("LD-%d", firstReference+n)})
	}
	return links
}

func (t *task) linkedRecords() string {
	b, _ := json.Marshal(t.links)
	return string(b)
}

// folderParent returns the number of the folder that folder n lies in, or -1.
func folderParent(n int) int {
	if n%4 == 0 {
		return -1
	}
	return n / 4 * 4
}

func folderPath(n int) string {
	if p := folderParent(n); p >= 0 {
		return folderNames[p] + "/" + folderNames[n]
	}
	return folderNames[n]
}

// makeFolders files records. The first block puts something into every folder: a folder exists in the export
// only through its members.
func (b *block) makeFolders() {
	r := b.r
	most := max(2, blockFolders*len(b.candidates)/blockPeople)
	if b.n == 0 {
		most = len(folderNames)
	}
	for k := range most {
		n := b.n*len(folderNames) + k
		f := folderRecord{n: n, id: b.agency.id(kindFolderRecord, n), folder: r.IntN(len(folderNames))}
		if b.n == 0 {
			f.folder = k
		}
		f.link, f.ref, f.created = b.anyRecord()
		f.created = b.someTimeAfter(f.created)
		f.by = b.agency.userAt(r, f.created)
		b.folders = append(b.folders, f)
	}
}

// anyRecord returns some record of the block, its reference and when it was created; now and then it is a
// lead, an opportunity or a placement, which the export does not contain.
func (b *block) anyRecord() (link, string, time.Time) {
	r := b.r
	start := b.candidates[0].created
	switch n := r.IntN(100); {
	case n < 60:
		c := &b.candidates[r.IntN(len(b.candidates))]
		return link{c.id, "CANDIDATE", c.name.full}, c.ref, c.created
	case n < 75:
		c := &b.contacts[r.IntN(len(b.contacts))]
		return link{c.id, "CONTACT", c.name.full}, c.ref, c.created
	case n < 85:
		c := &b.companies[r.IntN(len(b.companies))]
		return link{c.id, "COMPANY", c.name}, c.ref, c.created
	case n < 95:
		j := &b.jobs[r.IntN(len(b.jobs))]
		return link{j.id, "JOB", j.label()}, j.ref, j.opened
	case n < 97:
		k := r.IntN(5000)
		return link{b.agency.id(kindLead, k), "LEAD", "A lead"}, fmt.Sprintf("LD-%d", firstReference+k), start
	case n < 99:
		k := r.IntN(5000)
		return link{
			b.agency.id(kindOpportunity, k), "OPPORTUNITY", "An opportunity",
		}, fmt.Sprintf("OP-%d", firstReference+k), start
	}
	k := r.IntN(5000)
	return link{
		b.agency.id(kindPlacement, k), "PLACEMENT", "A placement",
	}, fmt.Sprintf("PL-%d", firstReference+k), start
}
