package takeover

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"holdall/archive"
	"holdall/eploy"
	"holdall/fetch"
	"holdall/schemas"
)

// apiSource is a source that was pulled through an API. Its records make tables; files have explicit IDs and
// say whose they are.
type apiSource struct {
	t      *takeover
	pulled *eploy.Pulled
	result *eploy.Result
}

func (s *apiSource) name() string { return eployName }

func (s *apiSource) schema() []schemas.Table { return schemas.Eploy() }

func (s *apiSource) plan() fetch.Progress { return fetch.Progress{} }

func (s *apiSource) parts() map[string]bool {
	return map[string]bool{"attachments": true,
		"cvs": true}
}

func (s *apiSource) tenant(context.Context) string { return s.t.Tenant }

func (s *apiSource) objects(context.Context) ([]ObjectRecord, error) { return []ObjectRecord{}, nil }

func (s *apiSource) describe(tenant string) archive.BagInfo {
	return archive.BagInfo{
		Organization: "Eploy, system " + tenant,
		Description: "Everything that one API key may read: answers as received, tables, files, " +
			"and the receipt of each answer",
	}
}

// counts: that a file's content is missing is a finding of the pull.
func (s *apiSource) counts(r *Result, _ []ObjectRecord) map[string]PartCount {
	r.setPull(s.result)
	return map[string]PartCount{
		"attachments": {Promised: r.Documents.Attachments + int64(s.result.Refused),
			Received: r.Documents.Attachments,
			Missing:  s.result.Refused},
		"cvs": {Promised: r.Documents.CVs, Received: r.Documents.CVs},
	}
}

func (s *apiSource) records([]ObjectRecord) []aboutFile {
	return []aboutFile{{name: "custody/receipts.jsonl", write: func(w io.Writer) error {
		f, err := os.Open(s.pulled.Receipts())
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = io.Copy(w, f)
		return err
	}}}
}

// leftovers keeps the answers as they were received.
func (s *apiSource) leftovers(context.Context) error {
	answers, err := s.pulled.Answers()
	if err != nil {
		return err
	}
	for _, path := range answers {
		if err := s.keepAnswers(path); err != nil {
			return err
		}
	}
	return s.pulled.Replaced(func(path string) error {
		_, err := s.t.keepFile("data/received/replaced/"+filepath.Base(path)+".zst", path)
		return err
	})
}

func (s *apiSource) keepAnswers(path string) error {
	name := "data/received/answers/" + filepath.Base(path)
	if _, ok := s.t.bag.HasZstd(name); ok {
		return nil
	}
	in, err := eploy.OpenAnswers(path)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := s.t.bag.CreateZstd(name)
	if err != nil {
		return err
	}
	defer out.Close()
	if _, err := io.Copy(out, in); err != nil {
		return fmt.Errorf("keep %s: %w", filepath.Base(path), err)
	}
	_, err = out.Commit()
	return err
}

// loadTables makes a file of records, one a line, and a table of each type: each record as the system had it
// last.
func (s *apiSource) loadTables(ctx context.Context) error {
	var lists []string
	for _, name := range s.pulled.Tables() {
		if strings.HasPrefix(name, optionsTable+"-") {
			lists = append(lists, name)
			continue
		}
		if err := s.loadTable(ctx, name, []string{name}); err != nil {
			return err
		}
	}
	return s.loadTable(ctx, optionsTable, lists)
}

func (s *apiSource) loadTable(ctx context.Context, table string, listings []string) error {
	t := s.t
	plain := filepath.Join(t.run.path("tmp"), table+ndjson)
	defer os.Remove(plain)
	n, err := s.writeLines(plain, listings)
	if err != nil || n == 0 {
		return err
	}
	report, err := t.db.LoadNDJSON(ctx, table+ndjson, plain)
	if err != nil {
		return err
	}
	record := TableRecord{TableReport: *report}
	if record.Received, err = t.keepFile("data/received/tables/"+table+ndjson+".zst", plain); err != nil {
		return err
	}
	parquet := "data/tables/" + safeName(report.Table) + "/part-00000.parquet"
	if record.Parquet, err = t.keepTable(report.Table, parquet); err != nil {
		return err
	}
	t.tables.add(record)
	return nil
}

// writeLines writes the records of some listings, one a line. A value of a list also says which one it is of.
func (s *apiSource) writeLines(to string, listings []string) (n int, err error) {
	f, err := os.Create(to)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	var line bytes.Buffer
	for _, name := range listings {
		err := s.pulled.Records(name, func(_ string, record json.RawMessage) error {
			n++
			line.Reset()
			if err := json.Compact(&line, record); err != nil {
				return err
			}
			b := line.Bytes()
			if list, ok := strings.CutPrefix(name, optionsTable+"-"); ok {
				b = append([]byte(`{"List":"`+list+`",`), b[1:]...)
			}
			_, err := f.Write(append(b, '\n'))
			return err
		})
		if err != nil {
			return n, fmt.Errorf("read the records of %s: %w", name, err)
		}
	}
	return n, nil
}

// pack brings the files into packs.
func (s *apiSource) pack(ctx context.Context) error {
	return s.pulled.Documents(func(d eploy.Document) error {
		part := "attachments"
		if d.CV {
			part = "cvs"
		}
		p, err := s.t.bag.Packer(part)
		if err != nil {
			return err
		}
		info, err := os.Stat(d.Path)
		if err != nil {
			return err
		}
		id := "file-" + strings.ToLower(d.ID)
		if !p.Has(id) {
			if err := d.Check(); err != nil {
				return err
			}
			if err := s.add(ctx, p, d, id, part); err != nil {
				return fmt.Errorf("store file %s: %w", d.ID, err)
			}
		}
		s.t.counts.add(part, info.Size())
		return nil
	})
}

func (s *apiSource) add(ctx context.Context, p *archive.Packer, d eploy.Document, id, part string) error {
	f, err := os.Open(d.Path)
	if err != nil {
		return err
	}
	defer f.Close()
	kind := recordKinds[d.OwnerType]
	if kind == "" && d.OwnerType != 0 {
		kind = fmt.Sprintf("TYPE-%d", d.OwnerType)
	}
	modified, _ := time.Parse("2006-01-02T15:04:05", strings.SplitN(d.Created, ".",
		2)[0]) // none, if it is not a date
	_, err = p.Add(ctx, archive.Document{ID: id, Part: part, OwnerType: kind, OwnerID: d.OwnerID,
		AttachmentID: d.ID, MatchedBy: "id",
		OriginalName: d.Name, ReceivedIn: "files/" + filepath.Base(d.Path), Modified: modified}, f)
	return err
}
