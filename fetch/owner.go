package fetch

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// An owner is the process that has a spool, as its lock file says for people to read. Only the lock counts: a dead
// process has none, whatever the record says.
type owner struct {
	PID   int       `json:"pid"`
	Host  string    `json:"host"`
	Start time.Time `json:"start"` // when the lock was taken
}

// recordOwner writes that this process has the lock.
func recordOwner(lock *os.File) error {
	host, err := os.Hostname()
	if err != nil {
		host = "an unknown host"
	}
	b, err := json.Marshal(owner{PID: os.Getpid(), Host: host, Start: time.Now().UTC().Truncate(time.Second)})
	if err != nil {
		return err
	}
	_, err = lock.WriteAt(append(b, '\n'), 0)
	return errors.Join(err, lock.Truncate(int64(len(b)+1)))
}

// ownerOf says who has the lock in that file.
func ownerOf(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return "another run"
	}
	defer f.Close()
	var o owner
	b, err := io.ReadAll(io.LimitReader(f, 4096))
	if err != nil || json.Unmarshal(b, &o) != nil || o.PID == 0 {
		return "another run"
	}
	return fmt.Sprintf("another run (process %d on %s, since %s)", o.PID, o.Host, o.Start.Format(time.RFC3339))
}
