package archive

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// readPackRows reads the rows in a pack's _pack.csv: by the directory, or, where that is damaged, by
// searching the pack for it. It may return rows and an error.
func (v *verifier) readPackRows(ctx context.Context, pack string) ([]Row, error) {
	size := v.present[pack].Size
	off, n, err := v.locatePackRows(ctx, pack, size)
	if err != nil {
		off, n, err = v.searchPackRows(ctx, pack, size)
	}
	if err != nil {
		return nil, err
	}
	r, err := v.bag.s.Open(ctx, v.bag.prefix+pack, off, n)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var rows []Row
	for row, err := range readRows(r) {
		if err != nil {
			return rows, err
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// locatePackRows finds the entry through the record at the pack's end and the last line of the directory.
func (v *verifier) locatePackRows(ctx context.Context, pack string, size int64) (off, n int64, err error) {
	tailSize := min(size, endSize+centralHeaderSize+int64(len(rowsEntry)))
	r, err := v.bag.s.Open(ctx, v.bag.prefix+pack, size-tailSize, tailSize)
	if err != nil {
		return 0, 0, err
	}
	defer r.Close()
	tail, err := io.ReadAll(r)
	if err != nil {
		return 0, 0, err
	}
	if !bytes.HasPrefix(tail, []byte("PK\x01\x02")) || !bytes.Equal(
		tail[centralHeaderSize:len(tail)-endSize], []byte(rowsEntry),
	) {
		return 0, 0, errors.New("its directory is damaged")
	}
	le := binary.LittleEndian
	stored, header := int64(le.Uint32(tail[20:])), int64(le.Uint32(tail[42:]))
	off = header + localHeaderSize + int64(len(rowsEntry))
	if off+stored > size {
		return 0, 0, errors.New("its directory is damaged")
	}
	return off, stored, nil
}

// searchPackRows looks through the pack for the entry by its name and first line. Its end is where the
// directory begins.
func (v *verifier) searchPackRows(ctx context.Context, pack string, size int64) (off, n int64, err error) {
	off, err = v.searchBytes(ctx, pack, 0, size, append([]byte(rowsEntry), headerLine...))
	if err != nil {
		return 0, 0, err
	}
	off += int64(len(rowsEntry))
	end, err := v.searchBytes(ctx, pack, off, size, []byte("PK\x01\x02"))
	if err != nil {
		end = size
	}
	return off, end - off, nil
}

// searchBytes returns where what first occurs in the pack, from off.
func (v *verifier) searchBytes(
	ctx context.Context, pack string, off, size int64, what []byte,
) (int64, error) {
	r, err := v.bag.s.Open(ctx, v.bag.prefix+pack, off, size-off)
	if err != nil {
		return 0, err
	}
	defer r.Close()
	i, err := indexBytes(r, what)
	if err == nil && i < 0 {
		err = fmt.Errorf("it has no %s", rowsEntry)
	}
	return off + i, err
}
