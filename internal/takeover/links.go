package takeover

import (
	"context"
	"io"

	"holdall/archive"
	"holdall/fetch"
	"holdall/fetch/link"
	"holdall/query"
)

// linkSource is the source that a master CSV leads to: containers behind links that expire.
type linkSource struct{ t *takeover }

func (s linkSource) name() string         { return Source }
func (s linkSource) plan() fetch.Progress { return s.t.fetching.Progress() }

func (s linkSource) parts() map[string]bool {
	parts := map[string]bool{}
	for _, x := range s.t.plan.Sources {
		if x.Part == link.PartAttachments || x.Part == link.PartCVs {
			parts[string(x.Part)] = true
		}
	}
	return parts
}

func (s linkSource) tenant(ctx context.Context) string {
	if name, err := s.t.db.Tenant(ctx); err == nil && name != "" {
		return name
	}
	return "export"
}

func (s linkSource) describe(tenant string) archive.BagInfo {
	return archive.BagInfo{
		Organization: "Recruitly full data export, account " + tenant,
		Description: "Full data export as received: ten tables, attachments, internal CVs, " +
			"and the record of their receipt",
	}
}

func (s linkSource) leftovers(ctx context.Context) error                 { return s.t.keepContainers(ctx) }
func (s linkSource) objects(ctx context.Context) ([]ObjectRecord, error) { return s.t.objects(ctx) }

func (s linkSource) counts(r *Result, objects []ObjectRecord) map[string]PartCount {
	parts := map[string]PartCount{}
	for _, o := range objects {
		switch o.Part {
		case "attachments":
			parts[o.Part] = PartCount{Promised: r.Tables["attachments"].Rows,
				Received: r.Documents.Attachments,
				Missing:  count(r, query.AttachmentMissing), Extra: count(r, query.FileUnlisted),
				Duplicate: count(r, query.DuplicateContent)}
		case "cvs":
			missing := count(r, query.CVMissing)
			parts[o.Part] = PartCount{Promised: r.Documents.CVs + int64(missing), Received: r.Documents.CVs,
				Missing: missing}
		}
	}
	return parts
}

func (s linkSource) records(objects []ObjectRecord) []aboutFile {
	t := s.t
	return []aboutFile{
		{name: "data/received/master.csv", write: func(w io.Writer) error {
			_,
				err := w.Write(t.master.Redacted())
			return err
		}},
		{name: refusedList, write: t.writeRefused, drop: t.dropLists(t.refusedPath)},
		{name: "custody/receipts.jsonl", write: t.writeReceipts},
		{name: "custody/containers.jsonl", drop: t.dropLists(t.entryLists.path),
			write: func(w io.Writer) error { return t.writeContainers(w, objects) }},
	}
}
