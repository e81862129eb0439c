package archive_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"holdall/archive"
	"holdall/archive/storetest"
	"holdall/internal/digest"
)

func TestTheBagIsAFileSystem(t *testing.T) {
	for name, s := range stores(t) {
		t.Run(name, func(t *testing.T) {
			bag := committed(t, s)
			if err := fstest.TestFS(bag.FS(context.Background()), "bagit.txt", "bag-info.txt",
				"manifest-sha256.txt", "tagmanifest-sha256.txt",
				"README.txt", "datapackage.json", "custody/files.csv",
				"data/documents/attachments-00001.zip"); err != nil {
				t.Error(err)
			}
			b, err := fs.ReadFile(bag.FS(context.Background()), "bagit.txt")
			if err != nil || string(b) != "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n" {
				t.Errorf("bagit.txt: %q, %v", b, err)
			}
		})
	}
}

func TestFilesAreAllThatLiesInTheBag(t *testing.T) {
	s := &storetest.Memory{}
	bag := committed(t, s)
	got := map[string]digest.Sum{}
	for info, err := range bag.Files(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
		got[info.Name] = info.SHA256
	}
	want := map[string]digest.Sum{}
	for name, content := range s.Objects() {
		if rest, ok := strings.CutPrefix(name, bagPrefix); ok {
			want[rest] = digest.Of(content)
		}
	}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("files (-got +want):\n%s", diff)
	}
}

func TestEveryReaderIsAReader(t *testing.T) {
	ctx := context.Background()
	bag := committed(t, &storetest.Memory{})
	want := map[string][]byte{}
	for _, part := range samples() {
		for _, s := range part {
			want[s.ID] = s.content
		}
	}
	for _, r := range rowsOf(t, bag) {
		rc, err := bag.OpenDocument(ctx, r)
		if err != nil {
			t.Fatal(err)
		}
		if err := iotest.TestReader(rc, want[r.ID]); err != nil {
			t.Errorf("document %s: %v", r.ID, err)
		}
		rc.Close()
	}
	rc, err := bag.OpenZstd(
		ctx, "data/received/tables/Candidates.csv.zst", int64(len(tableCSV)), digest.Of([]byte(tableCSV)),
	)
	if err != nil {
		t.Fatal(err)
	}
	defer rc.Close()
	if err := iotest.TestReader(rc, []byte(tableCSV)); err != nil {
		t.Error(err)
	}
}

func readDocument(bag *archive.Bag, r archive.Row) error {
	rc, err := bag.OpenDocument(context.Background(), r)
	if err != nil {
		return err
	}
	defer rc.Close()
	_, err = io.Copy(io.Discard, rc)
	return err
}

func TestADocumentIsReadOnlyAsItsRowSays(t *testing.T) {
	bag := committed(t, &storetest.Memory{})
	rows := rowsOf(t, bag)
	wrongCRC := rows[0]
	wrongCRC.CRC32++
	if err := readDocument(bag, wrongCRC); err == nil {
		t.Error("a document whose row has another CRC-32 was read")
	}
	outside := rows[0]
	outside.Pack = "../../ledger/00000001-taken.json"
	if err := readDocument(bag, outside); err == nil {
		t.Error("a row led outside of the bag")
	}
}

