package unpack

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
)

// frontJunk is how far into the container the first entry is looked for where no offset leads to it.
const frontJunk = 1 << 20

// ensureBase decides what stored offsets have to be shifted by. With something in front of a ZIP they may
// count from the container's start or from the ZIP's, and end records are known that are wrong by themselves:
// an entry's own header proves what is right. It returns errors of the source only.
func (z *zipFile) ensureBase() error {
	z.based.Do(func() { _, z.baseErr = z.findBase() })
	return z.baseErr
}

// proven reports whether the first entry is where the directory says, by some way of reading that.
func (z *zipFile) proven() (ok bool, err error) {
	z.based.Do(func() { ok, z.baseErr = z.findBase() })
	return ok, z.baseErr
}

func (z *zipFile) findBase() (bool, error) {
	shift := z.end.start - int64(min(z.end.stored, math.MaxInt64))
	if z.Wide() {
		shift &= math.MaxUint32
	}
	if z.volumes != nil {
		shift = 0
	}
	first, err := z.firstRecords()
	if err != nil || len(first) == 0 {
		z.base = shift
		return false, err
	}
	if shift == 0 && first[0].offset == 0 && z.volumes == nil && z.end.disk == 0 {
		return true, nil // as it should be: nothing has to be looked at
	}
	bases := []int64{shift, 0}
	if at, err := z.findFirst(&first[0]); err != nil {
		return false, err
	} else if at >= 0 {
		bases = append(bases, at-first[0].offset)
	}
	most := 0
	z.base = shift
	for _, base := range bases {
		n, err := z.proofs(first, base)
		if err != nil {
			return false, err
		}
		if n > most {
			z.base, most = base, n
		}
	}
	return most > 0, nil
}

// proofs counts the records whose entries are where they should be if offsets have to be shifted by base:
// twice where the own header there says the same, once where it is of some entry.
func (z *zipFile) proofs(records []zipHeader, base int64) (n int, err error) {
	for i := range records {
		at, ok := z.shifted(&records[i], base)
		if !ok {
			continue
		}
		var signature [4]byte
		if err := readFullAt(z.r, signature[:], at); err != nil {
			return 0, err
		}
		if binary.LittleEndian.Uint32(signature[:]) == localSignature {
			n++
		}
		if ok, err = z.headerAt(at, &records[i], false); err != nil {
			return 0, err
		}
		if ok {
			n++
		}
	}
	return n, nil
}

// witnesses is how many records are asked.
const witnesses = 8

// firstRecords returns the first records that make sense by themselves.
func (z *zipFile) firstRecords() ([]zipHeader, error) {
	var first []zipHeader
	for h, err := range z.records() {
		if err != nil {
			return first, sourceError(err)
		}
		if !h.broken {
			record := *h
			record.name, record.extra = bytes.Clone(h.name), nil
			first = append(first, record)
		}
		if len(first) == witnesses {
			break
		}
	}
	return first, nil
}

// findFirst looks for the first entry's own header near the start of the container; -1 where it is not.
func (z *zipFile) findFirst(first *zipHeader) (int64, error) {
	front := make([]byte, min(frontJunk, z.end.start))
	if err := readFullAt(z.r, front, 0); err != nil {
		return -1, err
	}
	for at := 0; ; at++ {
		next := bytes.Index(front[at:], []byte("PK\x03\x04"))
		if next < 0 {
			return -1, nil
		}
		at += next
		if ok, err := z.headerAt(int64(at), first, false); ok || err != nil {
			return int64(at), err
		}
	}
}

// shifted returns where h's own header is if offsets have to be shifted by base.
func (z *zipFile) shifted(h *zipHeader, base int64) (int64, bool) {
	at := h.offset + base
	if int(h.disk) < len(z.volumes) {
		at += z.volumes[h.disk]
	}
	return at, h.offset <= math.MaxInt64-max(base, 0) && at >= 0 && at <= z.end.start-localSize
}

