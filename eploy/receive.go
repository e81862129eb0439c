package eploy

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"holdall/internal/atomicfile"
)

// watch ends a request that brings nothing.
type watch struct{ *time.Timer }

// body returns the body of an answer, watched.
func (w *watch) body(r io.Reader) io.Reader { return &watched{r, w} }

type watched struct {
	r io.Reader
	w *watch
}

func (r *watched) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	if n > 0 {
		r.w.Reset(stall)
	}
	return n, err
}

// plainNetwork is an error without the URL that net/http puts into it.
func plainNetwork(err error) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Sprintf("no whole answer within %s", stall)
	}
	return err.Error()
}

// receive sends a request and reads its answer to the end.
func (c *client) receive(ctx context.Context, q request, r *Receipt, w *watch) error {
	h, err := http.NewRequestWithContext(ctx, q.method, c.o.URL+"/"+q.path, bytes.NewReader(q.body))
	if err != nil {
		return err
	}
	h.Header.Set("Authorization", "Bearer "+c.token.value)
	h.Header.Set("Accept-Encoding", "identity")
	if q.body != nil {
		h.Header.Set("Content-Type", "application/json")
	}
	if c.o.UserAgent != "" {
		h.Header.Set("User-Agent", c.o.UserAgent)
	}
	// The transport, not a client: a redirect would take the token to wherever it points.
	answer, err := c.o.Transport.RoundTrip(h)
	if err != nil {
		return err
	}
	defer func() { answer.Body.Close() }()
	r.Status = answer.StatusCode
	rates(r, answer.Header)
	if q.file == "" && elsewhere(answer) {
		there, err := c.redirected(ctx, answer, r)
		if err != nil {
			return err
		}
		answer.Body.Close()
		answer = there
		r.Status = answer.StatusCode
	}
	r.ContentType, _, _ = mime.ParseMediaType(answer.Header.Get("Content-Type"))
	body := w.body(answer.Body)
	if q.file == "" && answer.StatusCode == http.StatusOK {
		return c.receiveFile(q, r, answer, body)
	}
	return c.receiveAnswer(q, r, body)
}

func (c *client) receiveAnswer(q request, r *Receipt, from io.Reader) error {
	body, err := io.ReadAll(io.LimitReader(from, maxAnswer+1))
	if err != nil {
		return fmt.Errorf("the answer broke off: %w", err)
	}
	if len(body) > maxAnswer {
		return fmt.Errorf("the answer is longer than %d bytes", maxAnswer)
	}
	return c.keep(q, r, body)
}

// keep judges an answer and puts it on disk: one that is used into its file, another into a file of rejected
// ones.
func (c *client) keep(q request, r *Receipt, body []byte) error {
	file := q.file
	if r.Status == http.StatusOK {
		if err := q.usable(body, r); err != nil {
			r.Rejected = err.Error()
		}
	}
	if r.Status != http.StatusOK || r.Rejected != "" || file == "" {
		file = "rejected"
	}
	if c.repeatsToken(body) { // as error pages of careless servers do: it must be nowhere
		if r.Rejected == "" && r.Status == http.StatusOK {
			r.Rejected = "the answer has the token in it"
		}
		file, body = "rejected", []byte("(an answer with the token in it is not kept)")
	}
	if err := c.journal.keep(r, file, body); err != nil {
		return &storeError{err}
	}
	return nil
}

// repeatsToken reports whether an answer holds what it was asked for with.
func (c *client) repeatsToken(body []byte) bool {
	return c.token.value != "" && bytes.Contains(body, []byte(c.token.value)) ||
		bytes.Contains(body, []byte(c.o.Credentials.ClientSecret)) && len(c.o.Credentials.ClientSecret) >= 8
}

var errNotJSON = errors.New("the answer is not JSON, but perhaps an error page")

// receiveFile writes a file's content beside where it will be, and gives it its name when it is whole and on
// disk.
func (c *client) receiveFile(q request, r *Receipt, answer *http.Response, body io.Reader) (err error) {
	if !q.mayBe(r.ContentType) {
		if strings.Contains(r.ContentType, "json") {
			return c.receiveEncoded(q, r, answer, body)
		}
		return errNotAFile
	}
	name := "files/" + q.id
	path := filepath.Join(c.journal.dir, name)
	f, err := os.OpenFile(path+".part", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return &storeError{err}
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(&storeWriter{f}, sum), body)
	if err != nil {
		return fmt.Errorf("the answer broke off: %w", err)
	}
	if answer.ContentLength >= 0 && n != answer.ContentLength {
		return fmt.Errorf("the answer has %d bytes of %d", n, answer.ContentLength)
	}
	if err := errors.Join(f.Sync(), os.Rename(path+".part", path),
		atomicfile.SyncDir(filepath.Dir(path))); err != nil {
		return &storeError{err}
	}
	r.File, r.Size, r.SHA256 = name, n, hex.EncodeToString(sum.Sum(nil))
	return nil
}

// mayBe reports whether an answer of that type can be the file's content: an error page comes as HTML, and
// with status 200.
func (q request) mayBe(contentType string) bool {
	end := strings.ToLower(filepath.Ext(q.name))
	switch {
	case contentType == "text/html":
		return end == ".html" || end == ".htm"
	case strings.Contains(contentType, "json"):
		return end == ".json"
	}
	return true
}

var errNotAFile = errors.New("the answer is not the content of a file")

// storeWriter marks errors of writing as those of the store, which io.Copy cannot tell from those of reading.
type storeWriter struct{ f *os.File }

func (w *storeWriter) Write(p []byte) (int, error) {
	n, err := w.f.Write(p)
	if err != nil {
		err = &storeError{err}
	}
	return n, err
}
