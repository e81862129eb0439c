package main

import (
	"fmt"
	"strings"

	"holdall/fetch/failure"
)

// The exit codes; docs/cli.md and the help topic "exit-codes" say what they mean.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitNotFinished = 3
	exitLink        = 4
	exitFindings    = 5
	exitInterrupted = 130
)

// exit returns the exit code of a failure: 3 where the same command goes on, 4 where a link is dead, refused
// or damaged. The table of all codes, with what else follows from each, is in fetch/failure.
func (c errorCode) exit() int {
	if c == codeCredentials {
		return exitNotFinished
	}
	return failure.Code(c).Exit()
}

// exitMeaning is what the help of a command says of an exit code.
var exitMeaning = map[int]string{
	exitNotFinished: "not finished: run the same command again to go on",
	exitLink:        "a link is expired, refused or damaged: a new export or master CSV is needed",
	exitFindings:    "done, but with findings; or verification found faults",
}

func exitStatus(extra []int) string {
	var b strings.Builder
	b.WriteString("Exit status:\n    0  done\n    1  failed\n    2  wrong usage\n")
	for _, code := range extra {
		fmt.Fprintf(&b, "  %3d  %s\n", code, exitMeaning[code])
	}
	b.WriteString("  130  interrupted")
	return b.String()
}
