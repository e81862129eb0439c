package archive

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"holdall/internal/digest"
)

// What the disk holds otherwise than it was written is found, by the blocks of the process that wrote it and
// by SHA-256.
func TestReadBackFindsEveryChange(t *testing.T) {
	for _, size := range []int{0, 1, blockSize - 1, blockSize, 2*blockSize + 77} {
		content := make([]byte, size)
		rand.NewChaCha8([32]byte{1}).Read(content)
		var sums blockSums
		for from := 0; from < size; from += 1000 { // blocks do not follow writes
			sums.write(content[from:min(size, from+1000)])
		}
		dir := t.TempDir()
		rb := newReadBack(dir)
		changes := map[string][]byte{"longer": append(content[:size:size], 0)}
		for _, at := range []int{0, size / 2, size - 1} {
			if at >= 0 && at < size {
				flipped := append([]byte(nil), content...)
				flipped[at] ^= 1
				changes["flipped"+string(rune('0'+len(changes)))] = flipped
				changes["cut"] = content[:size-1]
			}
		}
		for _, blocks := range [][]uint32{sums.all(), nil} {
			rec := fileRecord{Name: "f", Size: int64(size), SHA256: digest.Of(content), blocks: blocks}
			check := func(on []byte) error {
				if err := os.WriteFile(filepath.Join(dir, "f"), on, 0o600); err != nil {
					t.Fatal(err)
				}
				return rb.check(rec)
			}
			if err := check(content); err != nil {
				t.Errorf("%d bytes as written: %v", size, err)
			}
			for name, on := range changes {
				if err := check(on); !errors.Is(err, ErrDamaged) {
					t.Errorf(
						"%d bytes, %s, by blocks %t: %v, want ErrDamaged", size, name, blocks != nil, err,
					)
				}
			}
		}
	}
}
