package eploy

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"

	"holdall/internal/atomicfile"
)

// A Receipt is one line of receipts.jsonl: one request, and what came of it.
type Receipt struct {
	Step          string    `json:"step"` // candidates/pages/17
	Time          time.Time `json:"time"` // when the answer was whole
	Method        string    `json:"method"`
	Path          string    `json:"path"`
	RequestSHA256 string    `json:"request_sha256,omitempty"` // of the request's body
	Status        int       `json:"status,omitempty"`         // 0: there was no answer
	ContentType   string    `json:"content_type,omitempty"`

	// Where the answer is: a file of answers/ and the span of its decompressed content, or a file of files/.
	File   string `json:"file,omitempty"`
	Offset int64  `json:"offset"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256,omitempty"`
	Frame  int64  `json:"frame"` // where its compressed frame begins
	Stored int64  `json:"stored"`

	Page  int      `json:"page,omitempty"` // as answered
	Pages int      `json:"pages,omitempty"`
	Total *int     `json:"total,omitempty"`
	IDs   []string `json:"ids,omitempty"`
	// Members are the names of the parts that the answered records have.
	Members []string `json:"members,omitempty"`

	SecondLimit     *int `json:"second_limit,omitempty"` // the four headers
	SecondRemaining *int `json:"second_remaining,omitempty"`
	DayLimit        *int `json:"day_limit,omitempty"`
	DayRemaining    *int `json:"day_remaining,omitempty"`

	Rejected string `json:"rejected,omitempty"` // why the answer was not used; the step is asked again
	Refusal  string `json:"refusal,omitempty"`  // why there is no content, where that was the last word
	Scope    string `json:"scope,omitempty"`    // of a token
	Host     string `json:"host,omitempty"`     // that a file's content came from, after a redirect

	at      int  // its place in the journal
	earlier bool // it was written by an earlier process
}

// A journal is what a pull keeps between processes:
//
//	pull.json           what is pulled, and since when
//	receipts.jsonl      a line for each request
//	answers/*.json.zst  bodies in order: one file for each type and pass, one zstd frame for each body
//	files/ID            the content of a file
//
// Everything is synced before the receipt that tells of it, so what has no receipt is dropped when a journal
// is opened.
type journal struct {
	dir     string
	log     *os.File
	done    map[string]*Receipt
	all     []*Receipt
	content map[string]int64 // size of each file of answers, decompressed
	stored  map[string]int64 // and as it is
	open    map[string]*os.File

	failed      map[string]*Receipt // of each step, the first failure that may pass
	lastContent time.Time           // when a file's content was last received
	failing     time.Time           // since when none is, though some are asked for; zero: they are received

	zip   *zstd.Encoder
	unzip *zstd.Decoder
}

// header is pull.json.
type header struct {
	URL     string    `json:"url"`
	Started time.Time `json:"started"`
	Types   []string  `json:"types,omitempty"`
	// FileContent is the path that files' contents were asked for at, where one was named.
	FileContent string `json:"file_content,omitempty"`
	Relist      bool   `json:"relist,omitempty"`
}

const receiptsName = "receipts.jsonl"

func openJournal(dir string) (_ *journal, err error) {
	for _, sub := range []string{"answers", "files"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			return nil, err
		}
	}
	j := &journal{dir: dir, done: map[string]*Receipt{}, content: map[string]int64{},
		stored: map[string]int64{}, open: map[string]*os.File{}, failed: map[string]*Receipt{}}
	if j.zip, err = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1)); err != nil {
		return nil, err
	}
	if j.unzip, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1)); err != nil {
		return nil, err
	}
	if j.log, err = os.OpenFile(filepath.Join(dir, receiptsName), os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return nil, err
	}
	if err := errors.Join(j.load(), j.dropTails(), atomicfile.SyncDir(dir)); err != nil {
		return nil, errors.Join(err, j.log.Close())
	}
	return j, nil
}

// load reads the receipts, and cuts off a last line that is not whole.
func (j *journal) load() error {
	r := bufio.NewReaderSize(j.log, 1<<20)
	var end int64
	for {
		line, err := r.ReadBytes('\n')
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		var x Receipt
		if err := json.Unmarshal(line, &x); err != nil {
			if _, more := r.Peek(1); more == nil {
				return damaged("%s: the receipt at byte %d is damaged", j.log.Name(), end)
			}
			break
		}
		x.earlier = true
		j.know(&x)
		end += int64(len(line))
	}
	if err := j.log.Truncate(end); err != nil {
		return err
	}
	_, err := j.log.Seek(end, io.SeekStart)
	return err
}

// brought reports whether a receipt is of a file's content that came.
func (r *Receipt) brought() bool {
	return r.Status == http.StatusOK && strings.HasPrefix(r.File, "files/")
}

// What Rejected says of answers that are no failures.
const (
	rejectedOver   = "beyond a limit of requests"
	rejectedDenied = "denied; asked again with a fresh token"
)

func (j *journal) know(r *Receipt) {
	r.at = len(j.all)
	j.all = append(j.all, r)
	content := strings.HasPrefix(r.Step, contentStep)
	switch {
	case r.Step == stepToken:
	case r.Rejected == "":
		j.done[r.Step] = r
		if content && r.brought() {
			j.lastContent, j.failing = r.Time, time.Time{}
		}
	case r.Rejected != rejectedOver && r.Rejected != rejectedDenied:
		if j.failed[r.Step] == nil {
			j.failed[r.Step] = r
		}
		if content && j.failing.IsZero() {
			j.failing = r.Time
		}
	}
	if filepath.Dir(r.File) == "answers" {
		j.content[r.File] = r.Offset + r.Size + 1
		j.stored[r.File] = r.Frame + r.Stored
	}
}

