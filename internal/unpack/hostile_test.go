package unpack

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"
)

type hostileCase struct {
	name    string
	entry   rawEntry
	lim     Limits
	refused Refusal
	open    error // of Open
	read    error // of reading
	message string
}

// hostileCases is one table, which reads best in one piece: hence its length.
func hostileCases() []hostileCase {
	unix := func(mode uint32) rawEntry {
		return rawEntry{name: "x", content: "/etc/passwd", host: 3, mode: mode << 16}
	}
	zeros := func(name string, n int) rawEntry {
		return rawEntry{name: name, content: strings.Repeat("\x00", n), method: methodDeflate}
	}
	bad := func(edit func(*rawEntry)) rawEntry {
		e := rawEntry{name: "bad.txt", content: "content"}
		edit(&e)
		return e
	}
	local := func(at int, v any) rawEntry {
		return bad(func(e *rawEntry) { e.local = func(h []byte) { copy(h[at:], le(v)) } })
	}
	central := func(at int, v any) rawEntry {
		return bad(func(e *rawEntry) { e.central = func(h []byte) { copy(h[at:], le(v)) } })
	}
	return []hostileCase{
		{name: "a symbolic link", entry: unix(0o120777), refused: RefusedSymlink},
		{name: "a character device", entry: unix(0o020666), refused: RefusedDevice},
		{name: "a named pipe", entry: unix(0o010666), refused: RefusedDevice},
		{name: "a directory by name", entry: rawEntry{name: "dir/"}, refused: RefusedDirectory},
		{
			name: "a directory by MS-DOS attribute", entry: rawEntry{name: "dir", mode: 0x10},
			refused: RefusedDirectory,
		},
		{
			name: "an encrypted entry", entry: bad(func(e *rawEntry) { e.flags = flagEncrypted }),
			refused: RefusedEncrypted,
		},
		{
			name: "an entry encrypted with AES", entry: central(10, uint16(methodAES)),
			refused: RefusedEncrypted,
		},
		{name: "deflate64", entry: central(10, uint16(9)), refused: RefusedMethod},
		{name: "a method nobody knows", entry: central(10, uint16(77)), refused: RefusedMethod},
		{
			name: "a bomb of zeros", entry: zeros("zeros", 8<<20), lim: Limits{OverallRatio: 1 << 40},
			refused: RefusedLimit,
		},
		{
			name: "content above 200 times the container", entry: zeros("zeros", 2<<20),
			lim: Limits{EntryRatio: 1 << 40}, refused: RefusedLimit,
		},
		{
			name: "content above the size limit", entry: rawEntry{name: "x", content: "12345"},
			lim: Limits{EntrySize: 4}, refused: RefusedLimit,
		},
		{
			name: "a name above the limit", entry: rawEntry{name: strings.Repeat("n", 100)},
			lim: Limits{NameLength: 99}, refused: RefusedLimit,
		},
		{name: "an offset behind the directory", entry: central(42, uint32(1<<30)), refused: RefusedBroken},
		{
			name: "an offset of 4 GiB without its 64-bit field", entry: central(42, uint32(0xffffffff)),
			refused: RefusedBroken,
		},
		{name: "a negative size in 64 bits", entry: bad(func(e *rawEntry) {
			e.extra = le(uint16(extraZip64), uint16(8), ^uint64(0))
			e.central = func(h []byte) { copy(h[24:], "\xff\xff\xff\xff") }
		}), refused: RefusedBroken},
		{name: "a stored entry larger than its bytes", entry: central(24, uint32(8)), refused: RefusedBroken},
		{name: "an entry in another volume", entry: central(34, uint16(3)), refused: RefusedBroken},
		{name: "data that reaches into the directory", entry: bad(func(e *rawEntry) {
			e.central = func(h []byte) { copy(h[20:], le(uint32(70), uint32(70))) }
		}), refused: RefusedOverlap},
		{name: "another name in its own header", entry: local(localSize, "evil")},
		{
			name: "a shorter name in its own header", entry: local(26, uint16(3)), read: ErrChecksum,
			message: "CRC-32 is",
		},
		{name: "another method in its own header", entry: local(8, uint16(8))},
		{name: "another size in its own header", entry: local(22, uint32(9))},
		{name: "another checksum in its own header", entry: local(14, uint32(9))},
		{
			name: "encrypted, says its own header alone", entry: local(6, uint16(1)), open: ErrFormat,
			message: "encrypted",
		},
		{
			name: "no header where the directory says", entry: local(0, "XX"), open: ErrFormat,
			message: "no entry at byte",
		},
		{
			name: "its own extra field covers the rest of the file", entry: local(28, uint16(60000)),
			open: ErrFormat, message: "reaches into the directory",
		},
		{name: "a wrong checksum", entry: bad(func(e *rawEntry) {
			e.descriptor = true
			e.central = func(h []byte) { copy(h[16:], le(uint32(7))) }
		}), read: ErrChecksum, message: "CRC-32 is"},
		{name: "more content than told", entry: bad(func(e *rawEntry) {
			e.descriptor, e.method = true, methodDeflate
			e.central = func(h []byte) { copy(h[24:], le(uint32(3))) }
		}), read: ErrChecksum, message: "goes on after the 3 bytes"},
		{name: "less content than told", entry: bad(func(e *rawEntry) {
			e.descriptor, e.method = true, methodDeflate
			e.central = func(h []byte) { copy(h[24:], le(uint32(3000))) }
		}), read: ErrChecksum, message: "ends after 7 of 3000 bytes"},
		{
			name:  "data that is no deflate",
			entry: func() rawEntry { return packed(methodDeflate, "content", "\xff\xff\xff\xff") }(),
			read:  ErrChecksum,
		},
		{
			name:  "data that is no zstd",
			entry: func() rawEntry { return packed(methodZstd, "content", "nonsense") }(), read: ErrChecksum,
		},
		{
			name:  "data that is no bzip2",
			entry: func() rawEntry { return packed(methodBzip2, "content", "nonsense") }(), read: ErrChecksum,
		},
	}
}

