package takeover

import (
	"io"
	"net"
	"testing"

	"github.com/google/go-cmp/cmp"

	"holdall/archive"
	"holdall/archive/dirstore"
	"holdall/fetch"
	"holdall/internal/digest"
	"holdall/internal/exportsim"
)

// platform serves a made-up export until the test ends.
func platform(t *testing.T, c exportsim.Config) (*exportsim.Export, *exportsim.Server) {
	t.Helper()
	x, err := exportsim.Prepare(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	s := serve(t, x)
	t.Cleanup(func() {
		if err := x.Close(); err != nil {
			t.Error(err)
		}
	})
	return x, s
}

func serve(t *testing.T, x *exportsim.Export) *exportsim.Server {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s, err := x.Serve(ln)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func options(t *testing.T, root string) Options {
	return Options{Root: root, Software: "holdall test", Fetch: fetch.Options{AllowPrivate: true},
		Talk: func(format string, args ...any) { t.Logf(format, args...) }}
}

func take(t *testing.T, s *exportsim.Server, o Options) *Result {
	t.Helper()
	r, err := Take(t.Context(), MasterCSV{Raw: s.MasterCSV()}, o)
	if err != nil {
		t.Fatalf("take: %v", err)
	}
	return r
}

func openBag(t *testing.T, root, id string) *archive.Bag {
	t.Helper()
	store, err := dirstore.Open(root, false)
	if err != nil {
		t.Fatal(err)
	}
	bag, err := archive.Open(t.Context(), store, id)
	if err != nil {
		t.Fatal(err)
	}
	return bag
}

// A place is where a document was received.
type place struct{ part, name string }

// A kept is what must come out again of what was received at a place.
type kept struct {
	sum                            digest.Sum
	ownerType, owner, attachmentID string
}

func served(t *testing.T, x *exportsim.Export) map[place]kept {
	t.Helper()
	docs := map[place]kept{}
	for d, err := range x.Documents() {
		if err != nil {
			t.Fatal(err)
		}
		docs[place{d.Part, d.Entry}] = kept{d.SHA256, d.OwnerType, d.OwnerID, d.AttachmentID}
	}
	return docs
}

// archivedDocuments reads every document out of its pack again and hashes it.
func archivedDocuments(t *testing.T, bag *archive.Bag) map[place]kept {
	t.Helper()
	docs := map[place]kept{}
	for row, err := range bag.Rows(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		r, err := bag.OpenDocument(t.Context(), row)
		if err != nil {
			t.Fatalf("open %s: %v", row.ID, err)
		}
		w := digest.NewWriter()
		if _, err := io.Copy(w, r); err != nil {
			t.Fatalf("read %s: %v", row.ID, err)
		}
		r.Close()
		docs[place{row.Part, row.OriginalName}] = kept{w.Sum(), row.OwnerType, row.OwnerID, row.AttachmentID}
	}
	return docs
}

// checkWhole compares everything in an archive with what was served.
func checkWhole(t *testing.T, x *exportsim.Export, root string, r *Result) {
	t.Helper()
	bag := openBag(t, root, r.Export)
	if diff := cmp.Diff(
		archivedDocuments(t, bag), served(t, x), cmp.AllowUnexported(place{}, kept{}),
	); diff != "" {
		t.Errorf("documents: archived -, served +:\n%.3000s", diff)
	}
	s, err := ReadStatus(t.Context(), bag)
	if err != nil {
		t.Fatal(err)
	}
	tables := map[string]exportsim.TableTruth{}
	for _, tr := range s.Records {
		tables[tr.File] = exportsim.TableTruth{
			File: tr.File, Rows: int(tr.Rows), Size: tr.Received.ContentBytes,
			SHA256: tr.Received.ContentSHA256,
		}
	}
	want := map[string]exportsim.TableTruth{}
	for _, tt := range x.Truth().Tables {
		want[tt.File] = tt
	}
	if diff := cmp.Diff(tables, want); diff != "" {
		t.Errorf("tables: archived -, served +:\n%s", diff)
	}
	report, err := Verify(t.Context(), bag, archive.Deep, t.TempDir(), archive.VerifyOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if !report.Valid {
		t.Errorf("verify finds faults in a fresh archive: %+v", report.Faults)
	}
}
