package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"holdall/internal/person"
	"holdall/internal/term"
	"holdall/query"
)

type personOptions struct{ to string }

func personCommand() command {
	var o personOptions
	return command{
		use:   "person [EXPORT] WHO",
		short: "Show all that is held of one person, or write it out with the documents",
		long: `
Show what an export holds of one person: the record, files, pipeline, tasks and everything dated;
where else the record is referred to; and where the person is mentioned in entries about other
people and jobs, in notes, names of files and quarantine. WHO is an ID, a reference such as CA-1001,
an e-mail address or a name. Several people that fit are listed, and none is chosen: name one by its
ID. The texts inside of documents are not searched.

With --to, write it into a folder that can be handed out after review: a workbook, the documents
with an index, and apart from these, because it is about other people too, the workbook of mentions.`,
		example: `  holdall person archives CA-1001
  holdall person archives ama.mensah@example.org --to subject-access-request`,
		args: cobra.RangeArgs(1, 2),
		flags: func(f *pflag.FlagSet) {
			f.StringVar(&o.to, "to", "", "write all of it into this `DIR`, which must be empty or missing")
		},
		run:   func(ctx context.Context, e *env, args []string) error { return o.run(ctx, e, args) },
		exits: []int{exitFindings},
	}
}

func (o *personOptions) run(ctx context.Context, e *env, args []string) error {
	if err := checkOutside("--to", o.to); err != nil {
		return err
	}
	if len(args) > 0 && strings.TrimSpace(args[len(args)-1]) == "" {
		return usagef("give an ID, a reference, an e-mail address or a name", "WHO is empty")
	}
	x, db, args, err := e.openDatabase(ctx, args, 1, 1)
	if err != nil {
		return err
	}
	defer db.Close()
	matches, err := person.Find(ctx, db, args[0])
	if errors.Is(err, person.ErrOtherTables) {
		return usagef("query it: SELECT * FROM candidates WHERE candidate_id = '…', and the same of "+
			"applications, placements, and documents by owner_id",
			"person knows the tables of Recruitly's export, and %s has others", x.bag.ID())
	}
	if err != nil {
		return err
	}
	if len(matches) != 1 {
		quarantined, err := person.Quarantined(ctx, db, args[0])
		if err != nil {
			return err
		}
		return e.notOnePerson(matches, args[0], x.bag.ID(), quarantined)
	}
	if err := warnOfRepeatedKey(ctx, e, db, matches[0]); err != nil {
		return err
	}
	sections, err := person.Sections(ctx, db, matches[0])
	if err != nil {
		return err
	}
	d := dossier{env: e, db: db, of: matches[0], sections: sections}
	switch {
	case o.to != "":
		return d.writeTo(ctx, x, o.to)
	case e.json:
		return d.writeJSON(ctx, e.stdout)
	}
	return d.show(ctx)
}

// notOnePerson ends a search that found nobody, or several people: none of them is guessed.
func (e *env) notOnePerson(matches []person.Match, who, id string, quarantined int) error {
	var err error
	if len(matches) == 0 && quarantined > 0 {
		err = withHint(
			fmt.Errorf("nobody called %q in the tables of %s, but %s this text", who, id,
				count(quarantined, "record that could not be loaded has",
					"records that could not be loaded have")),
			"\"holdall query\" shows them: FROM quarantine WHERE record ILIKE '%…%'",
		)
	} else if len(matches) == 0 {
		err = withHint(
			fmt.Errorf("nobody called %q in %s", who, id),
			"try an e-mail address, a reference or a part of the name",
		)
	} else {
		err = usagef("name one of them by its ID", "%d people fit %q", len(matches), who)
	}
	if e.json {
		return e.failWith(err, map[string]any{"matches": append([]person.Match{}, matches...)})
	}
	var rows [][]string
	for _, m := range matches[:min(len(matches), sectionRows)] {
		rows = append(rows, []string{m.Type, m.ID, m.Reference, m.Name})
	}
	if len(matches) > len(rows) {
		e.warn(fmt.Sprintf("only the first %d of them are listed; --json has all", len(rows)))
	}
	if len(rows) > 0 {
		if terr := e.table([]string{"type", "id", "reference", "name"}, nil, rows); terr != nil {
			return terr
		}
	}
	return err
}