// Each row is something that an archive may do to whoever opens it. Exactly one of the outcomes is set.
func TestHostileZip(t *testing.T) {
	good := rawEntry{name: "good.txt", content: "good"}
	for _, tc := range hostileCases() {
		t.Run(tc.name, func(t *testing.T) {
			c := openRawZip(t, rawZip{entries: []rawEntry{tc.entry, good}}, tc.lim)
			for e, err := range c.Entries() {
				switch {
				case err != nil:
					t.Fatal(err)
				case e.Index == 0:
					checkHostile(t, c, e, tc.refused, tc.open, tc.read, tc.message)
				case tc.lim == Limits{} && content(t, c, e) != "good":
					t.Error("the honest entry behind it was hurt")
				}
			}
		})
	}
}

func checkHostile(t *testing.T, c Container, e Entry, refused Refusal, open, read error, message string) {
	t.Helper()
	if e.Refused != refused {
		t.Fatalf("refused as %q, want %q", e.Refused, refused)
	}
	r, err := c.Open(e)
	if refused != "" {
		if err == nil {
			t.Error("Open of a refused entry succeeded")
		}
		return
	}
	if open != nil {
		if !errors.Is(err, open) || !strings.Contains(err.Error(), message) {
			t.Errorf("Open: got error %v, want %v with %q", err, open, message)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	if _, err := readEntry(c, e); !errors.Is(err, read) || err != nil &&
		!strings.Contains(err.Error(), message) {
		t.Errorf("read: got error %v, want %v with %q", err, read, message)
	}
}

func TestOverlappingEntries(t *testing.T) {
	a, b := rawEntry{name: "a", content: "content of a"}, rawEntry{name: "b", content: "content of b"}
	twice := rawEntry{name: "a", content: "content of a", at: 1}
	grown := a // reaches over b
	grown.central = func(h []byte) { copy(h[20:], le(uint32(40), uint32(40))) }
	// directory and data in opposite orders, and the entry listed later reaches over the other
	second, over := a, b
	second.central = func(h []byte) { copy(h[42:], le(uint32(localSize+1+len(a.content)))) }
	over.central = func(h []byte) { copy(h[20:], le(uint32(40), uint32(40))); copy(h[42:], le(uint32(0))) }
	apart := over
	apart.central = func(h []byte) { copy(h[42:], le(uint32(0))) }
	for _, tc := range []struct {
		name    string
		entries []rawEntry
		want    []Refusal
	}{
		{"in disorder, none", []rawEntry{second, apart}, []Refusal{"", ""}},
		{
			"in disorder, the later one reaches into the one before", []rawEntry{second, over},
			[]Refusal{"", RefusedOverlap},
		},
		{"none", []rawEntry{a, b}, []Refusal{"", ""}},
		{"two records of one entry", []rawEntry{a, twice, b}, []Refusal{"", RefusedOverlap, ""}},
		{
			"two records of one entry, not side by side", []rawEntry{a, b, twice},
			[]Refusal{"", "", RefusedOverlap},
		},
		{"an entry inside another", []rawEntry{grown, b, b}, []Refusal{"", RefusedOverlap, ""}},
		{
			"an entry inside another, listed later",
			[]rawEntry{b, grown, b, {name: "b", content: b.content, at: 1}},
			[]Refusal{"", "", RefusedOverlap, RefusedOverlap},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for range 2 {
				var got []Refusal
				for e, err := range openRawZip(t, rawZip{entries: tc.entries}, Limits{}).Entries() {
					if err != nil {
						t.Fatal(err)
					}
					got = append(got, e.Refused)
				}
				if strings.Join(strs(got), ",") != strings.Join(strs(tc.want), ",") {
					t.Errorf("got %q, want %q", got, tc.want)
				}
			}
		})
	}
}

func strs(rs []Refusal) (out []string) {
	for _, r := range rs {
		out = append(out, string(r))
	}
	return out
}

// What was refused can still be kept, byte for byte.
func TestRawBytesOfRefusedEntries(t *testing.T) {
	for _, e := range []rawEntry{
		{name: "locked.pdf", content: "ciphertext", flags: flagEncrypted},
		{name: "link", content: "ciphertext", host: 3, mode: 0o120777 << 16},
		{name: "strange", content: "ciphertext", method: 77},
		{name: "renamed", content: "ciphertext", local: func(h []byte) { h[localSize] = 'X' }},
	} {
		t.Run(e.name, func(t *testing.T) {
			c := openRawZip(t, rawZip{entries: []rawEntry{e}}, Limits{})
			for entry := range c.Entries() {
				r, err := c.OpenRaw(entry)
				if err != nil {
					t.Fatal(err)
				}
				defer r.Close()
				var b bytes.Buffer
				if _, err := b.ReadFrom(r); err != nil || b.String() != "ciphertext" {
					t.Errorf("got %q, %v", b.String(), err)
				}
			}
		})
	}
}

func TestBrokenZip(t *testing.T) {
	whole := rawZip{
		entries: []rawEntry{{name: "a", content: strings.Repeat("content", 100)}, {name: "b"}},
	}.bytes()
	dir := bytes.Index(whole, []byte("PK\x01\x02"))
	edited := func(edit func(*rawEnd)) []byte {
		return rawZip{entries: []rawEntry{{name: "a", content: "content"}, {name: "b"}}, edit: edit}.bytes()
	}
	changed := func(at int, v any) []byte {
		b := bytes.Clone(whole)
		copy(b[at:], le(v))
		return b
	}
	for _, tc := range []struct {
		name    string
		zip     []byte
		open    bool // fails at once; else in Entries
		want    error
		message string
	}{
		{"nothing", nil, true, ErrFormat, "no end record"},
		{"no zip", bytes.Repeat([]byte("text "), 100), true, ErrFormat, "no end record"},
		{"a cut tail", whole[:len(whole)-1], true, ErrFormat, "it is cut"},
		{"cut in the middle", whole[:100], true, ErrFormat, "it is cut"},
		{
			"a directory elsewhere", edited(func(e *rawEnd) { e.size -= 7; e.start += 3 }), true, ErrFormat,
			"nor at byte",
		},
		{
			"one volume of several", changed(len(whole)-endSize+4, uint16(2))[dir:], true, ErrVolume,
			"one volume",
		},
		{
			"a directory damaged in the middle", changed(dir+directorySize+1, "XX"), false, ErrFormat,
			"no directory record at byte",
		},
		{
			"a record longer than the directory", changed(dir+28, uint16(60000)), false, ErrFormat,
			"longer than the directory",
		},
		{"too many entries", whole, false, ErrLimit, "more than 1 entries"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			lim := Limits{}
			if tc.want == ErrLimit {
				lim.Entries = 1
			}
			c, err := OpenZIP(bytes.NewReader(tc.zip), int64(len(tc.zip)), lim)
			if !tc.open {
				if err != nil {
					t.Fatal(err)
				}
				_, err = firstError(c.Entries())
			}
			if !errors.Is(err, tc.want) || !strings.Contains(err.Error(), tc.message) {
				t.Errorf("got error %v, want %v with %q", err, tc.want, tc.message)
			}
		})
	}
}

