package exportsim

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
)

// WriteFiles puts the export's objects (data.zip and so on) into dir, which is made if need be, so that they
// can be looked at or served by something else. Files of the same names are replaced. Of a listing it writes
// every document as PART/NUMBER/NAME and, alongside, PART.csv with their names, sizes and relative links.
func (e *Export) WriteFiles(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, o := range e.truth.Objects {
		from := filepath.Join(e.dir, o.Name)
		if err := copyRange(filepath.Join(dir, o.Name), from, 0, o.Size); err != nil {
			return fmt.Errorf("write sample export: %w", err)
		}
	}
	if e.cfg.Shape != ShapeListing {
		return nil
	}
	for _, part := range []string{"attachments", "cvs"} {
		if err := e.writeLoose(dir, part); err != nil {
			return fmt.Errorf("write sample export: %w", err)
		}
	}
	return nil
}

// looseName is the relative link of document n of a listing: only its base name is the platform's.
func looseName(d Document, n int) string {
	base := strings.NewReplacer("/", "_", `\`, "_").Replace(path.Base(d.Entry))
	return d.Part + "/" + strconv.Itoa(n) + "/" + base
}

func (e *Export) writeLoose(dir, part string) (err error) {
	list, err := os.Create(filepath.Join(dir, part+".csv"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, list.Close()) }()
	w := csv.NewWriter(list)
	w.Write([]string{"File Name", "Size", "Link"})
	n, offset := 0, int64(0)
	for d, err := range e.Documents() {
		if err != nil {
			return err
		}
		if d.Part != part {
			continue
		}
		name := looseName(d, n)
		to := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		if err := copyRange(to, filepath.Join(e.dir, blobFile(part)), offset, d.Size); err != nil {
			return err
		}
		w.Write([]string{d.Entry, strconv.FormatInt(d.Size, 10), (&url.URL{Path: name}).String()})
		n, offset = n+1, offset+d.Size
	}
	w.Flush()
	return w.Error()
}

// copyRange makes the file to of n bytes of the file from.
func copyRange(to, from string, offset, n int64) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	_, err = io.CopyN(out, io.NewSectionReader(in, offset, n), n)
	return err
}