// damaged is the error of what is not as it was written: what was received is not guessed at.
func damaged(format string, a ...any) error {
	return &Failure{Code: CodeInternal, Message: fmt.Sprintf(format, a...),
		Hint: "this disk has changed it: bring it back from a backup, or begin another pull with --new"}
}

// dropTails cuts off answers that have no receipt.
func (j *journal) dropTails() error {
	entries, err := os.ReadDir(filepath.Join(j.dir, "answers"))
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := "answers/" + e.Name()
		info, err := e.Info()
		if err != nil {
			return err
		}
		switch end := j.stored[name]; {
		case info.Size() < end:
			return damaged("%s: %d bytes are there of %d that were received", filepath.Join(j.dir, name),
				info.Size(), end)
		case info.Size() > end:
			if err := os.Truncate(filepath.Join(j.dir, name), end); err != nil {
				return err
			}
		}
	}
	for step, r := range j.done { // of what is not here as it was received, the step is asked again
		if r.brought() {
			if info, err := os.Stat(filepath.Join(j.dir, r.File)); err != nil || info.Size() != r.Size {
				delete(j.done, step)
			}
		}
	}
	for name := range j.stored {
		if _, err := os.Stat(filepath.Join(j.dir, name)); err != nil {
			return err
		}
	}
	return nil
}

// keep appends a body to a file of answers and fills in where it is.
func (j *journal) keep(r *Receipt, file string, body []byte) error {
	r.File = "answers/" + file + ".json.zst"
	f := j.open[r.File]
	if f == nil {
		var err error
		path := filepath.Join(j.dir, r.File)
		if f, err = os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600); err != nil {
			return err
		}
		if err := atomicfile.SyncDir(filepath.Dir(path)); err != nil {
			return errors.Join(err, f.Close())
		}
		j.open[r.File] = f
	}
	sum := sha256.Sum256(body)
	r.SHA256, r.Size = hex.EncodeToString(sum[:]), int64(len(body))
	r.Offset, r.Frame = j.content[r.File], j.stored[r.File]
	frame := j.zip.EncodeAll(append(bytes.Clone(body), '\n'), nil)
	r.Stored = int64(len(frame))
	if _, err := f.Write(frame); err != nil {
		return err
	}
	return f.Sync()
}

// add writes a receipt. What it tells of is on disk.
func (j *journal) add(r *Receipt) error {
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if _, err := j.log.Write(append(line, '\n')); err != nil {
		return err
	}
	if err := j.log.Sync(); err != nil {
		return err
	}
	j.know(r)
	return nil
}

// body returns the answer that a receipt tells of, verified.
func (j *journal) body(r *Receipt) ([]byte, error) {
	if r.File == "" {
		return nil, fmt.Errorf("the answer to %s was not kept", r.Step)
	}
	f, err := os.Open(filepath.Join(j.dir, r.File))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	frame := make([]byte, r.Stored)
	if _, err := f.ReadAt(frame, r.Frame); err != nil {
		return nil, fmt.Errorf("read %s: %w", f.Name(), err)
	}
	body, err := j.unzip.DecodeAll(frame, nil)
	if err != nil || int64(len(body)) != r.Size+1 {
		return nil, damaged("%s is damaged at byte %d", f.Name(), r.Frame)
	}
	body = body[:r.Size]
	if sum := sha256.Sum256(body); hex.EncodeToString(sum[:]) != r.SHA256 {
		return nil, damaged("%s is damaged at byte %d", f.Name(), r.Frame)
	}
	return body, nil
}

func (j *journal) close() error {
	errs := []error{j.log.Close(), j.zip.Close()}
	j.unzip.Close()
	for _, f := range j.open {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}

const headerName = "pull.json"

func readHeader(dir string) (h header, err error) {
	b, err := os.ReadFile(filepath.Join(dir, headerName))
	if err == nil {
		err = json.Unmarshal(b, &h)
	}
	if err != nil {
		err = fmt.Errorf("read what is pulled: %w", err)
	}
	return h, err
}

// begin reads or writes pull.json. A pull that has begun is of what it began with; only the path of files'
// contents may be named later, and reading all records again at the end be asked for.
func begin(o Options) (header, error) {
	h, err := readHeader(o.Dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		h = header{URL: o.URL, Started: time.Now().UTC().Truncate(time.Second), Types: o.Types,
			Relist: o.Relist}
	case err != nil:
		return h, err
	case h.URL != o.URL:
		return h, &Failure{Code: CodeUsage, Message: fmt.Sprintf("%s holds a pull of another system", o.Dir),
			Hint: "name another directory"}
	case !SameTypes(h.Types, o.Types):
		return h, &Failure{Code: CodeUsage, Message: fmt.Sprintf("%s holds a pull of other types", o.Dir),
			Hint: "name the same types, or another directory"}
	case (o.FileContent == "" || o.FileContent == h.FileContent) && (h.Relist || !o.Relist):
		return h, nil
	}
	h.Relist = h.Relist || o.Relist
	if o.FileContent != "" {
		h.FileContent = o.FileContent
	}
	b, err := json.MarshalIndent(h, "", "  ")
	if err != nil {
		return h, err
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return h, err
	}
	return h, atomicfile.WriteFile(filepath.Join(o.Dir, headerName), append(b, '\n'))
}
