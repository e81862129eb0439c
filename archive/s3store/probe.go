package s3store

import (
	"context"
	"strings"

	"holdall/internal/digest"
)

// Support is what a provider has shown that it can do.
type Support struct {
	Conditional bool // If-None-Match: * keeps an object from being overwritten
	Checksums   bool // the SHA-256 of an object is checked and kept
}

// Complete reports whether nothing is lacking.
func (s Support) Complete() bool { return s.Conditional && s.Checksums }

// String says what is lacking, for people and for the ledger.
func (s Support) String() string {
	var lacks []string
	if !s.Conditional {
		lacks = append(lacks, "no conditional writes")
	}
	if !s.Checksums {
		lacks = append(lacks, "no kept SHA-256")
	}
	if lacks == nil {
		return "conditional writes, kept SHA-256"
	}
	return strings.Join(lacks, ", ")
}

// Probe finds out what the provider supports, by writing an object that the root needs anyway, twice.
// Nothing is left behind. It also shows, before anything else is done, whether the credentials and the
// bucket are right.
func (s *Store) Probe(ctx context.Context, name string, content []byte) (Support, error) {
	var found Support
	c, err := s.content(strings.NewReader(string(content)), int64(len(content)), digest.Of(content))
	if err != nil {
		return found, err
	}
	put := func(ctx context.Context, dog *watchdog) error { return s.putOnce(ctx, dog, name, c) }
	for range 2 {
		switch err = s.do(ctx, "put", name, put); {
		case err == nil: // the first time; or the condition was not heeded, and the same is there again
			continue
		case classify(err) == taken && ctx.Err() == nil:
			found.Conditional = true
		case classify(err) == unsupported:
			s.unconditional = true
			if err = s.do(ctx, "put", name, put); err != nil {
				return found, err
			}
		default:
			return found, err
		}
		break
	}
	s.unconditional = !found.Conditional
	info, err := s.Stat(ctx, name)
	found.Checksums = !info.SHA256.IsZero()
	return found, err
}
