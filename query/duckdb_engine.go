package query

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strconv"

	"github.com/duckdb/duckdb-go/v2"
)

// engineOptions says how DuckDB is opened. The database file is attached to an instance in memory: its path
// then needs no escaping, and opening the same file twice in a process is two instances with settings of
// their own.
type engineOptions struct {
	path     string // empty: none
	work     string
	memory   int64
	threads  int
	readOnly bool
	setup    []string // statements to run once, after attaching
	// seal does what is to be done once with the first connection, and returns what is run on every one; nil:
	// nothing
	onFirstConn func(driver.Conn) ([]string, error)
}

// inMemory is the path of a database without a file.
const inMemory = ":memory:"

// catalog is the name the database is attached under. SQL inside the database never uses it.
const catalog = "archive"

func openEngine(e engineOptions) (*sql.DB, error) {
	settings := url.Values{
		"autoinstall_known_extensions": {"false"},
		"autoload_known_extensions":    {"false"},
		"memory_limit":                 {strconv.FormatInt(e.memory>>10, 10) + "KiB"},
		"temp_directory":               {filepath.Join(e.work, "spill")},
		"preserve_insertion_order":     {"true"},
	}
	if e.threads > 0 {
		settings.Set("threads", strconv.Itoa(e.threads))
	}
	once, each := e.statements()
	first := true // the first connection, which is not shared yet
	connector, err := duckdb.NewConnector(":memory:?"+settings.Encode(), func(c driver.ExecerContext) error {
		if first {
			first = false
			if err := execOnConn(c, once); err != nil {
				return err
			}
			if e.onFirstConn != nil {
				sealed, err := e.onFirstConn(c.(driver.Conn))
				if err != nil {
					return err
				}
				each = append(each, sealed...)
			}
		}
		return execOnConn(c, each)
	})
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(connector)
	c, err := db.Conn(context.Background())
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, c.Close()
}

func execOnConn(c driver.ExecerContext, statements []string) error {
	for _, s := range statements {
		if _, err := c.ExecContext(context.Background(), s, nil); err != nil {
			return err
		}
	}
	return nil
}

// statements returns what is run once, and what is run on every connection.
func (e engineOptions) statements() (once, each []string) {
	if e.path == "" {
		return e.setup, nil
	}
	attach := "ATTACH " + text(e.path) + " AS " + catalog
	if e.readOnly {
		attach += " (READ_ONLY)"
	}
	return append([]string{attach}, e.setup...), []string{"USE " + catalog}
}

// execer is a connection, a database or a transaction.
type execer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

func execAll(ctx context.Context, c execer, statements ...string) error {
	for _, s := range statements {
		if _, err := c.ExecContext(ctx, s); err != nil {
			return sqlError(s, err)
		}
	}
	return nil
}

// sqlError adds the beginning of our own statement to an error of the engine.
func sqlError(statement string, err error) error {
	if len(statement) > 120 {
		statement = statement[:120] + "…"
	}
	return fmt.Errorf("%w (in %q)", err, statement)
}
