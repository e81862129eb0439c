package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"holdall/archive"
	"holdall/internal/term"
)

func copyCommand() command {
	var o s3Flags
	return command{
		use:   "copy [EXPORT] ROOT",
		short: "Copy an archive to another root, and verify the copy",
		long: `
Copy an archive, byte for byte, to another root: a directory or s3://bucket/prefix, from either.
Every file is compared with the archive's manifests on the way and once it has arrived. Run the same
command again after any failure: what has arrived is not copied again. Nothing is overwritten or
deleted; the ledger of the other root says where the copy came from.`,
		example: `  holdall copy archives s3://bucket/prefix
  holdall copy s3://bucket/prefix/exports/recruitly-acme-20261122T013300Z-k3fq archives`,
		args:  cobra.RangeArgs(1, 2),
		flags: o.addFlags,
		run:   func(ctx context.Context, e *env, args []string) error { return o.copy(ctx, e, args) },
		exits: []int{exitNotFinished},
	}
}

// copiedJSON is what copy prints with --json.
type copiedJSON struct {
	Export      string `json:"export"`
	Location    string `json:"location"`
	Files       int    `json:"files"`
	Bytes       int64  `json:"bytes"`
	CopiedBytes int64  `json:"copied_bytes"` // by this run
	ReusedBytes int64  `json:"reused_bytes"` // that earlier runs had copied
}

func (o *s3Flags) copy(ctx context.Context, e *env, args []string) error {
	from, rest, err := e.exportArgs(args, 1, 1)
	if err != nil {
		return err
	}
	to := rest[0]
	options, err := o.options(to)
	if err != nil {
		return err
	}
	if err := checkRoot(to); err != nil {
		return err
	}
	x, err := openExport(ctx, e, from)
	if err != nil {
		return err
	}
	h, err := e.openRootAt(ctx, to, true, options)
	if err != nil {
		return err
	}
	defer h.close()
	if err := os.MkdirAll(h.local, 0o700); err != nil {
		return err
	}
	unlock, err := h.lock()
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := h.probe(ctx, e); err != nil {
		return err
	}
	show := newVerifyProgress(e, x.bag.ID())
	show.verb = "copied"
	began := time.Now()
	report, err := archive.Copy(ctx, x.bag, h.store, show.update)
	show.end()
	err = stopped(ctx, err)
	e.recordCopy(ctx, h, x, report, err, began)
	if err != nil {
		return err
	}
	return e.tellCopied(x.bag, exportPath{root: h.name}.path(x.bag.ID()), report)
}

func (e *env) tellCopied(bag *archive.Bag, location string, r *archive.CopyReport) error {
	if e.json {
		return e.printJSON(copiedJSON{bag.ID(), location, r.Files, r.Bytes, r.Copied, r.Present})
	}
	fmt.Fprintln(e.stdout, location)
	e.talk("%s, %s: copied %s, %s were there; every file has the SHA-256 of the manifests",
		count(r.Files, "file", "files"), term.Bytes(r.Bytes), term.Bytes(r.Copied), term.Bytes(r.Present))
	if r.Extra > 0 {
		e.talk("%s not copied: no manifest names them", count(r.Extra, "other file was", "other files were"))
	}
	return nil
}
