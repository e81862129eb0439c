package query

import (
	"fmt"
	"strings"
)

// converter makes SQL that turns a column's text into its type, or NULL where it does not fit.
type converter struct {
	order string // dmy or mdy
	zone  string // of times without a zone, and of every TIMESTAMP
}

// expression returns the SQL for one column of type typ, of which stats are known.
func (c converter) expression(ref, typ string, stats columnStats) string {
	switch {
	case typ == "BOOLEAN":
		return fmt.Sprintf(`CASE WHEN lower(trim(%[1]s)) IN ('true','yes','1','y') THEN true
			WHEN lower(trim(%[1]s)) IN ('false','no','0','n') THEN false END`, ref)
	case typ == "INTEGER" || typ == "BIGINT":
		return c.number(ref, typ, stats, stats.numbers.integers, 0)
	case strings.HasPrefix(typ, "DECIMAL"):
		return c.number(ref, typ, stats, stats.numbers.simple, 2)
	case typ == "JSON":
		return fmt.Sprintf(`CASE WHEN %[1]s <> '' AND json_valid(%[1]s) THEN %[1]s::JSON END`, ref)
	case typ == "VARCHAR[]":
		return c.list(ref, stats)
	case typ == "DATE":
		return c.date(ref, stats.dates.shapes)
	case typ == "TIMESTAMP":
		return c.timestamp(ref, stats.dates.shapes)
	}
	return fmt.Sprintf("nullif(%s, '')", ref)
}

// number reads a column of numbers. plain of its values need no more than a cast.
func (c converter) number(ref, typ string, stats columnStats, plain int64, decimals int) string {
	if plain == stats.filled {
		return fmt.Sprintf("try_cast(trim(%s) AS %s)", ref, typ)
	}
	return fmt.Sprintf(
		"try_cast(%s(%s, %s, '%d') AS %s)", numberFunction, ref, text(stats.notation.String()), decimals, typ,
	)
}

// separatorOf is what parts the elements of a column of lists.
func separatorOf(stats columnStats) string {
	if stats.semicolons > 0 {
		return ";"
	}
	return ","
}

// list splits at semicolons in a column that has any, else at commas. A JSON array is read as one; of an
// object in it, its name, label or value counts.
func (c converter) list(ref string, stats columnStats) string {
	split := fmt.Sprintf(
		`list_filter(list_transform(string_split(%s, '%s'), lambda x: trim(x)), lambda x: x <> '')`, ref,
		separatorOf(stats),
	)
	array := ""
	if stats.brackets > 0 {
		array = fmt.Sprintf(`WHEN %[1]s[1] = '[' AND json_valid(%[1]s) THEN list_transform(from_json(%[1]s,
			'["JSON"]'), lambda x:
			CASE json_type(x) WHEN 'OBJECT' THEN coalesce(x->>'name', x->>'label', x->>'value', x::VARCHAR)
				ELSE x->>'$' END)`, ref)
	}
	return fmt.Sprintf(`CASE WHEN trim(%s) = '' THEN NULL %s ELSE %s END`, ref, array, split)
}

// timestamp reads every shape that occurs in the column.
func (c converter) timestamp(ref string, shapes dateShape) string { return c.time(ref, shapes, false) }

// date is the day of a timestamp. Midnight in any zone is the day that is written, lest days change with the
// zone.
func (c converter) date(ref string, shapes dateShape) string {
	return "(" + c.time(ref, shapes, true) + ")::DATE"
}

func (c converter) time(ref string, shapes dateShape, date bool) string {
	v := "trim(" + ref + ")"
	branches := c.dateBranches(v, shapes)
	if date && shapes&shapeZoned != 0 {
		branches = append([]string{fmt.Sprintf(`WHEN regexp_full_match(%s,
			'[1-9]\d{3}[-/]\d{2}[-/]\d{2}[T ]00:00(:00(\.0+)?)?%s') THEN try_cast(replace(left(%[1]s, 10),
				'/', '-') AS TIMESTAMP)`,
			v, zoneSuffix)}, branches...)
	}
	if shapes&shapeOther != 0 {
		kind := ""
		if date {
			kind = "date"
		}
		branches = append(
			branches,
			fmt.Sprintf(
				"ELSE %s(%s, %s, %s, '%s')::TIMESTAMP", timeFunction, v, text(c.order), text(c.zone), kind,
			),
		)
	}
	if len(branches) == 0 {
		return "NULL::TIMESTAMP"
	}
	if strings.HasPrefix(branches[0], "ELSE") {
		return "(" + strings.TrimPrefix(branches[0], "ELSE ") + ")"
	}
	return "CASE " + strings.Join(branches, "\n\t") + " END"
}

