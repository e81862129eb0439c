package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"holdall/internal/term"
)

func catCommand() command {
	var force bool
	return command{
		use:   "cat [EXPORT] DOC",
		short: "Write one document to stdout",
		long: `
Write the document with the ID DOC (as "holdall files" and the table documents name it) to stdout.
Only its own bytes are read from its pack, and they are checked. What is no text is written to a
terminal only with --force, or when you say so.`,
		example: `  holdall cat archives c3-000007 > cv.pdf`,
		args:    cobra.RangeArgs(1, 2),
		flags: func(f *pflag.FlagSet) {
			f.BoolVar(&force, "force", false, "write binary content to a terminal, too")
		},
		run: func(ctx context.Context, e *env, args []string) error { return runCat(ctx, e, args, force) },
	}
}

func runCat(ctx context.Context, e *env, args []string, force bool) error {
	if e.json {
		return usagef("leave --json out", "cat writes a document's bytes, which are not JSON")
	}
	export, args, err := e.exportArgs(args, 1, 1)
	if err != nil {
		return err
	}
	bag, err := openPayload(ctx, e, export)
	if err != nil {
		return err
	}
	for row, err := range bag.Rows(ctx) {
		if err != nil {
			return err
		}
		if row.ID != args[0] {
			continue
		}
		if err := mayShow(e, row.MediaType, force); err != nil {
			return err
		}
		in, err := bag.OpenDocument(ctx, row)
		if err != nil {
			return err
		}
		_, err = io.Copy(e.stdout, in)
		return errors.Join(err, in.Close())
	}
	return withHint(fmt.Errorf("there is no document %q in %s", args[0], bag.ID()),
		"\"holdall files EXPORT\" lists the documents")
}

// mayShow asks before a terminal gets bytes that may command it.
func mayShow(e *env, mediaType string, force bool) error {
	if force || !term.Is(e.stdout) || strings.HasPrefix(mediaType, "text/") {
		return nil
	}
	refused := usagef(
		"send it to a file with > FILE, or to the terminal all the same with --force",
		"the document is %s, not text", mediaType,
	)
	if !term.Is(e.stdin) {
		return refused
	}
	fmt.Fprintf(
		e.stderr, "holdall: the document is %s, not text; write it to the terminal anyway? [y/N] ",
		mediaType,
	)
	answer, _ := bufio.NewReader(e.stdin).ReadString('\n')
	if a := strings.ToLower(strings.TrimSpace(answer)); a != "y" && a != "yes" {
		return refused
	}
	return nil
}
