package takeover

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"holdall/fetch/failure"
	"holdall/internal/containertest"
	"holdall/internal/testneed"
)

// tarred makes a tar of files.
func tarred(t *testing.T, files []handmadeFile) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		if err := w.WriteHeader(
			&tar.Header{Name: f.name, Mode: 0o644, Size: int64(len(f.content))},
		); err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, f.content)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// A damaged is an object of attachments and the byte of it that arrives changed.
type damaged struct {
	name    string
	content []byte
	at      int
}

func damagedObjects(t *testing.T) []damaged {
	z, tr := zipped(t, letters()), tarred(t, letters())
	gz, zs := containertest.Gzip(t, tr), containertest.Zstd(t, tr)
	second := bytes.Index(tr, []byte(letters()[1].name))
	return []damaged{
		{"the mark of an end record.zip", z, endOf(z)},
		{"a directory.zip", z, directoryOf(z) + 1},
		{"the directory's last record.zip", z, bytes.LastIndex(z, []byte("PK\x01\x02")) + 2},
		{"an entry's header.zip", z, 1},
		{"an entry's content.zip", z, 80},
		{"a header.tar", tr, second + 150},
		{"the mark of a stream.tar.gz", gz, 3 + len(gz)/2},
		{"the checksum of a stream.tar.gz", gz, len(gz) - 6},
		{"a stream.tar.zst", zs, len(zs) / 2},
	}
}

// Bytes that arrive changed once, wherever in a container they are, are fetched again, and nobody notices.
func TestDamageHealsWhereverItIs(t *testing.T) {
	for _, x := range damagedObjects(t) {
		t.Run(x.name, func(t *testing.T) {
			t.Parallel()
			d := only("a"+x.name[len(x.name)-4:], x.content)
			f := &flipper{at: int64(x.at), times: 1}
			d.damage = damageTo(d.attachments[0].name, f)
			root := t.TempDir()
			checkDelivered(t, root, d.take(t, root), whole())
			if f.seen < 2 {
				t.Errorf("the damaged byte was fetched %d times: nothing had to heal", f.seen)
			}
		})
	}
}

// That the server does not give the bytes again proves nothing: the takeover is not done, and goes on when it
// does.
func TestARefusedRefetchIsNotYet(t *testing.T) {
	for _, x := range damagedObjects(t)[2:4] {
		t.Run(x.name, func(t *testing.T) {
			t.Parallel()
			d := only("a.zip", x.content)
			f := &flipper{at: int64(x.at), times: -1, refuse: true}
			d.damage = damageTo("a.zip", f)
			root, raw := t.TempDir(), d.serve(t)
			o := options(t, root)
			o.Fetch.RetryBudget = 2 * time.Second
			_, err := Take(t.Context(), MasterCSV{Raw: raw}, o)
			var fe *failure.Error
			if !errors.As(err, &fe) || !fe.Retryable() {
				t.Fatalf("with a refused refetch: %v; want an error that may be tried again", err)
			}
			f.mu.Lock()
			f.refuse, f.times = false, 0
			f.mu.Unlock()
			r, err := Take(t.Context(), MasterCSV{Raw: raw}, options(t, root))
			if err != nil {
				t.Fatal(err)
			}
			checkDelivered(t, root, r, whole())
		})
	}
}

// What is damaged where it comes from is said to be, by an error or a warning; what can be read of it is
// taken, and the object is kept whole.
func TestDamageAtItsSourceIsToldAndKeptWhole(t *testing.T) {
	for _, x := range damagedObjects(t) {
		t.Run(x.name, func(t *testing.T) {
			t.Parallel()
			x.content = bytes.Clone(x.content)
			x.content[x.at] ^= 0x41
			d := only("a"+x.name[len(x.name)-4:], x.content)
			root := t.TempDir()
			r := d.take(t, root)
			if r.State != StateComplete || !r.Faulty() || r.Documents.CVs != 2 || len(r.Tables) != 10 {
				t.Errorf("%+v; want complete, with findings, and the other parts whole", r)
			}
			docs, damaged := whole(), 0
			for at, k := range archivedDocuments(t, openBag(t, root, r.Export)) {
				if want, ok := docs[at.name]; ok && want == k.owner+" "+k.sum.String() {
					delete(docs, at.name)
				} else {
					damaged++
				}
			}
			if len(docs) == len(whole()) {
				t.Error("not one document is whole")
			}
			bag := filepath.Join(
				root, "exports", r.Export, "data/received/containers", "02-"+d.attachments[0].name,
			)
			kept, err := os.ReadFile(bag)
			if len(docs) > 0 && damaged < len(docs) && (err != nil || !bytes.Equal(kept, x.content)) {
				t.Errorf(
					"%d documents are not whole, %d are damaged, and the object is not kept (%v): %+v",
					len(docs), damaged, err, r.Findings,
				)
			}
			mustVerify(t, root, r)
		})
	}
}

