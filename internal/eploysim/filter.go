package eploysim

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// operations by number; their names work, too.
var operations = []string{
	"Equals",
	"NotEquals",
	"Contains",
	"NotContains",
	"GreaterThan",
	"LessThan",
	"IsEmpty",
	"IsNotEmpty",
}

func operation(v any) (string, bool) {
	switch v := v.(type) {
	case float64:
		if n := int(v); n >= 1 && n <= len(operations) {
			return operations[n-1], true
		}
	case string:
		if n, err := strconv.Atoi(v); err == nil {
			return operation(float64(n))
		}
		for _, o := range operations {
			if strings.EqualFold(o, v) {
				return o, true
			}
		}
	}
	return "", false
}

// filter returns what all filters of a search let through; nil: everything.
func (s *System) filter(t *table, q searchBody) (func(*record) bool, *problem) {
	if t.kind.name == "files" && s.config.Behaviour.FilesUnbound == "refused" && len(q.Filters) == 0 {
		return nil, bad("File.RecordTypeID is required")
	}
	var all []func(*record) bool
	byOwner, byOwnerType := false, false
	for _, f := range q.Filters {
		op, ok := operation(f.Operation)
		if !ok {
			return nil, bad("'%v' is not a valid operation", f.Operation)
		}
		route := strings.ToLower(f.Route)
		byOwner = byOwner || route == "file.recordid"
		byOwnerType = byOwnerType || route == "file.recordtypeid"
		test, problem := s.test(t, route, op, f.Value)
		if problem != nil {
			return nil, problem
		}
		if test != nil {
			all = append(all, test)
		}
	}
	if byOwner && !byOwnerType {
		return nil, bad("Filtering by File.RecordID requires File.RecordTypeID")
	}
	if len(all) == 0 {
		return nil, nil
	}
	return func(r *record) bool {
		return !slices.ContainsFunc(all, func(test func(*record) bool) bool { return !test(r) })
	}, nil
}

// test makes one filter; nil where it is ignored. A route may cross over to a record that is linked.
func (s *System) test(t *table, route, op string, value any) (func(*record) bool, *problem) {
	own, name, _ := strings.Cut(route, ".")
	if own != strings.ToLower(t.kind.record) {
		return s.testLinked(t, own, route, op, value)
	}
	wanted := fmt.Sprint(value)
	question, isQuestion := strings.CutPrefix(name, "question.")
	switch {
	case name == strings.ToLower(t.kind.record)+"id":
		return s.testID(op, wanted)
	case t.kind.dates && (name == "modificationdate" || name == "creationdate"):
		return s.testDate(name, op, wanted)
	case name == "hasbeenexportedby":
		return s.testExported(t.kind, op, value)
	case isQuestion:
		return s.testQuestion(t.kind, question, op, wanted)
	}
	if of, known := shapeOf(t.kind.fields, name); known && !slices.Contains(allowed[of], op) {
		return nil, bad("Operation %s is not supported for %s", op, route)
	}
	return func(r *record) bool {
		var members map[string]any
		if json.Unmarshal([]byte(object(s.members(t.kind, r, true))), &members) != nil {
			return false
		}
		return compareText(lookup(members, name), op, wanted)
	}, nil
}

// allowed are the operations of the guide's table, by what they are for.
var allowed = map[shape][]string{
	text: textual, longText: textual, email: textual, phone: textual, date: textual,
	integer: {"Equals", "NotEquals", "GreaterThan", "LessThan"},
	money:   {"Equals", "NotEquals", "GreaterThan", "LessThan"},
	boolean: {"Equals"},
	option:  {"Equals", "NotEquals"}, link: {"Equals", "NotEquals"}, fileOf: {"Equals", "NotEquals"},
}

var textual = []string{"Equals", "NotEquals", "Contains", "NotContains", "IsEmpty", "IsNotEmpty"}

// shapeOf finds a field by its name in any case, those in wrappers without the wrapper's name.
func shapeOf(fields []field, name string) (shape, bool) {
	for _, f := range fields {
		if f.of == wrapper {
			if of, ok := shapeOf(f.in, name); ok {
				return of, true
			}
		}
		if strings.EqualFold(f.name, name) && f.of != wrapper && f.of != workflow && f.of != questions {
			return f.of, true
		}
	}
	return 0, false
}

// testLinked tests the record that one is linked to: candidate.town on applications.
func (s *System) testLinked(t *table, own, route, op string, value any) (func(*record) bool, *problem) {
	for _, f := range t.kind.fields {
		if f.of != link || strings.ToLower(s.kinds[f.arg].record) != own {
			continue
		}
		to := s.tables[f.arg]
		test, problem := s.test(to, route, op, value)
		if problem != nil || test == nil {
			return nil, problem
		}
		return func(r *record) bool {
			var members map[string]any
			if json.Unmarshal([]byte(object(s.members(t.kind, r, true))), &members) != nil {
				return false
			}
			id, err := strconv.Atoi(lookup(members, f.name))
			linked := to.records[id]
			return err == nil && linked != nil && test(linked)
		}, nil
	}
	return nil, bad("Route '%s' is not supported here", route)
}

