package takeover

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdall/archive"
	"holdall/archive/dirstore"
	"holdall/eploy"
	"holdall/internal/eploysim"
	"holdall/query"
)

// apiWorld is a system that allows few requests a day, and the options to pull it with.
func apiWorld(t *testing.T, c eploysim.Config) (*eploysim.System, eploy.Options, Options) {
	t.Helper()
	if c.Records == nil {
		c.Records = eploysim.Small(40)
	}
	c.Keys = []eploysim.Key{{ID: "key", Secret: "a-secret-of-the-key"}}
	c.SecondLimit = 1000
	system, err := eploysim.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return system, eploy.Options{URL: "https://acme.eploy.net/api", Reserve: -1,
		Transport: system.Transport(),
		Credentials: eploy.Credentials{ClientID: "key",
			ClientSecret: "a-secret-of-the-key"}}, Options{Root: t.TempDir(), Software: "test"}
}

func TestASystemIsPulledAndArchived(t *testing.T) {
	ctx := context.Background()
	system, p, o := apiWorld(t, eploysim.Config{DayLimit: 5000})
	r, err := TakeAPI(ctx, "acme", p, o)
	if err != nil {
		t.Fatal(err)
	}
	if r.State != StateComplete || !strings.HasPrefix(r.Export, "eploy-acme-") ||
		r.Tables["candidates"].Rows != 40 ||
		r.Documents.CVs == 0 || r.Documents.Attachments+r.Documents.CVs != 40 ||
		!r.Types["files"].Complete || r.Requests == 0 {
		t.Errorf("%+v", r)
	}
	if len(system.Writes()) > 0 {
		t.Errorf("written: %q", system.Writes())
	}
	asked := len(system.Requests())
	again, err := TakeAPI(ctx, "acme", p, o)
	if err != nil || again.Export != r.Export || len(system.Requests()) != asked {
		t.Errorf("taken again: %+v, %v", again, err)
	}
	checkAPIArchive(t, o.Root, r.Export)
	searchRoot(t, o.Root, "a-secret-of-the-key")
}

// checkAPIArchive verifies an archive, makes its database from nothing but the bag, and asks it.
func checkAPIArchive(t *testing.T, root, id string) {
	t.Helper()
	ctx := context.Background()
	store, err := dirstore.Open(root, false)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	bag, err := archive.Open(ctx, store, id)
	if err != nil {
		t.Fatal(err)
	}
	report, err := Verify(ctx, bag, archive.Deep, t.TempDir(), archive.VerifyOptions{})
	if err != nil || !report.Valid {
		t.Fatalf("%+v, %v", report, err)
	}
	db, err := OpenDatabase(ctx, bag, t.TempDir(), query.OpenOptions{}, func(string, ...any) {})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for sql, want := range map[string]string{
		"SELECT count(*) AS n FROM candidates WHERE surname IS NOT NULL AND modification_date IS NOT " +
			"NULL": "40",
		"SELECT count(*) AS n FROM documents": "40",
		"SELECT count(*) > 0 AS b FROM documents WHERE owner_type = 'CANDIDATE' AND owner_name IS NOT " +
			"NULL": "true",
		"SELECT count(*) > 0 AS b FROM applications JOIN candidates USING (candidate_id)": "true",
		"SELECT description FROM options WHERE list = '183' AND id = " +
			"'6'": `"Placement Not Created"`,
		"SELECT count(*) > 0 AS b FROM placements WHERE salary_salary > 0 AND " +
			"json_array_length(questions) = 2": "true",
		"SELECT count(*) > 1 AS b FROM exports WHERE NOT success":     "true",
		"SELECT count(*) AS n FROM findings WHERE severity = 'error'": "0",
		"SELECT value FROM archive_meta WHERE key = 'source'":         `"eploy"`,
	} {
		rows, err := db.Query(ctx, sql, nil)
		if err != nil {
			t.Errorf("%s: %v", sql, err)
			continue
		}
		if !rows.Next() || string(rows.JSON()[0]) != want {
			t.Errorf("%s: got %s, want %s", sql, rows.JSON(), want)
		}
		rows.Close()
	}
}

func searchRoot(t *testing.T, root, secret string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if strings.Contains(string(b), secret) || strings.Contains(string(b), "access_token") {
			t.Errorf("%s holds a secret", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestAPullPausesAndGoesOn(t *testing.T) {
	ctx := context.Background()
	_, p, o := apiWorld(t, eploysim.Config{DayLimit: 100,
		Events: []eploysim.Event{{At: 95, Kind: "raise-limit", Count: 5000}}})
	r, err := TakeAPI(ctx, "acme", p, o)
	var paused *eploy.Paused
	if !errors.As(err, &paused) || r.State != StatePaused || r.Budget.DayRemaining > 10 ||
		!paused.ResumeAfter.After(time.Now()) {
		t.Fatalf("%+v, %v", r, err)
	}
	all, err := ListUnfinished(WorkIn(o.Root))
	if err != nil || len(all) != 1 {
		t.Errorf("%d takeovers are told of, %v", len(all), err)
	}
	p.Reserve = 0 // not to wait a day in a test
	for range 3 {
		if r, err = TakeAPI(ctx, "acme", p, o); err == nil {
			break
		}
	}
	if err != nil || r.State != StateComplete {
		t.Fatalf("%+v, %v", r, err)
	}
	checkAPIArchive(t, o.Root, r.Export)
}
