package query

import (
	"regexp"
	"sync"
)

// pattern returns a regular expression that is compiled when it is first asked for. What only loading needs
// would otherwise take a tenth of the time that a question to an archive takes.
func pattern(s string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(s) })
}
