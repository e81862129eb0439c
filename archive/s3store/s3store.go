// Package s3store keeps an archive's objects in S3, or in another store with its protocol.
//
// Open returns a store; Probe finds out what the provider lacks. Every object is written once, with
// If-None-Match: * and the SHA-256 that its bytes must have. The server keeps that digest, so that later
// checks need a HEAD and no content. Nothing is ever deleted or overwritten: s3:PutObject, s3:GetObject and
// s3:ListBucket suffice. See docs/s3.md.
//
// Many failures of requests are temporary, and an answer may be lost after the server has acted. So every
// request is repeated until it is answered or Options.Patience is over (retry.go), and a put that finds its
// name taken checks whether that was its own earlier try (put.go).
package s3store

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/logging"

	"holdall/archive"
)

// Options say how objects are kept. The zero value is usable.
type Options struct {
	RetainUntil  time.Time // Object Lock: objects cannot be deleted before; zero: no lock
	RetainMode   string    // "governance" or "compliance"; goes with RetainUntil
	LegalHold    bool      // Object Lock: a legal hold on every object
	KMSKey       string    // SSE-KMS with this key; "": what the bucket does by default
	StorageClass string    // as S3 names them; "": the bucket's default

	Scratch  string        // directory for content that has to be read twice and cannot; "": the system's
	Patience time.Duration // how long a request is repeated without success; 0: two minutes
	// Waiting is called, now and then, while requests are being repeated; may be nil.
	Waiting func(why error, until time.Time)

	partLimit int64         // of tests; 0: archive.PartLimit
	partSize  int64         // of tests; 0: archive.PartSize
	stall     time.Duration // nothing moves on a connection for so long: it is given up; 0: half a minute
	quiet     time.Duration // before Waiting is called; 0: five seconds
	pause     time.Duration // before the first repetition; 0: as package retry does it
}

// The defaults of Options.
const (
	defaultPatience = 2 * time.Minute
	defaultStall    = 30 * time.Second
	defaultQuiet    = 5 * time.Second
	// connections is how many idle connections are kept: what archive, verify and copy do side by side.
	connections = 32
)

// A Store is an archive.Store below s3://bucket/prefix.
type Store struct {
	client      *s3.Client
	credentials aws.CredentialsProvider
	bucket      string
	prefix      string // "" or ending in a slash
	Options

	// unconditional is set where Probe found that the provider knows no conditional writes. Then the name is
	// checked before each write, and two writers at once may overwrite each other.
	unconditional bool

	lastReport atomic.Pointer[time.Time] // when Waiting was called last
}

// Open returns the store at a URL s3://bucket/prefix. Credentials, region and endpoint are found the way
// all of AWS's tools find them: environment, shared files, and the machine's own role. Nothing is asked
// of the server yet.
func Open(ctx context.Context, url string, o Options) (*Store, error) {
	bucket, prefix, err := parseURL(url)
	if err != nil {
		return nil, err
	}
	if o.Patience == 0 {
		o.Patience = defaultPatience
	}
	if o.stall == 0 {
		o.stall = defaultStall
	}
	if o.quiet == 0 {
		o.quiet = defaultQuiet
	}
	if o.partLimit == 0 {
		o.partLimit = archive.PartLimit
	}
	cfg, err := config.LoadDefaultConfig(ctx, config.WithHTTPClient(httpClient()),
		config.WithLogger(logging.Nop{}),
		config.WithRequestChecksumCalculation(aws.RequestChecksumCalculationWhenRequired),
		config.WithResponseChecksumValidation(aws.ResponseChecksumValidationWhenRequired))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", archive.ErrCredentials, err)
	}
	if cfg.Region == "" {
		cfg.Region = "us-east-1" // S3 reports if another is meant, and other providers ignore it
	}
	client := s3.NewFromConfig(cfg, func(so *s3.Options) {
		so.UsePathStyle = so.BaseEndpoint != nil
		so.Retryer = aws.NopRetryer{} // see retry.go
		so.DisableLogOutputChecksumValidationSkipped = true
	})
	s := &Store{client: client, credentials: cfg.Credentials, bucket: bucket, prefix: prefix, Options: o}
	return s, nil
}

func httpClient() *awshttp.BuildableClient {
	return awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
		t.MaxIdleConnsPerHost = connections
		t.DisableCompression = true
	})
}

// CheckURL returns an error where a URL is none of a bucket or of a prefix in one.
func CheckURL(url string) error {
	_, _, err := parseURL(url)
	return err
}

// parseURL splits s3://bucket/prefix; the prefix comes back empty or with a slash at its end.
func parseURL(url string) (bucket, prefix string, err error) {
	rest, ok := strings.CutPrefix(url, "s3://")
	bucket, prefix, _ = strings.Cut(strings.TrimSuffix(rest, "/"), "/")
	switch {
	case !ok || bucket == "" || strings.ContainsAny(bucket, " \t\r\n@?#:"):
		return "", "", fmt.Errorf("%q is not of the form s3://bucket/prefix", url)
	case prefix == "":
		return bucket, "", nil
	}
	for elem := range strings.SplitSeq(prefix, "/") {
		if elem == "" || elem == "." || elem == ".." {
			return "", "", fmt.Errorf("%q: a prefix consists of names with single slashes between them", url)
		}
	}
	// S3 allows 1,024 bytes of a key; the archive's own names have up to 240.
	if len(prefix) > 700 || strings.ContainsFunc(prefix, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return "", "", errors.New("a prefix has at most 700 bytes and no control characters")
	}
	return bucket, prefix + "/", nil
}

// Location returns a URL.
func (s *Store) Location(name string) string {
	return strings.TrimSuffix("s3://"+s.bucket+"/"+s.prefix+name, "/")
}

func (s *Store) key(name string) *string { return aws.String(s.prefix + name) }
