package e2e

import (
	"strings"
	"testing"
)

// hostileTables are containers of data files.
func hostileTables(t *testing.T) []hostileCase {
	t.Helper()
	const rows = "Candidate Id,Reference,Full Name\nc-1,CA-1,Ilse Varga\n"
	bomb := string(gzipped(t, []byte(strings.Repeat("\x00", 16<<20))))
	const users = "User Id,Full Name\nu-1,Birk Solheim\n"
	return []hostileCase{
		{
			name: "tables whose names lead upwards, are absolute, or devices", file: "data.zip", data: true, exit: 5,
			entries: []hostileEntry{
				{name: "../../../Candidates.csv", content: rows}, {name: "OUTSIDE/Users.csv", content: users},
				{name: "../CON.csv", content: "a,b\n1,2\n"}, {name: "con.csv", content: "a,b\n3,4\n"},
			},
			received: map[string]string{"tables/Candidates.csv": rows, "tables/Users.csv": users,
				"tables/file-CON.csv-": "a,b\n1,2\n", "tables/file-con-2.csv-": "a,b\n3,4\n"},
			outcome: "tables under safe names",
		},
		{
			name: "tables that are links, encrypted, or a thousand times their stored bytes", file: "data.zip",
			data: true,
			exit: 5,
			entries: []hostileEntry{
				{name: "Candidates.csv", content: rows}, {name: "Users.csv", content: users},
				{name: "Jobs.csv", content: "/etc/passwd", mode: 0o120777, refused: "symlink"},
				{name: "Tasks.csv", content: "ciphertext", flags: 1, refused: "encrypted"},
				{name: "Contacts.csv", content: strings.Repeat(",", 16<<20), method: deflated,
					refused: "limit"},
			},
			received: map[string]string{"tables/Candidates.csv": rows, "tables/Users.csv": users},
			codes:    []string{"error table-unreadable", "warning entry-refused", "warning locked-document"},
			outcome:  "refused, their stored bytes kept; the others are tables",
		},
		{
			name: "a table of zeros, a thousand times its gzip", file: "data.zip", data: true, exit: 5,
			entries: []hostileEntry{
				{name: "Candidates.csv", content: rows}, {name: "Users.csv", content: users},
				{name: "Jobs.csv.gz", content: bomb},
			},
			received: map[string]string{
				"tables/Candidates.csv": rows, "tables/Users.csv": users, "other/Jobs.csv.gz": bomb,
			},
			codes:   []string{"error container-unopened"},
			outcome: "kept as received; the others are tables",
		},
	}
}
