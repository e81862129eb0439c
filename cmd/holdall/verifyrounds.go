package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"holdall/archive"
	"holdall/internal/atomicfile"
	"holdall/internal/term"
)

// A verifyRound is a verification that is done in several runs: how far each export has come. It is in this
// user's cache directory, since a root need not be writable; what it holds are digests.
type verifyRound struct {
	path    string
	Began   time.Time                      `json:"began"`
	Exports map[string]*archive.Checkpoint `json:"exports"`
}

// openVerifyRound goes on with the round of what the user named, or begins one.
func openVerifyRound(place string) (*verifyRound, error) {
	dir, err := cacheDir("verify")
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(place))
	r := &verifyRound{path: filepath.Join(dir, hex.EncodeToString(sum[:8])+".json")}
	b, err := os.ReadFile(r.path)
	if err == nil {
		err = json.Unmarshal(b, r)
	}
	if err != nil { // there is none, or it is damaged: then all is read again
		r.Began = time.Now().UTC()
	}
	if r.Exports == nil {
		r.Exports = map[string]*archive.Checkpoint{}
	}
	return r, nil
}

// checkpoint is that of an export.
func (r *verifyRound) checkpoint(id string) *archive.Checkpoint {
	if r.Exports[id] == nil {
		r.Exports[id] = &archive.Checkpoint{}
	}
	return r.Exports[id]
}

// end keeps an unfinished round for the next run, and removes a finished one.
func (r *verifyRound) end(unfinished bool) error {
	if !unfinished {
		if err := os.Remove(r.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if err := atomicfile.MkdirAll(filepath.Dir(r.path)); err != nil {
		return err
	}
	return atomicfile.WriteFile(r.path, b)
}

// unfinished is the failure of a run whose time was over.
func (r *verifyRound) unfinished() *unfinishedRound {
	var n int64
	for _, c := range r.Exports {
		n += c.Bytes()
	}
	return &unfinishedRound{bytes: n, began: r.Began}
}

type unfinishedRound struct {
	bytes int64
	began time.Time
}

func (u *unfinishedRound) Error() string {
	return fmt.Sprintf("not all has been verified in the time given: %s since %s",
		term.Bytes(u.bytes), u.began.Format(time.DateTime+" MST"))
}

func (u *unfinishedRound) report() errorReport {
	return errorReport{
		Code: codeInterrupted, Message: u.Error(), Hint: "run the same command again to go on",
		Retryable: true, exit: exitNotFinished,
	}
}
