package unpack

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"

	"holdall/internal/filetype"
)

// believe decides whether the current member can be as long as its header says. Where it claims more than
// there is, and more than any file has, what follows it is looked for: otherwise one number hid the rest of
// the tar.
func (s *tarStream) believe(stored int64) {
	if !s.lenient || stored <= s.largest || s.end <= min(s.most, s.extent()) {
		return
	}
	s.contradict("the entry at byte %d says that it has %d bytes, more than there are", s.start, stored)
	s.end, s.lost = s.data, true
}

// extent returns how long the tar is at most, as far as that is known.
func (s *tarStream) extent() int64 {
	if s.buffer == nil {
		return s.src.end
	}
	return math.MaxInt64
}

// nextHeader reads the headers at the current place, or goes on to where the next ones are: errMore.
func (s *tarStream) nextHeader() (*tar.Header, error) {
	if s.lost {
		s.lost = false
		if err := s.seekHeader(""); err != io.EOF {
			return nil, err
		}
		return nil, errEnd
	}
	return s.readHeader()
}

// errMore says that the stream is before another member, errEnd that no other one was found.
var (
	errMore = errors.New("more members follow")
	errEnd  = errors.New("no more members follow")
)

// finish reads what follows the end mark: zeros, and the checksum of the compression. Another tar there
// is read on.
func (s *tarStream) finish() error {
	if s.headers.Len() == 0 {
		s.contradict("it ends at byte %d without its end mark; it may be cut", s.pos)
		return io.EOF
	}
	return s.seekHeader("another tar follows its end mark, at byte %d")
}

// resync continues after a header that cannot be read, with the next one that can.
func (s *tarStream) resync(cause error) error {
	s.contradict("%v", cause)
	if s.buffer == nil {
		s.pos = min(s.start+filetype.TarBlock, s.src.end)
		s.src.off = s.pos
	}
	s.unaccounted(s.start, s.pos)
	return s.seekHeader("")
}

// seekHeader looks block by block for the next header. It returns errMore before one, and io.EOF where the
// tar ends.
func (s *tarStream) seekHeader(told string) error {
	block := make([]byte, filetype.TarBlock)
	for {
		at := s.pos
		n, err := io.ReadFull(s, block)
		switch {
		case n == filetype.TarBlock && block[0] != 0 && filetype.TarChecksumFits(block):
			s.unread(block)
			s.end = at
			if told != "" {
				s.contradict(told, at)
			}
			return errMore
		case len(bytes.TrimLeft(block[:n], "\x00")) > 0:
			s.unaccounted(at, at+int64(n))
		}
		if err == io.EOF || err == io.ErrUnexpectedEOF && s.src.err == nil && s.src.off >= s.src.end &&
			s.buffer == nil {
			return io.EOF
		}
		if err != nil {
			return s.failed("read behind the end mark", err)
		}
	}
}

// unread gives a block back.
func (s *tarStream) unread(block []byte) {
	s.pos -= int64(len(block))
	if s.buffer == nil {
		s.src.off = s.pos
		return
	}
	s.r = io.MultiReader(bytes.NewReader(bytes.Clone(block)), s.r)
}

func (s *tarStream) contradict(format string, args ...any) {
	if s.acc != nil && len(s.acc.Contradictions) < mostExamples {
		s.acc.Contradictions = append(s.acc.Contradictions, fmt.Sprintf(format, args...))
	}
}

// unaccounted notes bytes of the tar that are not a member's.
func (s *tarStream) unaccounted(from, to int64) {
	if s.acc == nil {
		return
	}
	s.acc.Unaccounted += to - from
	if n := len(s.acc.Regions); n > 0 && s.acc.Regions[n-1].To == from {
		s.acc.Regions[n-1].To = to
	} else if n < mostExamples {
		s.acc.Regions = append(s.acc.Regions, Region{from, to, "bytes in no known format"})
	}
}
