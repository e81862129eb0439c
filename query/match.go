package query

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"path"
	"strings"

	"holdall/schemas"
)

// An Entry is a file of the attachments or CVs part, as its container names it.
type Entry struct {
	DocID     string
	Part      string // attachments or cvs
	Container int
	Index     int   // in the container
	Offset    int64 // in the container
	Name      string
	Size      int64 // -1 when unknown
}

// A Matched is an Entry and the row it belongs to.
type Matched struct {
	Entry
	OwnerType, OwnerID, AttachmentID string
	By                               string // see documents.matched_by; "" when nothing fits
	// more than one row fits equally; then there is none, By says ambiguous, and an owner is known only from
	// the path
	Ambiguous bool
}

// matchedAmbiguous is written to the index for an entry that several rows fit, so that Reconcile finds it
// there.
const matchedAmbiguous = "ambiguous"

// Match finds the owners of entries: attachments in the Attachments table, CVs in Candidates, which must be
// loaded. It reads all entries first, then yields them in the order of (Container, Offset, Index). Memory
// does not grow with their number.
//
// Rules, the strongest first: the row's key in the entry's name or path (for CVs also a candidate's
// reference, CA-1042); the row's path; its name with its owner or size; a name that an exporter may have made
// of its name (see like), with its owner or size; its owner and size alone; where no size is known, a name
// that no other row and no other entry has. For CVs an e-mail address or a person's name. A weaker rule
// decides between rows that a stronger one leaves equal, never against it; no row is given to two entries,
// and none to an entry whose path names another owner. A bare number is an id only where nothing
// contradicts it. An attachment without a row still gets an owner if its path names exactly one.
func (b *Builder) Match(ctx context.Context, entries iter.Seq2[Entry, error]) iter.Seq2[Matched, error] {
	return func(yield func(Matched, error) bool) {
		c, err := b.db.Conn(ctx)
		if err != nil {
			yield(Matched{}, err)
			return
		}
		stopped := false
		if err = b.match(ctx, c, entries); err == nil {
			stopped, err = yieldMatched(ctx, c, yield)
		}
		_, dropped := c.ExecContext(context.WithoutCancel(ctx), dropMatchSQL)
		if err = errors.Join(err, dropped, c.Close()); err != nil && !stopped {
			yield(Matched{}, fmt.Errorf("match files with rows: %w", err))
		}
	}
}

