package query

import (
	"fmt"
	"strings"
	"testing"
)

// A table of a hundred thousand people, each a line of 1,500 bytes in 76 columns, did not fit into the memory
// of a takeover when as many rows as usual were stored together: its people had no table.
func TestWideRowsAreStoredInLittleMemory(t *testing.T) {
	t.Parallel()
	const columns, rows = 76, 30_000
	heads := []string{"Candidate Id"}
	for i := range columns {
		heads = append(heads, fmt.Sprintf("Further %d", i))
	}
	var csv strings.Builder
	csv.WriteString(strings.Join(heads, ",") + "\n")
	for n := range rows {
		fmt.Fprintf(&csv, "c%d", n)
		for i := range columns {
			fmt.Fprintf(&csv, ",text %d of %d", n*31%9973, i)
		}
		csv.WriteByte('\n')
	}
	b, _ := build(t, BuildOptions{MemoryLimit: 80 << 20, Threads: 2})
	if report := load(t, b, "Candidates.csv", csv.String()); report.Rows != rows {
		t.Errorf("%d rows, want %d", report.Rows, rows)
	}
}
