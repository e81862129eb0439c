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
	for _, i := range p.Imports {
		if strings.HasPrefix(i, "holdall/") && !slices.Contains([]string{"holdall/internal/atomicfile"}, i) {
			t.Errorf("eploy imports %s", i)
		}
	}
}
