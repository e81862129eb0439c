package exportsim

import (
	"fmt"
	"path/filepath"
	"time"
)

// newContainer returns what takes the documents of a part in the wanted shape.
func newContainer(cfg Config, dir, part string, now time.Time) (container, error) {
	switch cfg.Shape {
	case ShapeZIP:
		return newZIPs(dir, part, 1, now)
	}
	return nil, fmt.Errorf("shape %q is not built yet", cfg.Shape)
}

// zips spreads documents over a number of ZIPs in turn.
type zips struct {
	part  string
	files []*zipFile
	next  int
	now   time.Time
}

func newZIPs(dir, part string, n int, now time.Time) (*zips, error) {
	z := &zips{part: part, now: now}
	for i := range n {
		name := part + ".zip"
		if n > 1 {
			name = fmt.Sprintf("%s-%d.zip", part, i+1)
		}
		f, err := createZIP(filepath.Join(dir, name), name)
		if err != nil {
			z.abort()
			return nil, err
		}
		z.files = append(z.files, f)
	}
	return z, nil
}

func (z *zips) add(a *attachment, content []byte) (string, error) {
	f := z.files[z.next%len(z.files)]
	z.next++
	return f.name, f.add(a.path, howPacked(a), a.created, content)
}

// howPacked is text deflated, like one in eight of the others, and the rest stored: programs differ.
func howPacked(a *attachment) entryKind {
	switch a.paper.format {
	case "txt", "rtf", "eml":
		return entryDeflated
	}
	if a.n%8 == 3 {
		return entryDeflated
	}
	return entryStored
}

func (z *zips) finish() ([]Object, error) {
	var objects []Object
	for _, f := range z.files {
		size, sum, err := f.finish()
		if err != nil {
			return nil, err
		}
		objects = append(objects, Object{Name: f.name, Part: z.part, Size: size, SHA256: sum})
	}
	return objects, nil
}

func (z *zips) abort() {
	for _, f := range z.files {
		f.abort()
	}
}
