package dirstore

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"holdall/archive/internal/flock"
)

// ErrLocked says that another process writes to the root.
var ErrLocked = errors.New("another process is writing to this archive")

const lockName = ".lock"

// An owner is who holds a lock, written into the lock file for people to read.
type owner struct {
	PID   int       `json:"pid"`
	Host  string    `json:"host"`
	Start time.Time `json:"start"` // when the lock was taken
}

// Lock takes the root's lock for one writer and records its owner. A root that another living process holds is an error
// matching ErrLocked that names it; the lock of a dead process is taken over: the system released it, whatever the record says.
// The part files of dead processes are removed.
func (s *Store) Lock() (unlock func() error, err error) {
	f, err := s.root.OpenFile(lockName, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", s.dir, err)
	}
	if err := flock.TryLock(f); err != nil {
		defer f.Close()
		if errors.Is(err, flock.ErrLocked) {
			return nil, fmt.Errorf("%w: %s is held by %s", ErrLocked, s.dir, describeOwner(f))
		}
		return nil, fmt.Errorf("lock %s: %w", s.dir, err)
	}
	if err := errors.Join(recordOwner(f), s.dropParts()); err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", s.dir, err), f.Close())
	}
	return sync.OnceValue(func() error { return errors.Join(f.Truncate(0), f.Close()) }), nil
}

func recordOwner(f *os.File) error {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	b, err := json.Marshal(owner{PID: os.Getpid(), Host: host, Start: time.Now().UTC().Truncate(time.Second)})
	if err != nil {
		return err
	}
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err = f.WriteAt(append(b, '\n'), 0)
	return err
}

func describeOwner(f *os.File) string {
	var o owner
	b, err := io.ReadAll(io.LimitReader(f, 4096))
	if err != nil || json.Unmarshal(b, &o) != nil || o.PID == 0 {
		return "a process that has not said who it is"
	}
	return fmt.Sprintf("process %d on %s since %s", o.PID, o.Host, o.Start.Format(time.RFC3339))
}
