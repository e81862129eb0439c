package takeover

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdall/query"
)

// A delivery is an export in the form in which it is served: objects by name, and in which order a master CSV
// links to them. What is not set is the plain form of its part.
type delivery struct {
	data, attachments, cvs []object
	// what happens to an object's bytes on the way; may be nil
	damage func(name string) *flipper
	header map[string]string // of the answers of the attachments
	once   string            // of this object, each link works once
	breaks bool              // and the answer of every link but the first breaks off
}

type object struct {
	name    string
	content []byte
}

func letters() []handmadeFile {
	return []handmadeFile{
		{personA + "/terms.txt", strings.Repeat("the terms of Ada's contract\n", 40)},
		{personB + "/offer.txt", strings.Repeat("the offer made to Mary\n", 40)},
		{personB + "/notes.txt", noise(3000)},
	}
}

func lives() []handmadeFile {
	return []handmadeFile{
		{"CA-1 Ada Byron.txt", strings.Repeat("Ada's life\n", 100)}, {"CA-2 Mary Fairfax.txt", noise(2000)},
	}
}

// noise is text that hardly anything makes shorter.
func noise(n int) string {
	var b strings.Builder
	for x := uint32(n) | 1; b.Len() < n; {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		fmt.Fprintf(&b, "%08x ", x)
	}
	return b.String()
}

func tablesOf(t *testing.T) []handmadeFile {
	var rows strings.Builder
	rows.WriteString("attachment_id,record_id,record_type,file_name,file_path,file_size\n")
	for i, l := range letters() {
		owner, name := path.Split(l.name)
		fmt.Fprintf(
			&rows, "f-%d,%s,CANDIDATE,%s,%s,%d\n", i, strings.TrimSuffix(owner, "/"), name, l.name,
			len(l.content),
		)
	}
	return handmade{tables: map[string]string{"candidates": peopleCSV, "attachments": rows.String()}}.data(t)
}

// take serves the delivery, and takes it over into root until it is done.
func (d delivery) take(t *testing.T, root string) *Result {
	t.Helper()
	r, err := Take(t.Context(), MasterCSV{Raw: d.serve(t)}, options(t, root))
	if err != nil {
		t.Fatalf("take: %v", err)
	}
	return r
}

// handler serves objects as the delivery says.
func (d delivery) handler(objects map[string][]byte) http.HandlerFunc {
	var asked sync.Map // links that have worked
	return func(w http.ResponseWriter, r *http.Request) {
		name := strings.TrimPrefix(r.URL.Path, "/")
		content, ok := objects[name]
		if !ok {
			http.NotFound(w, r)
			return
		}
		if _, before := asked.LoadOrStore(r.URL.String(), true); before && name == d.once {
			http.Error(w, "used", http.StatusGone)
			return
		}
		w.Header().Set("Content-Type", "application/octet-stream") // so that the first bytes are read once
		w.Header().Set("ETag", fmt.Sprintf(`W/"%x"`, len(content)))
		if strings.HasPrefix(name, "a") {
			for k, v := range d.header {
				w.Header().Set(k, v)
			}
		}
		var body io.ReadSeeker = bytes.NewReader(content)
		if d.damage != nil {
			if f := d.damage(name); f != nil {
				if f.refuses(r) {
					http.Error(w, "busy", http.StatusServiceUnavailable)
					return
				}
				body = &flipped{ReadSeeker: body, flipper: f}
			}
		}
		if name == d.once && d.breaks && r.URL.RawQuery != "sig=hush" {
			w.Header().Set("Content-Length", fmt.Sprint(len(content)))
			io.CopyN(w, body, int64(len(content)/4))
			http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}
		http.ServeContent(w, r, "", time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), body)
	}
}

