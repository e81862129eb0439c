package archive

import (
	_ "embed"
	"strings"
)

//go:embed readme-bag.txt
var bagReadmeText string

//go:embed readme-root.txt
var rootReadmeText string

// profile is the BagIt Profile (bagit-profiles.github.io, version 1.4.0) of every bag, of which it has a
// copy.
//
//go:embed holdall-profile-1.0.json
var profile []byte

// profileID names the profile. It is not an address: one that has to resolve would die before the archives
// do.
const profileID = "urn:holdall:bagit-profile:1.0"

// bagReadme is the README.txt of a bag, for a reader who has nothing else.
func bagReadme(id string) []byte { return []byte(strings.ReplaceAll(bagReadmeText, "{ID}", id)) }

// RootReadmeName is the name of the README.txt that every root has.
const RootReadmeName = readmeName

// RootReadme is its content, which says nothing of any export.
func RootReadme() []byte { return []byte(rootReadmeText) }
