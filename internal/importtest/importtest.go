// Package importtest holds packages to the direction that docs/design.md draws: each guarded package calls
// Only in a test of its own, so that a new import makes exactly that package's test run and fail.
package importtest

import (
	"go/parser"
	"go/token"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Only fails t when the package in the current directory imports another package of this module than those
// allowed, or one of the standard packages forbidden; "net" stands for net itself, "net/" for all below it.
// Tests may import what they like. Packages of this module are named without the module's name.
func Only(t *testing.T, allowed []string, forbidden ...string) {
	t.Helper()
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".go") || strings.HasSuffix(f.Name(), "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), f.Name(), nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range parsed.Imports {
			path, _ := strconv.Unquote(spec.Path.Value) // the parser has accepted it
			ours, is := strings.CutPrefix(path, "holdall/")
			if is && !slices.Contains(allowed, ours) || slices.ContainsFunc(forbidden, func(p string) bool {
				return path == p || strings.HasSuffix(p, "/") && strings.HasPrefix(path, p)
			}) {
				t.Errorf("%s imports %s", f.Name(), path)
			}
		}
	}
}