func damageTo(name string, f *flipper) func(string) *flipper {
	return func(asked string) *flipper {
		if asked == name {
			return f
		}
		return nil
	}
}

type wrappingCase struct {
	name string
	d    delivery
	want []string
}

func wrappingCases(t *testing.T, links []object) []wrappingCase {
	tr := tarred(t, letters())
	unclosed := tr[:len(tr)-1024]
	gz := func(b []byte) []byte { return containertest.Gzip(t, b) }
	zs := func(b []byte) []byte { return containertest.Zstd(t, b) }
	bzip2Of := func(b []byte) []byte {
		cmd := exec.Command("bzip2", "-c")
		cmd.Stdin = bytes.NewReader(b)
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	compressed := func(suffix string, with func([]byte) []byte) delivery {
		files := tablesOf(t)
		for i := range files {
			files[i] = handmadeFile{files[i].name + suffix, string(with([]byte(files[i].content)))}
		}
		return delivery{data: []object{{"data.zip", zipped(t, files)}}}
	}
	zeros := make([]byte, 4096)
	return []wrappingCase{
		{"zeros behind a tar.gz", only("a.tar.gz", append(containertest.Gzip(t, tr), zeros...)), nil},
		{"zeros behind a tar.zst", only("a.tar.zst", append(containertest.Zstd(t, tr), zeros...)), nil},
		{
			"a page behind a " +
				"tar.gz", only("a.tar.gz", append(containertest.Gzip(t, tr), "<html>error</html>"...)),
			[]string{"warning bytes-unaccounted"},
		},
		{
			"gzip in two members with zeros between",
			only("a.tar.gz", append(append(gz(tr[:3000]), zeros...), gz(tr[3000:])...)), nil,
		},
		{"a tar without its end", only("a.tar", unclosed), []string{"warning container-contradictory"}},
		{
			"a tar.gz without its end", only("a.tar.gz", containertest.Gzip(t, unclosed)),
			[]string{"warning container-contradictory"},
		},
		{
			"two tars, one behind the other",
			only("a.tar", append(tarred(t, letters()[:1]), tarred(t, letters()[1:])...)),
			[]string{"warning container-contradictory"},
		},
		{"a ZIP in gzip", only("a.zip.gz", containertest.Gzip(t, zipped(t, letters()))), nil},
		{"gzipped tables", compressed(".gz", gz), nil},
		{"tables in zstd", compressed(".zst", zs), nil},
		{"tables in bzip2", compressed(".bz2", bzip2Of), nil},
		{
			"tables each in a ZIP",
			compressed(
				".zip", func(b []byte) []byte { return zipped(t, []handmadeFile{{"Sheet.csv", string(b)}}) },
			),
			nil,
		},
		{"a compressed table for each link", delivery{data: links}, nil},
	}
}

// Tars and tables in all their wrappings come out whole.
func TestWrappingsAsTheWorldMakesThem(t *testing.T) {
	testneed.Command(t, "bzip2", "Debian bzip2")
	var links []object
	for i, f := range tablesOf(t) {
		if i%2 == 0 {
			links = append(links, object{f.name + ".gz", containertest.Gzip(t, []byte(f.content))})
		} else {
			links = append(links, object{f.name + ".zst", containertest.Zstd(t, []byte(f.content))})
		}
	}
	for _, test := range wrappingCases(t, links) {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			checkDelivered(t, root, test.d.take(t, root), whole(), test.want...)
		})
	}
}