// match makes the result, and leaves nothing else in the memory that all share.
func (b *Builder) match(ctx context.Context, c *sql.Conn, entries iter.Seq2[Entry, error]) error {
	if err := execAll(ctx, c, entrySQL); err != nil {
		return err
	}
	left := map[string]int64{}
	if err := appendRows(
		c, "temp", "main", "entry",
		func(add func(...any) error) error { return addEntries(ctx, entries, left, add) },
	); err != nil {
		return err
	}
	select { // the tables of two calls at a time would not fit into memory
	case b.matching <- struct{}{}:
		defer func() { <-b.matching }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if left["attachments"]+left["cvs"] > manyEntries {
		b.write.Lock() // nor do those of one, and a large table that is loaded
		defer b.write.Unlock()
	}
	if len(left) > 0 {
		if err := b.decide(ctx, c, left); err != nil {
			return err
		}
	}
	return execAll(ctx, c, dropAllButOwnedSQL, resultSQL, dropAllButResultSQL)
}

// manyEntries is from how many entries on their matching needs all of the memory.
const manyEntries = 100_000

// decide finds the owners. left counts the entries by part.
func (b *Builder) decide(ctx context.Context, c *sql.Conn, left map[string]int64) error {
	if err := b.prepareMatch(ctx, c); err != nil {
		return err
	}
	results := []string{ownedCVsSQL}
	if left["attachments"] > 0 {
		results = append(results, ownedSQL)
	}
	many := left["attachments"]+left["cvs"] > smallTable
	for _, p := range matchPhases() {
		if many {
			giveBack()
		}
		if err := p.run(ctx, c, left); err != nil {
			return err
		}
	}
	if left["attachments"] > 0 {
		results = append(results, aloneSQL)
	}
	if left["attachments"]+left["cvs"] > 0 {
		results = append(results, ambiguousSQL)
	}
	return execAll(ctx, c, results...)
}

// prepareMatch finds what the paths say, which all phases build on.
func (b *Builder) prepareMatch(ctx context.Context, c *sql.Conn) error {
	if err := execAll(ctx, c, b.sources(), ownersSQL); err != nil {
		return err
	}
	// ifAny runs statements if a query says so. Each spares a small container most of the time.
	ifAny := func(query string, statements ...string) error {
		var any bool
		if err := c.QueryRowContext(ctx, query).Scan(&any); err != nil || !any {
			return err
		}
		return execAll(ctx, c, statements...)
	}
	if err := ifAny(
		"SELECT EXISTS (FROM temp.att WHERE record_id IS NULL OR record_type IS NULL)", otherOwnersSQL,
	); err != nil {
		return err
	}
	var numbers bool
	if err := c.QueryRowContext(ctx, areNumbersSQL).Scan(&numbers); err != nil {
		return err
	}
	statements := append([]string{tokenSQL}, ownerIDsSQL(numbers)...)
	if numbers {
		statements = append(statements, numberSQL, kindsSQL, seenSQL)
	}
	if err := execAll(ctx, c, statements...); err != nil {
		return err
	}
	if err := execAll(ctx, c, namedSQL(inDoubtSQL)); err != nil {
		return err
	}
	if err := ifAny("SELECT EXISTS (FROM temp.seen)", judgedSQL); err != nil {
		return err
	}
	return execAll(ctx, c, foundSQL)
}

// run carries out a phase, unless nothing is left for it. left counts by part the entries that nothing is
// decided about.
func (p matchPhase) run(ctx context.Context, c *sql.Conn, left map[string]int64) error {
	if left[p.part] == 0 {
		return nil
	}
	if err := execAll(ctx, c, p.before...); err != nil {
		return err
	}
	if n, err := affected(c.ExecContext(ctx, p.hits)); err != nil || n == 0 {
		return err
	}
	for range rounds {
		n, err := affected(c.ExecContext(ctx, decideSQL(p.how)))
		if err != nil {
			return err
		}
		if left[p.part] -= n; n == 0 || left[p.part] == 0 {
			break
		}
	}
	return execAll(ctx, c, endPhaseSQL)
}

// affected returns how many rows a statement has inserted.
func affected(r sql.Result, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

// addEntries adds entries, and counts them by part.
func addEntries(
	ctx context.Context, entries iter.Seq2[Entry, error], count map[string]int64, add func(...any) error,
) error {
	no := int64(0)
	for e, err := range entries {
		if err != nil {
			return err
		}
		if no%4096 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if err := add(
			no, e.DocID, e.Part, int64(e.Container), int64(e.Index), e.Offset, []byte(e.Name),
			tidyPath(e.Name), e.Size,
		); err != nil {
			return err
		}
		no++
		count[e.Part]++
	}
	return nil
}

// tidyPath returns a name with forward slashes, as valid text, and without what only says "here".
func tidyPath(name string) string {
	p := strings.ReplaceAll(cleanText([]byte(name)), `\`, "/")
	return strings.TrimPrefix(path.Clean("/"+p), "/")
}

// yieldMatched reads the result in pieces, since a result read in one go is kept in memory.
func yieldMatched(
	ctx context.Context, c *sql.Conn, yield func(Matched, error) bool,
) (stopped bool, err error) {
	const piece = 4096
	for from := int64(0); ; from += piece {
		n, stopped, err := yieldPiece(ctx, c, from, from+piece, yield)
		if err != nil || stopped || n < piece {
			return stopped, err
		}
	}
}

func yieldPiece(
	ctx context.Context, c *sql.Conn, from, to int64, yield func(Matched, error) bool,
) (n int, stopped bool, err error) {
	rows, err := c.QueryContext(ctx,
		`SELECT doc_id, part, container, idx, off, name, size, coalesce(owner_type, ''), coalesce(owner_id,
			''),
		coalesce(attachment_id, ''), coalesce(how, '') FROM temp.result WHERE rowid >= ? AND rowid < ?
			ORDER BY rowid`, from, to)
	if err != nil {
		return 0, false, err
	}
	defer rows.Close()
	for rows.Next() {
		var m Matched
		var name []byte
		if err := rows.Scan(
			&m.DocID, &m.Part, &m.Container, &m.Index, &m.Offset, &name, &m.Size, &m.OwnerType, &m.OwnerID,
			&m.AttachmentID, &m.By,
		); err != nil {
			return n, false, err
		}
		m.Name, m.Ambiguous = string(name), m.By == matchedAmbiguous
		n++
		if !yield(m, nil) {
			return n, true, nil
		}
	}
	return n, false, rows.Err()
}

// sources makes views of what is matched against: the loaded tables, or nothing where they are missing.
func (b *Builder) sources() string {
	sql := fmt.Sprintf(`
CREATE TEMP VIEW att AS SELECT r, lower(attachment_id) AS id_key, attachment_id, record_id,
	upper(record_type) AS record_type,
	record_reference, file_name, lower(nfc_normalize(file_name)) AS name_key, file_size,
	regexp_replace(lower(nfc_normalize(replace(file_path, '\', '/'))), '^(\.{1,2}/|/)+', '') AS path_key,
		is_cv
	FROM %s;`, b.attachmentRows())
	candidates, _ := b.relation("candidates")
	contacts, _ := b.relation("contacts")
	sql += fmt.Sprintf(`
CREATE TEMP VIEW cand AS SELECT candidate_id, 'CANDIDATE ' || lower(candidate_id) AS owner FROM %[1]s
	WHERE candidate_id IS NOT NULL;
CREATE TEMP VIEW person AS SELECT 'CANDIDATE ' || lower(candidate_id) AS owner, full_name, first_name,
	surname, email FROM %[1]s WHERE candidate_id IS NOT NULL
	UNION ALL SELECT 'CONTACT ' || lower(contact_id), full_name, first_name, surname, email FROM %[2]s
		WHERE contact_id IS NOT NULL;`, candidates, contacts)
	return sql + "CREATE TEMP VIEW owner AS " + b.owners() + ";"
}

// attachmentRows is a query for the attachments and, as r, their rows' places.
func (b *Builder) attachmentRows() string {
	const name = "attachments"
	b.state.Lock()
	defer b.state.Unlock()
	for _, l := range b.tables {
		if l.Table == name {
			return "(" + l.typedSQL(b.source(name), fileRowNumber+" AS r") + ")"
		}
	}
	t, _ := schemas.ByName(b.opts.known(), name)
	return "(SELECT NULL::BIGINT AS r, " + nulls(emptyReport(t).Columns) + " WHERE false)"
}

// relation returns one of the ten tables, or an empty one of its kind where it was not loaded.
func (b *Builder) relation(name string) (sql string, loaded bool) {
	b.state.Lock()
	defer b.state.Unlock()
	for _, l := range b.tables {
		if l.Table == name {
			return "main." + ident(name), true
		}
	}
	t, _ := schemas.ByName(b.opts.known(), name)
	return "(SELECT " + nulls(emptyReport(t).Columns) + " WHERE false)", false
}
