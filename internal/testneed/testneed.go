// Package testneed is for tests that need a program which a fresh machine may lack. Without it they skip with
// a reason; with HOLDALL_TEST_NO_SKIP=1, as CI sets it, they fail instead, so that a green run has tried
// everything.
package testneed

import (
	"os"
	"os/exec"
	"testing"
)

// Command returns the path of a program, or skips the test saying which is missing and which Debian or PyPI
// package has it.
func Command(t testing.TB, name, from string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		Missing(t, name+" (from "+from+") is not installed")
	}
	return path
}

// Missing skips the test, or fails it where nothing may be skipped.
func Missing(t testing.TB, reason string) {
	t.Helper()
	if os.Getenv("HOLDALL_TEST_NO_SKIP") == "1" {
		t.Fatalf("HOLDALL_TEST_NO_SKIP=1, but %s", reason)
	}
	t.Skip(reason)
}
