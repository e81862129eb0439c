package bagit

import (
	"cmp"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha3"
	"crypto/sha512"
	"fmt"
	"hash"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// algorithms are the checksums that are known, by the names that manifests have (RFC 8493, 2.4).
var algorithms = map[string]func() hash.Hash{
	"md5": md5.New, "sha1": sha1.New, "sha224": sha256.New224, "sha256": sha256.New, "sha384": sha512.New384,
	"sha512": sha512.New, "sha512256": sha512.New512_256,
	"sha3224": func() hash.Hash { return sha3.New224() },
	"sha3256": func() hash.Hash { return sha3.New256() },
	"sha3384": func() hash.Hash { return sha3.New384() },
	"sha3512": func() hash.Hash { return sha3.New512() },
}

// A manifest is a payload or tag manifest.
type manifest struct {
	name      string
	algorithm string            // "" for one that is not known
	sums      map[string]string // by file, in lower case
}

var (
	manifestName = regexp.MustCompile(`^(tag)?manifest-([^/]+)\.txt$`)
	manifestLine = regexp.MustCompile(`^([0-9A-Fa-f]+)[ \t]+(\*?)(.+)$`)
	needless     = regexp.MustCompile(`[^a-z0-9]`)
)

// readManifests reads all manifests (RFC 8493, 2.1.3 and 2.2.1).
func (c *checker) readManifests() {
	known := 0
	for _, name := range slices.Sorted(maps.Keys(c.files)) {
		m := manifestName.FindStringSubmatch(name)
		if m == nil {
			continue
		}
		x := &manifest{name: name, sums: map[string]string{}}
		algorithm := needless.ReplaceAllString(strings.ToLower(m[2]), "")
		if algorithm != m[2] {
			c.addOrNote(Manifest, name, "the algorithm in its name is not written as "+algorithm)
		}
		if algorithms[algorithm] != nil {
			x.algorithm = algorithm
		} else {
			c.note("an algorithm is not known, and its checksums are not compared", name)
		}
		isPayload := m[1] == ""
		c.readManifest(x, isPayload)
		switch {
		case !isPayload:
			c.tags = append(c.tags, x)
			continue
		case x.algorithm != "":
			known++
		}
		c.payload = append(c.payload, x)
	}
	switch {
	case !c.hasData:
		c.add(Missing, "data", "the payload directory is not there")
	case len(c.payload) == 0:
		c.add(Missing, "manifest-sha256.txt", "there is no payload manifest, of whatever algorithm")
	case known == 0:
		c.add(Manifest, c.payload[0].name,
			"no payload manifest is of an algorithm that is known: the payload cannot be checked")
	}
}

func (c *checker) readManifest(x *manifest, isPayload bool) {
	lines, _ := c.lines(x.name, Manifest)
	for i, text := range lines {
		if strings.TrimSpace(text) == "" {
			c.note("a line is empty", x.name)
			continue
		}
		m := manifestLine.FindStringSubmatch(text)
		if m == nil {
			c.add(Manifest, x.name, "line %d is %.120q, not a checksum and a name", i+1, text)
			continue
		}
		sum, entry := strings.ToLower(m[1]), m[3]
		if m[2] != "" {
			if _, ok := c.files["*"+entry]; ok {
				entry = "*" + entry
			} else {
				c.note(`a "*" is before a name, as md5sum writes it`, x.name)
			}
		}
		if f := algorithms[x.algorithm]; f != nil && len(sum) != 2*f().Size() {
			c.add(Manifest, x.name, "line %d has a checksum of %d digits, which no %s checksum has", i+1,
				len(sum),
				x.algorithm)
			continue
		}
		c.addEntry(x, entry, sum, isPayload)
	}
}

func (c *checker) addEntry(x *manifest, entry, sum string, isPayload bool) {
	name, _ := c.resolve(x.name, entry, Manifest)
	switch {
	case name == "":
		return
	case strings.HasPrefix(name, dataDir) != isPayload && isPayload:
		c.add(Manifest, x.name, "it lists %s, which is not of the payload", name)
	case strings.HasPrefix(name, dataDir) != isPayload:
		c.add(Manifest, x.name, "it lists %s, which is of the payload", name)
	case !isPayload && strings.HasPrefix(name, "tagmanifest-"):
		c.add(Manifest, x.name, "it lists %s, a tag manifest", name)
	}
	before, twice := x.sums[name]
	switch {
	case !twice:
		x.sums[name] = sum
	case before != sum:
		c.add(Twice, x.name, "it lists %s twice, with different checksums", name)
	default:
		c.addOrNote(Twice, x.name, fmt.Sprintf("it lists %s twice", name))
	}
}

// compareManifests compares the manifests with the files, and with each other (RFC 8493, 3).
func (c *checker) compareManifests() {
	listed := map[string]bool{} // payload files that any manifest lists
	for _, x := range c.payload {
		for name := range x.sums {
			listed[name] = true
		}
	}
	for _, x := range slices.Concat(c.payload, c.tags) {
		for name := range x.sums {
			if _, ok := c.files[name]; !ok && !c.fetch[name] {
				c.add(Missing, name, "the file is not there")
			}
		}
	}
	for name := range c.files {
		if strings.HasPrefix(name, dataDir) && !listed[name] && len(c.payload) > 0 {
			c.add(Unexpected, name, "no manifest lists this file")
		}
	}
	for _, x := range c.payload {
		if lacking := absent(listed, x.sums); len(lacking) > 0 {
			c.addOrNote(
				Incomplete,
				x.name,
				"it does not list "+abridged(lacking)+", as another manifest does",
			)
		}
	}
	c.compareTagManifests()
}

// compareTagManifests finds tag files that no tag manifest protects (RFC 8493, 2.2.1).
func (c *checker) compareTagManifests() {
	for _, x := range c.tags {
		want, rest := map[string]bool{}, map[string]bool{}
		for _, m := range c.payload {
			want[m.name] = true
		}
		for name := range c.files {
			if !want[name] && !strings.HasPrefix(name, dataDir) && !strings.HasPrefix(name, "tagmanifest-") {
				rest[name] = true
			}
		}
		if lacking := absent(want, x.sums); len(lacking) > 0 {
			c.addOrNote(Incomplete, x.name, "it does not list "+abridged(lacking))
		}
		if lacking := absent(rest, x.sums); len(lacking) > 0 {
			c.note(x.name+" does not list "+abridged(lacking)+"; nothing vouches for them there", "")
		}
	}
}

// absent returns the names of want that sums lacks.
func absent(want map[string]bool, sums map[string]string) []string {
	var names []string
	for name := range want {
		if _, ok := sums[name]; !ok {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, cmp.Compare)
	return names
}

// abridged names the first three of several files.
func abridged(names []string) string {
	if len(names) > 3 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:3], ", "), len(names)-3)
	}
	return strings.Join(names, ", ")
}
