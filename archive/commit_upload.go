package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"golang.org/x/sync/errgroup"

	"holdall/internal/digest"
)

// upload puts one file, unless an earlier process did and the store's digest proves it.
func (b *Builder) upload(ctx context.Context, s Store, name string, rec fileRecord) error {
	if b.resumed.Load() {
		info, err := s.Stat(ctx, name)
		if err == nil && info.Size == rec.Size && info.SHA256 == rec.SHA256 {
			return nil
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	f, err := b.Open(rec.Name)
	if err != nil {
		return err
	}
	defer f.Close()
	err = s.Put(ctx, name, f, rec.Size, rec.SHA256)
	var mismatch *digest.MismatchError
	if errors.As(err, &mismatch) {
		return fmt.Errorf("%w: %s: %w", ErrDamaged, f.Name(), mismatch)
	}
	return err
}

// The manifests are put into a store after everything they name has been checked there, so that their
// presence proves the rest.
var manifestNames = map[string]bool{manifestName: true, tagManifestName: true}

// uploadAll puts every file but bagit.txt into the store and checks it there.
func (b *Builder) uploadAll(ctx context.Context, s Store, prefix string) error {
	if err := b.uploader.waitUntilDone(ctx); err != nil {
		return err
	}
	for _, last := range []bool{false, true} {
		var recs []fileRecord
		for _, rec := range b.records() {
			if manifestNames[rec.Name] == last {
				recs = append(recs, rec)
			}
		}
		put := func(ctx context.Context, rec fileRecord) error {
			if b.isDelivered(rec.Name) {
				return nil
			}
			return b.upload(ctx, s, prefix+"/"+rec.Name, rec)
		}
		if err := eachFile(ctx, uploads, recs, put); err != nil {
			return err
		}
		if err := b.checkAll(ctx, s, prefix, recs); err != nil {
			return err
		}
	}
	return nil
}

func eachFile(ctx context.Context, limit int, recs []fileRecord,
	do func(context.Context, fileRecord) error) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(limit)
	for _, rec := range recs {
		g.Go(func() error { return do(ctx, rec) })
	}
	return g.Wait()
}

// checkNoOthers checks that the store holds no files under prefix but the bag's.
func (b *Builder) checkNoOthers(ctx context.Context, s Store, prefix string) error {
	known := map[string]bool{prefix + "/" + bagitName: true}
	for _, rec := range b.records() {
		known[prefix+"/"+rec.Name] = true
	}
	for info, err := range s.List(ctx, prefix) {
		if err != nil {
			return err
		}
		if !known[info.Name] {
			return fmt.Errorf("%s is in the way: it does not belong to this bag", s.Location(info.Name))
		}
	}
	return nil
}

// checkAll checks that files are in the store as they were sealed.
func (b *Builder) checkAll(ctx context.Context, s Store, prefix string, recs []fileRecord) error {
	return eachFile(ctx, requests, recs, func(ctx context.Context, rec fileRecord) error {
		return b.checkOne(ctx, s, prefix+"/"+rec.Name, rec)
	})
}

// checkOne compares the digest that the store keeps of a file. Where it keeps none the file is read back,
// unless it is the staged file itself, moved, which was read back before. A difference is ErrDamaged: the bag
// has to be built again.
func (b *Builder) checkOne(ctx context.Context, s Store, name string, rec fileRecord) error {
	info, err := s.Stat(ctx, name)
	switch {
	case errors.Is(err, fs.ErrNotExist) && b.isDelivered(rec.Name):
		return fmt.Errorf("%w: %s was put there and is gone", ErrDamaged, s.Location(name))
	case err != nil:
		return err
	case info.Size != rec.Size || !info.SHA256.IsZero() && info.SHA256 != rec.SHA256:
		return fmt.Errorf("%w: %s: %w", ErrDamaged, s.Location(name), &digest.MismatchError{
			WantSize: rec.Size, GotSize: info.Size, Want: rec.SHA256, Got: info.SHA256,
		})
	case !info.SHA256.IsZero() || b.moved && rec.Name != tagManifestName:
		return nil
	}
	if same, known := info.matchesParts(rec.Parts); known {
		if !same {
			return fmt.Errorf("%w: %s was put together from other parts", ErrDamaged, s.Location(name))
		}
		return nil
	}
	r, err := s.Open(ctx, name, 0, -1)
	if err != nil {
		return err
	}
	defer r.Close()
	if _, err := copyPooled(io.Discard, digest.NewReader(r, rec.Size, rec.SHA256)); err != nil {
		return fmt.Errorf("read %s back: %w", s.Location(name), err)
	}
	return nil
}

func putNew(ctx context.Context, s Store, name string, content []byte) error {
	return s.Put(ctx, name, bytes.NewReader(content), int64(len(content)), digest.Of(content))
}

// deliver puts every file but bagit.txt into the store, and checks that it holds the bag's files, as they
// were sealed, and no others.
func (b *Builder) deliver(ctx context.Context, s Store, prefix string) error {
	if a, ok := s.(Adopter); ok && !b.moved && b.delivering == "" {
		err := a.Adopt(ctx, b.bagDir(), prefix)
		b.moved = err == nil
		if err != nil && !errors.Is(err, fs.ErrExist) && !errors.Is(err, errors.ErrUnsupported) {
			return err
		}
	}
	if err := b.checkNoOthers(ctx, s, prefix); err != nil {
		return err
	}
	if b.moved {
		return b.checkAll(ctx, s, prefix, b.records())
	}
	return b.uploadAll(ctx, s, prefix)
}
