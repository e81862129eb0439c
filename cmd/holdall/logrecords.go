package main

import (
	"io"

	"holdall/archive"
	"holdall/internal/term"
)

// A recordPrinter prints records as they come: JSON and TSV piece by piece, since a run may have millions,
// and on a terminal a table of the first ones.
type recordPrinter struct {
	e     *env
	rows  [][]string // not printed yet
	n     int64
	begun bool
}

var recordHeadings = []string{"record type", "record", "action", "status", "external ID", "error"}

func newRecordPrinter(e *env) *recordPrinter { return &recordPrinter{e: e} }

func (e *env) printRecords(records []archive.RunRecord) error {
	out := newRecordPrinter(e)
	for _, r := range records {
		if err := out.print(r); err != nil {
			return err
		}
	}
	return out.end()
}

func (p *recordPrinter) print(r archive.RunRecord) error {
	p.n++
	switch {
	case p.e.json:
		return p.printJSON(r)
	case term.Is(p.e.stdout) && p.n > defaultRows:
		return nil
	}
	p.rows = append(p.rows, []string{r.Type, r.ID, r.Action, r.Status, r.ExternalID, r.Error})
	if len(p.rows) < defaultRows || term.Is(p.e.stdout) {
		return nil
	}
	return p.flush()
}

func (p *recordPrinter) printJSON(r archive.RunRecord) error {
	before := ","
	if p.n == 1 {
		before = "["
	}
	if _, err := io.WriteString(p.e.stdout, before); err != nil {
		return err
	}
	return p.e.printJSON(r)
}

// flush prints what waits, below the headings the first time.
func (p *recordPrinter) flush() error {
	rows, headings := p.rows, recordHeadings
	if p.begun {
		headings, rows = rows[0], rows[1:]
	}
	p.begun, p.rows = true, nil
	return p.e.table(headings, nil, rows)
}

func (p *recordPrinter) end() error {
	if p.e.json {
		text := "]\n"
		if p.n == 0 {
			text = "[]\n"
		}
		_, err := io.WriteString(p.e.stdout, text)
		return err
	}
	if len(p.rows) == 0 && p.begun {
		return nil
	}
	if err := p.flush(); err != nil || !term.Is(p.e.stdout) || p.n <= defaultRows {
		return err
	}
	p.e.talk("the first %s of %s records; \"| less\" or --json has all", group(defaultRows), group(p.n))
	return nil
}
