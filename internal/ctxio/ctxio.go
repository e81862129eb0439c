// Package ctxio makes reading end with a context.
package ctxio

import (
	"context"
	"io"
)

// NewReader returns a reader of r whose Read fails with ctx's error once ctx is done. A Read of r that has
// begun is not interrupted.
func NewReader(ctx context.Context, r io.Reader) io.Reader { return reader{ctx, r} }

type reader struct {
	ctx context.Context
	r   io.Reader
}

func (r reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}
