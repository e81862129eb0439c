package s3store

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"holdall/archive"
	"holdall/internal/digest"
)

// Stat implements archive.Store with one HEAD.
func (s *Store) Stat(ctx context.Context, name string) (archive.Info, error) {
	if err := archive.CheckStoreName(name); err != nil {
		return archive.Info{}, s.badName("stat", name, err)
	}
	var out *s3.HeadObjectOutput
	err := s.do(ctx, "look at", name, func(ctx context.Context, _ *watchdog) (err error) {
		out, err = s.client.HeadObject(ctx, &s3.HeadObjectInput{
			Bucket: &s.bucket, Key: s.key(name), ChecksumMode: types.ChecksumModeEnabled,
		})
		return s.reason(ctx, name, err)
	})
	if err != nil {
		return archive.Info{}, err
	}
	return describe(name, out), nil
}

// badName is the error of a name that no object can have.
func (s *Store) badName(op, name string, err error) error {
	return &fs.PathError{Op: op, Path: s.Location(name), Err: fmt.Errorf("%w: %w", fs.ErrNotExist, err)}
}

// listed is what every answer says of an object.
func listed(name string, size *int64, modified *time.Time) archive.Info {
	return archive.Info{Name: name, Size: aws.ToInt64(size), Modified: aws.ToTime(modified)}
}

func describe(name string, out *s3.HeadObjectOutput) archive.Info {
	info := listed(name, out.ContentLength, out.LastModified)
	kept := aws.ToString(out.ChecksumSHA256)
	if strings.Contains(kept, "-") || out.ChecksumType == types.ChecksumTypeComposite {
		info.Parts = kept
	} else if sum, err := base64.StdEncoding.DecodeString(kept); err == nil && len(sum) == digest.Size {
		info.SHA256 = digest.Sum(sum)
	}
	if claim, err := digest.Parse(out.Metadata[claimKey]); err == nil {
		info.Claimed = claim
	}
	return info
}

// reason finds out why a HEAD was refused: its answer has no body, and so no code. One byte is asked for
// instead.
func (s *Store) reason(ctx context.Context, name string, err error) error {
	if err == nil || classify(err) != denied && classify(err) != final {
		return err
	}
	out, gerr := s.client.GetObject(ctx, &s3.GetObjectInput{
		Bucket: &s.bucket, Key: s.key(name), Range: aws.String("bytes=0-0"),
	})
	if gerr == nil {
		return errors.Join(err, out.Body.Close())
	}
	return gerr
}

// List implements archive.Store with a request for every 1,000 objects. It knows no digests.
func (s *Store) List(ctx context.Context, prefix string) iter.Seq2[archive.Info, error] {
	return func(yield func(archive.Info, error) bool) {
		for page, err := range s.pages(ctx, prefix, nil) {
			if err != nil {
				yield(archive.Info{}, err)
				return
			}
			for _, o := range page.Contents {
				name := strings.TrimPrefix(aws.ToString(o.Key), s.prefix)
				if strings.HasSuffix(name, "/") && aws.ToInt64(o.Size) == 0 {
					continue // what consoles make for a folder
				}
				if !yield(listed(name, o.Size, o.LastModified), nil) {
					return
				}
			}
		}
	}
}

// Folders implements archive.Store with a request for every 1,000 folders, however many objects lie in
// them.
func (s *Store) Folders(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for page, err := range s.pages(ctx, prefix, aws.String("/")) {
			if err != nil {
				yield("", err)
				return
			}
			for _, p := range page.CommonPrefixes {
				name := strings.TrimSuffix(strings.TrimPrefix(aws.ToString(p.Prefix), *s.below(prefix)), "/")
				if name != "" && !yield(name, nil) {
					return
				}
			}
		}
	}
}

type page = s3.ListObjectsV2Output

// below is the prefix of the keys of what lies below a name.
func (s *Store) below(prefix string) *string {
	if prefix == "" {
		return &s.prefix
	}
	return aws.String(s.prefix + prefix + "/")
}

func (s *Store) pages(ctx context.Context, prefix string, delimiter *string) iter.Seq2[*page, error] {
	return func(yield func(*page, error) bool) {
		in := &s3.ListObjectsV2Input{Bucket: &s.bucket, Prefix: s.below(prefix), Delimiter: delimiter}
		for {
			var out *page
			err := s.do(ctx, "list", prefix, func(ctx context.Context, _ *watchdog) (err error) {
				out, err = s.client.ListObjectsV2(ctx, in)
				return err
			})
			if !yield(out, err) || err != nil || !aws.ToBool(out.IsTruncated) {
				return
			}
			in.ContinuationToken = out.NextContinuationToken
		}
	}
}
