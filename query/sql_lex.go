package query

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A statement is one piece of users' SQL, with what the sandbox looks at.
type statement struct {
	text  string   // without the semicolon after it
	words []string // identifiers and keywords, lower case and unquoted, in their order
	calls []string // those of them that a parenthesis follows
}

// splitSQL splits SQL at the semicolons that are neither quoted nor in a comment. What is empty but for
// comments is left out. It is only a first look: DuckDB's own parser has to find the same number of
// statements.
func splitSQL(sql string) ([]statement, error) {
	var all []statement
	var s statement
	start, word := 0, ""
	l := lexer{sql: sql}
	flush := func() {
		if s.text = strings.TrimSpace(sql[start:l.from]); len(s.words) > 0 || l.symbols > 0 {
			all = append(all, s)
		}
		start, s, word, l.symbols = l.pos, statement{}, "", 0
	}
	for l.next() {
		switch {
		case l.kind == ';':
			flush()
		case l.kind == 'w':
			word = l.word
			s.words = append(s.words, word)
		case l.kind == '(' && word != "":
			s.calls = append(s.calls, word)
			word = ""
		default:
			word = ""
		}
	}
	flush()
	return all, l.err
}

// A lexer finds the tokens of SQL after DuckDB's rules for quotes and comments.
type lexer struct {
	sql       string
	from, pos int    // of the current token
	kind      rune   // w: a word; ' : a string; ; and ( themselves; . : any other symbol
	word      string // lower case, unquoted
	symbols   int    // tokens since the last semicolon
	err       error
}

var errUnterminated = errors.New("a quote or comment is not closed")

// next moves to the next token.
func (l *lexer) next() bool {
	l.skipBlank()
	l.from = l.pos
	if l.err != nil || l.pos >= len(l.sql) {
		return false
	}
	rest := l.sql[l.pos:]
	r, size := utf8.DecodeRuneInString(rest)
	switch {
	case r == '\'':
		n := l.quoted(rest, '\'', l.isEscapeString())
		l.kind = '\''
		l.pos += n
	case r == '"':
		n := l.quoted(rest, '"', false)
		l.kind, l.word = 'w', strings.ToLower(strings.ReplaceAll(strings.Trim(rest[:n], `"`), `""`, `"`))
		l.pos += n
	case r == '$':
		l.kind = '\''
		l.pos += l.dollar(rest)
	case r == '_' || unicode.IsLetter(r) || r >= utf8.RuneSelf:
		n := strings.IndexFunc(rest, func(r rune) bool {
			return r != '_' && r != '$' && r < utf8.RuneSelf && !unicode.IsLetter(r) && !unicode.IsDigit(r)
		})
		if n < 0 {
			n = len(rest)
		}
		l.kind, l.word = 'w', strings.ToLower(rest[:n])
		l.pos += n
	default:
		l.kind = '.'
		if r == ';' || r == '(' {
			l.kind = r
		}
		l.pos += size
	}
	if l.kind != ';' {
		l.symbols++
	}
	return true
}

// skipBlank passes blanks and comments. Comments between slashes and stars nest.
func (l *lexer) skipBlank() {
	for l.pos < len(l.sql) {
		rest := l.sql[l.pos:]
		r, size := utf8.DecodeRuneInString(rest)
		switch {
		case unicode.IsSpace(r) || r == '\ufeff':
			l.pos += size
		case strings.HasPrefix(rest, "--"):
			n := strings.IndexAny(rest, "\r\n")
			if n < 0 {
				n = len(rest)
			}
			l.pos += n
		case strings.HasPrefix(rest, "/*"):
			l.pos += l.comment(rest)
		default:
			return
		}
	}
}

func (l *lexer) comment(rest string) int {
	depth := 0
	for i := 0; i < len(rest)-1; i++ {
		switch rest[i : i+2] {
		case "/*":
			depth++
			i++
		case "*/":
			depth--
			i++
			if depth == 0 {
				return i + 1
			}
		}
	}
	l.err = errUnterminated
	return len(rest)
}

// quoted returns the length of the quoted token at the start of rest.
func (l *lexer) quoted(rest string, quote byte, backslash bool) int {
	for i := 1; i < len(rest); i++ {
		switch {
		case backslash && rest[i] == '\\':
			i++
		case rest[i] == quote && i+1 < len(rest) && rest[i+1] == quote:
			i++
		case rest[i] == quote:
			return i + 1
		}
	}
	l.err = errUnterminated
	return len(rest)
}

// isEscapeString reports whether the string at pos has an E before it, so that backslashes escape.
func (l *lexer) isEscapeString() bool {
	return l.pos > 0 && (l.sql[l.pos-1] == 'e' || l.sql[l.pos-1] == 'E') && l.kind == 'w' && l.word == "e"
}

// dollar returns the length of a dollar-quoted string or a parameter.
func (l *lexer) dollar(rest string) int {
	end := strings.IndexFunc(
		rest[1:],
		func(r rune) bool {
			return r != '_' && r < utf8.RuneSelf && !unicode.IsLetter(r) && !unicode.IsDigit(r)
		},
	)
	if end < 0 {
		return len(rest)
	}
	tag := rest[:end+2]
	if rest[end+1] != '$' {
		return end + 1 // a parameter: $name
	}
	if i := strings.Index(rest[len(tag):], tag); i >= 0 {
		return len(tag) + i + len(tag)
	}
	l.err = errUnterminated
	return len(rest)
}
