package exportsim

import (
	"encoding/binary"
	"unicode/utf16"
)

// compoundFile returns a Compound File Binary (MS-CFB, version 3) with one stream that begins with content
// and is filled with random bytes to size: what an old word processor's file looks like from outside. Its
// text can be found, but not laid out.
func compoundFile(stream string, content []byte, size int, key uint64) []byte {
	const sector = 512
	const endOfChain, freeSector, fatSector = 0xFFFFFFFE, 0xFFFFFFFF, 0xFFFFFFFD
	data := make([]byte, max(size, len(content), 4096)) // shorter streams would live in a mini stream
	fill(data[copy(data, content):], 0, key)
	if len(data) > 6<<20 {
		data = data[:6<<20] // the header alone names 109 FAT sectors, enough for 6.8 MB
	}
	dataSectors := (len(data) + sector - 1) / sector
	fatSectors := 1
	for fatSectors*sector/4 < dataSectors+1+fatSectors {
		fatSectors++
	}
	le := binary.LittleEndian
	out := make([]byte, sector*(1+fatSectors+1+dataSectors))
	copy(out, "\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1")
	le.PutUint16(out[24:], 0x3E) // minor version
	le.PutUint16(out[26:], 3)
	le.PutUint16(out[28:], 0xFFFE) // little endian
	le.PutUint16(out[30:], 9)      // sectors of 512 bytes
	le.PutUint16(out[32:], 6)
	le.PutUint32(out[44:], uint32(fatSectors))
	le.PutUint32(out[48:], uint32(fatSectors)) // the directory follows the FAT
	le.PutUint32(out[56:], 4096)
	le.PutUint32(out[60:], endOfChain) // no mini FAT
	le.PutUint32(out[68:], endOfChain) // no further FAT sectors
	for i := range 109 {
		v := uint32(freeSector)
		if i < fatSectors {
			v = uint32(i)
		}
		le.PutUint32(out[76+4*i:], v)
	}
	fat := out[sector : sector+fatSectors*sector]
	for i := range fatSectors * sector / 4 {
		v := uint32(freeSector)
		switch {
		case i < fatSectors:
			v = fatSector
		case i == fatSectors, i == fatSectors+dataSectors:
			v = endOfChain
		case i < fatSectors+dataSectors:
			v = uint32(i + 1)
		}
		le.PutUint32(fat[4*i:], v)
	}
	dir := out[sector+fatSectors*sector:]
	putEntry(dir, "Root Entry", 5, 1, endOfChain, 0)
	putEntry(dir[128:], stream, 2, freeSector, uint32(fatSectors+1), len(data))
	for i := 2; i < 4; i++ {
		putEntry(dir[128*i:], "", 0, freeSector, 0, 0)
	}
	copy(out[sector*(2+fatSectors):], data)
	return out
}

// putEntry writes one entry of a compound file's directory.
func putEntry(b []byte, name string, kind byte, child, start uint32, size int) {
	le := binary.LittleEndian
	units := utf16.Encode([]rune(name))
	for i, u := range units {
		le.PutUint16(b[2*i:], u)
	}
	if name != "" {
		le.PutUint16(b[64:], uint16(2*len(units)+2))
	}
	b[66], b[67] = kind, 1 // black
	le.PutUint32(b[68:], 0xFFFFFFFF)
	le.PutUint32(b[72:], 0xFFFFFFFF)
	le.PutUint32(b[76:], child)
	le.PutUint32(b[116:], start)
	le.PutUint32(b[120:], uint32(size))
}
