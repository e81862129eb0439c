package e2e

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

const hostilePage = "../../docs/hostile.md"

// The page says what the table of cases says. HOLDALL_UPDATE=1 writes it.
func TestTheHostilePageIsUpToDate(t *testing.T) {
	want := renderHostile(t)
	if os.Getenv("HOLDALL_UPDATE") == "1" {
		if err := os.WriteFile(hostilePage, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(hostilePage); err != nil || string(got) != want {
		t.Errorf("docs/hostile.md is not what the table of cases says (%v); write it with HOLDALL_UPDATE=1 "+
			"go test -run HostilePage ./internal/e2e", err)
	}
}

func renderHostile(t *testing.T) string {
	var b strings.Builder
	fmt.Fprintf(&b, `# Containers that were made to do harm

This page is generated from a table of tests. Each row is a whole takeover by the real program from a real
server, of an export with such a container in it. Then the archive is verified down to its documents, read by
the reader that was written from the format alone, and its documents are copied out. In each row

- every entry is in the archive: as a document with its bytes, or in `+"`data/documents/refused.csv`"+` with the
  reason and its stored bytes, or the whole container is kept where these cannot be kept by themselves;
- the program takes at most %d MiB of memory, %d MiB of disk beside four times the container, and few files;
- nothing is written but in the archive, the cache and the directory for temporary files, no link is made, and
  copies have names that every file system takes, no two alike after case folding. For all of the names
  together, each system call is looked at.

What was refused or is odd is said in findings, and the exit code is 5. Limits: content of a thousand times an
entry's stored bytes, or of two hundred times the container, where there is more than a mebibyte of it; a
tebibyte an entry; twenty million entries; 65,535 bytes of a name.

| what is in the container | what comes of it | exit |
|---|---|---|
`, hostileMemory>>20, hostileDisk>>20)
	for _, c := range hostileCases(t) {
		fmt.Fprintf(&b, "| %s | %s | %d |\n", c.name, c.outcome, c.exit)
	}
	return b.String()
}
