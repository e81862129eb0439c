package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// A command is one verb of the command line. Its Run knows nothing of cobra.
type command struct {
	use     string // "take MASTER"
	short   string
	long    string
	example string
	args    cobra.PositionalArgs
	flags   func(*pflag.FlagSet)
	run     func(ctx context.Context, e *env, args []string) error
	subs    []command
	exits   []int // exit codes besides 0, 1, 2 and 130, for its help
}

// run carries out one command line and returns the exit code.
func run(ctx context.Context, e *env, args []string) int {
	root := newRoot(e)
	root.SetArgs(args)
	root.SetIn(e.stdin)
	root.SetOut(e.stdout)
	root.SetErr(e.stderr)
	err := stopped(ctx, root.ExecuteContext(ctx))
	// Parsing stops at the first wrong flag, but a --json after it still counts.
	e.json = e.json || slices.Contains(args, "--json")
	return e.fail(err)
}

func newRoot(e *env) *cobra.Command {
	root := &cobra.Command{
		Use:   "holdall",
		Short: "Take over a recruitment platform's full data export, and keep it",
		Long: `holdall takes over a recruitment platform's full data export before its links expire, keeps
it as an archive that anyone can check and read with stock tools, and answers SQL about it offline.

Try it with nothing to bring:   holdall demo
Take an export over:            holdall take master.csv --to archives
Check it, years later:          holdall verify archives
Ask it:                         holdall query archives "select count(*) from candidates"`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          knownCommand,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SuggestionsMinimumDistance = 2
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usagef(fmt.Sprintf("%q lists the flags", c.CommandPath()+" --help"), "%v", err)
	})
	p := root.PersistentFlags()
	p.BoolVarP(&e.quiet, "quiet", "q", false, "no talk on stderr, only warnings and errors")
	p.BoolVarP(&e.verbose, "verbose", "v", false, "more talk on stderr")
	p.BoolVar(&e.json, "json", false, "print one JSON value on stdout")
	p.StringVar(&e.work, "work", "", "`DIR` for what roots in S3 need here (default in the user's cache)")
	p.Var(&e.memory, "memory", "`SIZE` of the memory that answering SQL may use (default 1 GiB)")
	root.PersistentPreRunE = func(c *cobra.Command, _ []string) error { return fromEnvironment(e, c.Flags()) }
	for _, c := range []command{
		takeCommand(), listCommand(), statusCommand(), verifyCommand(), queryCommand(), tablesCommand(),
		reportCommand(), personCommand(), exportCommand(), ddlCommand(), filesCommand(), catCommand(),
		copyCommand(), cleanCommand(), sendCommand(), markExportedCommand(), logCommand(), demoCommand(),
		simulateCommand(), versionCommand(),
	} {
		root.AddCommand(c.cobra(e))
	}
	root.AddCommand(topics()...)
	root.SetHelpCommand(helpCommand(root))
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		if c.Name() == "completion" {
			c.Args, c.RunE = knownShell, func(c *cobra.Command, _ []string) error { return c.Help() }
		}
	}
	return root
}

// helpCommand is cobra's, but for what it cannot help with being an error.
func helpCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use: "help [command or topic]", Short: "Help about any command or topic",
		RunE: func(_ *cobra.Command, args []string) error {
			c, rest, err := root.Find(args)
			if err != nil || c == root && len(args) > 0 || len(rest) > 0 {
				return knownCommand(root, args)
			}
			return c.Help()
		},
	}
}

func knownShell(_ *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return usagef("use bash, fish, powershell or zsh", "there is no completion for %q", args[0])
}

// knownCommand refuses what is not a command, and names what may have been meant.
func knownCommand(root *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := "\"holdall --help\" lists the commands"
	if similar := root.SuggestionsFor(args[0]); len(similar) > 0 {
		hint = "did you mean " + strings.Join(similar, " or ") + "? " + hint
	}
	return usagef(hint, "unknown command %q", strings.Join(args, " "))
}

func (c command) cobra(e *env) *cobra.Command {
	cc := &cobra.Command{
		Use: c.use, Short: c.short, Example: c.example,
		Long: strings.TrimSpace(c.long) + "\n\n" + exitStatus(c.exits),
		Args: func(cc *cobra.Command, args []string) error {
			if c.args(cc, args) == nil {
				return nil
			}
			hint := fmt.Sprintf("see %q", cc.CommandPath()+" --help")
			if len(args) > 1 {
				hint = "put SQL and paths with blanks in them in quotes; " + hint
			}
			_, wants, _ := strings.Cut(c.use, " ")
			if wants == "" {
				wants = "no argument"
			}
			return usagef(
				hint, "%s wants %s, and was given %s", cc.CommandPath(), wants,
				count(len(args), "argument", "arguments"),
			)
		},
		RunE: func(cc *cobra.Command, args []string) error { return c.run(cc.Context(), e, args) },
	}
	if c.flags != nil {
		c.flags(cc.Flags())
	}
	for _, sub := range c.subs {
		cc.AddCommand(sub.cobra(e))
	}
	return cc
}

// fromEnvironment sets the flags that the command line leaves alone from their environment twins: HOLDALL_TO
// for --to.
func fromEnvironment(e *env, flags *pflag.FlagSet) error {
	var errs []error
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Changed || f.Name == "help" {
			return
		}
		name := "HOLDALL_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		value, ok := e.lookup(name)
		if !ok || value == "" {
			return
		}
		if err := flags.Set(f.Name, value); err != nil {
			errs = append(errs, usagef("correct it or unset it", "environment variable %s: %v", name, err))
		}
	})
	return errors.Join(errs...)
}
