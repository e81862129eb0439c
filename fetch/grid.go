package fetch

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// A grid is a table read leniently: quotes are honoured where they make sense, nothing is an error, and each cell
// remembers where it stood.
type grid struct{ rows [][]gridCell }

type gridCell struct {
	text       string // without quotes
	start, end int    // in the file, quotes included
}

func readGrid(text string) *grid {
	delim := guessDelimiter(text)
	g := &grid{}
	var row []gridCell
	for at := 0; at < len(text); {
		cell, next := scanCell(text, at, delim)
		row = append(row, cell)
		switch {
		case next < len(text) && text[next] == delim:
			at = next + 1
			if at == len(text) {
				row = append(row, gridCell{start: at, end: at})
			}
		default:
			g.rows = append(g.rows, row)
			row = nil
			at = next
			for at < len(text) && (text[at] == '\r' || text[at] == '\n') {
				at++
			}
		}
	}
	if row != nil {
		g.rows = append(g.rows, row)
	}
	return g
}

// scanCell reads the cell that begins at at. next is where its delimiter or line end stands.
func scanCell(text string, at int, delim byte) (cell gridCell, next int) {
	i := at
	for i < len(text) && text[i] == ' ' {
		i++
	}
	if i < len(text) && text[i] == '"' {
		if end, ok := closingQuote(text, i+1); ok {
			next := plainEnd(text, end+1, delim)
			s := strings.ReplaceAll(text[i+1:end], `""`, `"`) + strings.TrimRight(text[end+1:next], " ")
			return gridCell{s, at, next}, next
		}
	}
	next = plainEnd(text, at, delim)
	return gridCell{strings.TrimSpace(text[at:next]), at, next}, next
}

func closingQuote(text string, i int) (int, bool) {
	for ; i < len(text); i++ {
		if text[i] != '"' {
			continue
		}
		if i+1 < len(text) && text[i+1] == '"' {
			i++
			continue
		}
		return i, true
	}
	return 0, false
}

var entity = regexp.MustCompile(`&(?:amp|lt|gt|quot|#\d{1,5}|#x[0-9a-fA-F]{1,5})$`)

// plainEnd returns where an unquoted cell ends. A semicolon that ends an HTML entity does not end the cell.
func plainEnd(text string, i int, delim byte) int {
	for start := i; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\n' || c == '\r':
			return i
		case c == delim && !(c == ';' && entity.MatchString(text[max(start, i-10):i])):
			return i
		}
	}
	return i
}

// guessDelimiter looks at the first line without a link, else at what stands before the links.
func guessDelimiter(text string) byte {
	const candidates = ",;\t"
	best, most := byte(','), 0
	count := func(s string) {
		for i := range candidates {
			if n := strings.Count(s, candidates[i:i+1]); n > most {
				best, most = candidates[i], n
			}
		}
	}
	for line := range strings.Lines(text) {
		if !hasLink(line) {
			count(line)
		}
		if most > 0 {
			return best
		}
	}
	for _, at := range schemeAt.FindAllStringIndex(text, -1) {
		before := strings.TrimRight(text[max(0, at[0]-24):at[0]], `" =(HYPERLINKhyperlink`)
		if before != "" {
			count(before[len(before)-1:])
		}
		if most > 0 {
			return best
		}
	}
	return best
}

// labels returns what may say which part the link at row r, column c is, the most telling first.
func (g *grid) labels(r, c int, l Link, manyColumns bool) []string {
	var heads, beside, out []string
	for i := r - 1; i >= 0; i-- {
		if c < len(g.rows[i]) && g.rows[i][c].text != "" && !hasLink(g.rows[i][c].text) {
			heads = append(heads, g.rows[i][c].text)
			break
		}
	}
	own := strings.TrimSpace(stripLinks(g.rows[r][c].text))
	for i := c - 1; i >= 0; i-- {
		beside = append(beside, g.rows[r][i].text)
	}
	for i := c + 1; i < len(g.rows[r]); i++ {
		beside = append(beside, g.rows[r][i].text)
	}
	out = append(out, own)
	if manyColumns {
		out = append(append(out, heads...), beside...)
	} else {
		out = append(append(out, beside...), heads...)
	}
	out = append(out, l.fileName())
	return slices.DeleteFunc(out, func(s string) bool { return s == "" || hasLink(s) || len(s) > 200 })
}

var (
	schemeAt = regexp.MustCompile(`(?i)https?://`)
	linkAt   = regexp.MustCompile(`(?i)https?://[^\s"'<>|\\^{}` + "`" + `]+`)
	formula  = regexp.MustCompile(`(?i)^\s*=\s*HYPERLINK\s*\(|["();,]`)
)

func hasLink(s string) bool { return schemeAt.MatchString(s) }

// linksIn returns the links of a cell as they stand there. A cell that is nothing but one link is taken whole, so that
// a link that lost its escaping is not cut at the first space.
func linksIn(text string) []string {
	t := strings.Trim(strings.TrimSpace(text), `<>`)
	at := schemeAt.FindAllStringIndex(t, -1)
	if len(at) == 0 {
		return nil
	}
	if at[0][0] == 0 && (len(at) == 1 || !strings.ContainsAny(t, " \t\r\n")) && !strings.ContainsAny(t, "\"<>\r\n") {
		return []string{t}
	}
	var out []string
	for _, s := range linkAt.FindAllString(t, -1) {
		out = append(out, strings.TrimRight(s, ").,;]"))
	}
	return out
}

// stripLinks returns a cell's text beside its links.
func stripLinks(text string) string {
	return formula.ReplaceAllString(linkAt.ReplaceAllString(text, ""), " ")
}

// unwrap takes off what mail programs and protections put around a link, and says so.
func unwrap(s string) (link, repair string) {
	var notes []string
	for range 4 {
		inner, note := unwrapOnce(s)
		if note == "" {
			break
		}
		s, notes = inner, append(notes, note)
	}
	return s, strings.Join(notes, "; ")
}

func unwrapOnce(s string) (link, note string) {
	if strings.Contains(s, "&amp;") {
		return strings.ReplaceAll(s, "&amp;", "&"), "a link was HTML-escaped (&amp;)"
	}
	u, err := url.Parse(s)
	if err != nil {
		return s, ""
	}
	host := strings.ToLower(u.Hostname())
	q := u.Query()
	inner, by := "", ""
	switch {
	case strings.HasSuffix(host, ".safelinks.protection.outlook.com"):
		inner, by = q.Get("url"), "Outlook's SafeLinks"
	case host == "urldefense.proofpoint.com" && strings.HasPrefix(u.Path, "/v2/"):
		v, err := url.QueryUnescape(strings.NewReplacer("-", "%", "_", "/").Replace(q.Get("u")))
		if err == nil {
			inner, by = v, "Proofpoint"
		}
	case (host == "www.google.com" || host == "google.com") && u.Path == "/url":
		inner, by = q.Get("q"), "Google"
		if inner == "" {
			inner = q.Get("url")
		}
	}
	if inner == "" || !schemeAt.MatchString(inner) {
		return s, ""
	}
	return inner, "a link was wrapped by " + by
}
