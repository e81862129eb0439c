package fetch

import (
	"encoding/json"
	"io"
	"os"
	"sync"

	"holdall/internal/digest"
)

// servedNames keeps the names that came with the files of a listing that gives none (in Content-Disposition),
// and what is odd about how a file came, one JSON object a line. A line that is lost costs that, not a file.
type servedNames struct {
	f *os.File

	mu    sync.Mutex
	names map[servedName]servedLine // guarded by mu
}

// A servedName says whose a name is: the file at a place with that content.
type servedName struct {
	Key fileKey    `json:"key"`
	Sum digest.Sum `json:"sha256"`
}

type servedLine struct {
	servedName
	Name string `json:"name"`
	Odd  string `json:"odd,omitempty"`
}

func openServedNames(path string) (*servedNames, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	s := &servedNames{f: f, names: map[servedName]servedLine{}}
	for d := json.NewDecoder(f); ; {
		var l servedLine
		if err := d.Decode(&l); err == io.EOF {
			return s, nil
		} else if err != nil { // torn by a kill
			return s, f.Truncate(d.InputOffset())
		}
		s.names[l.servedName] = l
	}
}

func (s *servedNames) put(r fileRecord, name, odd string) error {
	l := servedLine{servedName{r.key, r.sum}, name, odd}
	b, err := json.Marshal(l)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.names[l.servedName] = l
	_, err = s.f.Write(append(b, '\n'))
	return err
}

// get returns the name that came with a file, and what is odd about how it came; each may be missing.
func (s *servedNames) get(r fileRecord) (name, odd string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.names[servedName{r.key, r.sum}]
	return l.Name, l.Odd
}

func (s *servedNames) close() error { return s.f.Close() }
