package unpack

import (
	"encoding/binary"
	"hash/crc32"
	"iter"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// Identifiers of extra fields (APPNOTE 4.5 and 4.6).
const (
	extraZip64       = 0x0001
	extraNTFS        = 0x000a
	extraTimestamp   = 0x5455
	extraUnicodePath = 0x7075
)

// fields yields the well-formed extra fields; what follows a malformed one cannot be told apart.
func fields(extra []byte) iter.Seq2[uint16, []byte] {
	return func(yield func(uint16, []byte) bool) {
		for len(extra) >= 4 {
			id, n := binary.LittleEndian.Uint16(extra), int(binary.LittleEndian.Uint16(extra[2:]))
			if n > len(extra)-4 {
				return
			}
			if !yield(id, extra[4:4+n]) {
				return
			}
			extra = extra[4+n:]
		}
	}
}

// takeZip64 replaces those values that say "see the ZIP64 field", in the field's order. It reports whether
// all were there.
func takeZip64(extra []byte, values ...*uint64) bool {
	var field []byte
	for id, data := range fields(extra) {
		if id == extraZip64 {
			field = data
			break
		}
	}
	for _, v := range values {
		if *v != math.MaxUint32 {
			continue
		}
		if len(field) < 8 {
			return false
		}
		*v, field = binary.LittleEndian.Uint64(field), field[8:]
	}
	return true
}

// text decodes the name: a Unicode path field that belongs to this name (Info-ZIP 0x7075) before the name
// itself, and that as UTF-8 where it says so or is, else as IBM code page 437.
func (h *zipHeader) text() string {
	for id, data := range fields(h.extra) {
		if id != extraUnicodePath || len(data) < 5 || data[0] != 1 {
			continue
		}
		if binary.LittleEndian.Uint32(data[1:]) == crc32.ChecksumIEEE(h.name) && utf8.Valid(data[5:]) {
			return string(data[5:])
		}
	}
	return nameText(h.name, h.flags&flagUTF8 != 0)
}

// nameText decodes a name of unknown encoding.
func nameText(raw []byte, saysUTF8 bool) string {
	if utf8.Valid(raw) {
		return string(raw)
	}
	if saysUTF8 {
		return strings.ToValidUTF8(string(raw), "\uFFFD")
	}
	var b strings.Builder
	for _, c := range raw {
		b.WriteRune(charmap.CodePage437.DecodeByte(c))
	}
	return b.String()
}

// modified prefers the fields that hold UTC. A DOS time gives no zone and is read as UTC.
func (h *zipHeader) modified() time.Time {
	for id, data := range fields(h.extra) {
		switch {
		case id == extraTimestamp && len(data) >= 5 && data[0]&1 != 0:
			return time.Unix(int64(int32(binary.LittleEndian.Uint32(data[1:]))), 0).UTC()
		case id == extraNTFS && len(data) >= 16 && binary.LittleEndian.Uint16(data[4:]) == 1:
			return ntfsTime(binary.LittleEndian.Uint64(data[8:]))
		}
	}
	return dosTime(h.dosDate, h.dosTime)
}

// ntfsTime counts 100 ns from 1601.
func ntfsTime(ticks uint64) time.Time {
	const toUnix = 11_644_473_600
	return time.Unix(int64(ticks/1e7)-toUnix, int64(ticks%1e7)*100).UTC()
}

func dosTime(date, clock uint16) time.Time {
	year, month, day := 1980+int(date>>9), time.Month(date>>5&15), int(date&31)
	if month < 1 || month > 12 || day < 1 {
		return time.Time{}
	}
	return time.Date(year, month, day, int(clock>>11), int(clock>>5&63), int(clock&31)*2, 0, time.UTC)
}
