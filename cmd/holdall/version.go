package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"holdall/query"
)

// release is the version of this source tree, as in CHANGELOG.md.
const release = "v0.1.0"

func version() string { return release }

func versionCommand() command {
	return command{
		use: "version", short: "Print the version",
		long: "Print the version of holdall and of the database engine in it.", args: cobra.NoArgs,
		run: func(_ context.Context, e *env, _ []string) error {
			if e.json {
				return e.printJSON(map[string]string{"holdall": version(), "duckdb": query.EngineVersion})
			}
			_, err := fmt.Fprintf(e.stdout, "holdall %s (DuckDB %s)\n", version(), query.EngineVersion)
			return err
		},
	}
}
