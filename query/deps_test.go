package query

import (
	"os/exec"
	"strings"
	"testing"
)

// This package answers questions about personal data on machines without a network. It must not be able to
// reach one by HTTP, and knows neither how exports are fetched nor how archives are laid out.
func TestDependencies(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", ".").CombinedOutput()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, out)
	}
	deps := strings.Fields(string(out))
	if len(deps) < 50 {
		t.Fatalf("go list names only %d packages", len(deps))
	}
	allowed := []string{
		"holdall/query", "holdall/schemas", "holdall/internal/atomicfile", "holdall/internal/ctxio",
		"holdall/internal/flock", "holdall/internal/scratch",
	}
	for _, d := range deps {
		if strings.HasPrefix(d, "net/http") || strings.Contains(d, "/apache/arrow") {
			t.Errorf("query links %s", d)
		}
		if strings.HasPrefix(d, "holdall/") && !strings.Contains(
			" "+strings.Join(allowed, " ")+" ", " "+d+" ",
		) {
			t.Errorf("query depends on %s", d)
		}
	}
}
