package main

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"holdall/query"
)

// explainSQL says in plain words what the engine found wrong with SQL: the guess first, the engine's own text
// only with -v.
func (e *env) explainSQL(ctx context.Context, db *query.DB, err error) error {
	if err == nil || e.verbose {
		return err
	}
	text := err.Error()
	for _, known := range sqlErrors {
		m := known.pattern.FindStringSubmatch(text)
		if m == nil {
			continue
		}
		hint := known.hint
		guess := ""
		if known.says == noColumn {
			guess = db.NearestColumn(ctx, m[1])
		}
		if guess == "" && known.guess > 0 {
			guess = guesses(m[known.guess])
		}
		if guess != "" {
			hint = "did you mean " + guess + "?"
		}
		return withHint(fmt.Errorf("%s%s%w", known.says, m[1], silentError{err}), hint)
	}
	if first, _, more := strings.Cut(text, "\n"); more && engineError.MatchString(first) {
		return withHint(
			fmt.Errorf("%s%w", lowerFirst(engineError.ReplaceAllString(first, "")), silentError{err}),
			"-v shows where in the SQL",
		)
	}
	return err
}

var engineError = regexp.MustCompile(`^(Binder|Catalog|Parser|Conversion|Invalid Input|Out of Range) Error: `)

const noColumn = "there is no column "

// sqlErrors are what the engine says most often. The first group of a pattern ends the sentence in says.
var sqlErrors = []struct {
	pattern *regexp.Regexp
	says    string
	guess   int // the group that has the engine's guess
	hint    string
}{
	{
		regexp.MustCompile(`Table with name "?([^"\s]+)"? does not exist!(?:\nDid you mean "([^\n]+)"\?)?`),
		"there is no table ", 2, "\"holdall tables\" lists them",
	},
	{
		regexp.MustCompile(
			`Referenced column "([^"]+)" not found in FROM clause!(?:\nCandidate bindings: ([^\n]+))?`,
		),
		noColumn, 2, "\"holdall tables\" lists the columns of a table",
	},
	{
		regexp.MustCompile(
			`(?s)does not have a column named "([^"]+)"(?:.*Candidate bindings: (?:: )?([^\n]+))?`,
		),
		noColumn, 2, "\"holdall tables\" lists the columns of a table",
	},
	{
		regexp.MustCompile(`Referenced table "([^"]+)" not found!(?:\nCandidate tables: ([^\n]+))?`),
		"there is no table or alias ", 2, "\"holdall tables\" lists them",
	},
	{
		regexp.MustCompile(
			`Scalar Function with name "?([^"\s]+)"? does not exist!(?:\nDid you mean "([^\n]+)"\?)?`,
		),
		"there is no function ", 2, "\"holdall help sql\" says what can be asked",
	},
	{
		regexp.MustCompile(`No function matches .* argument types '[^'()]+\((VARCHAR\[\])`),
		"a text is wanted here, and this is a list: ", 0,
		"has(skills, 'java') is whether any item of the list has that text in it",
	},
	{
		regexp.MustCompile(`the SQL has a parameter (\$[^,]+), which has no value`),
		"the SQL has a parameter without a value: ", 0, "add --param name=value",
	},
	{
		regexp.MustCompile(`with value '([^']*)' can't be cast to the destination type VARCHAR\[\]`),
		"a list is compared with the text ", 0,
		"has(skills, 'java') is whether any item of the list has that text in it",
	},
	{
		regexp.MustCompile(`Out of Memory Error: .*/(\d[^ ]* [KMGT]?i?B) used`),
		"this needs more memory than the database engine may use, which is ", 0,
		"--memory SIZE lets it use more; or ask for fewer columns or rows",
	},
	{
		regexp.MustCompile(`syntax error at or near "([^"]*)"`), "the SQL cannot be read from here on: ", 0,
		"some words need AS before them when they name a column: source, at, key",
	},
	{
		regexp.MustCompile(`syntax error at end of (input)`), "the SQL stops too early, at the end of the ",
		0, "",
	},
}

// guesses writes "a", "b" as a or b.
func guesses(list string) string {
	return strings.Join(strings.Split(strings.ReplaceAll(list, `"`, ""), ", "), " or ")
}
