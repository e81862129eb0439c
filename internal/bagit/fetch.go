package bagit

import (
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

var fetchLine = regexp.MustCompile(`^(\S+)[ \t]+(\d+|-)[ \t]+(.+)$`)

// readFetch reads fetch.txt (RFC 8493, 2.2.3), if there is one. Nothing is fetched. A link may be a
// credential: none is repeated.
func (c *checker) readFetch() {
	lines, _ := c.lines(fetchFile, Fetch)
	for i, text := range lines {
		if strings.TrimSpace(text) == "" {
			c.note("a line is empty", fetchFile)
			continue
		}
		m := fetchLine.FindStringSubmatch(text)
		if m == nil {
			c.add(Fetch, fetchFile, "line %d is not a URL, a length and a name", i+1)
			continue
		}
		if u, err := url.Parse(m[1]); err != nil || !u.IsAbs() {
			c.add(Fetch, fetchFile, "line %d has no absolute URL", i+1)
		}
		if name, there := c.resolve(fetchFile, m[3], Fetch); name != "" {
			c.addFetch(name, m[2], there)
		}
	}
}

// addFetch notes a file that fetch.txt lists, with its length, or "-".
func (c *checker) addFetch(name, length string, there bool) {
	c.fetch[name] = true
	if !strings.HasPrefix(name, dataDir) {
		c.add(Fetch, fetchFile, "it lists %s, which is not of the payload", name)
	}
	lacking := 0
	for _, x := range c.payload {
		if _, ok := x.sums[name]; !ok {
			lacking++
		}
	}
	if lacking > 0 && (c.strict() || lacking == len(c.payload)) {
		c.add(Fetch, fetchFile, "it lists %s, which a payload manifest does not", name)
	}
	switch want, err := strconv.ParseInt(length, 10, 64); {
	case !there:
		c.add(NotFetched, name, "fetch.txt says where it is to be fetched from, and it has not been")
	case err == nil && want != c.files[name]:
		c.add(Size, name, "%d bytes instead of the %d of fetch.txt", c.files[name], want)
	}
}
