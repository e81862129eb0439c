package fetch

import (
	"encoding/json"
	"io"
	"os"
	"sync"

	"holdall/internal/digest"
)

// servedNames keeps the names that came with the files of a listing that tells none (in Content-Disposition),
// one JSON object a line. A line that is lost costs a name, not a file.
type servedNames struct {
	f *os.File

	mu    sync.Mutex
	names map[servedName]string // guarded by mu
}

// A servedName says whose a name is: the file at a place with that content.
type servedName struct {
	Key fileKey    `json:"key"`
	Sum digest.Sum `json:"sha256"`
}

type servedLine struct {
	servedName
	Name string `json:"name"`
}

func openServedNames(path string) (*servedNames, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	s := &servedNames{f: f, names: map[servedName]string{}}
	for d := json.NewDecoder(f); ; {
		var l servedLine
		if err := d.Decode(&l); err == io.EOF {
			return s, nil
		} else if err != nil { // torn by a kill
			return s, f.Truncate(d.InputOffset())
		}
		s.names[l.servedName] = l.Name
	}
}

func (s *servedNames) put(r fileRecord, name string) error {
	l := servedLine{servedName{r.key, r.sum}, name}
	b, err := json.Marshal(l)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.names[l.servedName] = name
	_, err = s.f.Write(append(b, '\n'))
	return err
}

func (s *servedNames) get(r fileRecord) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.names[servedName{r.key, r.sum}]
}

func (s *servedNames) close() error { return s.f.Close() }
