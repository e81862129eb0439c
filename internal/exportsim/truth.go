package exportsim

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"time"

	"holdall/internal/atomicfile"
	"holdall/internal/digest"
)

// Truth is what was made and what was spoilt. It does not grow with the number of people; documents are read
// one by one with Export.Documents.
type Truth struct {
	Tenant   string    `json:"tenant"` // the four letters that all ids begin with
	Agency   string    `json:"agency"`
	Snapshot time.Time `json:"snapshot"`

	// what the links serve; a listing's single files are not among them
	Objects   []Object         `json:"objects"`
	Tables    []TableTruth     `json:"tables"`    // in the order of the files' names
	Documents map[string]Count `json:"documents"` // by part: attachments, cvs
	Mistakes  []Mistake        `json:"mistakes,omitempty"`
}

// An Object is one file of the export, as one link serves it.
type Object struct {
	Name   string     `json:"name"` // attachments-2.zip
	Part   string     `json:"part"` // data, attachments, cvs
	Size   int64      `json:"size"`
	SHA256 digest.Sum `json:"sha256"`
}

// TableTruth is one CSV of the export.
type TableTruth struct {
	File   string     `json:"file"` // Candidates.csv
	Rows   int        `json:"rows"` // records, without the heading; spoilt ones count
	Size   int64      `json:"size"`
	SHA256 digest.Sum `json:"sha256"`
}

// Count is how many documents there are, and their bytes.
type Count struct {
	Documents int   `json:"documents"`
	Bytes     int64 `json:"bytes"`
}

// A Document is one file of the attachments or the CVs, in the order in which its container holds it.
type Document struct {
	Part string `json:"part"` // attachments, cvs
	// the object that holds it, or "" in a listing, where it is served alone
	Object       string     `json:"object"`
	Entry        string     `json:"entry"`                   // its name in the container or listing
	Size         int64      `json:"size"`                    // of its content
	SHA256       digest.Sum `json:"sha256"`                  // of its content, as it was before any damage
	MediaType    string     `json:"media_type"`              // of its content
	OwnerType    string     `json:"owner_type"`              // CANDIDATE, COMPANY, …
	OwnerID      string     `json:"owner_id"`                // of the record it belongs to
	AttachmentID string     `json:"attachment_id,omitempty"` // of its row in Attachments.csv
	// the Kind of what was spoilt about it; "like-" and a Kind for the other one of a pair
	Mistake string `json:"mistake,omitempty"`
}

// A Mistake is one thing that was spoilt on purpose.
type Mistake struct {
	Kind string `json:"kind"` // what was done: see the constants
	// the finding it should lead to; "" if it should lead to none
	Code     string `json:"code,omitempty"`
	Table    string `json:"table,omitempty"`     // attachments
	RecordID string `json:"record_id,omitempty"` // the key of the spoilt row
	File     string `json:"file,omitempty"`      // the name of the spoilt or missing file
	Detail   string `json:"detail,omitempty"`
}

const (
	truthFile     = "truth.json"      // written last: an export without it is not finished
	documentsFile = "documents.jsonl" // one Document a line
)

// Truth returns what was made and what was spoilt.
func (e *Export) Truth() Truth { return e.truth }

// Documents yields every document of the export: attachments first, then CVs. It ends after the first error.
func (e *Export) Documents() iter.Seq2[Document, error] {
	return func(yield func(Document, error) bool) {
		f, err := os.Open(filepath.Join(e.dir, documentsFile))
		if err != nil {
			yield(Document{}, err)
			return
		}
		defer f.Close()
		dec := json.NewDecoder(bufio.NewReaderSize(f, 1<<16))
		for {
			var d Document
			err := dec.Decode(&d)
			if errors.Is(err, io.EOF) || !yield(d, err) || err != nil {
				return
			}
		}
	}
}

// WriteTruth writes the Truth and all documents as one JSON object.
func (e *Export) WriteTruth(w io.Writer) error {
	head, err := json.MarshalIndent(e.truth, "", " ")
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(w, 1<<16)
	fmt.Fprintf(out, "%s,\n \"files\": [", head[:len(head)-2])
	separator := "\n"
	for d, err := range e.Documents() {
		if err != nil {
			return fmt.Errorf("read documents of sample export: %w", err)
		}
		line, err := json.Marshal(d)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%s  %s", separator, line)
		separator = ",\n"
	}
	fmt.Fprintf(out, "\n ]\n}\n")
	return out.Flush()
}

func loadTruth(dir string) (Truth, error) {
	var t Truth
	b, err := os.ReadFile(filepath.Join(dir, truthFile))
	if err != nil {
		return t, err
	}
	if err := json.Unmarshal(b, &t); err != nil {
		return t, err
	}
	for _, o := range t.Objects {
		info, err := os.Stat(filepath.Join(dir, o.Name))
		if err != nil {
			return t, err
		}
		if info.Size() != o.Size {
			return t, fmt.Errorf("%s has %d bytes instead of %d", o.Name, info.Size(), o.Size)
		}
	}
	return t, nil
}

func saveTruth(dir string, t Truth) error {
	b, err := json.MarshalIndent(t, "", " ")
	if err != nil {
		return err
	}
	return atomicfile.WriteFile(filepath.Join(dir, truthFile), b)
}