// FuzzZip reads whatever it is given to the end; it must neither crash nor hang nor yield more than was
// stated.
func FuzzZip(f *testing.F) {
	seed := func(z rawZip) { f.Add(z.bytes()) }
	seed(rawZip{})
	seed(rawZip{entries: []rawEntry{{name: "a", content: "content"}, {name: "b/"}}, comment: "c"})
	seed(rawZip{
		entries: []rawEntry{{name: "a", content: "content", method: methodDeflate, descriptor: true}},
		zip64:   true,
	})
	seed(rawZip{entries: []rawEntry{
		{name: "a", content: "content"}, {name: "a", content: "content", at: 1},
		packed(methodBzip2, "hello world\n", bzip2Hello),
	}})
	f.Add(reordered(rawEntry{name: "a", content: "1"}, rawEntry{name: "b", content: "2"}))
	f.Add(binary.LittleEndian.AppendUint32(nil, endSignature))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := OpenZIP(bytes.NewReader(b), int64(len(b)), Limits{EntrySize: 1 << 20})
		if err != nil {
			if !errors.Is(err, ErrFormat) {
				t.Fatalf("error of an unknown kind: %v", err)
			}
			return
		}
		for e, err := range c.Entries() {
			if err != nil {
				break
			}
			if e.Name == "" || e.Offset < 0 || e.Size < 0 || e.CompressedSize < 0 {
				t.Fatalf("impossible entry %+v", e)
			}
			if got, err := readEntry(c, e); err == nil && int64(len(got)) != e.Size ||
				int64(len(got)) > e.Size {
				t.Fatalf("read %d bytes of %d", len(got), e.Size)
			}
			if r, err := c.OpenRaw(e); err == nil {
				var raw bytes.Buffer
				if n, err := raw.ReadFrom(r); err == nil && n != e.CompressedSize {
					t.Fatalf("read %d raw bytes of %d", n, e.CompressedSize)
				}
				r.Close()
			}
		}
	})
}