// exportable are the types with HasBeenExportedBy.
var exportable = []string{"applications", "candidates", "contacts", "companies", "placements", "timesheets",
	"vacancies"}

// testExported tests by which packages a record was exported: one, or any of a list, by number or name.
func (s *System) testExported(k *kind, op string, value any) (func(*record) bool, *problem) {
	if !slices.Contains(exportable, k.name) || op != "Equals" && op != "NotEquals" {
		return nil, bad("%s.HasBeenExportedBy is not supported here, or not with %s", k.record, op)
	}
	list, ok := value.([]any)
	if !ok {
		list = []any{value}
	}
	packs := map[string]bool{}
	for _, x := range list {
		name := fmt.Sprint(x)
		if n, err := strconv.Atoi(name); err == nil && n >= 1 && n <= len(optionLists["86"]) {
			name = optionLists["86"][n-1]
		}
		packs[name] = true
	}
	return func(r *record) bool {
		return slices.ContainsFunc(r.exports, func(p string) bool { return packs[p] }) == (op == "Equals")
	}, nil
}

// testQuestion tests the answer to one of the questions that records of a type have.
func (s *System) testQuestion(k *kind, id, op, value string) (func(*record) bool, *problem) {
	if !slices.ContainsFunc(k.fields, func(f field) bool { return f.of == questions }) {
		return nil, bad("Route '%s.question.%s' is not supported here", k.record, id)
	}
	if !slices.Contains(textual, op) {
		return nil, bad("Operation %s is not supported for questions", op)
	}
	return func(r *record) bool {
		var all []struct {
			QuestionID int `json:"QuestionId"`
			Answer     any
		}
		if json.Unmarshal([]byte((&writer{system: s, kind: k, record: r, search: true}).answers()),
			&all) != nil {
			return false
		}
		for _, q := range all {
			if strconv.Itoa(q.QuestionID) == id {
				return compareText(fmt.Sprint(q.Answer), op, value)
			}
		}
		return compareText("", op, value)
	}, nil
}

func (s *System) testID(op, value string) (func(*record) bool, *problem) {
	switch s.config.Behaviour.IDFilter {
	case "refused":
		return nil, bad("The route of the ID is not supported here")
	case "ignored":
		return nil, nil
	case "empty":
		return func(*record) bool { return false }, nil
	}
	id, err := strconv.Atoi(value)
	if err != nil || op != "Equals" && op != "NotEquals" {
		return nil, bad("Operation %s is not supported for IDs", op)
	}
	return func(r *record) bool { return (r.id == id) == (op == "Equals") }, nil
}

// testDate compares dates if the system does: the guide's table says no, code in use says yes.
func (s *System) testDate(name, op, value string) (func(*record) bool, *problem) {
	if slices.Contains(textual, op) {
		return func(r *record) bool {
			of := r.modified
			if name == "creationdate" {
				of = r.created
			}
			return compareText(strings.Trim(s.date(of, r.id), `"`), op, value)
		}, nil
	}
	switch s.config.Behaviour.DateCompare {
	case "refused":
		return nil, bad("Operation %s is not supported for dates", op)
	case "ignored":
		return nil, nil
	case "empty":
		return func(*record) bool { return false }, nil
	}
	at, err := time.ParseInLocation("2006-01-02T15:04:05", value, s.config.Behaviour.Zone)
	if err != nil {
		return nil, bad("'%s' is not a date", value)
	}
	return func(r *record) bool {
		of := r.modified
		if name == "creationdate" {
			of = r.created
		}
		if op == "GreaterThan" {
			return of.After(at)
		}
		return of.Before(at)
	}, nil
}

// lookup finds a member by its name in any case; those in wrappers are found without the wrapper's name.
func lookup(members map[string]any, name string) string {
	for k, v := range members {
		inner, isObject := v.(map[string]any)
		if strings.EqualFold(k, name) {
			if isObject {
				return fmt.Sprint(inner["Id"])
			}
			return fmt.Sprint(v)
		}
		if isObject {
			if found := lookup(inner, name); found != "" {
				return found
			}
		}
	}
	return ""
}

func compareText(got, op, value string) bool {
	switch op {
	case "Equals":
		return strings.EqualFold(got, value)
	case "NotEquals":
		return !strings.EqualFold(got, value)
	case "Contains":
		return strings.Contains(strings.ToLower(got), strings.ToLower(value))
	case "NotContains":
		return !strings.Contains(strings.ToLower(got), strings.ToLower(value))
	case "IsEmpty":
		return got == "" || got == "<nil>"
	case "IsNotEmpty":
		return got != "" && got != "<nil>"
	}
	a, err1 := strconv.ParseFloat(got, 64)
	b, err2 := strconv.ParseFloat(value, 64)
	return err1 == nil && err2 == nil && (op == "GreaterThan") == (a > b) && a != b
}
