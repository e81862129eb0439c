// Package timing is what the benches share: programs run and measured, and figures summed up.
package timing

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"syscall"
)

// Run runs a program to its end. It returns what the program printed, and its peak memory in bytes.
func Run(args ...string) (stdout []byte, peak int64, err error) {
	cmd := exec.Command(args[0], args[1:]...)
	var out, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &stderr
	if err := cmd.Run(); err != nil {
		return nil, 0, fmt.Errorf("%s: %w\n%.2000s%.2000s", args[0], err, out.String(), stderr.String())
	}
	return out.Bytes(), PeakMemory(cmd), nil
}

// PeakMemory is the peak memory of a program that has ended, in bytes.
func PeakMemory(cmd *exec.Cmd) int64 {
	return cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss << 10
}

// Fresh empties a directory and lets the disk settle, so that no run pays for the one before.
func Fresh(dir string) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	syscall.Sync()
	return os.MkdirAll(dir, 0o755)
}

// Spread prints seconds: their median, the least and the most.
func Spread(seconds []float64) string {
	return fmt.Sprintf("%.2f s (%.2f to %.2f)", Median(seconds), slices.Min(seconds), slices.Max(seconds))
}

// Median returns the value in the middle, or the mean of the two there.
func Median[T ~int64 | ~float64](all []T) T {
	s := slices.Sorted(slices.Values(all))
	if n := len(s); n%2 == 0 {
		return (s[n/2-1] + s[n/2]) / 2
	}
	return s[len(s)/2]
}
