package takeover

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"holdall/fetch"
	"holdall/internal/atomicfile"
)

// receiptLog keeps the receipts of all processes that worked on a run, one JSON object a line. They are
// synced as they come, so that a loss of power costs those of the last moment only, and no fetch waits for
// the disk. Receipts that come before the run is known are held back. A receipt that cannot be written ends
// the takeover, since nothing may be archived whose receipt is lost: it is written into room that was set
// aside, for the next process to resume from.
type receiptLog struct {
	failed func(error) // called when a receipt cannot be written

	mu      sync.Mutex
	held    []fetch.Receipt // guarded by mu, as all below
	file    *os.File
	reserve string       // a file that is removed when the disk is full
	pending bytes.Buffer // lines not written
	err     error

	written chan struct{} // something may have to be synced; nil when nobody waits for that
	synced  chan struct{} // closed when nobody does any more
}

// syncPause is the least time between two syncs: a million small files must not cost a million of them.
const syncPause = 100 * time.Millisecond

// reserved is room for the receipts of all requests that can be open at once, and some more.
const reserved = 256 << 10

func (l *receiptLog) add(r fetch.Receipt) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		l.held = append(l.held, r)
		return
	}
	l.write(r)
}

func (l *receiptLog) write(r fetch.Receipt) {
	b, err := json.Marshal(r)
	if err == nil {
		l.pending.Write(append(b, '\n'))
		err = l.flush()
	}
	if err != nil {
		l.fail(err)
		return
	}
	select {
	case l.written <- struct{}{}:
	default: // whoever waits will sync this as well
	}
}

// fail ends the takeover. l.mu is held.
func (l *receiptLog) fail(err error) {
	if l.err != nil {
		return
	}
	l.err = fmt.Errorf("write the receipts: %w", err)
	if l.failed != nil {
		l.failed(l.err)
	}
}

// syncAll syncs f whenever something was written, until written is closed.
func (l *receiptLog) syncAll(f *os.File, written <-chan struct{}, synced chan<- struct{}) {
	defer close(synced)
	for range written {
		if err := f.Sync(); err != nil {
			l.mu.Lock()
			l.fail(err)
			l.mu.Unlock()
		}
		time.Sleep(syncPause)
	}
}

// flush writes what is pending: at once, so that a kill leaves at most one torn line, the last.
func (l *receiptLog) flush() error {
	n, err := l.file.Write(l.pending.Bytes())
	l.pending.Next(n)
	if err != nil && l.reserve != "" {
		_ = os.Remove(l.reserve) // now there is room, if room was what it lacked
		l.reserve = ""
		n, werr := l.file.Write(l.pending.Bytes())
		l.pending.Next(n)
		if werr != nil {
			err = errors.Join(err, werr)
		}
	}
	return err
}

func (l *receiptLog) open(path string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := dropTornLines(path); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	l.reserve = path + ".reserve"
	room := make([]byte, reserved)
	rand.Read(room) // what a file system cannot make smaller; never fails
	if err := os.WriteFile(l.reserve, room, 0o600); err != nil {
		return errors.Join(err, f.Close())
	}
	l.file, l.written, l.synced = f, make(chan struct{}, 1), make(chan struct{})
	go l.syncAll(f, l.written, l.synced)
	for _, r := range l.held {
		l.write(r)
	}
	l.held = nil
	return l.err
}

// dropTornLines drops the lines that are not receipts: the last, of a killed process, and what a power
// failure has left of those that were not on the disk yet.
func dropTornLines(path string) error {
	torn, err := copyReceipts(io.Discard, path)
	if err != nil || !torn {
		return err
	}
	return atomicfile.Write(path, func(w io.Writer) error {
		_, err := copyReceipts(w, path)
		return err
	})
}

// copyReceipts copies the lines that are receipts, and reports whether there are others.
func copyReceipts(to io.Writer, path string) (torn bool, err error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	defer f.Close()
	lines := bufio.NewReader(f)
	for {
		line, err := lines.ReadBytes('\n')
		whole := err == nil && json.Valid(line) && line[0] == '{'
		torn = torn || !whole && len(line) > 0
		if whole {
			if _, err := to.Write(line); err != nil {
				return torn, err
			}
		}
		if err == io.EOF {
			return torn, nil
		} else if err != nil {
			return torn, err
		}
	}
}

// worse returns the failure to write receipts, when there was one, in place of err, which it may be the cause
// of.
func (l *receiptLog) worse(err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return l.err
	}
	return err
}

// close makes the receipts durable and ends the log; receipts that still come belong to no run.
func (l *receiptLog) close() error {
	l.mu.Lock()
	if l.file == nil {
		l.mu.Unlock()
		return nil
	}
	var err error
	if l.pending.Len() > 0 {
		err = l.flush()
	}
	f := l.file
	l.file = nil
	close(l.written)
	l.mu.Unlock()
	<-l.synced
	err = errors.Join(err, f.Sync(), f.Close())
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.reserve != "" {
		err = errors.Join(err, os.Remove(l.reserve))
		l.reserve = ""
	}
	return err
}