// headerAt reports whether an own header that fits the record is at a place. Names may differ, unless strict.
func (z *zipFile) headerAt(at int64, h *zipHeader, strict bool) (bool, error) {
	var fixed [localSize]byte
	if at < 0 || at > z.end.container-localSize {
		return false, nil
	}
	if err := readFullAt(z.r, fixed[:], at); err != nil {
		return false, err
	}
	if binary.LittleEndian.Uint32(fixed[:]) != localSignature ||
		binary.LittleEndian.Uint16(fixed[8:]) != h.method {
		return false, nil
	}
	if crc := binary.LittleEndian.Uint32(fixed[14:]); crc != 0 && crc != h.crc {
		return false, nil
	}
	if !strict {
		return true, nil
	}
	name := make([]byte, len(h.name))
	if int(binary.LittleEndian.Uint16(fixed[26:])) != len(name) || at+localSize+
		int64(len(name)) > z.end.container {
		return false, nil
	}
	err := readFullAt(z.r, name, at+localSize)
	return err == nil && sameName(name, h.name), err
}

// locate moves the offset to where the entry is in the container and checks that header and content lie
// before the directory.
func (z *zipFile) locate(h *zipHeader) error {
	at, ok := z.shifted(h, z.base)
	if z.volumes == nil && h.disk != 0 && h.disk != math.MaxUint16 && z.end.disk == 0 {
		ok = false // another volume, of which the ZIP knows nothing
	}
	if ok && !h.broken && z.Wide() && h.short {
		var err error
		if at, err = z.resolveOffset(h, at); err != nil {
			return err
		}
		ok = at >= 0
	}
	if !ok || h.broken || at+localSize+int64(len(h.name)) > z.end.start {
		h.broken = true
		h.size, h.stored, h.offset = max(h.size, 0), max(h.stored, 0), max(h.offset, 0)
		return nil
	}
	h.offset = at
	h.pastEnd = h.stored > z.end.start-at-localSize-int64(len(h.name))
	if h.method == methodStored && h.flags&flagEncrypted == 0 && h.size != h.stored {
		h.broken = true
	}
	if !h.broken && !h.pastEnd {
		h.end = h.least()
	}
	return nil
}

// resolveOffset finds an entry of which offset and size are stated modulo 4 GiB: at the first place after its
// predecessor, else at any, where its own header is. -1: at none.
func (z *zipFile) resolveOffset(h *zipHeader, at int64) (int64, error) {
	const wrap = 1 << 32
	skip := max(h.last-at+wrap-1, 0) / wrap * wrap
	places := make([]int64, 0, 16)
	for p := at + skip; p < z.end.start; p += wrap {
		places = append(places, p)
	}
	for p := at; p < at+skip; p += wrap {
		places = append(places, p)
	}
	for _, strict := range []bool{true, false} {
		for _, p := range places {
			ok, err := z.headerAt(p, h, strict)
			if err != nil {
				return 0, err
			}
			if ok {
				return p, z.resolveSize(h, p)
			}
		}
	}
	return -1, nil
}

// resolveSize finds the stored size of the entry at a place: the first behind which another record begins.
func (z *zipFile) resolveSize(h *zipHeader, at int64) error {
	var lengths [4]byte
	if err := readFullAt(z.r, lengths[:], at+26); err != nil {
		return err
	}
	data := at + localSize + int64(binary.LittleEndian.Uint16(lengths[:])) +
		int64(binary.LittleEndian.Uint16(lengths[2:]))
	for size := h.stored; data+size <= z.end.start; size += 1 << 32 {
		ok, err := z.recordNear(data + size)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		if h.method == methodStored && h.flags&flagEncrypted == 0 {
			h.size += size - h.stored
		}
		// compressing hardly makes anything longer
		for h.method != methodStored && h.size+h.size/64 < size-1<<16 {
			h.size += 1 << 32
		}
		h.stored = size
		return nil
	}
	return nil
}

// recordNear reports whether a record begins at a place, or right behind a data descriptor there.
func (z *zipFile) recordNear(at int64) (bool, error) {
	b := make([]byte, min(28, z.end.container-at))
	if err := readFullAt(z.r, b, at); err != nil {
		return false, fmt.Errorf("look for the end of an entry: %w", err)
	}
	for _, skip := range []int{0, 12, 16, 20, 24} {
		if len(b) < skip+4 {
			break
		}
		switch binary.LittleEndian.Uint32(b[skip:]) {
		case localSignature, directorySignature, descriptorSignature, end64Signature, endSignature:
			return true, nil
		}
	}
	return false, nil
}
