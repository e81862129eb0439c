package takeover

import (
	"encoding/json"
	"errors"
	"os"
	"sync"

	"holdall/fetch"
)

// receiptLog keeps the receipts of all processes that worked on a run, one JSON object a line. Receipts that come
// before the run is known are held back.
type receiptLog struct {
	mu   sync.Mutex
	held []fetch.Receipt // guarded by mu, as all below
	file *os.File
	err  error
}

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
		_, err = l.file.Write(append(b, '\n')) // one write a line: a kill leaves at most one torn line, the last
	}
	l.err = errors.Join(l.err, err)
}

func (l *receiptLog) open(path string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	if err := dropTornLine(f); err != nil {
		return errors.Join(err, f.Close())
	}
	l.file = f
	for _, r := range l.held {
		l.write(r)
	}
	l.held = nil
	return l.err
}

// dropTornLine cuts what a killed process left behind the last whole line.
func dropTornLine(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	end := info.Size()
	var last [1]byte
	for ; end > 0; end-- {
		if _, err := f.ReadAt(last[:], end-1); err != nil {
			return err
		}
		if last[0] == '\n' {
			break
		}
	}
	return f.Truncate(end)
}

func (l *receiptLog) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return l.err
	}
	return errors.Join(l.err, l.file.Close())
}
