package main

import (
	"os"
	"path/filepath"
	"strings"
)

// EXPORT may be left out. Then it is what HOLDALL_EXPORT names, else the archive or root that the current
// directory is in.

// exportArgs splits the arguments of a command into EXPORT and the least to most others after it. Where
// their number does not say whether EXPORT is among them, it is if the first one leads to an archive or root.
func (e *env) exportArgs(args []string, least, most int) (export string, others []string, err error) {
	if len(args) > most {
		return args[0], args[1:], nil
	}
	export, err = e.defaultExport()
	if len(args) > least {
		named := args[0]
		switch {
		case isExportPath(named), err != nil && leadsToArchive(named):
			return named, args[1:], nil
		case err != nil && !strings.Contains(named, " "):
			return named, args[1:], nil // opening it says what is wrong with it
		}
	}
	if err == nil {
		e.detail("the archive is %s", export)
	}
	return export, args, err
}

// isExportPath reports whether an argument is a root or an archive, rather than SQL, a name, or a path inside
// of one.
func isExportPath(arg string) bool {
	return strings.HasPrefix(arg, "s3://") || isBag(arg) || isRoot(arg) || isExports(arg)
}

// leadsToArchive reports whether an argument is a path to a root or an archive, or into one.
func leadsToArchive(arg string) bool {
	if _, err := os.Stat(arg); err != nil {
		return false
	}
	at, err := locate(arg)
	return err == nil && (at.folder != "" || isRoot(at.root))
}

// defaultExport finds the archive or root that is meant where none is named.
func (e *env) defaultExport() (string, error) {
	if named, ok := e.lookup("HOLDALL_EXPORT"); ok && named != "" {
		return named, nil
	}
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for at := dir; ; at = filepath.Dir(at) {
		if isBag(at) || isRoot(at) {
			return at, nil
		}
		if at == filepath.Dir(at) {
			return "", usagef("name it, set HOLDALL_EXPORT, or go to a directory that is in one",
				"no archive is named, and %s is not in one", dir)
		}
	}
}

// isRoot reports whether a directory is a root of archives: one that is called exports by chance makes none.
func isRoot(dir string) bool { return isExports(filepath.Join(dir, "exports")) }

// rootArg returns the root that a command is about: its argument, else the one that the current directory is
// in.
func (e *env) rootArg(args []string) (string, error) {
	if len(args) > 0 {
		return args[0], nil
	}
	export, err := e.defaultExport()
	if err != nil {
		return "", err
	}
	at, err := locate(export)
	if err != nil || at.root == "" {
		return export, err
	}
	return at.root, nil
}