// Whatever was changed cannot be read to its end without an error.
func TestReadingToTheEndVerifies(t *testing.T) {
	ctx := context.Background()
	s := &storetest.Memory{}
	bag := committed(t, s)
	rows := rowsOf(t, bag)
	objects := s.Objects()
	readDoc := func(r archive.Row) func() error {
		return func() error { return readDocument(bag, r) }
	}
	for _, tc := range []struct {
		name, object string
		pos          int64
		read         func() error
	}{
		{"a stored document", rows[0].Pack, rows[0].Offset + 9, readDoc(rows[0])},
		{"a deflated document", rows[1].Pack, rows[1].Offset + 9, readDoc(rows[1])},
		{"a file", "data/received/master.csv", 3, func() error {
			_, err := fs.ReadFile(bag.FS(ctx), "data/received/master.csv")
			return err
		}},
		{"the index", "data/documents/index.csv.zst", 40, func() error {
			for _, err := range bag.Rows(ctx) {
				if err != nil {
					return err
				}
			}
			return nil
		}},
		{"a compressed table", "data/received/tables/Candidates.csv.zst", 20, func() error {
			rc, err := bag.OpenZstd(
				ctx, "data/received/tables/Candidates.csv.zst", int64(len(tableCSV)),
				digest.Of([]byte(tableCSV)),
			)
			if err != nil {
				return err
			}
			defer rc.Close()
			_, err = io.Copy(io.Discard, rc)
			return err
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if err := tc.read(); err != nil {
				t.Fatalf("before the damage: %v", err)
			}
			bad := bytes.Clone(objects[bagPrefix+tc.object])
			bad[tc.pos] ^= 1
			s.Replace(bagPrefix+tc.object, bad)
			defer s.Replace(bagPrefix+tc.object, objects[bagPrefix+tc.object])
			if err := tc.read(); err == nil {
				t.Error("what was changed was read without an error")
			}
			s.Replace(bagPrefix+tc.object, bad[:tc.pos])
			if err := tc.read(); err == nil {
				t.Error("what was cut short was read without an error")
			}
		})
	}
}

func TestOpenFindsTheNewestCompleteExport(t *testing.T) {
	ctx := context.Background()
	s := &storetest.Memory{}
	if _, err := archive.Open(ctx, s, ""); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("open in an empty root: %v, want fs.ErrNotExist", err)
	}
	ids := []string{
		"recruitly-z-20240101T000000Z-aaaa", "recruitly-b-20250101T000000Z-aaaa",
		"recruitly-a-20260101T000000Z-aaaa",
	}
	for _, id := range ids {
		b := reopen(t, t.TempDir())
		info := testInfo
		info.ID = id
		if err := b.Seal(ctx, info); err != nil {
			t.Fatal(err)
		}
		if err := b.Commit(ctx, s); err != nil {
			t.Fatal(err)
		}
		b.Close()
	}
	got, err := archive.IDs(ctx, s)
	if err != nil || !slices.Equal(got, ids) {
		t.Errorf("IDs: %v, %v; want %v", got, err, ids)
	}
	s.Replace("exports/"+ids[2]+"/bagit.txt", nil)
	bag, err := archive.Open(ctx, s, "")
	if err != nil || bag.ID() != ids[1] {
		t.Errorf("open: %v, want %s", err, ids[1])
	}
	if _, err := archive.Open(ctx, s, ids[2]); !errors.Is(err, archive.ErrIncomplete) {
		t.Errorf("open a bag without bagit.txt: %v, want ErrIncomplete", err)
	}
	for _, id := range []string{"recruitly-c-20260101T000000Z-aaaa", "../x", "README.txt"} {
		if _, err := archive.Open(ctx, s, id); !errors.Is(err, fs.ErrNotExist) ||
			errors.Is(err, archive.ErrIncomplete) {
			t.Errorf("open %s: %v, want fs.ErrNotExist", id, err)
		}
	}
}

func TestBagInfoSaysWhatItHolds(t *testing.T) {
	info := committed(t, &storetest.Memory{}).Info()
	for label, want := range map[string]string{
		"External-Identifier": testID, "Source-Organization": "Example platform, account acme",
		"Bag-Software-Agent":   "holdall v0.0.0-test",
		"External-Description": "invented people", "Holdall-Format": archive.FormatVersion,
		"Holdall-Started": "2026-11-22T01:33:00Z", "Holdall-Documents": "11",
	} {
		if got := strings.Join(info[label], "|"); got != want {
			t.Errorf("%s is %q, want %q", label, got, want)
		}
	}
	if len(info["Payload-Oxum"]) != 1 || len(info["Bagging-Date"]) != 1 {
		t.Errorf("labels %v", slices.Sorted(maps.Keys(info)))
	}
}
