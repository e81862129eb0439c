package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"holdall/archive"
	"holdall/internal/digest"
	"holdall/internal/term"
	"holdall/query"
)

type filesOptions struct{ where, to string }

func filesCommand() command {
	var o filesOptions
	return command{
		use:   "files [EXPORT]",
		short: "List documents, or copy originals out",
		long: `
List the documents of an export, or those for which the SQL condition of --where holds (over the
columns of the table documents). With --to, copy the originals out: into a folder for each owner,
under names that can be read and cannot collide, with an index.csv that says what each one is. Every
document is checked on the way.

For all that is held of one person use "holdall person": others may have the same name, and a name
may be spelt in two ways.`,
		example: `  holdall files archives --where "owner_id = 'acme0123...'"
  holdall files archives --where "part = 'cvs' and state = 'ok'" --to cvs`,
		args: cobra.MaximumNArgs(1),
		flags: func(f *pflag.FlagSet) {
			f.StringVar(&o.where, "where", "", "`SQL` condition over documents")
			f.StringVar(&o.to, "to", "", "copy the documents into this `DIR`, which must be empty or missing")
		},
		run:   func(ctx context.Context, e *env, args []string) error { return o.run(ctx, e, args) },
		exits: []int{exitFindings},
	}
}

const fileColumns = "doc_id, part, owner_type, owner_id, owner_name, attachment_id, original_name, " +
	"media_type, size, sha256, state"

func (o *filesOptions) run(ctx context.Context, e *env, args []string) error {
	if err := checkOutside("--to", o.to); err != nil {
		return err
	}
	x, db, _, err := e.openDatabase(ctx, args, 0, 0)
	if err != nil {
		return err
	}
	defer db.Close()
	condition := "true"
	if strings.TrimSpace(o.where) != "" {
		condition = o.where
	}
	// The line end keeps a comment at the end of the condition from swallowing the bracket.
	rows, err := db.Query(
		ctx, "select "+fileColumns+" from documents where ("+condition+"\n) order by doc_id", nil,
	)
	if err != nil {
		return withHint(
			err,
			"--where takes a condition over the table documents; \"holdall tables EXPORT documents\" "+
				"lists its columns",
		)
	}
	defer rows.Close()
	if o.to != "" {
		return copyOut(ctx, e, x, rows, o.to)
	}
	format := query.TSV
	switch {
	case e.json:
		format = query.JSON
	case term.Is(e.stdout):
		format = query.Table
	}
	_, err = query.Write(e.stdout, rows, query.WriteOptions{Format: format})
	return err
}

// copyOut writes the documents named by rows, whose columns are fileColumns, into dir.
func copyOut(ctx context.Context, e *env, x *export, rows *query.Rows, dir string) error {
	wanted, err := selectedDocuments(rows)
	if err != nil {
		return err
	}
	root, err := emptyDir(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	index, err := root.Create("index.csv")
	if err != nil {
		return err
	}
	defer index.Close()
	list := csv.NewWriter(index)
	list.Write([]string{
		"file", "doc_id", "part", "owner_type", "owner_id", "owner_name", "attachment_id", "original_name",
		"media_type", "size", "sha256", "state", "problem",
	})
	copied, bad := 0, 0
	for row, err := range x.bag.Rows(ctx) { // in the order of the packs: each is read forward
		if err != nil {
			return err
		}
		facts, ok := wanted[row.ID]
		if !ok {
			continue
		}
		name := readableName(row, facts[4])
		problem := ""
		if err := copyDocument(ctx, x.bag, row, root, name); err != nil {
			if ctx.Err() != nil || !isFault(err) {
				return fmt.Errorf("copy document %s: %w", row.ID, err)
			}
			problem = err.Error()
			e.talk("document %s is damaged in the archive: %v", row.ID, err)
			bad++
		}
		list.Write(append(append([]string{name}, facts...), problem))
		copied++
	}
	list.Flush()
	if err := errors.Join(list.Error(), index.Sync()); err != nil {
		return err
	}
	if e.json {
		err = e.printJSON(map[string]any{"directory": dir, "documents": copied, "damaged": bad})
	} else {
		e.talk("%s in %s; index.csv says what each one is", count(copied, "document", "documents"), dir)
	}
	if bad > 0 && err == nil {
		return errFindings
	}
	return err
}

func selectedDocuments(rows *query.Rows) (map[string][]string, error) {
	wanted := map[string][]string{}
	for rows.Next() {
		values, err := rows.Strings()
		if err != nil {
			return nil, err
		}
		wanted[values[0]] = values
	}
	return wanted, rows.Err()
}

// isFault reports whether an error is damage to the document, not trouble with the disk it is copied to.
func isFault(err error) bool {
	var mismatch *digest.MismatchError
	return errors.As(err, &mismatch)
}

// emptyDir opens a directory for writing that holds nothing yet: what is in it must not be taken for the
// copy.
func emptyDir(dir string) (*os.Root, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	if len(entries) > 0 {
		return nil, usagef("name a directory that is empty or does not exist", "%s is not empty", dir)
	}
	return os.OpenRoot(dir)
}

func copyDocument(ctx context.Context, bag *archive.Bag, row archive.Row, root *os.Root, name string) error {
	in, err := bag.OpenDocument(ctx, row)
	if err != nil {
		return err
	}
	defer in.Close()
	if err := root.MkdirAll(path.Dir(name), 0o700); err != nil {
		return err
	}
	out, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// readableName is unique because it begins with the document's ID: owner/ID name.
func readableName(row archive.Row, owner string) string {
	folder := "no owner"
	if row.OwnerID != "" {
		folder = strings.TrimSpace(plainName(owner, 60) + " " + plainName(row.OwnerID, 40))
	}
	base := path.Base(strings.ReplaceAll(row.OriginalName, `\`, "/"))
	return strings.TrimSpace(folder + "/" + row.ID + " " + plainName(base,
		120)) // of dots alone nothing is left
}

// plainName makes a name that every file system takes: no separators, control characters or trailing dots,
// and at most so many bytes, the extension kept.
func plainName(s string, most int) string {
	s = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || unicode.IsControl(r) || unicode.Is(unicode.Cf, r) ||
			strings.ContainsRune(`/\:*?"<>|`, r) {
			return '_'
		}
		return r
	}, s)
	ext := filepath.Ext(s)
	if len(ext) > 12 {
		ext = ""
	}
	stem := strings.TrimSuffix(s, ext)
	for len(stem)+len(ext) > most {
		_, n := utf8.DecodeLastRuneInString(stem)
		stem = stem[:len(stem)-n]
	}
	return strings.TrimRight(strings.TrimSpace(stem+ext), ". ")
}
