package exportsim

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// WriteFiles puts the export's objects (data.zip and so on) into dir, which is made if need be, so that they can be looked at or
// served by something else. Files of the same names are replaced.
func (e *Export) WriteFiles(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, o := range e.truth.Objects {
		if err := copyFile(filepath.Join(dir, o.Name), filepath.Join(e.dir, o.Name)); err != nil {
			return fmt.Errorf("write sample export: %w", err)
		}
	}
	return nil
}

// PlainMasterCSV returns a master CSV whose links are base, a slash and the objects' names: for the files of WriteFiles when
// something else serves them.
func (e *Export) PlainMasterCSV(base string) []byte {
	var b strings.Builder
	b.WriteString("Part,File,Link,Expires\n")
	for _, o := range e.truth.Objects {
		fmt.Fprintf(&b, "%s,%s,%s/%s,%s\n", partLabels[o.Part], o.Name, strings.TrimSuffix(base, "/"), url.PathEscape(o.Name), time.Now().Add(e.cfg.Expire).UTC().Format(time.RFC3339))
	}
	return []byte(b.String())
}

func copyFile(to, from string) (err error) {
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
	_, err = io.Copy(out, in)
	return err
}
