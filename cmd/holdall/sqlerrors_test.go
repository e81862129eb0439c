package main

import (
	"strings"
	"testing"
)

// What is wrong with SQL is said in plain words, with the guess in the hint; the engine's own text is there
// with -v.
func TestSQLErrorsInPlainWords(t *testing.T) {
	root, _, _ := demo(t)
	for sql, want := range map[string]struct{ says, hint, engine string }{
		"select 1 from candidate": {
			"holdall: there is no table candidate\n", "did you mean candidates?", "Catalog Error",
		},
		"select emial from candidates": {
			"holdall: there is no column emial\n", "email", "Binder Error",
		},
		"select name from audit_logs": { // companies have one
			"holdall: there is no column name\n", "did you mean message", "Binder Error",
		},
		"select c.emial from candidates c": {
			"holdall: there is no column emial\n", "email", "Binder Error",
		},
		"select x.email from candidates c": {
			"holdall: there is no table or alias x\n", "did you mean c", "Binder Error",
		},
		"select lenght(email) from candidates": {
			"holdall: there is no function lenght\n", "did you mean length?", "Catalog Error",
		},
		"select email from candidates wher a": {
			"holdall: the SQL cannot be read from here on: a\n", "", "Parser Error",
		},
		"select 1 from candidates where skills ilike '%a%'": {
			"holdall: a text is wanted here, and this is a list: VARCHAR[]\n", "has(skills", "Binder Error",
		},
		".tables": {"holdall: .tables is a command of the shell", "", ""},
		"select list(a.range || 'some text') from range(9000) a, range(9000) b": {
			"holdall: this needs more memory than the database engine may use, which is 61.0 MiB\n",
			"--memory SIZE", "Out of Memory",
		},
		"select $since": {
			"holdall: the SQL has a parameter without a value: $since\n", "add --param", "which has no value",
		},
		"select 1 from candidates where skills ~ 'a'": {
			"holdall: a text is wanted here, and this is a list: VARCHAR[]\n", "has(skills", "Binder Error",
		},
		"select 1 from candidates where skills = 'SQL'": {
			"holdall: a list is compared with the text SQL\n", "has(skills", "Conversion Error",
		},
		"select 'x'::int + email from candidates where email = 'y'": {"", "", "Error"},
	} {
		o := holdall(t, "query", root, sql, "--memory", "64M")
		if o.code != 1 || !strings.Contains(o.stderr, want.says) || !strings.Contains(o.stderr, want.hint) ||
			want.says != "" && strings.Contains(o.stderr, "LINE 1") {
			t.Errorf("%s: exit %d\n%s", sql, o.code, o.stderr)
		}
		if o := holdall(t, "query", root, sql, "--memory", "64M", "-v"); !strings.Contains(o.stderr, want.engine) {
			t.Errorf("%s with -v:\n%s", sql, o.stderr)
		}
	}
}
