package schemas

import "strings"

// A Dialect is a way of writing headings.
type Dialect string

// The dialects that exports are known to use.
const (
	Title Dialect = "title" // Candidate Id
	Camel Dialect = "camel" // candidateId
	Snake Dialect = "snake" // candidate_id
)

// HeadingIn returns the column's heading as an export of that dialect writes it. An unknown dialect is Title.
func (c Column) HeadingIn(d Dialect) string {
	switch d {
	case Camel:
		return camelCase(c.Name)
	case Snake:
		return c.Name
	}
	return c.Heading
}

// camelCase turns address_line1 into addressLine1.
func camelCase(snake string) string {
	words := strings.Split(snake, "_")
	for i, w := range words[1:] {
		if w != "" {
			words[i+1] = strings.ToUpper(w[:1]) + w[1:]
		}
	}
	return strings.Join(words, "")
}
