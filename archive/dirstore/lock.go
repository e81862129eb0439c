package dirstore

import (
	"errors"
	"fmt"
	"os"
	"sync"

	"holdall/internal/flock"
)

// ErrLocked says that another process writes to the root.
var ErrLocked = errors.New("another process is writing to this archive")

const lockName = ".lock"

// Lock takes the root's lock for one writer and records its owner. A root that another living process holds
// is an error matching ErrLocked that names it; the lock of a dead process is taken over: the system released
// it, whatever the record says. The part files of dead processes are removed.
func (s *Store) Lock() (unlock func() error, err error) {
	f, err := s.root.OpenFile(lockName, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", s.dir, err)
	}
	if err := flock.TryLock(f); err != nil {
		defer f.Close()
		if errors.Is(err, flock.ErrLocked) {
			return nil, fmt.Errorf("%w: %s is held by %s", ErrLocked, s.dir, flock.DescribeOwner(f))
		}
		return nil, fmt.Errorf("lock %s: %w", s.dir, err)
	}
	if err := errors.Join(flock.RecordOwner(f), s.dropParts()); err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", s.dir, err), f.Close())
	}
	return sync.OnceValue(func() error { return errors.Join(f.Truncate(0), f.Close()) }), nil
}
