package takeoversim

import (
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strings"
)

// Choices are the decisions that make a World. Each has a random source of its own, so that leaving one
// oddity out changes nothing else.
type Choices struct {
	Selection
	made []string
	wild float64 // multiplies every probability: some worlds are nearly plain, some have everything at once
}

// A Selection says which world it is, and which oddities it may have.
type Selection struct {
	Seed    uint64
	Without []string // oddities that are left out
	// Only are beginnings of the names of the oddities that are not left out, each of which then every second
	// world has. "dialect" stands for all those of CSVs, which are as likely as ever. Empty: all.
	Only []string
}

// dialectNames are the oddities of CSVs.
var dialectNames = []string{
	"headings", "delimiter", "quoting", "line-end", "encoding", "preamble", "money", "moments", "flags",
	"blank-before-quote", "ids", "amounts", "times", "more-flags", "codes", "ends",
}

func (s Selection) has(name string) bool {
	if slices.Contains(s.Without, name) {
		return false
	}
	return len(s.Only) == 0 || slices.ContainsFunc(s.Only, func(only string) bool {
		if only == "dialect" {
			return slices.ContainsFunc(
				dialectNames, func(d string) bool { return strings.HasPrefix(name, d) },
			)
		}
		return strings.HasPrefix(name, only)
	})
}

// chance is how likely an oddity is that has the given probability in a world of middling wildness.
func (c *Choices) chance(name string, probability float64) float64 {
	if slices.ContainsFunc(c.Only, func(only string) bool { return strings.HasPrefix(name, only) }) {
		return 0.5
	}
	return probability * c.wild
}

func newChoices(s Selection) *Choices {
	c := &Choices{Selection: s}
	c.wild = []float64{0.25, 0.5, 1, 1, 2}[c.random("wild").IntN(5)]
	return c
}

// random returns the random source of a decision.
func (c *Choices) random(name string) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(name))
	return rand.New(rand.NewPCG(c.Seed, h.Sum64()))
}

// odd decides whether the world has an oddity, which has the given probability in a world of middling
// wildness.
func (c *Choices) odd(name string, probability float64) bool {
	if c.random("odd "+name).Float64() >= c.chance(name, probability) || !c.has(name) {
		return false
	}
	c.made = append(c.made, name)
	return true
}

// pick chooses one of several ways, of which the first is the plain one. The others are equally likely, and
// together have the given probability.
func (c *Choices) pick(name string, probability float64, ways ...string) string {
	r := c.random("pick " + name)
	way := ways[1+r.IntN(len(ways)-1)]
	if r.Float64() >= c.chance(name+"="+way, probability) || !c.has(name+"="+way) {
		return ways[0]
	}
	c.made = append(c.made, name+"="+way)
	return way
}

// number chooses a number from low to high.
func (c *Choices) number(name string, low, high int) int {
	return low + c.random("number "+name).IntN(high-low+1)
}

// widened is the first seed whose world may have the oddities that were thought of later: the worlds before
// it stay what they were when something went wrong in them.
const widened = 900_000

// laterOdd is odd for an oddity that was thought of later.
func (c *Choices) laterOdd(name string, probability float64) bool {
	return c.Seed >= widened && c.odd(name, probability)
}

// laterPick is pick for an oddity that was thought of later. The plain way is "".
func (c *Choices) laterPick(name string, probability float64, ways ...string) string {
	if c.Seed < widened {
		return ""
	}
	return c.pick(name, probability, append([]string{""}, ways...)...)
}
