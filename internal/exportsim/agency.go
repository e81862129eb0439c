package exportsim

import (
	"fmt"
	"strings"
	"time"
)

// Sizes of an agency. A block is made whole, so its numbers bound the memory.
const (
	blockPeople    = 50
	blockCompanies = 6
	blockContacts  = 10
	blockJobs      = 8
	blockFolders   = 10

	firstReference = 1000 // CA-1000 is the first candidate
	maxUsers       = 300
)

// agency is what all blocks share: the agency, its users and its clock. It does not change once made.
type agency struct {
	seed         uint64
	prefix       string // of all ids
	name         string
	people       int
	founded      time.Time
	now          time.Time
	users        []user
	weights      []*locale // each locale as often as its weight says
	mistakes     bool
	documentSize int
	shape        Shape
}

// A user works at the agency, or did.
type user struct {
	n                    int
	id, email, role      string
	team, jobTitle, zone string
	name                 name
	mobile               string
	created, left        time.Time // left is zero for those who are still there
	lastLogin            time.Time
	archived, disabled   bool
}

func (u *user) activeAt(t time.Time) bool {
	return !t.Before(u.created) && (u.left.IsZero() || t.Before(u.left))
}

func newAgency(cfg Config) *agency {
	r := newRNG(cfg.Seed, streamAgency, 0)
	w := &agency{
		seed: cfg.Seed, people: cfg.People, now: cfg.Now, mistakes: cfg.Mistakes, shape: cfg.Shape,
		documentSize: cfg.DocumentSize,
		name:         pick(r, agencyNames),
	}
	w.prefix = slug(w.name, "")[:4]
	// The 17th makes every file hold a day that cannot be a month, so that the order of its dates is never in
	// doubt.
	w.founded = time.Date(w.now.Year()-7, w.now.Month(), 17, 9, 12, 40, 0, time.UTC)
	for i := range locales {
		for range locales[i].weight {
			w.weights = append(w.weights, &locales[i])
		}
	}
	n := min(6+cfg.People/120, maxUsers)
	for i := range n {
		w.users = append(w.users, w.newUser(i, n))
	}
	return w
}

func (w *agency) newUser(i, n int) user {
	r := newRNG(w.seed, streamUser, uint64(i))
	l := &locales[i*7%9] // those that write Latin letters
	first := pick(r, l.women)
	if r.chance(50) {
		first = pick(r, l.men)
	}
	// Full names are what owner columns refer to, so no two users share one.
	u := user{n: i, id: w.id(kindUser, i), name: l.name(first, rareSurnames[i%len(rareSurnames)])}
	if i >= len(rareSurnames) {
		u.name = l.name(first, rareSurnames[i%len(rareSurnames)]+" "+string(rune('A'+i/len(rareSurnames))))
	}
	u.email = fmt.Sprintf("%s.%d@%s.example", slug(u.name.latin, "."), i, slug(w.name, "-"))
	u.mobile = fmt.Sprintf("07700 900%03d", i)
	u.created = w.founded
	if i > 0 {
		u.created = r.when(w.founded, 1+i*1500/n, 30+i*1500/n)
	}
	u.role, u.jobTitle = "CONSULTANT", pick(
		r, []string{"Recruitment Consultant", "Senior Consultant", "Resourcer", "Account Manager"},
	)
	if i == 0 {
		u.role, u.jobTitle = "ADMIN", "Managing Director"
	} else if i%9 == 2 {
		u.role, u.jobTitle = "MANAGER", "Team Leader"
	}
	u.team, u.zone = teams[i%len(teams)], "Europe/London"
	u.lastLogin = r.when(w.now, -9, -5)
	if i%4 == 3 {
		days := int(w.now.Sub(u.created).Hours() / 24)
		u.left = r.when(u.created, days/3, days-60)
		u.archived, u.disabled = i%8 == 3 || r.chance(70), r.chance(60) || i%8 == 7
		u.lastLogin = u.left
	}
	return u
}

// userAt returns somebody who worked at the agency at t.
func (w *agency) userAt(r rng, t time.Time) *user {
	for range 12 {
		if u := &w.users[r.IntN(len(w.users))]; u.activeAt(t) {
			return u
		}
	}
	return &w.users[0] // the founder stays
}

// stillThere returns u, or a colleague who took over if u had left by t.
func (w *agency) stillThere(r rng, u *user, t time.Time) *user {
	if u.activeAt(t) {
		return u
	}
	return w.userAt(r, t)
}

// joined returns when person i registered: the people came one after the other over the agency's life.
func (w *agency) joined(r rng, i int) time.Time {
	start := w.founded.AddDate(0, 0, 20)
	step := float64(w.now.AddDate(0, 0, -12).Sub(start)) / float64(w.people)
	t := start.Add(time.Duration(step * (float64(i) + 0.8*r.Float64())))
	return r.when(t, 0, 0)
}

func (w *agency) blocks() int { return (w.people + blockPeople - 1) / blockPeople }

// mobile returns a number from a range reserved for drama that nobody else in the export has, or "" when they
// are used up.
func mobile(i int) string {
	const used = maxUsers
	switch {
	case i < 1000-used:
		return fmt.Sprintf("07700 900%03d", used+i)
	case i < 10_000:
		return fmt.Sprintf("+33 6 39 98 %02d %02d", i/100, i%100)
	case i < 10_000+78_000:
		return fmt.Sprintf("+1 %d 555 01%02d", 201+i/100%780, i%100)
	}
	return ""
}

// internationally returns a British mobile number as somebody else would write it.
func internationally(number string) string {
	if rest, ok := strings.CutPrefix(number, "0"); ok {
		return "+44 " + rest
	}
	return strings.ReplaceAll(number, " ", "-")
}

func landline(r rng) string {
	return pick(
		r, []string{"01632 960%03d", "020 7946 0%03d", "0113 496 0%03d", "0161 496 0%03d", "029 2018 0%03d"},
	)
}

// postcode fills a pattern: # is a digit, @ a letter.
func postcode(r rng, pattern string) string {
	b := []byte(pattern)
	for i, c := range b {
		switch c {
		case '#':
			b[i] = byte('0' + r.IntN(10))
		case '@':
			b[i] = "ABDEFGHJLNPQRSTUWXYZ"[r.IntN(20)]
		}
	}
	return string(b)
}
