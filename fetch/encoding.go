package fetch

import (
	"bufio"
	"bytes"
	"compress/zlib"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"holdall/fetch/failure"
	"holdall/internal/digest"
	"holdall/internal/filetype"
)

// An object may come in a Content-Encoding that nobody asked for: it was stored so, or a server on the way
// compresses. Ranges, lengths and digests are then those of the encoded bytes (RFC 9110, section 8.4), which
// are what the spool holds. When they have all been received they are decoded alongside that, and readers get
// the content.

// encodings reads a Content-Encoding: what was applied to the content, first to last. What is not an encoding
// of content, though it is found in the wild (identity, aws-chunked, a charset), is left out.
func encodings(header string) []string {
	var out []string
	for _, e := range strings.Split(strings.ToLower(header), ",") {
		switch e = strings.TrimSpace(e); e {
		case "gzip", "x-gzip":
			out = append(out, "gzip")
		case "deflate", "zstd", "br", "compress":
			out = append(out, e)
		case "x-compress":
			out = append(out, "compress")
		}
	}
	return out
}

// layers returns the encodings that a body which begins with first really has, the outermost first. What the
// header tells is judged by the bytes: a ZIP that is called gzip is a ZIP.
func layers(declared string, first []byte) []string {
	var out []string
	for _, enc := range slices.Backward(encodings(declared)) {
		if len(first) == 0 || !begins(enc, first) {
			break
		}
		out = append(out, enc)
		first = decodeSome(enc, first)
	}
	return out
}

// begins reports whether bytes begin like those of an encoding.
func begins(enc string, b []byte) bool {
	switch enc {
	case "gzip":
		return bytes.HasPrefix(b, []byte("\x1f\x8b\x08"))
	case "zstd":
		return bytes.HasPrefix(b, []byte("\x28\xb5\x2f\xfd"))
	case "deflate": // a zlib stream (RFC 1950)
		return len(b) > 1 && b[0]&0x0f == 8 && b[0]>>4 <= 7 && (int(b[0])<<8|int(b[1]))%31 == 0
	case "compress":
		return bytes.HasPrefix(b, []byte("\x1f\x9d"))
	}
	return filetype.Detect(b) == filetype.Unknown // br has no mark of its own
}

// decoder reads one encoding. Its reader fails where the encoding's own checks do.
func decoder(enc string, r io.Reader) (io.Reader, error) {
	switch enc {
	case "gzip":
		return gzip.NewReader(r)
	case "zstd":
		z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(1<<27))
		if err != nil {
			return nil, err
		}
		return z.IOReadCloser(), nil
	case "deflate":
		return zlib.NewReader(r)
	}
	return nil, errNoDecoder(enc)
}

// errNoDecoder names an encoding that holdall does not read.
type errNoDecoder string

func (e errNoDecoder) Error() string { return "no reader for " + string(e) }

// explain is the failure of a link that serves an encoding which cannot be read.
func (e errNoDecoder) explain() *failure.Error {
	return &failure.Error{
		Code: failure.NotTheExport,
		Message: fmt.Sprintf(
			"the link serves the export compressed in a way that holdall does not read (Content-Encoding: "+
				"%s)",
			string(e),
		),
		Hint: "ask the vendor to serve it as it is; what was received is kept",
	}
}

// decoders reads all of the layers, the outermost first.
func decoders(layers []string, r io.Reader) (io.Reader, error) {
	for _, enc := range layers {
		next, err := decoder(enc, r)
		if err != nil {
			return nil, err
		}
		r = next
	}
	return r, nil
}

// decodeSome returns as much of the content as the first bytes of its encoded form yield.
func decodeSome(enc string, first []byte) []byte {
	r, err := decoder(enc, bytes.NewReader(first))
	if err != nil {
		return nil
	}
	b, _ := io.ReadAll(io.LimitReader(r, filetype.HeadLen))
	return b
}

// content returns the first bytes of what an answer carries, decoded, and the layers that were taken off.
func (x *exchange) content() (first []byte, coded []string, err error) {
	first = x.prefix
	coded = layers(x.identity.Encoding, first)
	for _, enc := range coded {
		if _, err := decoder(enc, bytes.NewReader(first)); errors.As(err, new(errNoDecoder)) {
			return nil, nil, err
		}
		first = decodeSome(enc, first)
	}
	return first, coded, nil
}

// decodeBody decodes a body that has been received whole.
func decodeBody(declared string, body []byte) ([]byte, error) {
	coded := layers(declared, body)
	if len(coded) == 0 {
		return body, nil
	}
	r, err := decoders(coded, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

// A decodingReader decodes what it reads once the first bytes have been received, by the encoding that told
// returns then.
type decodingReader struct {
	r        io.Reader
	declared func() string
	in       io.Reader
}

func (d *decodingReader) Read(p []byte) (int, error) {
	if d.in == nil {
		b := bufio.NewReaderSize(d.r, 4<<10)
		first, err := b.Peek(1)
		if err != nil {
			return 0, err
		}
		if d.declared() != "" {
			first, _ = b.Peek(b.Size())
		}
		if d.in, err = decoders(layers(d.declared(), first), b); err != nil {
			return 0, err
		}
	}
	return d.in.Read(p)
}

// plainPath is where the content of an object that came encoded is.
func plainPath(dir, name string) string { return dataPath(dir, name) + ".plain" }

// errEncoding marks encoded bytes that do not fit the encoding's own checks.
var errEncoding = errors.New("the bytes fail the checks of the encoding that they came in")

// decode writes the content of an object whose encoded bytes have all been received alongside them. v is what
// is known of these. lenient takes what comes before the bytes that cannot be decoded.
func (r *Run) decode(o *Object, v Verified, lenient bool) (Verified, error) {
	path := plainPath(r.spool.dir, o.name)
	out, err := os.OpenFile(path+".part", os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return v, failure.Disk(err, "decode a fetched object")
	}
	sum := digest.NewWriter()
	in := io.NewSectionReader(o.store.data, 0, v.Size)
	err = decodeInto(r.ctx, io.MultiWriter(out, sum), o.encodings, in)
	if err == nil || lenient && errors.Is(err, errEncoding) {
		if err = datasync(out); err == nil {
			err = os.Rename(path+".part", path)
		}
		if err != nil {
			err = failure.Disk(err, "decode a fetched object")
		}
	}
	if err != nil {
		return v, errors.Join(err, out.Close(), os.Remove(path+".part"))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	o.outcome.decoded = append(o.outcome.decoded, out)
	v.Encoding, v.Received, v.ReceivedSHA256 = strings.Join(o.encodings, ", "), v.Size, v.SHA256
	v.Size, v.SHA256 = sum.Size(), sum.Sum()
	return v, nil
}

// decodeInto tells what is wrong with the encoded bytes, as errEncoding, from what is wrong with the disk.
func decodeInto(ctx context.Context, w io.Writer, coded []string, r io.Reader) error {
	in, err := decoders(coded, bufio.NewReaderSize(r, 256<<10))
	if err != nil {
		return fmt.Errorf("%w: %w", errEncoding, err)
	}
	buf := make([]byte, 256<<10)
	for {
		n, err := in.Read(buf)
		if _, werr := w.Write(buf[:n]); werr != nil {
			return failure.Disk(werr, "decode a fetched object")
		}
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return fmt.Errorf("%w: %w", errEncoding, err)
		case ctx.Err() != nil:
			return failure.Stopped(ctx)
		}
	}
}
