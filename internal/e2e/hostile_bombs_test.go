package e2e

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// hostileBombs are containers that are small, and would be large.
func hostileBombs(t *testing.T) []hostileCase {
	good := hostileEntry{name: "good.txt", content: "good"}
	refused := []string{"warning entry-refused"}
	overlapping := []string{"warning container-contradictory", "warning entry-refused"}
	one := hostileEntry{name: "one.txt", content: "the one and only"}
	shared := []hostileEntry{one}
	for i := range 500 {
		shared = append(shared, hostileEntry{
			name: fmt.Sprintf("copy %d.txt", i), content: one.content, at: 1, refused: "overlap",
		})
	}
	many := func(n int, e hostileEntry) (all []hostileEntry) {
		for i := range n {
			e.name, e.content = fmt.Sprintf("%d.txt", i), fmt.Sprint(i)
			all = append(all, e)
		}
		return all
	}
	n := setting(t, "HOLDALL_TEST_ENTRIES", 20_000)
	return []hostileCase{
		{
			name: "an entry of zeros, a thousand times its stored bytes", exit: 5, codes: refused,
			outcome: "refused, its stored bytes kept; the others are documents",
			entries: []hostileEntry{
				good, {name: "zeros", content: strings.Repeat("\x00", 16<<20), method: deflated,
					refused: "limit"},
				{name: "z.txt", content: "z"},
			},
		},
		{
			name: "entries that are two hundred times the container together", exit: 5, codes: refused,
			outcome: "documents up to there, the others refused, their stored bytes kept",
			entries: append(halfZeros(12, 7), good),
		},
		{
			name: "five hundred names for one entry's bytes", exit: 5, codes: overlapping, whole: true,
			outcome: "one document; the others are refused", entries: shared,
		},
		{
			name:  "entries within entries, each the next one's header and content (a bomb that does not nest)",
			exit:  5,
			codes: refused, outcome: "one document; the others are refused, and the stored bytes of each are kept",
			entries: quotedEntries(t, 60),
		},
		{
			name: "a ZIP that holds itself", file: "attachments.zip", make: quine,
			outcome: "what it holds is a document, unopened",
			entries: []hostileEntry{{name: "r/r.zip", content: string(quine(t, nil))}},
		},
		{
			name: "ZIPs in ZIPs in ZIPs, sixteen in each", make: nested, exit: 5,
			outcome: "the outermost sixteen are opened, as of an export that was wrapped; the ZIPs in them are " +
				"documents",
			entries: nestedHolds(t),
		},
		{
			name: "very many tiny entries", entries: many(n, hostileEntry{}), many: true, exit: 5,
			outcome: "each is a document; they lie in a few packs",
		},
		{
			name: "very many encrypted entries", exit: 5, codes: []string{"warning locked-document"}, many: true,
			outcome: "refused, the ciphertexts kept in one file; one finding",
			entries: many(n, hostileEntry{flags: 1, refused: "encrypted"}),
		},
	}
}

// halfZeros are entries of 2 MiB, each 250 times its stored bytes; those from refused on are too much.
func halfZeros(n, refused int) (all []hostileEntry) {
	random := rand.New(rand.NewPCG(1, 2))
	for i := range n {
		noise := make([]byte, 4096)
		for k := range noise {
			noise[k] = byte(random.Uint32())
		}
		e := hostileEntry{
			name: fmt.Sprintf("%02d.bin", i), content: string(noise) + strings.Repeat("\x00",
				2<<20), method: deflated,
		}
		if i >= refused {
			e.refused = "limit"
		}
		all = append(all, e)
	}
	return all
}

// quotedEntries are n files, each of which is the next one's header, quoted, and then the next one (D.
// Fifield, A better zip bomb, WOOT 2019). The last one is a mebibyte of zeros.
func quotedEntries(t *testing.T, n int) []hostileEntry {
	t.Helper()
	all := make([]hostileEntry, n)
	for i := n - 1; i >= 0; i-- {
		e := &all[i]
		*e = hostileEntry{name: fmt.Sprintf("%03d", i), method: deflated, refused: "overlap"}
		if i == n-1 {
			e.content = strings.Repeat("\x00", 1<<20)
			e.stored = string(e.storedBytes(t))
		} else {
			next := &all[i+1]
			header := string(little("PK\x03\x04", uint16(20), next.fields(len(next.stored)), uint16(0),
				next.name))
			quote := little(byte(0), uint16(len(header)),
				^uint16(len(header))) // a stored block that is not the last
			e.content, e.stored = header+next.content, string(quote)+header+next.stored
		}
		e.at = 1 + i*(5+30+3)
	}
	all[0].at, all[0].refused = 0, ""
	return all
}

// quine returns r.zip of Russ Cox (Zip Files All The Way Down, 2010), which the tests of Go's archive/zip
// have.
func quine(t *testing.T, _ []hostileEntry) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(`
504b03041400000008000803643cf9f4896448010000b801000007000000722f722e7a6970002500daff504b030414000000
08000803643cf9f4896448010000b801000007000000722f722e7a6970002f00d0ff002500daff504b030414000000080008
03643cf9f4896448010000b801000007000000722f722e7a6970002f00d0ffc2548e5739000500faffc2548e5739000500fa
ff000500faff001400ebffc2548e5739000500faff000500faff001400ebff428821c400001400ebff428821c400001400eb
ff428821c400001400ebff428821c400001400ebff428821c400000000ffff000000ffff003400cbff428821c400000000ff
ff000000ffff003400cbff42e8215e0f000000ffff0af066641261c015dce8a048bf48af2ab320c09b950dc4670442530606
0640000600f9ff6d010000000042e8215e0f000000ffff0af066641261c015dce8a048bf48af2ab320c09b950dc467044253
06060640000600f9ff6d0100000000504b010214001400000008000803643cf9f4896448010000b801000007000000000000
0000000000000000000000722f722e7a6970504b05060000000001000100350000006d0100000000`), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// nestedLevels is how deep the ZIPs lie in each other, below the outermost.
const nestedLevels = 4

// nested is the outermost ZIP.
func nested(t *testing.T, _ []hostileEntry) []byte {
	t.Helper()
	inner := hostileZIP(t, []hostileEntry{{name: "0.dll", content: strings.Repeat("\x00", 4<<20),
		method: deflated}})
	for range nestedLevels {
		inner = sixteen(t, inner)
	}
	return inner
}

func sixteen(t *testing.T, inner []byte) []byte {
	t.Helper()
	var all []hostileEntry
	for i := range 16 {
		all = append(all, hostileEntry{name: fmt.Sprintf("lib %x.zip", i), content: string(inner),
			method: deflated})
	}
	return hostileZIP(t, all)
}

// nestedHolds are the documents of nested: the ZIPs two levels below it.
func nestedHolds(t *testing.T) (all []hostileEntry) {
	t.Helper()
	inner := hostileZIP(t, []hostileEntry{{name: "0.dll", content: strings.Repeat("\x00", 4<<20),
		method: deflated}})
	for range nestedLevels - 2 {
		inner = sixteen(t, inner)
	}
	for range 16 {
		for i := range 16 {
			all = append(all, hostileEntry{name: fmt.Sprintf("lib %x.zip", i), content: string(inner)})
		}
	}
	return all
}
