package query

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// lostFindings loads rows of attachments for which there is no document, only refused entries, and returns
// how many findings of each code come of them.
func lostFindings(t *testing.T, attachments string, entries []Refused) map[Code]int {
	t.Helper()
	ctx := context.Background()
	b, _ := build(t, BuildOptions{})
	load(t, b, "Attachments.csv", attachments)
	refused := func(yield func(Refused, error) bool) {
		for _, e := range entries {
			if !yield(e, nil) {
				return
			}
		}
	}
	if err := b.LoadRefused(ctx, refused); err != nil {
		t.Fatal(err)
	}
	if err := b.Reconcile(ctx, map[string]bool{"attachments": true, "cvs": true}); err != nil {
		t.Fatal(err)
	}
	got := map[Code]int{}
	for f, err := range b.Findings(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		if f.Table == "attachments" && strings.HasPrefix(string(f.Code), "attachment-") {
			got[f.Code]++
		}
	}
	return got
}

const attachmentHeads = "Attachment Id,Record Id,Record Type,File Name,File Size\n"

// An owner's number within another number is not the owner: the file of 12 is not that of 1.
func TestRefusedEntryOfAnotherOwner(t *testing.T) {
	t.Parallel()
	got := lostFindings(t, attachmentHeads+"a1,1,CANDIDATE,cv.pdf,\na2,12,CANDIDATE,cv.pdf,\n", []Refused{
		{Part: "attachments", Name: "files/12/cv.pdf", Reason: "encrypted"},
	})
	if d := cmp.Diff(map[Code]int{AttachmentRefused: 1, AttachmentMissing: 1}, got); d != "" {
		t.Error(d)
	}
}

// Where all that came was refused, under names that say nothing, each row's file may be among it.
func TestRefusedEntriesThatSayNothing(t *testing.T) {
	t.Parallel()
	got := lostFindings(t, attachmentHeads+"a1,1,CANDIDATE,cv.pdf,\na2,2,CANDIDATE,letter.pdf,\n", []Refused{
		{Part: "attachments", Name: "00001.bin", Reason: "encrypted"},
		{Part: "attachments", Name: "00002.bin", Reason: "encrypted"},
	})
	if d := cmp.Diff(map[Code]int{AttachmentUnclear: 2}, got); d != "" {
		t.Error(d)
	}
}

// Rows and refused entries that all have the same name, or the same size, are not paired each with each.
func TestManyRefusedEntries(t *testing.T) {
	t.Parallel()
	const n = 60_000
	var rows strings.Builder
	var entries []Refused
	rows.WriteString(attachmentHeads)
	for i := range n {
		fmt.Fprintf(&rows, "a%d,c%d,CANDIDATE,cv.pdf,\nb%d,d%d,CANDIDATE,b%d.pdf,4096\n", i, i, i, i, i)
		entries = append(entries,
			Refused{Part: "attachments", Name: fmt.Sprintf("c%d/cv.pdf", i), Reason: "encrypted"},
			Refused{Part: "attachments", Name: fmt.Sprintf("%d.bin", i), Reason: "encrypted", Size: 4096})
	}
	got := lostFindings(t, rows.String(), entries)
	if d := cmp.Diff(map[Code]int{AttachmentRefused: n, AttachmentUnclear: n}, got); d != "" {
		t.Error(d)
	}
}
