package s3store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"holdall/archive"
)

// Open implements archive.Store. A connection that breaks, or stalls, is replaced by a new one from where
// it broke, as long as the object is the same; its reader is an archive.Described.
func (s *Store) Open(ctx context.Context, name string, off, n int64) (io.ReadCloser, error) {
	if err := archive.CheckStoreName(name); err != nil {
		return nil, s.badName("open", name, err)
	}
	o := &object{s: s, ctx: ctx, name: name, at: off, end: -1}
	if n >= 0 {
		o.end = off + n
	}
	if n == 0 { // no range is empty
		info, err := s.Stat(ctx, name)
		o.size, o.modified = info.Size, info.Modified
		return o, err
	}
	if err := s.do(ctx, "open", name, o.connect); err != nil {
		return nil, err
	}
	return o, nil
}

// An object is being read.
type object struct {
	s    *Store
	ctx  context.Context
	name string

	at   int64 // of the next byte, in the object
	end  int64 // where reading ends; -1 until the server has said how long the object is
	size int64 // of the whole object
	etag string

	modified time.Time

	body    io.ReadCloser
	dog     *watchdog
	request context.Context // of body; dog ends it
}

// Info implements archive.Described.
func (o *object) Info() archive.Info {
	return archive.Info{Name: o.name, Size: o.size, Modified: o.modified}
}

// connect asks for what is still to be read. The answer's body outlives the request, and has a watchdog
// of its own.
func (o *object) connect(context.Context, *watchdog) error {
	ctx, dog := watch(o.ctx, o.s.stall)
	in := &s3.GetObjectInput{Bucket: &o.s.bucket, Key: o.s.key(o.name)}
	switch {
	case o.end >= 0:
		in.Range = aws.String(fmt.Sprintf("bytes=%d-%d", o.at, o.end-1))
	case o.at > 0:
		in.Range = aws.String(fmt.Sprintf("bytes=%d-", o.at))
	}
	if o.etag != "" {
		in.IfMatch = &o.etag
	}
	out, err := o.s.client.GetObject(ctx, in)
	dog.pause()
	if err != nil {
		stalled := context.Cause(ctx) == errStalled
		dog.stop()
		if beyondEnd(err) && o.etag == "" {
			o.end = o.at
			return nil
		}
		if stalled {
			return errStalled
		}
		return err
	}
	if err := o.accept(out, in.Range != nil); err != nil {
		dog.stop()
		return errors.Join(err, out.Body.Close())
	}
	o.body, o.dog, o.request = out.Body, dog, ctx
	return nil
}

// accept checks that the answer is what was asked for.
func (o *object) accept(out *s3.GetObjectOutput, ranged bool) error {
	length := aws.ToInt64(out.ContentLength)
	o.size = length
	if ranged {
		contentRange := aws.ToString(out.ContentRange) // RFC 9110, 14.4: "bytes first-last/size"
		bounds, size, _ := strings.Cut(strings.TrimPrefix(contentRange, "bytes "), "/")
		first, _, _ := strings.Cut(bounds, "-")
		total, err := strconv.ParseInt(size, 10, 64)
		if first != strconv.FormatInt(o.at, 10) || err != nil {
			return permanent{fmt.Errorf("the server answered a range from %d with %q", o.at, contentRange)}
		}
		o.size = total
	}
	if o.end < 0 || o.end > o.size {
		o.end = o.size
	}
	if o.etag == "" {
		o.etag, o.modified = aws.ToString(out.ETag), aws.ToTime(out.LastModified)
	}
	return nil
}

// beyondEnd reports whether nothing lies in the range that was asked for.
func beyondEnd(err error) bool {
	var response *smithyhttp.ResponseError
	return errors.As(err, &response) && response.HTTPStatusCode() == http.StatusRequestedRangeNotSatisfiable
}

// Read implements io.Reader.
func (o *object) Read(p []byte) (int, error) {
	backoff := o.s.backoff()
	deadline := time.Now().Add(o.s.Patience)
	for {
		if o.at == o.end {
			return 0, io.EOF
		}
		if err := o.ctx.Err(); err != nil {
			return 0, err
		}
		if o.body == nil {
			if err := o.s.do(o.ctx, "read", o.name, o.connect); err != nil {
				return 0, err
			}
			continue
		}
		n, err := o.readBody(p)
		if n > 0 || len(p) == 0 {
			return n, nil
		}
		if err == nil {
			continue
		}
		// The connection broke. Where that happens again and again without a byte received, it is reported.
		wait := backoff.Next()
		if time.Now().Add(wait).After(deadline) {
			return 0, &Error{Op: "read", Location: o.s.Location(o.name), err: err}
		}
		select {
		case <-o.ctx.Done():
		case <-time.After(wait):
		}
	}
}

// readBody reads from the open connection, and drops it when it ends.
func (o *object) readBody(p []byte) (int, error) {
	o.dog.touch()
	n, err := o.body.Read(p[:min(int64(len(p)), o.end-o.at)])
	o.dog.pause()
	o.at += int64(n)
	if err == nil {
		return n, nil
	}
	if err == io.EOF && o.at < o.end {
		err = io.ErrUnexpectedEOF
	}
	if context.Cause(o.request) == errStalled {
		err = errStalled
	}
	o.drop()
	return n, err
}

func (o *object) drop() {
	if o.body != nil {
		o.dog.stop()
		o.body.Close()
		o.body = nil
	}
}

// Close implements io.Closer.
func (o *object) Close() error {
	o.drop()
	o.end = o.at
	return nil
}
