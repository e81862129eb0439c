package archive_test

import (
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

// The core must not learn of HTTP, of a cloud, of a database or of where the bytes come from.
func TestWhatThePackageMayNotKnow(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "holdall/archive", "holdall/archive/dirstore").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	deps := strings.Fields(string(out))
	if !slices.Contains(deps, "holdall/archive") {
		t.Fatalf("go list names %d packages and not this one", len(deps))
	}
	for _, dep := range deps {
		for _, forbidden := range []string{
			"net/http", "github.com/aws/", "github.com/duckdb/", "github.com/marcboeker/", "holdall/fetch",
			"holdall/query", "holdall/internal/takeover", "holdall/cmd",
		} {
			if dep == forbidden || strings.HasPrefix(dep, forbidden) {
				t.Errorf("archive depends on %s", dep)
			}
		}
	}
}
