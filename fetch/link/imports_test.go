package link

import (
	"testing"

	"holdall/internal/importtest"
)

// TestImports holds this package where docs/design.md draws it: at the bottom.
func TestImports(t *testing.T) {
	importtest.Only(t, []string{"internal/redact"}, "net")
}
