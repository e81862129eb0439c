package importtest

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

const module = "../.."

// The picture in docs/design.md names every package of this module, and no package imports one that is
// further up in it.
func TestThePictureOfThePackagesIsTrue(t *testing.T) {
	rank := pictured(t)
	all := packages(t)
	for dir, imports := range all {
		own, ok := rank[dir]
		if !ok {
			t.Errorf("the picture does not name %s", dir)
			continue
		}
		for _, other := range imports {
			if below, ok := rank[other]; ok && below <= own {
				t.Errorf("%s imports %s, which the picture has further up, or beside it", dir, other)
			}
		}
	}
	for dir := range rank {
		if _, ok := all[dir]; !ok {
			t.Errorf("the picture names %s, which has no Go files", dir)
		}
	}
}

// pictured returns the line of the picture on which each package is.
func pictured(t *testing.T) map[string]int {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(module, "docs", "design.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "## Who may know whom\n")
	line := regexp.MustCompile(`^ {4}( *)(\S+(?:, \S+)*) {2,}\S`)
	rank, parent := map[string]int{}, ""
	for i, text := range strings.Split(section, "\n") {
		if strings.HasPrefix(text, "## ") {
			break
		}
		m := line.FindStringSubmatch(text)
		if m == nil {
			continue
		}
		for _, name := range strings.Split(m[2], ", ") {
			for _, dir := range expand(name) {
				if m[1] == "" {
					parent = dir
				} else {
					dir = path.Join(parent, dir)
				}
				rank[dir] = i
			}
		}
	}
	if len(rank) < 30 {
		t.Fatalf("the picture names %d packages", len(rank))
	}
	return rank
}

// expand returns what a name with alternatives in braces means.
func expand(name string) []string {
	before, rest, ok := strings.Cut(name, "{")
	if !ok {
		return []string{name}
	}
	inner, after, _ := strings.Cut(rest, "}")
	var all []string
	for _, one := range strings.Split(inner, ",") {
		all = append(all, before+one+after)
	}
	return all
}

// packages returns, for each directory with Go files, the packages of this module that it imports outside of
// tests.
func packages(t *testing.T) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	err := filepath.WalkDir(module, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(module, file)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if d.IsDir() {
			if rel != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || rel == "tools") {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(file, ".go") {
			return nil
		}
		dir := path.Dir(rel)
		all[dir] = append(all[dir], nil...)
		if strings.HasSuffix(file, "_test.go") {
			return nil
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range parsed.Imports {
			name, _ := strconv.Unquote(spec.Path.Value) // the parser has accepted it
			if ours, is := strings.CutPrefix(name, "holdall/"); is {
				all[dir] = append(all[dir], ours)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
