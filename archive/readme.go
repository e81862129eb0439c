package archive

import (
	_ "embed"
	"strings"
)

//go:embed readme-bag.txt
var bagReadmeText string

//go:embed readme-root.txt
var rootReadmeText string

// bagReadme is the README.txt of a bag, for a reader who has nothing else.
func bagReadme(id string) []byte { return []byte(strings.ReplaceAll(bagReadmeText, "{ID}", id)) }

// RootReadmeName is the name of the README.txt that every root has.
const RootReadmeName = readmeName

// RootReadme is its content, which says nothing of any export.
func RootReadme() []byte { return []byte(rootReadmeText) }