// zoneSuffix is a pattern of the zones that dateBranches reads.
const zoneSuffix = `\s?([Zz]|UTC|GMT|[-+]\d{2}(:?\d{2})?)`

// dateBranches returns a WHEN for each shape. Its patterns are narrower than the casts after them, which
// read 3/4/24 as the year 24 and take "infinity" for a time.
func (c converter) dateBranches(v string, shapes dateShape) []string {
	const clock = `\d{1,2}:\d{2}(:\d{2}(\.\d{1,9})?)?`
	when := func(pattern, then string) string {
		return fmt.Sprintf(`WHEN regexp_full_match(%s, '%s') THEN %s`, v, pattern, then)
	}
	local := func(zoned string) string { return fmt.Sprintf(`(%s AT TIME ZONE %s)`, zoned, text(c.zone)) }
	var b []string
	if shapes&shapeISO != 0 {
		b = append(
			b,
			when(
				`[1-9]\d{3}([-/])\d{2}[-/]\d{2}([T ]`+clock+`)?`,
				fmt.Sprintf(`try_cast(replace(%s, '/', '-') AS TIMESTAMP)`, v),
			),
		)
	}
	if shapes&shapeZoned != 0 {
		b = append(b, when(`[1-9]\d{3}[-/]\d{2}[-/]\d{2}[T ]`+clock+zoneSuffix,
			local(fmt.Sprintf(
				`try_cast(regexp_replace(regexp_replace(replace(%s, '/', '-'), '\s?(UTC|GMT|[Zz])$', '+00'),
					'\s([-+]\d\d)', '\1') AS TIMESTAMPTZ)`,
				v,
			))))
	}
	if shapes&shapeSlashed != 0 {
		iso := `'\3-\2-\1\4'`
		if c.order == orderMDY {
			iso = `'\3-\1-\2\4'`
		}
		b = append(b, when(`\d{1,2}([/.-])\d{1,2}[/.-][1-9]\d{3}(,?[T ]`+clock+`)?`,
			fmt.Sprintf(
				`try_cast(regexp_replace(%s, '^(\d+)[/.-](\d+)[/.-](\d{4}),?(.*)$', %s) AS TIMESTAMP)`, v,
				iso,
			)))
	}
	if shapes&shapeTwelve != 0 {
		day := "%d/%m/%Y"
		if c.order == orderMDY {
			day = "%m/%d/%Y"
		}
		b = append(b, when(`\d{1,2}([/.-])\d{1,2}[/.-][1-9]\d{3},?[T ]`+clock+`\s?[AaPp][Mm]`,
			fmt.Sprintf(
				`try_strptime(regexp_replace(regexp_replace(upper(%s), '^(\d+)[/.-](\d+)[/.-](\d{4}),?[T ]',
					'\1/\2/\3 '), '\s?([AP]M)$', ' \1'), ['%[2]s %%I:%%M:%%S %%p', '%[2]s %%I:%%M %%p'])`,
				v, day,
			)))
	}
	if shapes&shapeEpoch != 0 {
		b = append(
			b,
			when(
				`\d{12,13}|-\d{11,13}`,
				local(fmt.Sprintf(`(make_timestamp(%s::BIGINT * 1000) AT TIME ZONE 'UTC')`, v)),
			),
		)
	}
	return b
}

// rejection says why values do not fit typ.
func (c converter) rejection(typ string, stats columnStats) string {
	switch {
	case stats.excel > 0:
		return "not a " + typ + "; it looks changed by a spreadsheet program"
	case typ == "DATE" || typ == "TIMESTAMP":
		return "not a date that reads as " + c.order +
			", as ISO 8601, with the name of a month or as epoch milliseconds"
	case strings.HasPrefix(typ, "DECIMAL"):
		if stats.notation == notationAmbiguous || stats.notation == notationMixed {
			return "not an amount with at most two decimals that can be read in one way only"
		}
		return "not an amount with at most two decimals"
	case (typ == "INTEGER" || typ == "BIGINT") && (stats.notation == notationAmbiguous ||
		stats.notation == notationMixed):
		return "not a whole number that can be read in one way only"
	case typ == "BOOLEAN":
		return "not one of true, false, yes, no, 1, 0, y, n"
	}
	return "not a " + typ
}
