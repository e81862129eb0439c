package takeover

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"holdall/archive"
	"holdall/internal/digest"
)

// Two data objects have a file of the same name, and which of them is unpacked first differs from one process
// to the next: what an earlier process kept under a name may be the other file's.
func TestFilesOfOneNameAreNotSwappedByAResumedRun(t *testing.T) {
	t.Parallel()
	const heads = "User Id,Full Name,Email\n"
	quickUsers, slowUsers := heads+"u-1,Grace Hopper,grace@agency.example\n",
		heads+"u-2,Joan Clarke,joan@agency.example\nu-3,Ida Rhodes,ida@agency.example\n"
	var slow strings.Builder // is loaded before the users of its ZIP
	slow.WriteString("Attachment Id,Record Id,Record Type,File Name\n")
	for i := range 100_000 {
		fmt.Fprintf(&slow, "a-%06d,abcd%028d,CANDIDATE,offer %d.pdf\n", i, i, i)
	}
	filler := make([]byte, 3<<20) // more than a probe looks at
	rand.NewChaCha8([32]byte{}).Read(filler)
	site := newSite(t, map[string]string{
		"/quick.zip": zipOf(t, "filler.bin", string(filler), "Users.csv", quickUsers),
		"/slow.zip":  zipOf(t, "Attachments.csv", slow.String(), "Users.csv", slowUsers),
	})
	first := site.objects["/quick.zip"]
	first.odd = func(n int, w http.ResponseWriter, r *http.Request) bool {
		if n > 1 {
			http.Error(w, "gone", http.StatusGone)
			return true
		}
		w.Header().Set("ETag", fmt.Sprintf(`"%08x-%d"`, sumOf(first.body), len(first.body)))
		w.Header().Set("Content-Length", strconv.Itoa(len(first.body)))
		if _, err := w.Write(first.body[:1<<20]); err == nil {
			panic(http.ErrAbortHandler)
		}
		return true
	}
	master := MasterCSV{Raw: fmt.Appendf(nil, "Part,Link\r\nData files,%[1]s/slow.zip?sig=s3cret\r\n"+
		"Data files,%[1]s/quick.zip?sig=s3cret\r\n", site.URL)}
	root := t.TempDir()
	r, err := Take(t.Context(), master, quick(t, root))
	if err == nil || r == nil || r.State == StateComplete {
		t.Fatalf("%+v, %v; want that a link has died", r, err)
	}
	site.mu.Lock()
	first.odd = nil
	site.mu.Unlock()
	r = mustTake(t, master, quick(t, root))
	bag := openBag(t, root, r.Export)
	status, err := ReadStatus(t.Context(), bag)
	if err != nil {
		t.Fatal(err)
	}
	var kept []digest.Sum
	for _, rec := range status.Records {
		kept = append(kept, rec.Received.ContentSHA256)
	}
	for _, content := range []string{quickUsers, slowUsers} {
		if !slices.Contains(kept, digest.Of([]byte(content))) {
			t.Errorf("not kept: %q", content)
		}
	}
	deep, err := Verify(t.Context(), bag, archive.Deep, t.TempDir(), archive.VerifyOptions{})
	if err != nil || !deep.Valid {
		t.Errorf("verified deeply: %+v, %v", deep, err)
	}
}
