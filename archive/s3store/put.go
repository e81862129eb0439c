package s3store

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go/middleware"

	"holdall/archive"
	"holdall/internal/digest"
)

// claimKey is the metadata key under which the writer of an object states its SHA-256. It is an unchecked
// claim, of use where the provider keeps no digest of the whole.
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
			return s.compareTaken(ctx, info, c, nil, err)
		}
	}
	if size > s.partLimit {
		return s.putParts(ctx, name, c)
	}
	err = s.do(ctx, "put", name, func(ctx context.Context, dog *watchdog) error {
		return s.putOnce(ctx, dog, name, c)
	})
	return s.resolveTaken(ctx, name, c, nil, err)
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
	_, err := s.client.PutObject(ctx, in, withPayloadHash(c.sum))
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

// withPayloadHash signs a request for a payload whose digest is known, which the SDK would otherwise read the
// payload for.
func withPayloadHash(sum digest.Sum) func(*s3.Options) {
	return func(o *s3.Options) {
		o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
			return stack.Initialize.Add(knownHash(sum.String()), middleware.Before)
		})
	}
}

// knownHash is a middleware that sets the payload's hash.
type knownHash string

// ID implements middleware.InitializeMiddleware.
func (knownHash) ID() string { return "KnownPayloadHash" }

// HandleInitialize implements middleware.InitializeMiddleware.
func (h knownHash) HandleInitialize(ctx context.Context, in middleware.InitializeInput,
	next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
	return next.HandleInitialize(v4.SetPayloadHash(ctx, string(h)), in)
}

func base64Of(sum digest.Sum) *string { return aws.String(base64.StdEncoding.EncodeToString(sum[:])) }

// resolveTaken turns err, of a put whose name is taken, into success where the object there has the same
// content, as it has when an answer was lost after the server had acted. parts are the digests of the parts
// that were sent, if any.
func (s *Store) resolveTaken(
	ctx context.Context, name string, c *content, parts []digest.Sum, err error,
) error {
	if err == nil {
		return nil
	}
	if classify(err) != taken || ctx.Err() != nil {
		return s.checkSent(c, err)
	}
	info, serr := s.Stat(ctx, name)
	if serr != nil {
		serr = fmt.Errorf("%w; the object there cannot be read: %w", err, serr)
	}
	return s.compareTaken(ctx, info, c, parts, serr)
}

// compareTaken is resolveTaken for the object found under the name.
func (s *Store) compareTaken(ctx context.Context, info archive.Info, c *content, parts []digest.Sum,
	err error) error {
	if err != nil {
		return err
	}
	same, err := s.isSame(ctx, info, c, parts)
	switch {
	case err != nil:
		return fmt.Errorf("put %s, where there is an object: %w", s.Location(info.Name), err)
	case same:
		return nil
	}
	other := fmt.Errorf("%w, with other content", fs.ErrExist)
	return &fs.PathError{Op: "put", Path: s.Location(info.Name), Err: other}
}

// isSame compares an object with a content: by the server's checksum, else by reading it.
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

// checkSent returns err along with a *digest.MismatchError where the request failed because the content does
// not have the digest that was announced.
func (s *Store) checkSent(c *content, err error) error {
	if class := classify(err); class != temporary && class != final {
		return err
	}
	if _, cerr := io.Copy(io.Discard, digest.NewReader(c.section(0, c.size), c.size, c.sum)); cerr != nil {
		return fmt.Errorf("%w: %w", err, cerr)
	}
	return err
}
