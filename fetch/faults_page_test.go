package fetch

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"holdall/fetch/failure"
)

const faultsPage = "../docs/faults.md"

// TestTheFaultsPageIsUpToDate compares docs/faults.md with the table of faults. HOLDALL_UPDATE=1 writes it.
func TestTheFaultsPageIsUpToDate(t *testing.T) {
	want := renderFaults()
	if os.Getenv("HOLDALL_UPDATE") == "1" {
		if err := os.WriteFile(faultsPage, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(faultsPage)
	if err != nil || string(got) != want {
		t.Errorf(
			"docs/faults.md is not what the table of faults says (%v); write it with HOLDALL_UPDATE=1 go "+
				"test -run FaultsPage ./fetch",
			err,
		)
	}
}

func renderFaults() string {
	var b strings.Builder
	n := 0
	for _, f := range faultFamilies() {
		n += len(f.cases)
	}
	fmt.Fprintf(&b, `# What goes wrong on the way, and what comes of it

This page is generated from the table that package fetch is tested with: each of these %d faults is made to
happen in every run of the tests, over real HTTP where a server has a part in it. A fault ends in the right
bytes, or in an error with one of the codes below and a spool that the next run resumes from. After each one,
everything that was printed and written is searched for the link's secret.

A code is followed by what to do. *Run again* means the same command: bytes already received are not fetched
again. *New master CSV* means that the links themselves have to be replaced; with fresh ones, too, the same
command resumes where it stopped.

Alongside these, fetch/peertest runs against real peers: nginx, a proxy, a private authority, and an S3 server
whose presigned links expire; internal/unpack has more of what can be wrong inside a ZIP or a tar. Containers
that were made to do harm, bombs and names that lead elsewhere, are in hostile.md.
`, n)
	for _, f := range faultFamilies() {
		fmt.Fprintf(&b, "\n## %s\n\n| what happens | what comes of it |\n|---|---|\n", f.name)
		for _, c := range f.cases {
			fmt.Fprintf(&b, "| %s | %s |\n", cell(c.name), cell(c.result()))
		}
	}
	return b.String()
}

func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }

// result says what a fault ends in.
func (c faultCase) result() string {
	if c.outcome != "" {
		return c.outcome
	}
	if c.want == "" {
		return "every byte is right"
	}
	todo := "new master CSV"
	if (&failure.Error{Code: c.want}).Retryable() {
		todo = "run again"
	}
	return fmt.Sprintf("`%s`: %s", c.want, todo)
}
