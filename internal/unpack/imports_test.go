package unpack

import (
	"testing"

	"holdall/internal/importtest"
)

// TestImports keeps this package a leaf: of ours it imports filetype alone, and it touches neither files nor
// the network.
func TestImports(t *testing.T) {
	importtest.Only(t, []string{"internal/filetype"}, "os", "net", "net/")
}
