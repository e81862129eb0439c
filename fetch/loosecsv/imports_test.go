package loosecsv

import (
	"go/parser"
	"go/token"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestImports holds this package where docs/design.md draws it: above link alone.
func TestImports(t *testing.T) {
	allowed := []string{"fetch/link"}
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
			path, _ := strconv.Unquote(spec.Path.Value)
			ours, is := strings.CutPrefix(path, "holdall/")
			if is && !slices.Contains(allowed, ours) || path == "net" {
				t.Errorf("%s imports %s", f.Name(), path)
			}
		}
	}
}
