//go:build !linux

package fetch

import "os"

func datasync(f *os.File) error { return f.Sync() }

func startSync(*os.File, int64, int64) {}
