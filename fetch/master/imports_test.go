package master

import (
	"testing"

	"holdall/internal/importtest"
)

// TestImports holds this package where docs/design.md draws it: a reader, below the engine of fetch.
func TestImports(t *testing.T) {
	allowed := []string{"fetch/failure", "fetch/link", "fetch/loosecsv", "internal/redact", "schemas"}
	importtest.Only(t, allowed, "net")
}
