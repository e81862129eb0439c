package main

import (
	"errors"
	"io"
	"io/fs"
	"os"

	"github.com/spf13/pflag"

	"holdall/internal/atomicfile"
	"holdall/internal/term"
)

// An outputFile is the file of -o: it appears whole or not at all, and replaces another only with --force.
type outputFile struct {
	path  string
	force bool
}

func (o *outputFile) addFlags(f *pflag.FlagSet) {
	f.StringVarP(&o.path, "output", "o", "", "write the result to `FILE`; its suffix chooses the format")
	f.BoolVar(&o.force, "force", false, "write -o FILE also over a file that is there already")
}

// check refuses a path before any work is done for it.
func (o *outputFile) check() error {
	if o.path == "" {
		return nil
	}
	if err := checkOutside("-o", o.path); err != nil {
		return err
	}
	info, err := os.Lstat(o.path)
	switch {
	case err != nil:
		return nil // not there, or Create says what is wrong
	case info.IsDir():
		return usagef("name a file in it", "-o %s is a directory", o.path)
	case info.Mode().IsRegular() && !o.force:
		return usagef("choose another name, or write over it with --force", "%s exists", o.path)
	}
	return nil
}

// write has do write the file, and says what came of it.
func (o *outputFile) write(e *env, do func(io.Writer) error) error {
	if info, err := os.Stat(o.path); err == nil && !info.Mode().IsRegular() {
		return o.stream(do) // a pipe or a device: it is not to be replaced by a file
	}
	out, err := atomicfile.Create(o.path)
	if err != nil {
		return withHint(err, "-o wants a path in a directory that can be written")
	}
	defer out.Close()
	if err := do(out); err != nil {
		return err
	}
	size, err := out.Seek(0, io.SeekCurrent)
	if err != nil {
		return err
	}
	if _, err := os.Lstat(o.path); !o.force && !errors.Is(err, fs.ErrNotExist) {
		return usagef(
			"choose another name, or write over it with --force", "%s was created in the meantime", o.path,
		)
	}
	if err := out.Commit(); err != nil {
		return err
	}
	e.talk("wrote %s, %s", o.path, term.Bytes(size))
	return nil
}

func (o *outputFile) stream(do func(io.Writer) error) error {
	out, err := os.OpenFile(o.path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	return errors.Join(do(out), out.Close())
}
