package takeover

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"holdall/archive"
	"holdall/internal/digest"
	"holdall/internal/exportsim"
)

// forge replaces a file of a bag in a directory, and makes everything in the bag that speaks of it agree:
// what a change would look like that was made before the bag was sealed.
func forge(t *testing.T, bag, name string, content []byte) {
	t.Helper()
	write := func(name string, content []byte) {
		path := filepath.Join(bag, name)
		os.Chmod(path, 0o600)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	read := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join(bag, name))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	sign := func(manifest, name string, content []byte) {
		line := regexp.MustCompile(`(?m)^[0-9a-f]{64}  ` + regexp.QuoteMeta(name) + `$`)
		write(manifest, line.ReplaceAll(read(manifest), fmt.Appendf(nil, "%s  %s", digest.Of(content), name)))
	}
	write(name, content)
	if strings.HasPrefix(name, "data/") {
		sign("manifest-sha256.txt", name, content)
		sign("tagmanifest-sha256.txt", "manifest-sha256.txt", read("manifest-sha256.txt"))
		info := regexp.MustCompile(`(?m)^Payload-Oxum: .*$`).ReplaceAll(
			read("bag-info.txt"), []byte("Payload-Oxum: "+oxum(t, bag)),
		)
		write("bag-info.txt", info)
		sign("tagmanifest-sha256.txt", "bag-info.txt", info)
	} else {
		sign("tagmanifest-sha256.txt", name, content)
	}
	line := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name) + `,[0-9]+,[0-9a-f]{64},`)
	list := line.ReplaceAll(
		read("custody/files.csv"), fmt.Appendf(nil, "%s,%d,%s,", name, len(content), digest.Of(content)),
	)
	write("custody/files.csv", list)
	sign("tagmanifest-sha256.txt", "custody/files.csv", list)
}

// oxum counts the payload as RFC 8493 has it: bytes and files.
func oxum(t *testing.T, bag string) string {
	t.Helper()
	var size, files int64
	err := filepath.WalkDir(filepath.Join(bag, "data"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		size, files = size+info.Size(), files+1
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%d.%d", size, files)
}

type forgeryCase struct {
	name, file string
	content    []byte
	want       []string // codes and paths
	detail     string
}

func forgeryCases(
	r *Result, record []byte, c completeness, at int, untrue []byte, jobs, others []byte,
) []forgeryCase {
	usersParquet := c.Records[at].Parquet.Path
	users := r.Tables["users"].Rows
	return []forgeryCase{
		{"nothing was changed", completenessFile, record, nil, ""},
		{"the record has a row too many, and another finding", completenessFile, untrue,
			[]string{"rows-mismatch " + c.Records[at].Received.Path, "rows-mismatch " + usersParquet,
				"findings-mismatch " + completenessFile, "findings-mismatch " + completenessFile},
			fmt.Sprintf("has %d rows, the record says %d", users, users+1)},
		{
			"the Parquet is another table's", usersParquet, jobs, []string{"rows-mismatch " + usersParquet},
			"the Parquet file has",
		},
		{
			"the Parquet is that of another export", candidatesParquet, others,
			[]string{"cells-mismatch " + candidatesParquet}, "cells are not the CSV's, the first in row 1",
		},
		{
			"the Parquet is none", usersParquet, []byte("PAR1 and no more"),
			[]string{"parquet-unreadable " + usersParquet}, "",
		},
		{
			"the record is none", completenessFile, []byte("{"),
			[]string{"tables-unreadable " + completenessFile}, "",
		},
	}
}

const candidatesParquet = "data/tables/candidates/part-00000.parquet"

func parquetOf(c completeness, table string) string {
	i := slices.IndexFunc(c.Records, func(t TableRecord) bool { return t.Table == table })
	return c.Records[i].Parquet.Path
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// At level deep the record and the Parquet are compared with what the received CSVs make: a bag may be whole,
// and its record not true.
func TestDeepVerificationComparesTheTables(t *testing.T) {
	_, s := platform(t, exportsim.Config{Seed: 21, People: 10, Mistakes: true})
	root := t.TempDir()
	r := take(t, s, options(t, root))
	bag := filepath.Join(root, "exports", r.Export)
	if err := os.RemoveAll(filepath.Join(root, "ledger")); err != nil {
		t.Fatal(err)
	}
	record, err := os.ReadFile(filepath.Join(bag, completenessFile))
	if err != nil {
		t.Fatal(err)
	}
	var c completeness
	if err := json.Unmarshal(record, &c); err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(c.Records, func(t TableRecord) bool { return t.Table == "users" })
	c.Records[at].Rows++
	c.Findings[0].Code = "nothing-of-the-kind"
	untrue, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	usersParquet := c.Records[at].Parquet.Path
	jobs := readFile(t, filepath.Join(bag, parquetOf(c, "jobs")))
	was := readFile(t, filepath.Join(bag, usersParquet))
	wasCandidates := readFile(t, filepath.Join(bag, candidatesParquet))
	_, other := platform(t, exportsim.Config{Seed: 22, People: 10})
	otherRoot := t.TempDir()
	others := readFile(t, filepath.Join(
		otherRoot, "exports", take(t, other, options(t, otherRoot)).Export, candidatesParquet))
	for _, tc := range forgeryCases(r, record, c, at, untrue, jobs, others) {
		forge(t, bag, tc.file, tc.content)
		opened := openBag(t, root, r.Export)
		deep, err := Verify(t.Context(), opened, archive.Deep, t.TempDir(), archive.VerifyOptions{})
		if err != nil {
			t.Fatalf("%s: %v", tc.name, err)
		}
		var got []string
		details := ""
		for _, f := range deep.Faults {
			got = append(got, string(f.Code)+" "+f.Path)
			details += f.Detail + "\n"
		}
		slices.Sort(got)
		slices.Sort(tc.want)
		if !slices.Equal(got, tc.want) || deep.Valid != (len(tc.want) == 0) ||
			!strings.Contains(details, tc.detail) {
			t.Errorf("%s: faults %q, want %q with %q in\n%s", tc.name, got, tc.want, tc.detail, details)
		}
		forge(t, bag, completenessFile, record)
		forge(t, bag, usersParquet, was)
		forge(t, bag, candidatesParquet, wasCandidates)
		if deep.Faults == nil && !cmp.Equal(deep.Findings, r.Findings) {
			t.Errorf("%s: found %v, and the takeover %v", tc.name, deep.Findings, r.Findings)
		}
	}
}
