package query

import (
	"flag"
	"fmt"
	"go/ast"
	goparser "go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the pages that the program's own words make")

// The codes of findings are a contract: each is described once, in the order of their names, and what
// docs/cli.md says is what the program says.
func TestFindingCodesAreDocumented(t *testing.T) {
	const doc, begin, end = "../docs/cli.md", "<!-- findings: written by go test ./query -run " +
		"TestFindingCodes -update -->\n", "<!-- end of findings -->\n"
	b, err := os.ReadFile(doc)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok1 := strings.Cut(string(b), begin)
	got, after, ok2 := strings.Cut(rest, end)
	if !ok1 || !ok2 {
		t.Fatalf("%s has no place for the findings", doc)
	}
	want := "| code | severity | meaning |\n|---|---|---|\n"
	for _, c := range Codes() {
		var severities []string
		for _, s := range c.Severities {
			severities = append(severities, string(s))
		}
		want += fmt.Sprintf("| `%s` | %s | %s |\n", c.Code, strings.Join(severities, ", "), c.Meaning)
	}
	if *update {
		if err := os.WriteFile(doc, []byte(before+begin+want+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s (-program +page):\n%s", doc, d)
	}
}

func TestFindingCodesAreDescribedOnce(t *testing.T) {
	var described []string
	for _, c := range Codes() {
		described = append(described, string(c.Code))
		if len(c.Severities) == 0 || !strings.HasSuffix(c.Meaning, ".") || strings.Contains(c.Meaning, "|") {
			t.Errorf("%s: %v %q", c.Code, c.Severities, c.Meaning)
		}
	}
	if !slices.IsSorted(described) || len(slices.Compact(slices.Clone(described))) != len(described) {
		t.Error("the codes are not in the order of their names, or one is there twice")
	}
	var declared []string
	for _, v := range constantsOf(t, "finding_codes.go", "Code") {
		declared = append(declared, v)
	}
	slices.Sort(declared)
	if d := cmp.Diff(declared, described); d != "" {
		t.Errorf("constants and descriptions (-constants +descriptions):\n%s", d)
	}
}

// constantsOf returns the constants of a type that a file declares, by name.
func constantsOf(t *testing.T, file, typ string) map[string]string {
	t.Helper()
	all := map[string]string{}
	ast.Inspect(parseFile(t, file), func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if id, ok := spec.Type.(*ast.Ident); ok && id.Name == typ {
			all[spec.Names[0].Name] = strings.Trim(spec.Values[0].(*ast.BasicLit).Value, `"`)
		}
		return true
	})
	return all
}

func parseFile(t *testing.T, file string) *ast.File {
	t.Helper()
	f, err := goparser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// A code written as text beside the constants would be neither described nor found by its name.
func TestFindingsAreMadeWithTheConstants(t *testing.T) {
	used := map[string]bool{}
	declared := constantsOf(t, "finding_codes.go", "Code")
	for _, pattern := range []string{"*.go", "../internal/takeover/*.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %q, %v", pattern, files, err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") || file == "finding_codes.go" {
				continue
			}
			ast.Inspect(parseFile(t, file), func(n ast.Node) bool {
				if id, ok := n.(*ast.Ident); ok {
					used[id.Name] = true
				}
				if code := literalCode(n); code != "" {
					t.Errorf("%s makes a finding with the code %s instead of a constant", file, code)
				}
				return true
			})
		}
	}
	for name := range declared {
		if !used[name] {
			t.Errorf("no finding has the code %s", name)
		}
	}
}

// literalCode returns the text that a finding is given as its code, "" where it is none.
func literalCode(n ast.Node) string {
	var code ast.Expr
	switch n := n.(type) {
	case *ast.CompositeLit:
		if name := lastName(n.Type); name != "Finding" || len(n.Elts) == 0 {
			return ""
		}
		code = n.Elts[0]
		for _, e := range n.Elts {
			if kv, ok := e.(*ast.KeyValueExpr); ok {
				if lastName(kv.Key) == "Code" {
					code = kv.Value
				} else if code == e {
					code = nil
				}
			}
		}
	case *ast.CallExpr:
		if name := lastName(n.Fun); (name != "finding" && name != "Code") || len(n.Args) == 0 {
			return ""
		}
		code = n.Args[0]
	}
	if lit, ok := code.(*ast.BasicLit); ok {
		return lit.Value
	}
	return ""
}

func lastName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	}
	return ""
}
