package s3store

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go/middleware"

	"holdall/archive"
	"holdall/internal/digest"
)

// claimKey is the key of an object's metadata under which whoever put it says which SHA-256 it has. Nobody
// has checked that: it is a claim, of use where the provider keeps no digest of the whole.
const claimKey = "claimed-sha256"

// Put implements archive.Store. An object above archive.PartLimit goes up in parts.
func (s *Store) Put(ctx context.Context, name string, r io.Reader, size int64, sum digest.Sum) error {
	if err := archive.CheckStoreName(name); err != nil {
		return &fs.PathError{Op: "put", Path: s.Location(name), Err: err}
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("put %s: %w", s.Location(name), err)
	}
	c, err := s.content(r, size, sum)
	if err != nil {
		return fmt.Errorf("put %s: %w", s.Location(name), err)
	}
	defer c.release()
	if s.unconditional {
		if info, err := s.Stat(ctx, name); !errors.Is(err, fs.ErrNotExist) {
			return s.settleWith(ctx, info, c, nil, err)
		}
	}
	if size > s.partLimit {
		return s.putParts(ctx, name, c)
	}
	err = s.do(ctx, "put", name, func(ctx context.Context, dog *watchdog) error {
		return s.putOnce(ctx, dog, name, c)
	})
	return s.settle(ctx, name, c, nil, err)
}

// putOnce is one try to put an object whole.
func (s *Store) putOnce(ctx context.Context, dog *watchdog, name string, c *content) error {
	in := &s3.PutObjectInput{
		Bucket: &s.bucket, Key: s.key(name), IfNoneMatch: s.ifNoneMatch(), ChecksumSHA256: base64Of(c.sum),
		Body: &sending{c.section(0, c.size), dog}, ContentLength: &c.size,
		Metadata:     map[string]string{claimKey: c.sum.String()},
		StorageClass: types.StorageClass(s.StorageClass),
	}
	if s.KMSKey != "" {
		in.ServerSideEncryption, in.SSEKMSKeyId = types.ServerSideEncryptionAwsKms, &s.KMSKey
	}
	if !s.RetainUntil.IsZero() {
		in.ObjectLockMode, in.ObjectLockRetainUntilDate = s.lockMode(), &s.RetainUntil
	}
	if s.LegalHold {
		in.ObjectLockLegalHoldStatus = types.ObjectLockLegalHoldStatusOn
	}
	_, err := s.client.PutObject(ctx, in, signedAs(c.sum))
	return err
}

// ifNoneMatch is the condition that keeps what is there.
func (s *Store) ifNoneMatch() *string {
	if s.unconditional {
		return nil
	}
	return aws.String("*")
}

func (s *Store) lockMode() types.ObjectLockMode {
	if s.RetainMode == "compliance" {
		return types.ObjectLockModeCompliance
	}
	return types.ObjectLockModeGovernance
}

// signedAs signs a request for a payload whose digest is known, which the SDK would otherwise read the
// payload for.
func signedAs(sum digest.Sum) func(*s3.Options) {
	return func(o *s3.Options) {
		o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
			return stack.Initialize.Add(knownHash(sum.String()), middleware.Before)
		})
	}
}

// knownHash is a middleware that says what the payload's hash is.
type knownHash string

// ID implements middleware.InitializeMiddleware.
func (knownHash) ID() string { return "KnownPayloadHash" }

// HandleInitialize implements middleware.InitializeMiddleware.
func (h knownHash) HandleInitialize(ctx context.Context, in middleware.InitializeInput,
	next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
	return next.HandleInitialize(v4.SetPayloadHash(ctx, string(h)), in)
}

func base64Of(sum digest.Sum) *string { return aws.String(base64.StdEncoding.EncodeToString(sum[:])) }

