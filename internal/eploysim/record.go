package eploysim

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

// A member is one name and value of a record's JSON.
type member struct{ name, value string }

// members writes out a record. In a search, questions are answered; on GET they are a URL. It needs mu.
func (s *System) members(k *kind, r *record, search bool) []member {
	x := &writer{system: s, kind: k, record: r, search: search}
	x.random = rand.New(rand.NewPCG(s.config.Seed^hash(k.name), uint64(r.id)<<16|uint64(r.revision)))
	out := []member{{k.idField(), strconv.Itoa(r.id)}}
	for _, f := range k.fields {
		if f.of == questions && search && s.config.Behaviour.NoQuestions {
			continue
		}
		name := f.name
		if to, ok := s.renamed[k.record+"."+name]; ok {
			name = to
		}
		out = append(out, member{name, x.value(f)})
	}
	if k.dates {
		out = append(out,
			member{"Creator", linkTo("users", firstID)}, member{"Modifier", linkTo("users", firstID+1)},
			member{"CreationDate", s.date(r.created, r.id)},
			member{"ModificationDate", s.date(r.modified, r.id)})
	}
	return out
}

func object(members []member) string {
	var b strings.Builder
	for i, m := range members {
		b.WriteString([]string{",", "{"}[btoi(i == 0)])
		b.WriteString(strconv.Quote(m.name))
		b.WriteByte(':')
		b.WriteString(m.value)
	}
	if len(members) == 0 {
		b.WriteByte('{')
	}
	b.WriteByte('}')
	return b.String()
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func hash(s string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(s))
	return h.Sum64()
}

// date has no zone, and a fraction with every third record.
func (s *System) date(t time.Time, id int) string {
	layout := "2006-01-02T15:04:05"
	if id%3 == 0 {
		layout += ".000"
	}
	return strconv.Quote(t.In(s.config.Behaviour.Zone).Format(layout))
}

// linkTo is an ID with an absolute URL, which at times is one that nobody outside can follow.
func linkTo(typ string, id int) string {
	base := "https://demo.eploy.net/api/"
	switch id % 7 {
	case 0:
		base = "http://localhost/"
	case 1:
		base = "https://demo.eploy.net/"
	}
	return fmt.Sprintf(`{"Id":%d,"Url":"%s%s/%d"}`, id, base, typ, id)
}

// writer makes the values of one record, the same ones each time.
type writer struct {
	system *System
	kind   *kind
	record *record
	search bool
	random *rand.Rand
}

func (x *writer) value(f field) string {
	r := x.random
	if x.record.anonymous && personal(f) {
		return "null"
	}
	switch f.of {
	case text:
		if f.arg == "file" {
			return strconv.Quote(fmt.Sprintf("%s %d.pdf", choose(r, vocabulary["last"]), x.record.id))
		}
		return strconv.Quote(choose(r, vocabulary[f.arg]))
	case longText:
		const notes = "Seen on %s high street.\r\n<b>\"Quoted\"</b>, naïve; 5 < 6\t%s"
		return strconv.Quote(fmt.Sprintf(notes, choose(r, vocabulary["town"]), choose(r, vocabulary[""])))
	case email:
		return strconv.Quote(fmt.Sprintf("person.%d.%d@example.org", x.record.id, x.record.revision))
	case phone:
		return strconv.Quote(fmt.Sprintf("+44 7700 %06d", 900000+r.IntN(1000)))
	case date:
		return x.system.date(x.record.created.AddDate(0, 0, r.IntN(400)-100), r.IntN(9))
	case integer:
		return x.number(f)
	case money:
		return fmt.Sprintf("%d.%02d", 9000+r.IntN(90000), r.IntN(100))
	case boolean:
		return strconv.FormatBool(r.IntN(2) == 0)
	case option:
		return optionValue(f.arg, r.IntN(len(optionsOf(f.arg))+1), x.search)
	case link:
		return x.link(f.arg)
	case wrapper:
		var in []member
		for _, m := range f.in {
			in = append(in, member{m.name, x.value(m)})
		}
		return object(in)
	case workflow:
		return x.workflow()
	case questions:
		return x.questions()
	case fileOf:
		return x.fileOf(f)
	}
	return "null"
}

func (x *writer) number(f field) string {
	n := strconv.Itoa(10 + x.random.IntN(50))
	if f.name == "FileSize" {
		n = strconv.Itoa(len(contentOf(x.record)))
	}
	if x.system.textual[x.kind.record+"."+f.name] {
		return strconv.Quote(n)
	}
	return n
}

