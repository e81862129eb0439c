package query

import (
	_ "embed"
	"strings"
)

//go:embed questions.sql
var questionsSQL string

// A Question is one that analysts and compliance officers ask of an archive.
type Question struct {
	Name string // 01-funnel
	SQL  string // its parameters are among $since, $until, $skill, $person, $q, $email and $months
}

// Questions returns the questions that this package answers out of the box, in their order. C3 and C8 need the relation
// document_text, which databases of this version do not have.
func Questions() []Question {
	var all []Question
	for _, part := range strings.Split(questionsSQL, "-- name: ")[1:] {
		heading, sql, _ := strings.Cut(part, "\n")
		name, _, _ := strings.Cut(heading, " ")
		all = append(all, Question{Name: name, SQL: strings.TrimSpace(sql)})
	}
	return all
}
