package query

import (
	"fmt"
	"strings"
)

// A dataType is a type of DuckDB's, taken apart: what is said of a value depends on what is in it.
type dataType struct {
	name   string   // VARCHAR, DECIMAL(18,2), …; LIST, ARRAY, STRUCT, MAP or UNION where it has parts
	size   string   // of an ARRAY
	labels []string // of the parts of a STRUCT or UNION
	parts  []dataType
}

// parseType reads a type as DuckDB names it: STRUCT(id BIGINT, "two words" VARCHAR[]).
func parseType(s string) dataType {
	p := typeParser{s}
	return p.next()
}

// A typeParser holds what is still to be read.
type typeParser struct{ rest string }

func (p *typeParser) next() dataType {
	var t dataType
	kind, _, _ := strings.Cut(p.rest, "(")
	switch kind {
	case "STRUCT", "UNION", "MAP":
		t.name = kind
		p.rest = p.rest[len(kind)+1:]
		for !p.skip(")") && p.rest != "" {
			if kind != "MAP" {
				t.labels = append(t.labels, p.label())
			}
			t.parts = append(t.parts, p.next())
			p.skip(", ")
		}
	default:
		t.name = p.plain()
	}
	for p.skip("[") {
		size, rest, _ := strings.Cut(p.rest, "]")
		p.rest = rest
		kind := "LIST"
		if size != "" {
			kind = "ARRAY"
		}
		t = dataType{name: kind, size: size, parts: []dataType{t}}
	}
	return t
}

func (p *typeParser) skip(s string) bool {
	rest, ok := strings.CutPrefix(p.rest, s)
	p.rest = rest
	return ok
}

// label reads the name of a part, with the blank after it.
func (p *typeParser) label() string {
	if !strings.HasPrefix(p.rest, `"`) {
		name, rest, _ := strings.Cut(p.rest, " ")
		p.rest = rest
		return name
	}
	end := closingQuote(p.rest)
	name := strings.ReplaceAll(p.rest[1:end], `""`, `"`)
	p.rest = strings.TrimPrefix(p.rest[min(end+1, len(p.rest)):], " ")
	return name
}

// plain reads a type without parts: up to what separates or ends it, brackets and quoted values of an ENUM
// passed over.
func (p *typeParser) plain() string {
	depth := 0
	for i := 0; i < len(p.rest); i++ {
		switch c := p.rest[i]; {
		case c == '\'':
			i += closingQuote(p.rest[i:])
		case c == '(':
			depth++
		case c == ')' && depth > 0:
			depth--
		case depth == 0 && strings.ContainsRune(",)[", rune(c)):
			name := p.rest[:i]
			p.rest = p.rest[i:]
			return name
		}
	}
	name := p.rest
	p.rest = ""
	return name
}

// closingQuote returns where the quoted text that s begins with ends; a doubled quote is one in the text.
func closingQuote(s string) int {
	for i := 1; i < len(s); i++ {
		if s[i] != s[0] {
			continue
		}
		if i+1 == len(s) || s[i+1] != s[0] {
			return i
		}
		i++
	}
	return len(s)
}

// String returns the type as SQL has it.
func (t dataType) String() string {
	var parts []string
	for i, p := range t.parts {
		part := p.String()
		if t.labels != nil {
			part = ident(t.labels[i]) + " " + part
		}
		parts = append(parts, part)
	}
	switch t.name {
	case "LIST", "ARRAY":
		return parts[0] + "[" + t.size + "]"
	case "STRUCT", "UNION", "MAP":
		return t.name + "(" + strings.Join(parts, ", ") + ")"
	}
	return t.name
}

// has reports whether the type, or one inside of it, is one that is answers true for.
func (t dataType) has(is func(leaf string) bool) bool {
	if len(t.parts) == 0 || is(t.name) {
		return is(t.name)
	}
	for _, p := range t.parts {
		if p.has(is) {
			return true
		}
	}
	return false
}

// replace returns the type with other types in place of those without parts.
func (t dataType) replace(by func(leaf string) string) dataType {
	if len(t.parts) == 0 {
		t.name = by(t.name)
		return t
	}
	parts := make([]dataType, len(t.parts))
	for i, p := range t.parts {
		parts[i] = p.replace(by)
	}
	t.parts = parts
	return t
}

// anySQL is SQL for whether a value, or one inside of it, is one that holds is SQL for. A NULL has none.
func (t dataType) anySQL(ref string, depth int, holds func(ref, leaf string) string) string {
	inner := fmt.Sprintf("x%d", depth)
	var any []string
	switch t.name {
	case "LIST", "ARRAY":
		if sql := t.parts[0].anySQL(inner, depth+1, holds); sql != "" {
			return fmt.Sprintf("len(list_filter(%s, lambda %s: %s)) > 0", t.asList(ref), inner, sql)
		}
		return ""
	case "MAP":
		for i, list := range []string{"map_keys", "map_values"} {
			if sql := t.parts[i].anySQL(inner, depth+1, holds); sql != "" {
				any = append(
					any, fmt.Sprintf("len(list_filter(%s(%s), lambda %s: %s)) > 0", list, ref, inner, sql),
				)
			}
		}
	case "STRUCT":
		for i, p := range t.parts {
			if sql := p.anySQL(t.field(ref, i), depth, holds); sql != "" {
				any = append(any, sql)
			}
		}
	case "UNION":
	default:
		return holds(ref, t.name)
	}
	if len(any) == 0 {
		return ""
	}
	return "coalesce(" + strings.Join(any, ", false) OR coalesce(") + ", false)"
}

// field is SQL for a part of a STRUCT; one without names has numbers.
func (t dataType) field(ref string, i int) string {
	if t.labels[i] == "" {
		return fmt.Sprintf("struct_extract_at(%s, %d)", ref, i+1)
	}
	return fmt.Sprintf("struct_extract(%s, %s)", ref, text(t.labels[i]))
}

// asList is SQL for a LIST or ARRAY as a LIST.
func (t dataType) asList(ref string) string {
	if t.name == "ARRAY" {
		return fmt.Sprintf("(%s)::%s[]", ref, t.parts[0])
	}
	return ref
}