// warnOfRepeatedKey says that several rows have the person's ID: which of them is right is not for us to say.
func warnOfRepeatedKey(ctx context.Context, e *env, db *query.DB, m person.Match) error {
	rows, err := db.Query(ctx, m.Record(), map[string]string{"id": m.ID})
	if err != nil {
		return err
	}
	defer rows.Close()
	n := 0
	for rows.Next() {
		n++
	}
	if n > 1 {
		e.warn(fmt.Sprintf("%d rows have the ID %s: the facts are of all of them", n, m.ID))
	}
	return rows.Err()
}

// failWith prints an object with the error in it.
func (e *env) failWith(err error, object map[string]any) error {
	object["error"] = describeError(err)
	if perr := e.printJSON(object); perr != nil {
		return perr
	}
	return &printedInJSON{err}
}

// A dossier is what is known of one person.
type dossier struct {
	env      *env
	db       *query.DB
	of       person.Match
	sections []person.Section
}

// sectionRows is how many rows of a section a terminal shows.
const sectionRows = 100

func (d *dossier) show(ctx context.Context) error {
	o := query.WriteOptions{Format: query.TSV}
	if term.Is(d.env.stdout) {
		o = query.WriteOptions{Format: query.Table, Limit: sectionRows}
	}
	for i, s := range d.sections {
		if i > 0 {
			fmt.Fprintln(d.env.stdout)
		}
		if _, err := fmt.Fprintln(d.env.stdout, s.Title); err != nil {
			return err
		}
		done, err := d.write(ctx, d.env.stdout, s, o)
		if err != nil {
			return err
		}
		if done.Cut {
			d.env.talk(
				"%s: only the first %d rows are shown; --json and --to have all", strings.ToLower(s.Title),
				done.Rows,
			)
		}
	}
	return nil
}

func (d *dossier) write(
	ctx context.Context, w io.Writer, s person.Section, o query.WriteOptions,
) (query.Written, error) {
	rows, err := d.db.Query(ctx, s.SQL, s.Params)
	if err != nil {
		return query.Written{}, fmt.Errorf("%s: %w", s.Name, err)
	}
	defer rows.Close()
	return query.Write(w, rows, o)
}

// writeJSON writes one object: matches, facts, and a list for each section.
func (d *dossier) writeJSON(ctx context.Context, w io.Writer) error {
	var facts bytes.Buffer
	record := person.Section{Name: "facts", SQL: d.of.Record(), Params: map[string]string{"id": d.of.ID}}
	if _, err := d.write(ctx, &facts, record, query.WriteOptions{Format: query.JSONL}); err != nil {
		return err
	}
	var objects []string
	for line := range strings.Lines(facts.String()) {
		object := bytes.NewBufferString(line)
		if err := withoutNulls(object); err != nil {
			return err
		}
		objects = append(objects, strings.TrimSpace(object.String()))
	}
	matches, err := json.Marshal([]person.Match{d.of})
	if err != nil {
		return err
	}
	fmt.Fprintf(w, `{"matches":%s,"facts":%s`, matches, objects[0])
	if len(objects) > 1 { // rows with the same ID
		fmt.Fprintf(w, `,"further_facts":[%s]`, strings.Join(objects[1:], ","))
	}
	for _, s := range d.sections {
		if s.Name == "facts" {
			continue
		}
		fmt.Fprintf(w, ",%q:", s.Name)
		if _, err := d.write(ctx, w, s, query.WriteOptions{Format: query.JSON}); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintln(w, "}")
	return err
}

// withoutNulls takes the fields without a value out of an object, and leaves the others as they are and in
// their order.
func withoutNulls(object *bytes.Buffer) error {
	in := json.NewDecoder(bytes.NewReader(object.Bytes()))
	out := []byte("{")
	if _, err := in.Token(); err != nil {
		return err
	}
	for in.More() {
		key, err := in.Token()
		if err != nil {
			return err
		}
		var value json.RawMessage
		if err := in.Decode(&value); err != nil {
			return err
		}
		if string(value) == "null" {
			continue
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		name, _ := json.Marshal(key)
		out = append(append(append(out, name...), ':'), value...)
	}
	object.Reset()
	object.Write(append(out, '}'))
	return nil
}
