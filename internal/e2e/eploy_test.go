package e2e

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// eployArchive returns an archive of an invented Eploy system.
func eployArchive(t *testing.T) (root, bag string) {
	t.Helper()
	dir := t.TempDir()
	key := filepath.Join(dir, "key.json")
	cmd := exec.Command(program, "simulate", "eploy", "--people", "30", "--credentials", key, "--ttl", "5m")
	cmd.Dir, cmd.Env = dir, []string{"HOME=" + shared, "TMPDIR=" + os.TempDir()}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Signal(syscall.SIGTERM)
	lines := bufio.NewScanner(stdout)
	if !lines.Scan() {
		t.Fatal("simulate eploy printed no URL")
	}
	root = filepath.Join(dir, "root")
	holdall(t, 0, "take", "eploy://demo", "--to", root, "--credentials", key, "--allow-private",
		"--api-url", strings.TrimSpace(lines.Text()))
	return root, exportIn(t, root)
}

// An archive of the other source has no links, containers or refused entries. Whoever reads it by the
// format's page, its profile or its README must not need them.
func TestAnArchiveOfEployIsReadWithoutHoldall(t *testing.T) {
	root, bag := eployArchive(t)
	if code, out := reader(t, "verify", bag, root); code != 0 {
		t.Errorf("the reader of the format: exit code %d: %s", code, out)
	}
	python := pythonWith(t, "bagit_profile")
	if got := command(t, shared, python, "-c", validateProfile, bag); got != "valid\n" {
		t.Errorf("the profile: %s", got)
	}
	query := func(sql string) []string {
		return strings.Fields(holdall(t, 0, "query", bag, sql, "--format", "tsv").stdout)[1:]
	}
	// Records of different kinds have the same IDs there: nobody may get what is another's.
	ids := query("(select owner_id from documents where owner_type = 'CANDIDATE' order by 1 limit 3) union all " +
		"(select owner_id from documents where owner_type <> 'CANDIDATE' order by 1 limit 3)")
	if len(ids) != 6 {
		t.Fatalf("owners %q, want six", ids)
	}
	for _, owner := range ids {
		want := query("select sha256 from documents where owner_type = 'CANDIDATE' and owner_id = '" +
			owner + "'")
		got := documentsByReadme(t, bag, owner)
		slices.Sort(want)
		slices.Sort(got)
		if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
			t.Errorf("%s: %s", owner, d)
		}
	}
}
