package query

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestStatementsAreSplitWithTheirParameters(t *testing.T) {
	t.Parallel()
	d, _ := smallDB(t)
	got, err := d.Statements(
		context.Background(), "select $a as x; from candidates select count(*) ; -- done\nselect $a, $b",
		map[string]string{"a": "1", "b": "2"},
	)
	want := []Statement{{"select $a as x", map[string]string{"a": "1"}},
		{"from candidates select count(*)", map[string]string{}},
		{"-- done\nselect $a, $b", map[string]string{"a": "1", "b": "2"}}}
	if d := cmp.Diff(want, got); err != nil || d != "" {
		t.Errorf("%v (-want +got):\n%s", err, d)
	}
}

// Nothing is run where one of several statements cannot be.
func TestStatementsAreLookedAtBeforeTheFirstIsRun(t *testing.T) {
	t.Parallel()
	d, _ := smallDB(t)
	for sql, want := range map[string]string{
		"select 1; select nonsense from candidates": "nonsense",
		"select 1; select $a":                       "$a",
		"select 1; drop table candidates":           "DROP is not allowed",
		"select 1; SELEC 2":                         "did you mean SELECT?",
	} {
		if all, err := d.Statements(context.Background(), sql, nil); err == nil ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, %v; want an error about %q", sql, all, err, want)
		}
	}
}

func TestWhatCountsAsOneSelectIsOneStatementForTheParser(t *testing.T) {
	t.Parallel()
	d, _ := smallDB(t)
	for sql, want := range map[string]bool{
		"select 1": true, "from candidates -- ;": true, "with a as (select 1) from a;": true,
		"select ';'": true, "values (1), (2)": true, "describe candidates": true, "show tables": true,
		"from candidates where candidate_id = $id": true, "from candidates where candidate_id = ?": true,
		"select 1; select 2": false, "select 1; checkpoint": false, "": false, "selec": false,
		"pivot candidates on status using count(*)":        false,
		"from (pivot candidates on status using count(*))": false,
		"pragma version": false, "explain select 1": false, "attach 'x'": false, "copy jobs to 'x'": false,
	} {
		got, err := isOneSelect(context.Background(), d.db, sql)
		if err != nil || got != want {
			t.Errorf("%q: %t, %v; want %t", sql, got, err, want)
		}
		if n, err := countStatements(sql); got && (n != 1 || err != nil) {
			t.Errorf("%q: the parser finds %d statements: %v", sql, n, err)
		}
	}
}

func TestMistypedWordsAreToldFromForbiddenOnes(t *testing.T) {
	t.Parallel()
	d, _ := smallDB(t)
	for sql, want := range map[string]string{
		"SELEC 1": "SELECT?", "slect 1": "SELECT?", "form candidates": "FROM?",
		"selcet * from jobs": "SELECT?", "descibe jobs": "DESCRIBE?",
		"wiht x as (select 1) from x": "WITH?", "candidates": "a question is SELECT",
		"hello, how many candidates are there": "a question is SELECT",
	} {
		_, err := checkSQL(context.Background(), d.db, sql)
		if err == nil || errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", sql, err, want)
		}
	}
	for _, sql := range []string{
		"insert into candidates values (1)", "DELETE FROM candidates", "set x = 1", "copy jobs to 'x'",
		"'x'.read_text()",
	} {
		if _, err := checkSQL(context.Background(), d.db, sql); !errors.Is(err, ErrRefused) {
			t.Errorf("%s: %v, want it refused", sql, err)
		}
	}
}
