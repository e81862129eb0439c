package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"holdall/archive/dirstore"
	"holdall/internal/takeover"
	"holdall/internal/term"
)

type cleanOptions struct {
	yes  bool
	runs []string
}

func cleanCommand() command {
	var o cleanOptions
	return command{
		use:   "clean [ROOT]",
		short: "List or remove what is outside the archives and holds data of theirs",
		long: `
List what holds personal data and is not an archive: databases (in ROOT/db, and in the user's cache
directory those of archives that could not be written to), the history of the shell of "holdall
query", lists of faults that "holdall verify" made, what is left of finished takeovers, and what
processes that were killed left in the directory for temporary files. With --yes it is removed.

Archives are never touched, nor what a running process uses. What an unfinished takeover has
received is kept, unless --run names it: it may not be there to be received again. Databases are
made again when they are needed.`,
		example: `  holdall clean archives
  holdall clean archives --yes`,
		args: cobra.MaximumNArgs(1),
		flags: func(f *pflag.FlagSet) {
			f.BoolVar(&o.yes, "yes", false, "remove what is listed")
			f.StringArrayVar(
				&o.runs, "run", nil,
				"also the unfinished takeover of this `NAME` with all that it has received; may be repeated",
			)
		},
		run:   func(ctx context.Context, e *env, args []string) error { return o.run(ctx, e, args) },
		exits: []int{exitNotFinished},
	}
}

// cleaned is what clean prints with --json.
type cleaned struct {
	Removed bool          `json:"removed"`
	Bytes   int64         `json:"bytes"` // of what was, or would be, removed
	Items   []cleanedItem `json:"items"`
}

type cleanedItem struct {
	takeover.Leftover
	Remove  bool   `json:"remove"`          // with --yes
	Problem string `json:"error,omitempty"` // why it could not be removed
}

func (o *cleanOptions) run(ctx context.Context, e *env, args []string) error {
	all, err := userLeftovers(ctx, e, len(args) == 0)
	if err != nil {
		return err
	}
	var busy error
	if len(args) == 1 {
		h, err := openRoot(ctx, e, args[0])
		if err != nil {
			return err
		}
		defer h.close()
		var runs []takeover.Leftover
		unlock, lerr := h.lock()
		if lerr == nil {
			defer unlock()
			if runs, err = takeover.Runs(ctx, h.store, h.runs()); err != nil {
				return err
			}
		} else if errors.Is(lerr, dirstore.ErrLocked) {
			busy = lerr
		}
		dbs, err := takeover.Databases(ctx, h.store, h.databases())
		if err != nil {
			return err
		}
		all = slices.Concat(runs, dbs, all)
		if h.cache != nil {
			all = append(all, takeover.Cached(h.cache.Dir)...)
		}
	}
	out, err := o.choose(all)
	if err != nil {
		return err
	}
	if o.yes {
		err = out.remove()
	}
	return errors.Join(out.print(e), err, busy)
}

