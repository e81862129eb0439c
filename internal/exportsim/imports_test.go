package exportsim

import (
	"os/exec"
	"strings"
	"testing"
)

// The sample platform is the other side of the wire: it must not share code with what it tests, and must stay
// light.
func TestImportsOfOurs(t *testing.T) {
	out, err := exec.Command(
		"go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", ".",
	).Output()
	if err != nil {
		t.Fatal(err)
	}
	allowed := map[string]bool{
		"holdall/schemas": true, "holdall/internal/digest": true, "holdall/internal/atomicfile": true,
		"holdall/internal/exportsim": true,
	}
	for _, path := range strings.Fields(string(out)) {
		if !allowed[path] && !strings.HasPrefix(path, "github.com/klauspost/compress/") {
			t.Errorf("exportsim depends on %s", path)
		}
	}
}
