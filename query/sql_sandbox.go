package query

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/duckdb/duckdb-go/v2"
	"github.com/duckdb/duckdb-go/v2/mapping"
)

// ErrRefused means that a statement is none that a user may run: it would change something, or reach outside.
var ErrRefused = errors.New("the archive is read-only and sandboxed")

// The sandbox has two walls. The engine is opened read-only, without access to files and the network, with
// its settings locked. What it would still allow, such as attaching a database in memory or switching on a
// log to standard output, is refused here before it gets there: only statements that begin with one of these
// words, and that the engine calls a query, are run.
var allowedFirst = []string{
	"select", "with", "from", "values", "table", "describe", "desc", "show", "summarize", "explain", "pivot",
	"unpivot", "pragma",
}

// allowedPragmas only report something.
var allowedPragmas = []string{
	"table_info", "show_tables", "show_tables_expanded", "show", "version", "database_size",
}

// refusedCalls are functions that a SELECT can call and that change the engine, run SQL hidden in a string,
// or read files (which the engine refuses as well).
var refusedCalls = []string{"checkpoint", "force_checkpoint", "query", "query_table",
	"json_execute_serialized_sql", "glob", "sniff_csv", "write_log",
	"truncate_duckdb_logs", "which_secret", "duckdb_secrets", "seq_scan", "arrow_scan", "arrow_scan_dumb",
	"setseed", "check_peg_parser"}

var refusedPrefixes = []string{"enable_", "disable_", "read_", "parquet_", "pragma_", "load_", "install_"}

// check returns an error matching ErrRefused for a statement that a user may not run, and another for what is
// no statement.
func (s statement) check() error {
	if err := s.mistyped(); err != nil {
		return err
	}
	if len(s.words) == 0 || !slices.Contains(allowedFirst, s.words[0]) {
		first := s.text
		if len(s.words) > 0 {
			first = s.words[0]
		}
		return refuse(strings.ToUpper(first))
	}
	if s.words[0] == "pragma" && (len(s.words) < 2 || !slices.Contains(allowedPragmas, s.words[1])) {
		return refuse("PRAGMA " + strings.Join(s.words[1:min(2, len(s.words))], ""))
	}
	if s.words[0] == "explain" {
		return s.checkExplained()
	}
	for _, c := range s.calls {
		if slices.Contains(refusedCalls, c) || slices.ContainsFunc(
			refusedPrefixes, func(p string) bool { return strings.HasPrefix(c, p) },
		) {
			return refuse(c + "()")
		}
	}
	return nil
}

// checkExplained looks at what follows EXPLAIN, which runs it when it is followed by ANALYZE.
func (s statement) checkExplained() error {
	rest := s.words[1:]
	if len(rest) > 0 && rest[0] == "analyze" {
		rest = rest[1:]
	}
	if len(rest) > 1 && rest[0] == "format" { // EXPLAIN (FORMAT json) …
		rest = rest[2:]
	}
	if len(rest) == 0 || rest[0] == "explain" || rest[0] == "pragma" {
		return refuse("EXPLAIN of this")
	}
	calls := slices.DeleteFunc(
		slices.Clone(s.calls), func(c string) bool { return c == "explain" || c == "analyze" },
	)
	return statement{text: s.text, words: rest, calls: calls}.check()
}

func refuse(what string) error {
	return fmt.Errorf(
		"%s is not allowed: %w; SELECT, DESCRIBE, SHOW, SUMMARIZE and EXPLAIN are", what, ErrRefused,
	)
}

// isOneSelect reports whether DuckDB's parser finds one SELECT in sql, or something that it makes one of, and
// nothing else. False may mean that it cannot say.
func isOneSelect(ctx context.Context, c querier, sql string) (bool, error) {
	var one bool
	err := c.QueryRowContext(
		ctx,
		"SELECT coalesce(json_array_length(json_serialize_sql(?::VARCHAR)->'statements') = 1, false)", sql,
	).Scan(&one)
	return one, err
}

