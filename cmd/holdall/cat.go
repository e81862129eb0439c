package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

func catCommand() command {
	return command{
		use:   "cat EXPORT DOC",
		short: "Write one document to stdout",
		long: `
Write the document with the ID DOC (as "holdall files" and the table documents name it) to stdout. Only its own bytes are
read from its pack, and they are checked.`,
		example: `  holdall cat archives c3-000007 > cv.pdf`,
		args:    cobra.ExactArgs(2),
		run:     runCat,
	}
}

func runCat(ctx context.Context, e *env, args []string) error {
	if e.json {
		return usagef("leave --json out", "cat writes a document's bytes, which are not JSON")
	}
	x, err := openExport(ctx, args[0])
	if err != nil {
		return err
	}
	for row, err := range x.bag.Rows(ctx) {
		if err != nil {
			return err
		}
		if row.ID != args[1] {
			continue
		}
		in, err := x.bag.OpenDocument(ctx, row)
		if err != nil {
			return err
		}
		_, err = io.Copy(e.stdout, in)
		return errors.Join(err, in.Close())
	}
	return withHint(fmt.Errorf("there is no document %q in %s", args[1], x.bag.ID()),
		"\"holdall files EXPORT\" lists the documents")
}
