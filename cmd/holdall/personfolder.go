package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"holdall/internal/atomicfile"
	"holdall/internal/person"
	"holdall/query"
)

// The files of the folder that is handed out.
const (
	personBook    = "person.xlsx"
	personJSON    = "person.json"
	personFiles   = "documents"
	personReview  = "for review only"
	personMention = "mentions.xlsx"
	personReadme  = "READ FIRST.txt"
)

// writeTo writes the dossier as a folder. What is about other people is kept apart from what is handed out.
func (d *dossier) writeTo(ctx context.Context, x *export, dir string) error {
	root, err := emptyDir(dir)
	if err != nil {
		return err
	}
	if err := root.Close(); err != nil {
		return err
	}
	if err := os.Mkdir(filepath.Join(dir, personReview), 0o700); err != nil {
		return err
	}
	var given, review []person.Section
	for _, s := range d.sections {
		if s.Name == "mentions" || s.Name == "references" {
			review = append(review, s)
		} else {
			given = append(given, s)
		}
	}
	if err := d.writeBook(ctx, filepath.Join(dir, personBook), given); err != nil {
		return err
	}
	if err := d.writeBook(ctx, filepath.Join(dir, personReview, personMention), review); err != nil {
		return err
	}
	if err := atomicfile.Write(
		filepath.Join(dir, personReview, personJSON), func(w io.Writer) error { return d.writeJSON(ctx, w) },
	); err != nil {
		return err
	}
	if err := atomicfile.WriteFile(
		filepath.Join(dir, personReadme), []byte(d.readme(x.bag.ID())),
	); err != nil {
		return err
	}
	rows, err := d.db.Query(ctx,
		"select "+fileColumns+" from documents where "+d.of.Documents()+" order by doc_id",
		map[string]string{"id": d.of.ID})
	if err != nil {
		return err
	}
	defer rows.Close()
	return copyOut(ctx, d.env, x, rows, filepath.Join(dir, personFiles))
}

// writeBook writes a workbook with a sheet for each section.
func (d *dossier) writeBook(ctx context.Context, path string, sections []person.Section) error {
	return atomicfile.Write(path, func(w io.Writer) error {
		book := query.NewWorkbook(w)
		for _, s := range sections {
			rows, err := d.db.Query(ctx, s.SQL, s.Params)
			if err != nil {
				return fmt.Errorf("%s: %w", s.Name, err)
			}
			done, err := book.AddSheet(strings.ToUpper(s.Name[:1])+s.Name[1:], rows, 0)
			if err := errors.Join(err, rows.Close()); err != nil {
				return err
			}
			if done.CutCells > 0 {
				d.env.warn(fmt.Sprintf("%s: %s longer than an Excel cell can be, and cut; %s has all of it",
					filepath.Base(path), count(int(done.CutCells), "text is", "texts are"), personJSON))
			}
		}
		return book.Close()
	})
}

func (d *dossier) readme(id string) string {
	return fmt.Sprintf(`What the archive %s holds of %s (%s %s).

%s has the record, the list of files, the pipeline, the tasks, everything dated, the folders, and
cells that could not be read, as they were received.
%s/ has the files themselves; index.csv says what each one is. A file that the platform lists
and that did not come with the export is "missing" in the list.

Look through all of it before you hand it out: notes, comments and files may name other people,
or be privileged.

"%s" is not to be handed out as it is: %s has the places where this person is
mentioned in entries about others, and where their ID is used; %s has everything again, for programs.
The texts inside of documents were not searched.
`, id, d.of.Name, strings.ToLower(d.of.Type), d.of.ID, personBook, personFiles, personReview, personMention,
		personJSON)
}
