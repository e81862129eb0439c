package failure

import (
	"testing"

	"holdall/internal/importtest"
)

// TestImports holds this package where docs/design.md draws it: above link alone.
func TestImports(t *testing.T) {
	importtest.Only(t, []string{"fetch/link", "internal/diskspace", "internal/redact"}, "net")
}
