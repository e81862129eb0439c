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

// rootReadme is the README.txt of a root.
func rootReadme() []byte { return []byte(rootReadmeText) }
