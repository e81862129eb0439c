package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"holdall/fetch/failure"
	"holdall/fetch/link"
	"holdall/fetch/master"
	"holdall/internal/takeover"
	"holdall/internal/term"
)

func readMaster(e *env, arg string) (takeover.MasterCSV, error) {
	if lower := strings.ToLower(arg); strings.HasPrefix(lower, "https://") ||
		strings.HasPrefix(lower, "http://") {
		href, err := link.New(arg)
		if err != nil {
			return takeover.MasterCSV{}, usagef("check that the whole link was copied", "%v", err)
		}
		return takeover.MasterCSV{Link: href}, nil
	}
	if scheme, _, ok := strings.Cut(arg, "://"); ok && !strings.ContainsAny(scheme, `/\.`) {
		return takeover.MasterCSV{}, usagef("give the path of the file, an https link, or - for standard "+
			"input",
			"a master CSV cannot be read from a %s link", scheme)
	}
	in, date, err := openMaster(e, arg)
	if err != nil {
		return takeover.MasterCSV{}, err
	}
	defer in.Close()
	raw, err := master.ReadAll(in)
	var mistaken *failure.Error
	switch {
	case errors.As(err, &mistaken):
		return takeover.MasterCSV{}, err
	case err != nil:
		return takeover.MasterCSV{}, fmt.Errorf("read the master CSV: %w", err)
	}
	if raw == nil {
		raw = []byte{}
	}
	return takeover.MasterCSV{Raw: raw, Date: date}, nil
}

// openMaster opens a file or standard input, and says how old the file is.
func openMaster(e *env, arg string) (io.ReadCloser, time.Time, error) {
	const hint = "MASTER is the CSV file that the link in the vendor's e-mail leads to, that link, or - " +
		"for standard input"
	if arg == "-" {
		if term.Is(e.stdin) {
			e.talk("reading the master CSV from the terminal; Ctrl-D ends it")
		}
		return io.NopCloser(e.stdin), time.Time{}, nil
	}
	f, err := os.Open(arg)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		name, _, _ := strings.Cut(arg, "?") // of a link without its https://, the rest would be a secret
		return nil, time.Time{}, usagef(hint, "%s does not exist", name)
	case err != nil:
		return nil, time.Time{}, withHint(fmt.Errorf("open the master CSV: %w", err), hint)
	}
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, time.Time{}, errors.Join(err, f.Close())
	case info.IsDir():
		f.Close()
		return nil, time.Time{}, usagef(hint, "%s is a directory, not a master CSV", arg)
	case info.Mode().IsRegular():
		return f, info.ModTime(), nil
	}
	return f, time.Time{}, nil // a pipe: its age is unknown
}
