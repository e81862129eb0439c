package archive

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
)

// An uploader puts finished files into the store in the background.
type uploader struct {
	b      *Builder
	d      Delivery
	ctx    context.Context
	cancel context.CancelFunc
	work   sync.WaitGroup
	slots  chan struct{} // one for each upload at once

	mu      sync.Mutex // guards what follows
	changed *sync.Cond
	waiting int64 // bytes of documents that are not in the store yet
	open    int   // files on their way
	err     error // the store failed: nothing more is tried
}

func newUploader(b *Builder, d Delivery) *uploader {
	c := &uploader{b: b, d: d, slots: make(chan struct{}, uploads)}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.changed = sync.NewCond(&c.mu)
	return c
}

// holdsDocuments reports whether a file is never discarded, and not needed here once it has been delivered.
func holdsDocuments(rec fileRecord) bool {
	return rec.Pack != nil || strings.HasPrefix(rec.Name, largeDir)
}

// add takes a file that has been read back.
func (c *uploader) add(rec fileRecord) {
	if !holdsDocuments(rec) && (c.d.Final == nil || !c.d.Final(rec.Name)) || c.b.isDelivered(rec.Name) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ctx.Err() != nil {
		return
	}
	c.open++
	if holdsDocuments(rec) {
		c.waiting += rec.Size
	}
	c.work.Go(func() {
		c.slots <- struct{}{}
		err := c.deliver(rec)
		<-c.slots
		c.done(rec, err)
	})
}

func (c *uploader) done(rec fileRecord, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open--
	if err != nil && c.err == nil {
		c.err = err
	}
	if holdsDocuments(rec) {
		c.waiting -= rec.Size
	}
	c.changed.Broadcast()
}

// deliver puts one file into the store, records that, and removes it here.
func (c *uploader) deliver(rec fileRecord) error {
	if err := c.failed(); err != nil {
		return err
	}
	if err := c.b.upload(c.ctx, c.d.Store, exportsDir+c.d.ID+"/"+rec.Name, rec); err != nil {
		if c.ctx.Err() != nil {
			err = os.ErrClosed // and no interruption: stop ended it
		}
		return fmt.Errorf("deliver %s: %w", rec.Name, err)
	}
	if rec.Pack != nil {
		if err := c.b.saveRows(rec); err != nil {
			return fmt.Errorf("deliver %s: keep its rows: %w", rec.Name, err)
		}
	}
	if err := c.b.recordDelivered(rec.Name); err != nil {
		return err
	}
	if !holdsDocuments(rec) {
		return nil
	}
	return os.Remove(c.b.path(rec.Name))
}

func (c *uploader) failed() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil && c.ctx.Err() != nil {
		return os.ErrClosed
	}
	return c.err
}

// wait returns when enough says so, or the store has failed.
func (c *uploader) wait(ctx context.Context, enough func() bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	err := waitFor(ctx, c.changed, func() bool { return enough() || c.err != nil || c.ctx.Err() != nil })
	switch {
	case c.err != nil:
		return c.err
	case err == nil && c.ctx.Err() != nil:
		return os.ErrClosed
	}
	return err
}

// waitForRoom returns when few enough documents wait to be delivered.
func (c *uploader) waitForRoom(ctx context.Context) error {
	if c == nil {
		return nil
	}
	most := backlog * c.b.limits.packBytes
	return c.wait(ctx, func() bool { return c.waiting <= most })
}

// waitUntilDone returns when everything that was handed over is there.
func (c *uploader) waitUntilDone(ctx context.Context) error {
	if c == nil {
		return nil
	}
	return c.wait(ctx, func() bool { return c.open == 0 })
}

// stop ends all uploads and waits for them.
func (c *uploader) stop() {
	if c == nil {
		return
	}
	c.mu.Lock()
	c.cancel()
	c.changed.Broadcast()
	c.mu.Unlock()
	c.work.Wait()
}