func (d delivery) serve(t *testing.T) (master []byte) {
	t.Helper()
	plain := func(given []object, name string, files []handmadeFile) []object {
		if given != nil {
			return given
		}
		return []object{{name, zipped(t, files)}}
	}
	objects := map[string][]byte{}
	s := httptest.NewServer(d.handler(objects))
	t.Cleanup(s.Close)
	raw := []byte("Type,Link\n")
	for _, part := range []struct {
		label   string
		objects []object
	}{
		{"Data files", plain(d.data, "data.zip", tablesOf(t))},
		{"Attachments", plain(d.attachments, "attachments.zip", letters())},
		{"Internal CVs", plain(d.cvs, "cvs.zip", lives())},
	} {
		for _, o := range part.objects {
			objects[o.name] = o.content
			raw = fmt.Appendf(raw, "%s,%s/%s?sig=hush\n", part.label, s.URL, o.name)
		}
	}
	return raw
}

// checkDelivered compares what came of an export with what it holds: the tables' rows, each document with its
// owner, and the codes of all warnings and errors.
func checkDelivered(t *testing.T, root string, r *Result, docs map[string]string, codes ...string) {
	t.Helper()
	if r.State != StateComplete {
		t.Errorf("state %s, want complete", r.State)
	}
	var found []string
	for _, f := range r.Findings {
		if f.Severity != query.SeverityInfo {
			found = append(found, string(f.Severity)+" "+string(f.Code))
		}
	}
	slices.Sort(found)
	if diff := cmp.Diff(codes, found); diff != "" {
		t.Errorf("warnings and errors (-want +got):\n%s%+v", diff, r.Findings)
	}
	if r.Tables["candidates"].Rows != 2 || r.Tables["attachments"].Rows != 3 || r.Tables["users"].Rows != 1 ||
		len(r.Tables) != 10 {
		t.Errorf("tables %+v; want ten, with 2 candidates, 3 attachments, 1 user", r.Tables)
	}
	got := map[string]string{}
	for at, k := range archivedDocuments(t, openBag(t, root, r.Export)) {
		got[at.name] = k.owner + " " + k.sum.String()
	}
	if diff := cmp.Diff(docs, got); diff != "" {
		t.Errorf("documents by name, with owner and digest (-want +got):\n%s", diff)
	}
	mustVerify(t, root, r)
}

// whole are the documents of a delivery of which nothing is lost.
func whole() map[string]string {
	docs := map[string]string{}
	for _, l := range letters() {
		owner, _ := path.Split(l.name)
		docs[l.name] = strings.TrimSuffix(owner, "/") + " " + digestOf(l.content)
	}
	for i, l := range lives() {
		docs[l.name] = []string{personA, personB}[i] + " " + digestOf(l.content)
	}
	return docs
}

// A flipper changes one byte of an object in the first answers that hold it, and refuses ranges while it is
// told to.
type flipper struct {
	mu     sync.Mutex
	at     int64
	times  int  // answers that are wrong; -1: all
	refuse bool // answer 503 to whoever asks for the byte again
	seen   int
}

func (f *flipper) refuses(r *http.Request) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.refuse && f.seen > 0
}

type flipped struct {
	io.ReadSeeker
	*flipper
}

func (f *flipped) Read(p []byte) (int, error) {
	from, _ := f.Seek(0, io.SeekCurrent)
	n, err := f.ReadSeeker.Read(p)
	if i := f.at - from; i >= 0 && i < int64(n) {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.seen++; f.times < 0 || f.seen <= f.times {
			p[i] ^= 0x41
		}
	}
	return n, err
}

func le16(b []byte, at int, v uint16) []byte {
	b = bytes.Clone(b)
	binary.LittleEndian.PutUint16(b[at:], v)
	return b
}

func le32(b []byte, at int, v uint32) []byte {
	b = bytes.Clone(b)
	binary.LittleEndian.PutUint32(b[at:], v)
	return b
}

func endOf(z []byte) int { return bytes.LastIndex(z, []byte("PK\x05\x06")) }

func directoryOf(z []byte) int { return int(binary.LittleEndian.Uint32(z[endOf(z)+16:])) }

// only replaces the one object of the attachments.
func only(name string, content []byte) delivery {
	return delivery{attachments: []object{{name, content}}}
}

func zippedString(t *testing.T, files []handmadeFile) string { return string(zipped(t, files)) }

func archivedRows(t *testing.T, root string, r *Result) []string {
	t.Helper()
	return ask(t, root, r, "select sha256 from documents")
}

// Offsets of names within their headers.
const localName, recordName = 30, 46
