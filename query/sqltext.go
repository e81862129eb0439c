package query

import (
	"strings"
)

// ident quotes a name for SQL; text quotes a string. Every name and string that is part of a statement goes
// through one of them. No content can break a statement: SQL has no way to write a NUL byte, or a byte that
// is not UTF-8, so that these become U+FFFD.
func ident(name string) string {
	return `"` + strings.ReplaceAll(writable(name), `"`, `""`) + `"`
}

func text(s string) string { return "'" + strings.ReplaceAll(writable(s), "'", "''") + "'" }

func writable(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

// QuoteName quotes a name for SQL that other packages write.
func QuoteName(name string) string { return ident(name) }
