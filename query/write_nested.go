package query

import (
	"fmt"
	"strings"
)

// nestedJSON is SQL for a value with parts as JSON. DuckDB's own to_json is used where it is exact: it rounds
// numbers in JSON, widens FLOAT and writes NaN, which is not JSON.
func nestedJSON(ref string, t dataType) string {
	if !t.has(inexactInJSON) {
		return fmt.Sprintf("CASE WHEN %[1]s IS NOT NULL THEN to_json(%[1]s)::VARCHAR END", ref)
	}
	return t.json(ref, 0)
}

func inexactInJSON(leaf string) bool {
	return leaf == "JSON" || leaf == "FLOAT" || leaf == "DOUBLE" || leaf == "VARIANT" ||
		strings.HasPrefix(leaf, "TIMESTAMP")
}

// json is SQL for a value as JSON; NULL stays NULL.
func (t dataType) json(ref string, depth int) string {
	x := fmt.Sprintf("x%d", depth)
	switch t.name {
	case "LIST", "ARRAY":
		return fmt.Sprintf("'[' || array_to_string(list_transform(%s, lambda %s: coalesce(%s, 'null')), "+
			"',') || ']'",
			t.asList(ref), x, t.parts[0].json(x, depth+1))
	case "MAP":
		return fmt.Sprintf("'{' || array_to_string(list_transform(map_entries(%s), lambda %s: "+
			"to_json(%[2]s.key::VARCHAR)::VARCHAR || ':' || coalesce(%s, 'null')), ',') || '}'",
			ref, x, t.parts[1].json(x+".value", depth+1))
	case "STRUCT":
		var parts []string
		for i, p := range t.parts {
			parts = append(
				parts,
				fmt.Sprintf(
					"'%s:' || coalesce(%s, 'null')", quoteSQL(jsonString(t.labels[i])),
					p.json(t.field(ref, i), depth),
				),
			)
		}
		return fmt.Sprintf(
			"CASE WHEN %s IS NOT NULL THEN '{' || %s || '}' END", ref, strings.Join(parts, " || ',' || "),
		)
	case "UNION":
		var cases []string
		for i, p := range t.parts {
			cases = append(cases,
				fmt.Sprintf("WHEN %s THEN '{%s:' || coalesce(%s, 'null') || '}'", text(t.labels[i]),
					quoteSQL(jsonString(t.labels[i])),
					p.json(fmt.Sprintf("union_extract(%s, %s)", ref, text(t.labels[i])), depth)))
		}
		return fmt.Sprintf("CASE union_tag(%s)::VARCHAR %s END", ref, strings.Join(cases, " "))
	}
	return leafJSON(ref, t.name)
}

func leafJSON(ref, typ string) string {
	switch {
	case typ == "FLOAT" || typ == "DOUBLE":
		return fmt.Sprintf(
			`CASE WHEN isnan(%[1]s) THEN '"NaN"' WHEN isinf(%[1]s) THEN CASE
				WHEN %[1]s > 0 THEN '"Infinity"' ELSE '"-Infinity"' END ELSE %[1]s::VARCHAR END`,
			ref,
		)
	case isFraction(typ):
		return withZero(ref)
	case isNumber(typ), typ == "BOOLEAN", typ == "JSON":
		return ref + "::VARCHAR"
	case typ == "VARIANT":
		return fmt.Sprintf("to_json(%s)::VARCHAR", ref)
	case strings.HasPrefix(typ, "TIMESTAMP"):
		return fmt.Sprintf("to_json(replace(%s::VARCHAR, ' ', 'T'))::VARCHAR", ref)
	}
	return fmt.Sprintf("to_json(%s::VARCHAR)::VARCHAR", ref)
}

// quoteSQL doubles the quotes of the content of a text in SQL.
func quoteSQL(s string) string { return strings.ReplaceAll(s, "'", "''") }
