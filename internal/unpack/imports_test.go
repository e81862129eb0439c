package unpack

import (
	"go/parser"
	"go/token"
	"os"
	"strconv"
	"strings"
	"testing"
)

// TestImports keeps this package a leaf: of ours it imports filetype alone, and it touches neither files nor
// the network.
func TestImports(t *testing.T) {
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
			if path == "os" || path == "net" || strings.HasPrefix(path, "net/") ||
				strings.HasPrefix(path, "holdall/") && path != "holdall/internal/filetype" {
				t.Errorf("%s imports %s", f.Name(), path)
			}
		}
	}
}
