// Package dirstore keeps an archive's objects as files in a directory.
package dirstore

import "holdall/archive"

// Store is an archive.Store and archive.Adopter in a directory.
type Store struct{ archive.Store }

// Open returns the store in dir, made if missing and create is set.
func Open(dir string, create bool) (*Store, error) { panic("not built yet") }

// Lock takes the root's lock for one writer and records its owner. A root that another living process holds is an error
// matching ErrLocked that names it; the lock of a dead process is taken over.
func (s *Store) Lock() (unlock func() error, err error) { panic("not built yet") }
