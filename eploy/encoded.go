package eploy

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"holdall/internal/atomicfile"
)

// encodedFile is of answers that had a file's content as base64 in JSON.
const encodedFile = "files-contents"

// receiveEncoded takes a file's content out of JSON. The answer is kept as it came too, with a receipt of its
// own.
func (c *client) receiveEncoded(q request, r *Receipt, answer *http.Response, from io.Reader) error {
	body, err := io.ReadAll(io.LimitReader(from, maxAnswer+1))
	if err != nil {
		return err
	}
	if len(body) > maxAnswer || answer.ContentLength >= 0 && int64(len(body)) != answer.ContentLength {
		return errors.New("the answer broke off, or is too long to be decoded")
	}
	content, err := decodeContent(body)
	if err != nil {
		return err
	}
	kept := *r
	kept.Step, kept.Time = q.step+"#json", time.Now().UTC()
	if err := errors.Join(c.journal.keep(&kept, encodedFile, body), c.journal.add(&kept)); err != nil {
		return &storeError{err}
	}
	name := "files/" + q.id
	if err := atomicfile.WriteFile(filepath.Join(c.journal.dir, name), content); err != nil {
		return &storeError{err}
	}
	sum := sha256.Sum256(content)
	r.File, r.Size, r.SHA256 = name, int64(len(content)), hex.EncodeToString(sum[:])
	return nil
}

// contentNames are the members that a file's content may be in, in lower case.
var contentNames = map[string]bool{"content": true, "contents": true, "filecontent": true,
	"filecontents": true, "data": true, "filedata": true, "base64": true, "bytes": true, "file": true}

// decodeContent finds the content: a text, or the one member of an object, on its own or in a member, that
// is named as content and is base64.
func decodeContent(body []byte) ([]byte, error) {
	var s string
	if json.Unmarshal(body, &s) == nil && s != "" {
		if b, err := base64.StdEncoding.DecodeString(s); err == nil {
			return b, nil
		}
	}
	var m map[string]json.RawMessage
	if json.Unmarshal(body, &m) != nil {
		return nil, errNotAFile
	}
	var found [][]byte
	for name, value := range m {
		if !contentNames[strings.ToLower(name)] {
			continue
		}
		if bytes.HasPrefix(value, []byte("{")) {
			if b, err := decodeContent(value); err == nil {
				found = append(found, b)
			}
			continue
		}
		if json.Unmarshal(value, &s) != nil || s == "" {
			continue
		}
		if b, err := base64.StdEncoding.DecodeString(s); err == nil {
			found = append(found, b)
		}
	}
	if len(found) != 1 {
		return nil, errNotAFile
	}
	return found[0], nil
}
