package takeover

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"holdall/internal/containertest"
	"holdall/query"
)

// An object that its server's own checksum speaks against, twice the same, is kept whole and reported; it
// keeps nothing else from being archived, and what can be read of it is taken.
func TestAnObjectDamagedAtItsSourceStopsNothing(t *testing.T) {
	tr := tarred(t, letters())
	coded := containertest.Gzip(t, tr)
	coded[len(coded)-6] ^= 0x41
	for _, c := range []struct {
		name, file string
		content    []byte
		header     map[string]string
	}{
		{
			"a digest that never fits", "a.tar", tr,
			map[string]string{"X-Goog-Hash": "md5=AAAAAAAAAAAAAAAAAAAAAA=="},
		},
		{"a damaged content encoding", "a.tar", coded, map[string]string{"Content-Encoding": "gzip"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := only(c.file, c.content)
			d.header = c.header
			root := t.TempDir()
			r := d.take(t, root)
			told := slices.ContainsFunc(r.Findings, func(f FindingCount) bool {
				return f.Code == query.DamagedInSource && f.Severity == query.SeverityError
			})
			if r.State != StateComplete || !told || r.Documents.CVs != 2 || len(r.Tables) != 10 {
				t.Errorf("%+v; want complete, the damage told, and the other parts whole", r)
			}
			if r.Documents.Attachments != int64(len(letters())) {
				t.Errorf("%d letters, want all %d: they can be read", r.Documents.Attachments, len(letters()))
			}
			kept, err := os.ReadFile(filepath.Join(
				root, "exports", r.Export, "data/received/containers", "02-"+c.file,
			))
			if err != nil || !bytes.Equal(kept, c.content) {
				t.Errorf("what came is not kept whole: %d bytes, %v", len(kept), err)
			}
			mustVerify(t, root, r)
		})
	}
}
