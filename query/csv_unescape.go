package query

import "bytes"

// decode returns what a cell says.
func (c *carefulReader) decode(s span) cell {
	v := c.unread()[s.from:s.to]
	out := cell{quoted: s.quoted, bare: s.bare}
	if c.d.blanks && !s.quoted {
		v = bytes.TrimLeft(v, " ")
	}
	from := len(c.text)
	switch {
	case c.d.escape == escBackslash:
		if !s.quoted && string(v) == `\N` {
			out.null = true
			break
		}
		out.escaped = c.unescape(v, s.quoted)
	case s.quoted:
		c.undouble(v)
	default:
		c.text = append(c.text, v...)
	}
	out.text = c.text[from:len(c.text):len(c.text)]
	return out
}

// undouble takes every second of two quotes away.
func (c *carefulReader) undouble(v []byte) {
	escaped := false
	for i := 0; i < len(v); i++ {
		b := v[i]
		c.text = append(c.text, b)
		switch {
		case b == '\\' && c.d.escape == escPHP:
			escaped = true
			continue
		case b == c.d.quote && !escaped && i+1 < len(v) && v[i+1] == b:
			i++
			c.doubled++
		}
		escaped = false
	}
}

// unescape takes away the backslashes that take something's meaning away, and reports whether there are any;
// others are content.
func (c *carefulReader) unescape(v []byte, quoted bool) (any bool) {
	for i := 0; i < len(v); i++ {
		b := v[i]
		switch {
		case b == '\\' && i+1 < len(v) && c.isEscapable(v[i+1]):
			i++
			c.text = append(c.text, c.meaning(v[i]))
			any = true
		case quoted && b == c.d.quote && i+1 < len(v) && v[i+1] == b:
			c.text = append(c.text, b)
			i++
		default:
			c.text = append(c.text, b)
		}
	}
	return any
}

// isEscapable reports whether a backslash before b is not content.
func (c *carefulReader) isEscapable(b byte) bool {
	switch b {
	case '"', '\'':
		return b == c.d.quote || c.d.quote == 0 && !c.d.bareSlashes
	case '\\':
		return !c.d.bareSlashes
	case '\n', '\r', c.d.delim:
		return true
	case '0', 'n', 'r', 't', 'b', 'Z':
		return c.d.symbols
	}
	return false
}

// meaning returns what a backslash and b stand for.
func (c *carefulReader) meaning(b byte) byte {
	switch b {
	case '0':
		return 0
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	case 'b':
		return '\b'
	case 'Z':
		return 0x1a
	}
	return b
}
