package flock

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"
)

// An owner is who holds a lock, written into the lock file for people to read. Only the lock counts: a dead
// process has none, whatever the record says.
type owner struct {
	PID   int       `json:"pid"`
	Host  string    `json:"host"`
	Start time.Time `json:"start"` // when the lock was taken
}

// RecordOwner writes into f, whose lock this process has taken, who that is.
func RecordOwner(f *os.File) error {
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

// DescribeOwner says for people who holds the lock on f.
func DescribeOwner(f *os.File) string {
	var o owner
	b, err := io.ReadAll(io.NewSectionReader(f, 0, 4096))
	if err != nil || json.Unmarshal(b, &o) != nil || o.PID == 0 {
		return "a process that has not said who it is"
	}
	return fmt.Sprintf("process %d on %s since %s", o.PID, o.Host, o.Start.Format(time.RFC3339))
}
