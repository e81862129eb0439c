package query

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"holdall/schemas"
)

// BuildOptions are the settings of a Builder; the zero value is usable.
type BuildOptions struct {
	TempDir     string // for normalised CSVs and spilling; default: the directory of the database
	MemoryLimit int64  // bytes DuckDB may use; 0: 192 MiB
	Threads     int    // 0: one a core
	// dmy or mdy, for dates that the files leave ambiguous; "": dmy, with a finding
	DateOrder string
	TimeZone  string            // of times without a zone; "": Europe/London
	Snapshot  time.Time         // the archive's today: when the takeover began
	Meta      map[string]string // further rows of archive_meta

	// Schema is what is known of the source's tables; nil: the ten tables of a full export, with the views
	// and the reconciliation that are made for them. With another one, keys, references and documents are
	// checked as it says.
	Schema []schemas.Table
}

// known returns what is known of the source's tables.
func (o *BuildOptions) known() []schemas.Table { return known(o.Schema) }

// known returns a schema, or that of a full export where there is none.
func known(schema []schemas.Table) []schemas.Table {
	if schema == nil {
		return schemas.Recruitly()
	}
	return schema
}

// full reports whether the source is a full export of ten tables.
func (o *BuildOptions) full() bool { return o.Schema == nil }

// defaultMemory leaves a takeover, which does other work at the same time, below 600 MB.
const defaultMemory = 192 << 20

// A Builder makes the database of one export. Its methods may be called from several goroutines.
//
// Times. A typed TIMESTAMP is the time that clocks showed in BuildOptions.TimeZone. Times received without a
// zone are taken to be that already and are kept as they are; times with a zone, and epoch milliseconds, are
// converted. So exports that write the same moment in different ways load to the same value, and no time has
// to be guessed at the end of summer time. The zone is in archive_meta.
type Builder struct {
	path string // where Finish makes the database
	work string // temporary files, the working database among them; removed with Close
	dir  string // in work: the Parquet files of the tables
	opts BuildOptions
	db   *sql.DB

	write   sync.Mutex // serialises statements that change the database
	adopted sync.Map   // files of tables that were stored before (see LoadStored), by table
	// has room for one: the call of Match that finds owners; what it yields may be read later
	matching chan struct{}
	state    sync.Mutex // guards what follows
	tables   []*loaded
	names    *names
	closed   bool

	documents TableReport // as LoadDocuments made it
}

// A loaded is a table that LoadCSV has made.
type loaded struct {
	TableReport
	schema  schemas.Table
	columns []column
	dates   dateEvidence
	readAs  string // the order its slashed dates were read in
	was     *Stored
	misread error // why DuckDB's reading of a clean file was not taken; nil if it was, or never tried
}

// Create starts to make tables from CSVs. What comes of them are files (see File and WriteParquet) and a
// Catalog of them, or with Finish a database at path.
func Create(ctx context.Context, path string, o BuildOptions) (*Builder, error) {
	if o.DateOrder != "" && o.DateOrder != orderDMY && o.DateOrder != orderMDY {
		return nil, fmt.Errorf("date order %q: want dmy or mdy", o.DateOrder)
	}
	if o.TempDir == "" {
		o.TempDir = filepath.Dir(path)
	}
	if o.MemoryLimit == 0 {
		o.MemoryLimit = defaultMemory
	}
	if o.TimeZone == "" {
		o.TimeZone = "Europe/London"
	}
	if strings.Contains(path, "?") {
		return nil, fmt.Errorf("%s: DuckDB keeps no database under a path with a question mark", path)
	}
	zone, err := time.LoadLocation(o.TimeZone)
	if err != nil {
		return nil, fmt.Errorf("time zone %q: %w", o.TimeZone, err)
	}
	o.Snapshot = o.Snapshot.In(zone)
	started := &Builder{
		path: path, opts: o, names: newNames(reservedTables...), documents: emptyReport(documentsTable),
		matching: make(chan struct{}, 1),
	}
	if started.work, err = os.MkdirTemp(o.TempDir, ".holdall-build-"); err != nil {
		return nil, err
	}
	if err := started.begin(ctx); err != nil {
		return nil, errors.Join(plainError(ctx, err), started.Close())
	}
	return started, nil
}

// begin makes the empty working database. It is in memory, and beyond the limit in temporary files: a file
// would get everything twice, into its log first.
func (b *Builder) begin(ctx context.Context) (err error) {
	b.dir = filepath.Join(b.work, "tables")
	if err := os.Mkdir(b.dir, 0o700); err != nil {
		return err
	}
	if b.db, err = openEngine(engineOptions{path: inMemory, work: b.work,
		memory: b.opts.MemoryLimit, threads: b.opts.Threads,
		setup: []string{"SET GLOBAL parquet_metadata_cache = true",
			"PRAGMA disable_checkpoint_on_shutdown"}}); err != nil { // nothing of it is kept
		return err
	}
	if err := register(ctx, b.db); err != nil {
		return err
	}
	return b.exec(ctx, schemaSQL)
}

// exec runs statements that change the database.
func (b *Builder) exec(ctx context.Context, statements ...string) error {
	b.write.Lock()
	defer b.write.Unlock()
	return execAll(ctx, b.db, statements...)
}

// Close drops everything but what Finish made. It may be called more than once.
func (b *Builder) Close() error {
	b.state.Lock()
	defer b.state.Unlock()
	if b.closed {
		return nil
	}
	b.closed = true
	return errors.Join(b.closeEngine(), os.RemoveAll(b.work))
}

func (b *Builder) closeEngine() error {
	if b.db == nil {
		return nil
	}
	db := b.db
	b.db = nil
	return db.Close()
}

func removeIfThere(paths ...string) error {
	for _, p := range paths {
		if err := os.Remove(p); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}
