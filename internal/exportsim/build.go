package exportsim

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"holdall/internal/digest"
)

// A container takes documents and becomes one or more objects of the export.
type container interface {
	// add takes one document and returns the name of the object it went into.
	add(a *attachment, content []byte) (object string, err error)
	// finish closes the container and returns its objects in order.
	finish() ([]Object, error)
	abort()
}

// builder makes an export in a directory, one block after the other.
type builder struct {
	w         *agency
	cfg       Config
	dir       string
	pics      pictures
	tables    csvSet
	parts     map[string]container // attachments, cvs
	documents *bufio.Writer
	encode    *json.Encoder
	truth     Truth
}

func build(ctx context.Context, cfg Config, dir string) (t Truth, err error) {
	w := newAgency(cfg)
	b := &builder{w: w, cfg: cfg, dir: dir, pics: pictures{cfg.Seed}, parts: map[string]container{}}
	b.truth = Truth{
		Tenant: w.prefix, Agency: w.name, Snapshot: w.now,
		Documents: map[string]Count{"attachments": {}, "cvs": {}},
	}
	tables := filepath.Join(dir, "tables")
	if err := os.MkdirAll(tables, 0o700); err != nil {
		return t, err
	}
	if b.tables, err = openTables(tables, cfg.Dialect); err != nil {
		return t, err
	}
	defer b.tables.close()
	f, err := os.Create(filepath.Join(dir, documentsFile))
	if err != nil {
		return t, err
	}
	defer f.Close()
	b.documents = bufio.NewWriterSize(f, 1<<16)
	b.encode = json.NewEncoder(b.documents)
	b.encode.SetEscapeHTML(false)
	for _, part := range []string{"attachments", "cvs"} {
		if b.parts[part], err = newContainer(cfg, dir, part); err != nil {
			return t, err
		}
		defer b.parts[part].abort()
	}
	if err := b.fill(ctx); err != nil {
		return t, err
	}
	if err := b.finish(tables); err != nil {
		return t, err
	}
	return b.truth, errors.Join(b.documents.Flush(), saveTruth(dir, b.truth), os.RemoveAll(tables))
}

// fill makes all blocks and writes their documents and rows.
func (b *builder) fill(ctx context.Context) error {
	if err := b.tables.writeUsers(b.w); err != nil {
		return err
	}
	for n := range b.w.blocks() {
		if err := ctx.Err(); err != nil {
			return err
		}
		bl := b.w.makeBlock(n)
		for i := range bl.attachments {
			if err := b.put("attachments", &bl.attachments[i]); err != nil {
				return err
			}
		}
		for i := range bl.cvs {
			if err := b.put("cvs", &bl.cvs[i]); err != nil {
				return err
			}
		}
		if err := b.tables.writeBlock(bl); err != nil {
			return err
		}
		b.truth.Mistakes = append(b.truth.Mistakes, bl.mistakes...)
	}
	return nil
}

// put writes one document into its part and into the truth.
func (b *builder) put(part string, a *attachment) error {
	if a.mistake == MistakeNoFile {
		return nil
	}
	content := a.instead
	if content == nil {
		content = a.content.write(b.pics)
	}
	a.size = int64(len(content))
	object, err := b.parts[part].add(a, content)
	if err != nil {
		return fmt.Errorf("add %s: %w", a.path, err)
	}
	if a.mistake == MistakeSymlink {
		return nil // not a document
	}
	d := Document{Part: part, Object: object, Entry: a.path, Size: a.size, SHA256: digest.Of(content),
		MediaType: mediaTypeOf(a),
		OwnerType: a.owner.Type, OwnerID: a.owner.ID, Mistake: a.mistake}
	if part == "attachments" && a.mistake != MistakeUnlisted {
		d.AttachmentID = a.id
	}
	c := b.truth.Documents[part]
	b.truth.Documents[part] = Count{c.Documents + 1, c.Bytes + d.Size}
	return b.encode.Encode(d)
}

func mediaTypeOf(a *attachment) string {
	switch a.mistake {
	case MistakeHTML:
		return "text/html"
	case MistakeXML:
		return "application/xml"
	case MistakeEmpty:
		return ""
	}
	return mediaTypes[a.content.format]
}

// finish packs the tables and closes all containers.
func (b *builder) finish(tables string) error {
	for _, f := range b.tables {
		t, err := f.finish()
		if err != nil {
			return fmt.Errorf("write %s: %w", f.file, err)
		}
		b.truth.Tables = append(b.truth.Tables, t)
	}
	slices.SortFunc(b.truth.Tables, func(x, y TableTruth) int { return strings.Compare(x.File, y.File) })
	data, err := createZIP(filepath.Join(b.dir, "data.zip"), "data.zip")
	if err != nil {
		return err
	}
	defer data.abort()
	for _, t := range b.truth.Tables {
		if err := data.addFile(t.File, filepath.Join(tables, t.File), b.w.now); err != nil {
			return fmt.Errorf("add %s: %w", t.File, err)
		}
	}
	size, sum, err := data.finish()
	if err != nil {
		return err
	}
	b.truth.Objects = []Object{{Name: "data.zip", Part: "data", Size: size, SHA256: sum}}
	for _, part := range []string{"attachments", "cvs"} {
		objects, err := b.parts[part].finish()
		if err != nil {
			return err
		}
		b.truth.Objects = append(b.truth.Objects, objects...)
	}
	return nil
}
