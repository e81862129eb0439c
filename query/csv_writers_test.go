package query

import (
	"strings"
)

// nastyTexts are cells that reports about CSV readers are made of.
var nastyTexts = []string{
	"", "", "", "plain", "two words", "a, b", "a; b", "a\tb", "a | b", "line one\nline two",
	"line one\r\nline two", `said "no", then left`, `"quoted"`,
	`5" pipe`, `6" x 4"`, `C:\Users\ama\`, `C:\new\table`, `\\server\share`, `\N`, `a\b`,
	`say \"hi\", twice`, `\"`, `"`, `""`, `,`, `'single'`, `'t Hooft`, `O'Brien`,
	" leading", "trailing ", `{"a": "b, \"c\" d", "e": [1, 2]}`, `<p class="x">hi, "you"</p>`, "Zoë ✓",
	"=1+2", "-", "N/A", "NULL", `ends with "`, `"starts`, `\`, `a\,b`,
	`x","y`, `x\","y`, "1,5", "a\n,b", `'a','b'`, "Total: 5", "sep=;", "# note", "Status", "\x1a",
	"semi;colon;list", "tab\tand, comma",
}

// writers are emulations of programs. Each returns how a row is written, without its row end.
var writers = map[string]func(delim string, row []string) string{
	"rfc": func(d string, r []string) string {
		return joined(r, d, func(v string) string { return quotedIf(v, d+"\"\r\n", `""`) })
	},
	"rfc-all": func(d string, r []string) string {
		return joined(r, d, func(v string) string { return quoted(v, `""`) })
	},
	"excel": func(d string, r []string) string {
		return joined(r, d, func(v string) string { return quotedIf(v, d+"\"\r\n,", `""`) })
	},
	"postgres": func(d string, r []string) string {
		return joined(r, d, func(v string) string { return quotedIf(v, d+"\"\r\n", `""`) })
	},
	"python-slash": func(d string, r []string) string {
		return joined(r, d, func(v string) string { return pythonSlash(v, d) })
	},
	"python-none": func(d string, r []string) string {
		return joined(r, d, func(v string) string { return slashed(v, d+"\"\\\r\n") })
	},
	"php": func(d string, r []string) string {
		return joined(
			r, d, func(v string) string { return php(v, d) },
		)
	},
	"mysql": func(d string, r []string) string {
		return joined(r, d, func(v string) string { return `"` + slashed(v, "\\\"\n") + `"` })
	},
	"mysql-tsv": func(d string, r []string) string {
		return joined(r, d, func(v string) string { return slashed(v, "\\\n"+d) })
	},
	"blanks": func(d string, r []string) string {
		return joined(r, d+" ", func(v string) string { return quoted(v, `""`) })
	},
	"single": func(d string, r []string) string {
		return joined(r, d, func(v string) string { return "'" + strings.ReplaceAll(v, "'", "''") + "'" })
	},
	"naive": func(d string, r []string) string { return strings.Join(r, d) },
	"naive-all": func(d string, r []string) string {
		return joined(
			r, d, func(v string) string { return `"` + v + `"` },
		)
	},
	"naive-some": func(d string, r []string) string {
		return joined(r, d, func(v string) string { return naiveSome(v, d) })
	},
}

// lossyWriters cannot say every cell.
var lossyWriters = []string{"naive", "naive-all", "naive-some", "php", "mysql-tsv", "python-none"}

func joined(row []string, delim string, cell func(string) string) string {
	out := make([]string, len(row))
	for i, v := range row {
		out[i] = cell(v)
	}
	return strings.Join(out, delim)
}

func quoted(v, escaped string) string { return `"` + strings.ReplaceAll(v, `"`, escaped) + `"` }

func quotedIf(v, any, escaped string) string {
	if strings.ContainsAny(v, any) {
		return quoted(v, escaped)
	}
	return v
}

func naiveSome(v, delim string) string {
	if strings.Contains(v, delim) {
		return `"` + v + `"`
	}
	return v
}

func pythonSlash(v, delim string) string {
	if strings.ContainsAny(v, delim+"\"\\\r\n") {
		return `"` + slashed(v, `"\`) + `"`
	}
	return v
}

func slashed(v, special string) string {
	var b strings.Builder
	for _, r := range v {
		if strings.ContainsRune(special, r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// withNulls writes empty cells as MySQL writes NULL.
func withNulls(write func(string, []string) string, delim string, row []string) string {
	out := make([]string, len(row))
	for i, v := range row {
		if out[i] = write(delim, []string{v}); v == "" {
			out[i] = `\N`
		}
	}
	return strings.Join(out, delim)
}

// php is fputcsv of PHP, after its source.
func php(v, delim string) string {
	if !strings.ContainsAny(v, delim+"\"\\\n\r\t ") {
		return v
	}
	var b strings.Builder
	escaped := false
	b.WriteByte('"')
	for i := range len(v) {
		switch {
		case v[i] == '\\':
			escaped = true
		case !escaped && v[i] == '"':
			b.WriteByte('"')
		default:
			escaped = false
		}
		b.WriteByte(v[i])
	}
	return b.String() + `"`
}