// userLeftovers are those of this user, of whatever root; those of roots in S3 only if no root is named.
func userLeftovers(ctx context.Context, e *env, remote bool) ([]takeover.Leftover, error) {
	dir, err := cacheDir("db")
	if err != nil {
		return nil, err
	}
	all, err := takeover.Databases(ctx, nil, dir)
	if err != nil {
		return nil, err
	}
	if remote {
		of, err := remoteLeftovers(ctx, e)
		if err != nil {
			return nil, err
		}
		all = append(all, of...)
	}
	history, err := historyFile()
	if err != nil {
		return nil, err
	}
	if info, err := os.Stat(history); err == nil {
		all = append(
			all,
			takeover.Leftover{Kind: takeover.LeftHistory, Name: "history", Path: history, Bytes: info.Size()},
		)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	faults, err := leftFaults()
	if err != nil {
		return nil, err
	}
	return slices.Concat(all, faults, takeover.Scratch()), nil
}

// remoteLeftovers are what was fetched from roots in S3, and the databases made of it. Takeovers are
// listed with their root.
func remoteLeftovers(ctx context.Context, e *env) (all []takeover.Leftover, err error) {
	base, err := e.workBase()
	if err != nil {
		return nil, err
	}
	roots, err := os.ReadDir(base)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for _, r := range roots {
		dir := filepath.Join(base, r.Name())
		dbs, err := takeover.Databases(ctx, nil, takeover.DatabasesIn(dir))
		if err != nil {
			return nil, err
		}
		all = slices.Concat(all, dbs, takeover.Cached(filepath.Join(dir, "cache")))
	}
	return all, err
}

// choose decides what is to be removed: all but unfinished takeovers, and of those the ones that --run
// names.
func (o *cleanOptions) choose(all []takeover.Leftover) (*cleaned, error) {
	for _, name := range o.runs {
		if !slices.ContainsFunc(
			all, func(l takeover.Leftover) bool { return l.Kind == takeover.LeftRun && l.Name == name },
		) {
			return nil, usagef("\"holdall clean ROOT\" lists them by name", "there is no takeover %q", name)
		}
	}
	out := &cleaned{Removed: o.yes, Items: []cleanedItem{}}
	for _, l := range all {
		item := cleanedItem{Leftover: l, Remove: !l.Unfinished || slices.Contains(o.runs, l.Name)}
		if item.Remove {
			out.Bytes += l.Bytes
		}
		out.Items = append(out.Items, item)
	}
	return out, nil
}

func (c *cleaned) remove() error {
	var errs []error
	for i := range c.Items {
		item := &c.Items[i]
		if !item.Remove {
			continue
		}
		if err := item.Leftover.Remove(); err != nil {
			item.Problem = err.Error()
			c.Bytes -= item.Bytes
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func (c *cleaned) print(e *env) error {
	if e.json {
		return e.printJSON(c)
	}
	var rows [][]string
	n := 0
	for _, item := range c.Items {
		if item.Remove && item.Problem == "" {
			n++
		}
		rows = append(rows, []string{item.Kind, item.Path, term.Bytes(item.Bytes), item.describe()})
	}
	switch {
	case len(rows) == 0:
		e.talk("there is nothing to remove")
		return nil
	case c.Removed:
		e.talk("removed: %s, %s", count(n, "thing", "things"), term.Bytes(c.Bytes))
	case n > 0 && !e.quiet:
		defer e.hint(
			"nothing was removed: --yes removes %s, %s", count(n, "thing", "things"), term.Bytes(c.Bytes),
		)
	}
	return e.table([]string{"kind", "path", "size", "what it is"}, []int{2}, rows)
}

func (i *cleanedItem) describe() string {
	switch {
	case i.Problem != "":
		return "could not be removed"
	case i.Kind == takeover.LeftHistory:
		return "what was typed in the shell of query"
	case i.Kind == takeover.LeftFaults:
		return "a list of faults that verify made"
	case i.Kind == takeover.LeftCache:
		return "fetched again when it is needed"
	case i.Kind == takeover.LeftScratch:
		return "left by a process that was killed"
	case i.Kind == takeover.LeftDatabase && i.Gone:
		return "the database of an export that is gone"
	case i.Kind == takeover.LeftDatabase:
		return "made again when it is needed"
	case i.Unfinished && !i.Remove:
		return fmt.Sprintf("a takeover that is not finished, kept; --run %s asks for it", i.Name)
	case i.Unfinished:
		return "a takeover that is not finished, with all that it has received"
	}
	return "left of a takeover that is finished"
}

// reportGone reports databases in a root whose exports are gone.
func (e *env) reportGone(ctx context.Context, h *openedRoot) {
	all, err := takeover.Databases(ctx, h.store, h.databases())
	n := 0
	for _, l := range all {
		if l.Gone {
			n++
		}
	}
	if err == nil && n > 0 {
		e.talk("%s holds %s; %q removes what is not needed", h.databases(),
			count(
				n, "database of an export that is gone",
				"databases of exports that are gone",
			),
			"holdall clean "+h.name+" --yes")
	}
}
