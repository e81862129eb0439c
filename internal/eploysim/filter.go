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
		test, problem := s.test(t, route, op, fmt.Sprint(f.Value))
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

// test makes one filter; nil where it is ignored.
func (s *System) test(t *table, route, op, value string) (func(*record) bool, *problem) {
	own, name, _ := strings.Cut(route, ".")
	if own != strings.ToLower(t.kind.record) {
		return nil, bad("Route '%s' is not supported here", route)
	}
	switch {
	case name == strings.ToLower(t.kind.record)+"id":
		return s.testID(op, value)
	case t.kind.dates && (name == "modificationdate" || name == "creationdate"):
		return s.testDate(name, op, value)
	case name == "hasbeenexportedby":
		return func(r *record) bool { return slices.Contains(r.exports, value) == (op == "Equals") }, nil
	}
	if strings.HasSuffix(op, "Than") && s.config.Behaviour.DateCompare == "refused" {
		return nil, bad("Operation %s is not supported for %s", op, route)
	}
	return func(r *record) bool {
		var members map[string]any
		if json.Unmarshal([]byte(object(s.members(t.kind, r, true))), &members) != nil {
			return false
		}
		return compareText(lookup(members, name), op, value)
	}, nil
}

func (s *System) testID(op, value string) (func(*record) bool, *problem) {
	id, err := strconv.Atoi(value)
	if err != nil || op != "Equals" && op != "NotEquals" {
		return nil, bad("Operation %s is not supported for IDs", op)
	}
	return func(r *record) bool { return (r.id == id) == (op == "Equals") }, nil
}

// testDate compares dates if the system does: the guide's table says no, code in use says yes.
func (s *System) testDate(name, op, value string) (func(*record) bool, *problem) {
	if op != "GreaterThan" && op != "LessThan" {
		return nil, bad("Operation %s is not supported for dates here", op)
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
