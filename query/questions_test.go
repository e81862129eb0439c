package query

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"holdall/schemas"
)

// simulatedDB builds the database of a simulated export and opens it.
func simulatedDB(t testing.TB, people int, dialect schemas.Dialect) *DB {
	t.Helper()
	ctx := context.Background()
	e, files := simulate(t, people, dialect, false)
	b, path := build(t, BuildOptions{})
	loadAll(t, b, files)
	loadSimulated(t, b, e)
	if err := b.Reconcile(ctx, map[string]bool{"attachments": true, "cvs": true}); err != nil {
		t.Fatal(err)
	}
	if err := b.Finish(ctx); err != nil {
		t.Fatal(err)
	}
	return open(t, path, OpenOptions{})
}

func open(t testing.TB, path string, o OpenOptions) *DB {
	t.Helper()
	if o.Threads == 0 {
		o.Threads = 1
	}
	if o.TempDir == "" {
		o.TempDir = t.TempDir()
	}
	d, err := Open(context.Background(), path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func TestEveryQuestionRuns(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	d := simulatedDB(t, 40, schemas.Title)
	somebody := strings.Split(strings.TrimSpace(answer(t, d, `select candidate_id, email, skill from candidates, unnest(skills) as s(skill)
		where email is not null and candidate_id in (select candidate_id from job_pipelines) order by all limit 1`, nil)), "\n")
	who := strings.Split(somebody[len(somebody)-1], "\t")
	if len(who) != 3 {
		t.Fatalf("nobody to ask about: %q", somebody)
	}
	all := map[string]string{"since": "2015-01-01", "until": "2026-12-31", "skill": who[2], "person": who[0], "q": "a", "email": who[1], "months": "12"}
	for _, q := range Questions() {
		t.Run(q.Name, func(t *testing.T) {
			params := map[string]string{}
			for name, value := range all {
				if strings.Contains(q.SQL, "$"+name) {
					params[name] = value
				}
			}
			rows, err := d.Query(ctx, q.SQL, params)
			if needsText := strings.Contains(q.SQL, "document_text"); needsText {
				if err == nil || !strings.Contains(err.Error(), "document_text") {
					t.Errorf("got error %v, want one that names document_text", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer rows.Close()
			var out bytes.Buffer
			done, err := Write(&out, rows, WriteOptions{Format: Table, Limit: 6})
			if err != nil {
				t.Fatal(err)
			}
			if done.Rows == 0 {
				t.Error("it has no answer")
			}
		})
	}
}