// parser is an empty database that is only asked how many statements a text holds. To open it takes as long
// as a small question does.
var parser struct {
	once sync.Once
	sync.Mutex
	conn mapping.Connection
	err  error
}

// countStatements returns how many statements DuckDB's parser finds in sql, or its error.
func countStatements(sql string) (int, error) {
	parser.once.Do(func() {
		var config mapping.Config
		var db mapping.Database
		var message string
		if mapping.CreateConfig(&config) == mapping.StateError ||
			mapping.SetConfig(config, "threads", "1") == mapping.StateError ||
			mapping.OpenExt(":memory:", &db, config, &message) == mapping.StateError ||
			mapping.Connect(db, &parser.conn) == mapping.StateError {
			parser.err = fmt.Errorf("open the parser: %s", message)
		}
		mapping.DestroyConfig(&config)
	})
	if parser.err != nil {
		return 0, parser.err
	}
	parser.Lock()
	defer parser.Unlock()
	var found mapping.ExtractedStatements
	n := mapping.ExtractStatements(parser.conn, sql, &found)
	defer mapping.DestroyExtracted(&found)
	if message := mapping.ExtractStatementsError(found); n == 0 && message != "" {
		return 0, errors.New(message)
	}
	return int(n), nil
}

// IsEmpty reports whether SQL holds nothing but blanks, comments and semicolons.
func IsEmpty(sql string) bool {
	statements, err := splitSQL(sql)
	return err == nil && len(statements) == 0
}

// checkSQL splits users' SQL into statements that may be run.
func checkSQL(ctx context.Context, c querier, sql string) ([]statement, error) {
	statements, err := splitSQL(sql)
	if err != nil {
		return nil, err
	}
	for _, s := range statements {
		if err := s.check(); err != nil {
			return nil, err
		}
		// One that the parser takes for several would be run in part before it was checked.
		one, err := isOneSelect(ctx, c, s.text)
		if err != nil {
			return nil, err
		}
		if one {
			continue
		}
		n, err := countStatements(s.text)
		if err != nil {
			return nil, err
		}
		if n != 1 {
			return nil, refuse("a statement that the engine takes for several, such as a PIVOT without IN,")
		}
	}
	if len(statements) == 0 {
		return nil, errors.New("no SQL given")
	}
	return statements, nil
}

// A prepared is what the engine says of a statement before it runs.
type prepared struct {
	query   bool // a SELECT or something like it, rather than an EXPLAIN or PRAGMA
	params  []string
	columns []string
}

// prepare has the engine look at a statement, without running it.
func prepare(ctx context.Context, conn *duckdb.Conn, s statement) (p prepared, err error) {
	ps, err := conn.PrepareContext(ctx, s.text)
	if err != nil {
		return p, err
	}
	stmt := ps.(*duckdb.Stmt)
	defer func() { err = errors.Join(err, stmt.Close()) }()
	kind, err := stmt.StatementType()
	if err != nil {
		return p, err
	}
	switch {
	case kind == duckdb.STATEMENT_TYPE_SELECT:
		p.query = s.words[0] != "pragma"
	case kind == duckdb.STATEMENT_TYPE_EXPLAIN && s.words[0] == "explain":
	case kind == duckdb.STATEMENT_TYPE_PRAGMA && s.words[0] == "pragma":
	default:
		return p, refuse("this kind of statement")
	}
	for i := 1; i <= stmt.NumInput(); i++ {
		name, err := stmt.ParamName(i)
		if err != nil {
			return p, err
		}
		p.params = append(p.params, name)
	}
	n, err := stmt.ColumnCount()
	if err != nil {
		return p, err
	}
	for i := range n {
		name, err := stmt.ColumnName(i)
		if err != nil {
			return p, err
		}
		p.columns = append(p.columns, name)
	}
	return p, nil
}