// settle decides what a name that is taken means: a success where the object there has the content in
// question, as it has when an answer was lost after the server had acted. parts are the digests of the
// parts that were sent, if any.
func (s *Store) settle(ctx context.Context, name string, c *content, parts []digest.Sum, err error) error {
	if err == nil {
		return nil
	}
	if classify(err) != taken || ctx.Err() != nil {
		return s.blame(c, err)
	}
	info, serr := s.Stat(ctx, name)
	if serr != nil {
		serr = fmt.Errorf("%w; what is there cannot be looked at: %w", err, serr)
	}
	return s.settleWith(ctx, info, c, parts, serr)
}

// settleWith is settle for what has been found under the name.
func (s *Store) settleWith(ctx context.Context, info archive.Info, c *content, parts []digest.Sum,
	err error) error {
	if err != nil {
		return err
	}
	same, err := s.isSame(ctx, info, c, parts)
	switch {
	case err != nil:
		return fmt.Errorf("put %s, where something is: %w", s.Location(info.Name), err)
	case same:
		return nil
	}
	other := fmt.Errorf("%w, with other content", fs.ErrExist)
	return &fs.PathError{Op: "put", Path: s.Location(info.Name), Err: other}
}

// isSame compares an object with a content: by what the server vouches for, else by reading it.
func (s *Store) isSame(ctx context.Context, info archive.Info, c *content, parts []digest.Sum) (bool, error) {
	switch {
	case info.Size != c.size:
		return false, nil
	case !info.SHA256.IsZero():
		return info.SHA256 == c.sum, nil
	case info.Parts != "" && parts != nil && info.Parts == archive.PartsDigest(parts):
		return true, nil
	}
	r, err := s.Open(ctx, info.Name, 0, -1)
	if err != nil {
		return false, err
	}
	defer r.Close()
	_, err = io.Copy(io.Discard, digest.NewReader(r, c.size, c.sum))
	var mismatch *digest.MismatchError
	if errors.As(err, &mismatch) {
		return false, nil
	}
	return err == nil, err
}

// blame finds out whether a request failed because the content is not what was announced, which the server
// has noticed.
func (s *Store) blame(c *content, err error) error {
	if class := classify(err); class != passing && class != final {
		return err
	}
	if _, cerr := io.Copy(io.Discard, digest.NewReader(c.section(0, c.size), c.size, c.sum)); cerr != nil {
		return fmt.Errorf("%w: %w", err, cerr)
	}
	return err
}

// A content is what is to be put: bytes that can be read more than once.
type content struct {
	io.ReaderAt
	base int64 // where it begins
	size int64
	sum  digest.Sum
	file *os.File // to be removed
}

// section reads n bytes from off.
func (c *content) section(off, n int64) *io.SectionReader {
	return io.NewSectionReader(c.ReaderAt, c.base+off, n)
}

func (c *content) release() {
	if c.file != nil {
		c.file.Close()
		os.Remove(c.file.Name())
	}
}

// inMemory is the longest content that is kept in memory where its reader can only be read once.
const inMemory = 8 << 20

// content makes r one that can be read again. What can be already is not read here.
func (s *Store) content(r io.Reader, size int64, sum digest.Sum) (*content, error) {
	c := &content{size: size, sum: sum}
	if again, ok := r.(interface {
		io.ReaderAt
		io.Seeker
	}); ok {
		return c, c.take(again)
	}
	checked := digest.NewReader(r, size, sum)
	if size <= inMemory {
		b, err := io.ReadAll(checked)
		c.ReaderAt = bytes.NewReader(b)
		return c, err
	}
	f, err := os.CreateTemp(s.Scratch, "holdall-upload-*")
	if err != nil {
		return nil, err
	}
	c.file, c.ReaderAt = f, f
	if _, err := io.Copy(f, checked); err != nil {
		c.release()
		return nil, err
	}
	return c, nil
}

// take finds out where the content begins, and whether as much is left as was announced.
func (c *content) take(r interface {
	io.ReaderAt
	io.Seeker
}) error {
	base, err := r.Seek(0, io.SeekCurrent)
	if err != nil {
		return err
	}
	end, err := r.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	if end-base != c.size {
		return &digest.MismatchError{WantSize: c.size, GotSize: end - base, Want: c.sum}
	}
	c.ReaderAt, c.base = r, base
	return nil
}
