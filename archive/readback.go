package archive

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"sync"

	"holdall/internal/ctxio"
	"holdall/internal/digest"
)

// A readBack reads finished files again from the disk, in the background and one at a time, and compares
// them with what was written: block by block by CRC-32C where this process wrote the file, which costs a
// tenth of the time, else by SHA-256.
type readBack struct {
	dir    string
	ctx    context.Context
	cancel context.CancelFunc

	mu         sync.Mutex // guards what follows
	changed    *sync.Cond
	queue      []task
	running    bool
	wanted     map[string]int        // the task whose outcome counts for a name
	tasks      int                   // so far
	good       map[string]digest.Sum // names that read back as recorded
	next       func(fileRecord)      // called with each of them; may be nil
	unnotified []fileRecord          // those read back before next was set
	bad        map[string]error
}

// A task is one file to be read. While it waits, the file may be discarded and made again.
type task struct {
	fileRecord
	number int
}

func newReadBack(dir string) *readBack {
	rb := &readBack{
		dir: dir, wanted: map[string]int{}, good: map[string]digest.Sum{}, bad: map[string]error{},
	}
	rb.ctx, rb.cancel = context.WithCancel(context.Background())
	rb.changed = sync.NewCond(&rb.mu)
	return rb
}

// add queues a file and starts the reader if none runs.
func (rb *readBack) add(rec fileRecord) {
	rb.mu.Lock()
	defer rb.mu.Unlock()
	rb.tasks++
	rb.queue = append(rb.queue, task{rec, rb.tasks})
	rb.wanted[rec.Name] = rb.tasks
	if !rb.running {
		rb.running = true
		go rb.run()
	}
}

func (rb *readBack) run() {
	rb.mu.Lock()
	defer rb.mu.Unlock()
	for len(rb.queue) > 0 && rb.ctx.Err() == nil {
		next := rb.queue[0]
		rb.queue = rb.queue[1:]
		if rb.wanted[next.Name] != next.number {
			continue
		}
		rb.mu.Unlock()
		err := rb.check(next.fileRecord)
		rb.mu.Lock()
		switch {
		case rb.wanted[next.Name] != next.number: // discarded meanwhile
		case err != nil:
			rb.bad[next.Name] = err
		default:
			rb.good[next.Name] = next.SHA256
			rb.notify(next.fileRecord)
		}
	}
	rb.running = false
	rb.changed.Broadcast()
}

// notify calls next with a file that has been read back. It needs rb.mu, and releases it for the call:
// callers of readBack hold their own locks.
func (rb *readBack) notify(rec fileRecord) {
	next := rb.next
	if next == nil {
		rb.unnotified = append(rb.unnotified, rec)
		return
	}
	rb.mu.Unlock()
	next(rec)
	rb.mu.Lock()
}

// onGood has next called with every file that has been read back, and every one that will be.
func (rb *readBack) onGood(next func(fileRecord)) {
	rb.mu.Lock()
	defer rb.mu.Unlock()
	rb.next = next
	before := rb.unnotified
	rb.unnotified = nil
	for _, rec := range before {
		rb.notify(rec)
	}
}

func (rb *readBack) check(rec fileRecord) error {
	f, err := os.Open(filepath.Join(rb.dir, filepath.FromSlash(rec.Name)))
	if err != nil {
		return err
	}
	defer f.Close()
	dropCache(f)
	if rec.blocks != nil {
		err = compareBlocks(ctxio.NewReader(rb.ctx, f), rec)
	} else {
		_, err = copyPooled(io.Discard, digest.NewReader(ctxio.NewReader(rb.ctx, f), rec.Size, rec.SHA256))
	}
	var mismatch *digest.MismatchError
	if errors.As(err, &mismatch) || errors.Is(err, errBlock) {
		return fmt.Errorf("%w: %s reads back differently than it was written: %w", ErrDamaged, rec.Name, err)
	}
	if err != nil {
		return fmt.Errorf("read %s back: %w", rec.Name, err)
	}
	// The pages are not needed again and would push others out.
	dropCache(f)
	return nil
}

// blockSums takes the CRC-32C of every block of a file that is being written.
type blockSums struct {
	sums []uint32
	part uint32 // of the block begun
	n    int    // its bytes so far
}

const blockSize = copyBuffer

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func (b *blockSums) write(p []byte) {
	for len(p) > 0 {
		k := min(len(p), blockSize-b.n)
		b.part = crc32.Update(b.part, castagnoli, p[:k])
		p = p[k:]
		if b.n += k; b.n == blockSize {
			b.sums, b.part, b.n = append(b.sums, b.part), 0, 0
		}
	}
}

// all returns the sums, the last one of what is left; never nil.
func (b *blockSums) all() []uint32 {
	all := append(make([]uint32, 0, len(b.sums)+1), b.sums...)
	if b.n > 0 {
		all = append(all, b.part)
	}
	return all
}

var errBlock = errors.New("other bytes than were written")

// compareBlocks compares what r yields with the record's size and blocks.
func compareBlocks(r io.Reader, rec fileRecord) error {
	buf := copyBuffers.Get().(*[]byte)
	defer copyBuffers.Put(buf)
	var size int64
	for i := 0; ; i++ {
		n, err := io.ReadFull(r, (*buf)[:blockSize])
		size += int64(n)
		if n > 0 && (i >= len(rec.blocks) || crc32.Checksum((*buf)[:n], castagnoli) != rec.blocks[i]) {
			return fmt.Errorf("%w, in the %d from byte %d on", errBlock, n, size-int64(n))
		}
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			if size != rec.Size {
				return fmt.Errorf("%w: %d bytes instead of %d", errBlock, size, rec.Size)
			}
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// forget takes back what is known of a name.
func (rb *readBack) forget(name string) {
	rb.mu.Lock()
	defer rb.mu.Unlock()
	delete(rb.wanted, name)
	delete(rb.good, name)
	delete(rb.bad, name)
}

// wait returns when the queue is empty, with everything that was found wrong.
func (rb *readBack) wait(ctx context.Context) error {
	rb.mu.Lock()
	defer rb.mu.Unlock()
	if err := waitFor(ctx, rb.changed, func() bool { return !rb.running }); err != nil {
		return err
	}
	var errs []error
	for _, err := range rb.bad {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// waitFor waits on c until done reports true, or ctx is done. It needs c.L, and releases it while it waits.
func waitFor(ctx context.Context, c *sync.Cond, done func() bool) error {
	stop := context.AfterFunc(ctx, func() {
		c.L.Lock() // or the broadcast might come between the check of ctx and the wait
		defer c.L.Unlock()
		c.Broadcast()
	})
	defer stop()
	for !done() && ctx.Err() == nil {
		c.Wait()
	}
	return ctx.Err()
}

// verified reports whether the file has been read back and is as recorded.
func (rb *readBack) verified(rec fileRecord) bool {
	rb.mu.Lock()
	defer rb.mu.Unlock()
	sum, ok := rb.good[rec.Name]
	return ok && sum == rec.SHA256
}

// stop ends the reader and waits for it.
func (rb *readBack) stop() {
	rb.cancel()
	rb.mu.Lock()
	defer rb.mu.Unlock()
	for rb.running {
		rb.changed.Wait()
	}
}
