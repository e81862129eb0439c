package s3store

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"

	"holdall/internal/digest"
	"holdall/internal/s3test"
)

// An upload in parts that ended at any of its requests, before the server acted or after it had, is made anew
// by the next process; one that was complete is found. What was sent in vain is left to the bucket's
// lifecycle rule.
func TestAnUploadInPartsThatWasInterruptedIsMadeAnew(t *testing.T) {
	proxy := s3test.Start(t).NewProxy(t)
	content := random(12 << 20)
	options := Options{partLimit: 6 << 20, partSize: 5 << 20}
	requests := []string{"CreateMultipartUpload", "partNumber=1", "partNumber=2", "partNumber=3",
		"CompleteMultipartUpload"}
	for _, at := range requests {
		for _, acted := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, acted %v", at, acted), func(t *testing.T) {
				s3test.Setenv(t, proxy.URL, s3test.Writer)
				root := fmt.Sprintf("some/root-%d", roots.Add(1))
				s := openAt(t, s3test.Bucket, root, options)
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				proxy.SetFault(func(r s3test.Request) s3test.Fault {
					switch {
					case ctx.Err() != nil, r.Op != at && !strings.Contains(r.Query, at):
						return s3test.Fault{}
					case acted:
						return s3test.Fault{Acted: cancel, Drop: true}
					}
					cancel()
					return s3test.Fault{Status: 503, Code: "SlowDown"}
				})
				err := s.Put(ctx, "data/file", bytes.NewReader(content), int64(len(content)),
					digest.Of(content))
				if err == nil {
					t.Fatal("the upload was not interrupted")
				}
				proxy.SetFault(nil)
				proxy.Take()
				next := openAt(t, s3test.Bucket, root, options)
				if err := put(next, "data/file", content); err != nil {
					t.Fatal(err)
				}
				log := proxy.Take()
				ops, _ := s3test.Count(log)
				want := 3
				if acted && at == "CompleteMultipartUpload" {
					want = 0
				}
				if ops["UploadPart"] != want || ops["DELETE"] > 0 {
					t.Errorf("the next process made %v, want %d parts sent and nothing deleted", ops, want)
				}
				if got, err := read(next, "data/file", 0, -1); err != nil || !bytes.Equal(got, content) {
					t.Errorf("read: %d bytes, %v", len(got), err)
				}
			})
		}
	}
}
