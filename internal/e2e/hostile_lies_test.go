package e2e

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"
)

// endOf changes the end record of a ZIP, which has no comment (APPNOTE.TXT 4.3.16).
func endOf(change func(zip, end []byte) []byte) func(*testing.T, []hostileEntry) []byte {
	return func(t *testing.T, entries []hostileEntry) []byte {
		zip := hostileZIP(t, entries)
		end := bytes.Clone(zip[len(zip)-22:])
		return change(zip[:len(zip)-22], end)
	}
}

// end64 puts the two records of ZIP64 before the end (APPNOTE.TXT 4.3.14, 4.3.15).
func end64(entries, size, start, at uint64) func(*testing.T, []hostileEntry) []byte {
	return endOf(func(zip, end []byte) []byte {
		record := little("PK\x06\x06", uint64(44), uint16(45), uint16(45), uint64(0), entries, entries, size,
			start)
		locator := little("PK\x06\x07", uint32(0), uint64(len(zip))+at, uint32(1))
		copy(end[8:], little(uint16(0xffff), uint16(0xffff), uint32(0xffffffff), uint32(0xffffffff)))
		return append(append(append(zip, record...), locator...), end...)
	})
}

// hostileLies are ZIPs that say what is not so.
func hostileLies(t *testing.T) []hostileCase {
	t.Helper()
	good := hostileEntry{name: "good.txt", content: "good"}
	text := strings.Repeat("a line of text that deflates\n", 40)
	sized := func(name string, size uint32, got string) hostileEntry {
		return hostileEntry{name: name, content: text, method: deflated, got: got, edit: func(local,
			record []byte) {
			binary.LittleEndian.PutUint32(local[22:], size)
			binary.LittleEndian.PutUint32(record[24:], size)
		}}
	}
	huge := sized("huge.txt", 1<<30, "")
	huge.refused = "limit"
	damaged := []string{"error damaged-in-source", "warning entry-refused"}
	broken := []string{"error container-damaged"}
	contradictory := []string{"warning container-contradictory"}
	overlapped := hostileEntry{name: "second.txt", content: "second", refused: "overlap"}
	reached := little("PK\x03\x04", uint16(20), overlapped.fields(6))
	return []hostileCase{
		{
			name: "content that is longer, or shorter, than its entry says", exit: 5, codes: damaged,
			outcome: "documents, with what there is of them, called damaged in source; one of a gibibyte, it says, " +
				"is refused, its stored bytes kept",
			entries: []hostileEntry{sized("longer.txt", 100, text[:100]), sized("shorter.txt", 2000, text),
				huge,
				good},
		},
		{
			name: "an entry of 2^62 bytes, says ZIP64", exit: 5, whole: true,
			codes:   []string{"warning container-contradictory", "warning entry-refused"},
			outcome: "refused; the container is kept whole",
			entries: []hostileEntry{
				{name: "huge.txt", content: "small", refused: "broken-header",
					extra: string(little(uint16(1), uint16(8), uint64(1)<<62)),
					edit:  func(_, record []byte) { copy(record[24:], "\xff\xff\xff\xff") }}, good,
			},
		},
		{
			name: "a directory of 2^62 entries, says ZIP64", make: end64(1<<62, 1<<62, 1<<62, 0), exit: 5,
			outcome: "the two entries are documents, found by their own headers; the container is kept whole",
			entries: []hostileEntry{good, {name: "second.txt",
				content: "second"}}, whole: true, codes: broken,
		},
		{
			name: "an end record of ZIP64 that is not where its locator says", make: end64(2, 0, 0,
				1<<40), exit: 5,
			outcome: "the two entries are documents, found by their own headers; the container is kept whole",
			entries: []hostileEntry{good, {name: "second.txt",
				content: "second"}}, whole: true, codes: broken,
		},
		{
			name: "65,535 entries where there are two", exit: 5, whole: true, codes: contradictory,
			outcome: "the two are documents; the container is kept whole",
			entries: []hostileEntry{good, {name: "second.txt", content: "second"}},
			make: endOf(func(zip, end []byte) []byte {
				copy(end[8:], little(uint16(0xfffe), uint16(0xfffe)))
				return append(zip, end...)
			}),
		},
		{
			name: "a second ZIP in the comment of the first", exit: 5, whole: true,
			outcome: "documents of both; the container is kept whole",
			codes:   []string{"warning bytes-unaccounted", "warning entries-unlisted"},
			entries: []hostileEntry{good}, holds: []hostileEntry{good, {name: "hidden.txt",
				content: "hidden"}},
			make: endOf(func(zip, end []byte) []byte {
				second := hostileZIP(t, []hostileEntry{{name: "hidden.txt", content: "hidden"}})
				copy(end[20:], little(uint16(len(second))))
				return append(append(zip, end...), second...)
			}),
		},
		{
			name: "a PDF that is a ZIP as well", exit: 5, whole: true,
			outcome: "its entries are documents; the container is kept whole",
			codes:   []string{"warning bytes-unaccounted"},
			entries: []hostileEntry{good, {name: "second.txt", content: "second"}},
			make: func(t *testing.T, entries []hostileEntry) []byte {
				return append([]byte("%PDF-1.4\n% not only\n"), hostileZIP(t, entries)...)
			},
		},
		{
			name: "a header with another name, method, size and checksum than the directory", exit: 5, whole: true,
			outcome: "a document, under the directory's name; both are recorded",
			codes:   []string{"info names-differ", "warning container-contradictory"},
			entries: []hostileEntry{
				{name: "directory.txt", content: text, method: deflated, edit: func(local, _ []byte) {
					copy(local[8:], little(uint16(77)))
					copy(local[14:], little(uint32(1), uint32(2), uint32(3)))
					copy(local[30:], "../../evil.sh")
				}}, good,
			},
		},
		{
			name: "an entry whose bytes reach into the next one", exit: 5, codes: damaged,
			outcome: "a document, called damaged in source; the next one is refused, its stored bytes kept",
			entries: []hostileEntry{
				{name: "first.txt", content: "first", got: "first" + string(reached[:25]), edit: func(local,
					record []byte) {
					copy(local[18:], little(uint32(30), uint32(30)))
					copy(record[20:], little(uint32(30), uint32(30)))
				}}, overlapped, {name: "last.txt", content: "last"},
			},
		},
	}
}
