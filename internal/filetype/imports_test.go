package filetype

import (
	"testing"

	"holdall/internal/importtest"
)

// TestImports holds this package where docs/design.md draws it: a leaf.
func TestImports(t *testing.T) {
	importtest.Only(t, nil, "net")
}
