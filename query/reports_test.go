package query

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"holdall/internal/reports"
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
	d, err := Open(context.Background(), path, nil, o)
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

func TestEveryReportRuns(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	d := simulatedDB(t, 40, schemas.Title)
	somebody := strings.Split(strings.TrimSpace(answer(t, d,
		`select candidate_id, email, skill from candidates, unnest(skills) as s(skill)
		where email is not null and candidate_id in (select candidate_id from job_pipelines) order by all
			limit 1`, nil)), "\n")
	who := strings.Split(somebody[len(somebody)-1], "\t")
	if len(who) != 3 {
		t.Fatalf("nobody to ask about: %q", somebody)
	}
	all := map[string]string{"skill": who[2], "person": who[0], "q": "a", "email": who[1]}
	for _, r := range reports.BuiltIn() {
		t.Run(r.Name, func(t *testing.T) {
			params, missing := r.Bind(all)
			if len(missing) > 0 {
				t.Fatalf("nobody gave it %v", missing)
			}
			rows, err := d.Query(ctx, r.SQL, params)
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
			var want []Lack
			if strings.Contains(r.SQL, "document_text") {
				want = []Lack{{Table: "document_text"}}
			}
			lacks, err := d.Lacking(ctx, r.SQL)
			if diff := cmp.Diff(want, lacks); err != nil || diff != "" {
				t.Errorf("what it lacks: %v (-want +got)\n%s", err, diff)
			}
		})
	}
}

// What a query reads and the export lacks is named, whatever the table is called in the query; what is there
// is not.
func TestLacking(t *testing.T) {
	t.Parallel()
	d, _ := smallDB(t) // candidates without most of their columns, and no other table
	for query, want := range map[string]string{
		"select full_name, skills from candidates": "",
		"select email from candidates":             "candidates.email",
		"select C.EMAIL, c.reference from candidates c where c.mobile = " +
			"$x": "candidates.email candidates.mobile candidates.reference",
		"with c as (select 1 as email) select email from c":        "",
		"select email from candidates, (select 'x' as email) as s": "candidates.email",
		"select * from candidates where exists (from jobs)":        "jobs",
		"select title from jobs":                                   "jobs",
		"select count(*) from candidates join job_pipelines using (reference)": "candidates.reference " +
			"job_pipelines",
		"from raw.candidates":                      "",
		"select owner_name from documents":         "",
		"select body from document_text":           "document_text",
		"select record_id from task_link":          "tasks",
		"from timeline where record_type = 'USER'": "",
		"selec nonsense":                           "",
	} {
		lacks, err := d.Lacking(context.Background(), query)
		var got []string
		for _, l := range lacks {
			got = append(got, l.String())
		}
		if query == "from timeline where record_type = 'USER'" {
			if len(got) < 5 || !slices.Contains(got, "candidates.last_contacted") {
				t.Errorf("%s: %q, %v", query, got, err)
			}
			continue
		}
		if strings.Join(got, " ") != want || err != nil {
			t.Errorf("%s: %q, %v; want %q", query, got, err, want)
		}
	}
}
