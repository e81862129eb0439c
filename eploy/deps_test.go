package eploy

import (
	"go/build"
	"slices"
	"strings"
	"testing"
)

// A source knows neither how its records are archived nor how they are queried.
func TestEployImportsOnlyLeaves(t *testing.T) {
	p, err := build.ImportDir(".", 0)
	if err != nil {
		t.Fatal(err)
	}
	leaves := []string{"holdall/internal/atomicfile", "holdall/internal/retry"}
	for _, i := range p.Imports {
		if strings.HasPrefix(i, "holdall/") && !slices.Contains(leaves, i) {
			t.Errorf("eploy imports %s", i)
		}
	}
}
