package s3store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	"golang.org/x/sync/errgroup"

	"holdall/archive"
	"holdall/internal/digest"
)

// uploads is how many parts of one object are under way at once.
const uploads = 4

// rounds is how often an object is sent anew after another request for the same name came in between (409),
// or after the server forgot the upload.
const rounds = 3

// putParts puts an object in parts. Of such an object S3 keeps the digests of its parts and the digest of
// those, and none of the whole. So the whole is checked here, before anything is sent.
func (s *Store) putParts(ctx context.Context, name string, c *content) error {
	size := s.partSize
	if size == 0 {
		size = archive.PartSize(c.size)
	}
	parts, err := archive.PartDigests(digest.NewReader(c.section(0, c.size), c.size, c.sum), size)
	if err != nil {
		return fmt.Errorf("put %s: %w", s.Location(name), err)
	}
	for round := 1; ; round++ {
		err := s.resolveTaken(ctx, name, c, parts, s.putRound(ctx, name, c, parts, size))
		if err == nil || round == rounds || !startOver(err) || ctx.Err() != nil {
			return err
		}
	}
}

// startOver reports whether the parts have to be sent again. After a conflict S3 wants a new upload; an
// upload that is gone was ended by a lifecycle rule, unless it was completed by a request whose answer was
// lost: that shows in the next round.
func startOver(err error) bool {
	var api smithy.APIError
	again := []string{"NoSuchUpload", "ConditionalRequestConflict"}
	return errors.As(err, &api) && slices.Contains(again, api.ErrorCode())
}

// putRound is one multipart upload. One that fails is left to the bucket's lifecycle rule: ending it
// wants a further permission.
func (s *Store) putRound(ctx context.Context, name string, c *content, parts []digest.Sum, size int64) error {
	if info, err := s.Stat(ctx, name); err == nil { // so that it is not sent for nothing
		same, err := s.isSame(ctx, info, c, parts)
		if err == nil && !same {
			err = errTaken
		}
		return err
	}
	id, err := s.begin(ctx, name, c)
	if err != nil {
		return err
	}
	sent, err := s.sendParts(ctx, name, id, c, parts, size)
	if err != nil {
		return err
	}
	return s.complete(ctx, name, id, parts, sent)
}

// errTaken is what S3 would say if it were asked to put an object where one is.
var errTaken = &smithy.GenericAPIError{
	Code: "PreconditionFailed", Message: "there is another object of that name",
}

func (s *Store) begin(ctx context.Context, name string, c *content) (id *string, err error) {
	in := &s3.CreateMultipartUploadInput{
		Bucket: &s.bucket, Key: s.key(name), StorageClass: types.StorageClass(s.StorageClass),
		ChecksumAlgorithm: types.ChecksumAlgorithmSha256, ChecksumType: types.ChecksumTypeComposite,
		Metadata: map[string]string{claimKey: c.sum.String()},
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
	err = s.do(ctx, "put", name, func(ctx context.Context, _ *watchdog) error {
		out, err := s.client.CreateMultipartUpload(ctx, in)
		if err == nil {
			id = out.UploadId
		}
		return err
	})
	return id, err
}

func (s *Store) sendParts(ctx context.Context, name string, id *string, c *content, parts []digest.Sum,
	size int64) ([]types.CompletedPart, error) {
	sent := make([]types.CompletedPart, len(parts))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(uploads)
	for i, sum := range parts {
		g.Go(func() error {
			off := int64(i) * size
			n := min(size, c.size-off)
			number := aws.Int32(int32(i + 1))
			return s.do(ctx, "put a part of", name, func(ctx context.Context, dog *watchdog) error {
				out, err := s.client.UploadPart(ctx, &s3.UploadPartInput{
					Bucket: &s.bucket, Key: s.key(name), UploadId: id, PartNumber: number,
					Body: &sending{c.section(off, n), dog}, ContentLength: &n, ChecksumSHA256: base64Of(sum),
				}, withPayloadHash(sum))
				if err != nil {
					return err
				}
				sent[i] = types.CompletedPart{
					PartNumber: number, ETag: out.ETag, ChecksumSHA256: base64Of(sum),
				}
				return nil
			})
		})
	}
	return sent, g.Wait()
}

// completeTimeout is how long the server may take to put an object together.
const completeTimeout = 10 * time.Minute

// complete ends an upload. The server puts the object together for as long as it takes.
func (s *Store) complete(ctx context.Context, name string, id *string, parts []digest.Sum,
	sent []types.CompletedPart) error {
	want := archive.PartsDigest(parts)
	return s.do(ctx, "put", name, func(ctx context.Context, dog *watchdog) error {
		dog.pause()
		ctx, cancel := context.WithTimeout(ctx, completeTimeout)
		defer cancel()
		out, err := s.client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
			Bucket: &s.bucket, Key: s.key(name), UploadId: id, IfNoneMatch: s.ifNoneMatch(),
			MultipartUpload: &types.CompletedMultipartUpload{Parts: sent},
		})
		if startOver(err) {
			return permanent{err}
		}
		if err != nil {
			return err
		}
		if got := aws.ToString(out.ChecksumSHA256); got != "" && got != want {
			return permanent{fmt.Errorf("the server put other parts together: digest %s, not %s", got, want)}
		}
		return nil
	})
}