func (x *writer) link(typ string) string {
	t := x.system.tables[typ]
	n := t.initial
	if n == 0 || x.random.IntN(12) == 0 {
		return "null"
	}
	return linkTo(typ, firstID+x.random.IntN(n))
}

// workflow has no status while the record that would have it is not made yet; the sub-stage says so.
func (x *writer) workflow() string {
	sub := x.random.IntN(len(subStages))
	stage, status := "Applications", optionValue("49", 1, x.search)
	switch {
	case sub < 5:
		stage, status = "Actions", optionValue("154", 1, x.search)
	case sub < 7:
		stage, status = "Placements", optionValue("91", 1, x.search)
	}
	if strings.HasSuffix(subStages[sub], "Not Created") {
		status = "null"
	}
	return fmt.Sprintf(`{"StageType":"%s","Stage":%s,"SubStage":%s,"Status":%s}`,
		stage, optionValue("84", 1+x.random.IntN(3), x.search), optionValue("183", sub+1, x.search), status)
}

func (x *writer) questions() string {
	if !x.search {
		return fmt.Sprintf(`"https://demo.eploy.net/api/%s/%d/questions"`, x.kind.route(), x.record.id)
	}
	return x.answers()
}

func (x *writer) answers() string {
	return fmt.Sprintf(`[{"QuestionId":31,"Title":"Notice period","AnswerType":"Text","Answer":"%d weeks"},`+
		`{"QuestionId":32,"Title":"Own transport?","AnswerType":"Boolean","Answer":%t}]`,
		1+x.record.id%12, x.record.id%2 == 0)
}

var fileOwners = []string{
	"candidates", "candidates", "candidates", "companies", "contacts", "vacancies", "placements",
	"applications",
}

func (x *writer) fileOf(f field) string {
	owner := fileOwners[x.record.id%len(fileOwners)]
	if f.name == "RecordTypeID" {
		if x.record.id%53 == 0 {
			return "27" // one of those that the guide does not name
		}
		return strconv.Itoa(x.system.kinds[owner].number)
	}
	return strconv.Itoa(firstID + x.record.id*7%max(1, x.system.tables[owner].initial))
}

// optionValue is value n of a list, from 1; 0 is the value that is none.
func optionValue(list string, n int, short bool) string {
	values := optionsOf(list)
	switch {
	case n == 0:
		return `{"Id":null,"Description":"0"}`
	case short:
		return fmt.Sprintf(`{"Id":"%d","Description":%s,"Reference":""}`, n, strconv.Quote(values[n-1]))
	}
	return fmt.Sprintf(`{"Id":"%d","Description":%s,"Reference":"","ArchiveDate":null,"ParentId":null,`+
		`"OptionType":{"Id":%s,"Url":"https://demo.eploy.net/api/options/dropdown/%s",`+
		`"Description":"List %s","Type":"DropDown"}}`,
		n, strconv.Quote(values[n-1]), list, list, list)
}

func personal(f field) bool {
	return f.of == email || f.of == phone ||
		f.of == text && (f.arg == "first" || f.arg == "last" || f.arg == "street")
}

func choose[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

// Content returns the bytes that a file has now.
func (s *System) Content(id int) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.tables["files"].records[id]; r != nil {
		return contentOf(r)
	}
	return nil
}

func contentOf(r *record) []byte { return Content(r.id + r.content*1_000_003) }

// Content returns the bytes of a file that was not replaced.
func Content(id int) []byte {
	if id%97 == 0 {
		return nil // an empty file
	}
	r := rand.New(rand.NewPCG(uint64(id), 7))
	b := []byte("%PDF-1.4\n% invented\n")
	for range 40 + id%200 {
		b = append(b, byte(r.IntN(256)))
	}
	return append(b, "\n%%EOF\n"...)
}

// A Truth is a record as the system has it now.
type Truth struct {
	ID        int
	Modified  time.Time
	Anonymous bool
	JSON      string // as a search for all its blocks answers it
}

// Truth returns the records of a type that can be seen now, by ID.
func (s *System) Truth(typ string) map[int]Truth {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tables[typ]
	out := map[int]Truth{}
	for id, r := range t.records {
		if !s.hidden(id) {
			out[id] = Truth{
				ID:        id,
				Modified:  r.modified,
				Anonymous: r.anonymous,
				JSON:      object(s.members(t.kind, r, true)),
			}
		}
	}
	return out
}

func (s *System) hidden(id int) bool {
	n := s.config.Behaviour.HiddenEvery
	return n > 0 && id%n == 0
}
