package fetch

import (
	"cmp"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"holdall/fetch/failure"
)

var nvme = crc64.MakeTable(0x9a6c9329ac4bc9b5)

// newHash returns the digest of that name.
func newHash(name string) hash.Hash {
	switch name {
	case "sha-512":
		return sha512.New()
	case "sha-1":
		return sha1.New()
	case "md5":
		return md5.New()
	case "crc32c":
		return crc32.New(castagnoli)
	case "crc32":
		return crc32.NewIEEE()
	case "crc64nvme":
		return crc64.New(nvme)
	}
	return sha256.New()
}

// A claim is a digest that a server tells of an object.
type claim struct {
	rung   string // its name in reports
	digest string // which one it is
	sum    []byte
	firm   bool // a mismatch is a fault; an ETag may be no digest at all
}

// claims returns what id says of the content, the most telling first.
func (id Identity) claims() []claim {
	var cs []claim
	add := func(rung, digest, b64 string, firm bool) {
		sum, err := base64.StdEncoding.DecodeString(b64)
		if err == nil && len(sum) == newHash(digest).Size() {
			cs = append(cs, claim{rung, digest, sum, firm})
		}
	}
	for _, d := range strings.Split(id.Checksums["repr-digest"], ",") {
		name, v, _ := strings.Cut(strings.TrimSpace(d), "=")
		switch name = strings.ToLower(name); name {
		case "sha-256", "sha-512":
			add("repr-digest", name, strings.Trim(v, ":"), true)
		}
	}
	for _, n := range []string{
		"sha256:sha-256", "crc64nvme:crc64nvme", "sha1:sha-1", "crc32c:crc32c", "crc32:crc32",
	} {
		header, digest, _ := strings.Cut(n, ":")
		// A value with "-N" is a digest of the parts' digests.
		if v := id.Checksums["x-amz-checksum-"+header]; v != "" && !strings.Contains(v, "-") {
			add("x-amz-checksum-"+header, digest, v, true)
		}
	}
	for _, d := range strings.Split(id.Checksums["x-goog-hash"], ",") {
		name, v, _ := strings.Cut(strings.TrimSpace(d), "=")
		if name == "md5" || name == "crc32c" {
			add("x-goog-hash-"+name, name, v, true)
		}
	}
	if v := id.Checksums["content-md5"]; v != "" {
		add("content-md5", "md5", v, true)
	}
	if plainMD5.MatchString(id.strong()) && !id.Transcoded {
		sum, _ := hex.DecodeString(strings.Trim(id.ETag, `"`))
		cs = append(cs, claim{"etag-md5", "md5", sum, false})
	}
	return cs
}

var (
	plainMD5     = regexp.MustCompile(`^"?[0-9a-f]{32}"?$`)
	multipartMD5 = regexp.MustCompile(`^"?([0-9a-f]{32})-([1-9][0-9]{0,4})"?$`)
)

// digestNames returns the digests to compute beside SHA-256 so that the first claim can be checked.
func (id Identity) digestNames() []string {
	names := []string{"sha-256"}
	if cs := id.claims(); len(cs) > 0 && cs[0].digest != "sha-256" {
		names = append(names, cs[0].digest)
	}
	return names
}

// complete verifies and finishes an object whose bytes are all here and hashed. It is false when they have
// changed once more and are to be hashed again.
func (r *Run) complete(o *Object) bool {
	sum, all := o.hash.digests()
	rung, wrong, err := o.climb(all)
	if err == nil && o.cut.taken {
		rung = cmp.Or(o.proof(), rung) // of one that proves itself it is the length that is wrong
	} else if err == nil && wrong != "" {
		var changed bool
		if rung, changed, err = r.doubt(o, wrong); changed {
			return false
		}
	}
	if err != nil {
		r.failWith(o, err)
		return true
	}
	v := Verified{Size: o.hash.offset(), SHA256: sum, Rung: rung, Contradicts: wrong}
	if before := o.verified; before.SHA256 == sum && before.Contradicts == brokenEncoding {
		v.Rung, v.Contradicts = before.Rung, before.Contradicts
	}
	plain, changed, err := r.content(o, &v)
	if changed {
		return false
	}
	if err == nil {
		err = o.st.finish(v)
	}
	if err != nil {
		r.failWith(o, err)
		return true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	o.complete, o.verified = true, plain
	o.arrived.Broadcast()
	r.work.Broadcast()
	return true
}

// brokenEncoding stands, in place of a checksum, for the checks of the encoding that an object came in.
const brokenEncoding = "content-encoding"

// content decodes an object that came encoded; v is what is known of what was received, and returned for any
// other object. What cannot be decoded is fetched once more; changed says that something else came. Where
// nothing else did, what can be decoded is the content, and v says so.
func (r *Run) content(o *Object, v *Verified) (plain Verified, changed bool, err error) {
	if o.coded == nil {
		return *v, false, nil
	}
	if v.Contradicts != brokenEncoding {
		plain, err = r.decode(o, *v, false)
		if !errors.Is(err, errCoded) {
			return plain, false, err
		}
		r.logf("%s: %v; fetching them once more", o.Source.Link, err)
		rung := RungDamaged
		changed, err = r.second(o)
		if err != nil && r.ctx.Err() == nil {
			if err = o.unprovable(o.Source.failure(err)); Unprovable(err) {
				rung, err = RungUnproven, nil
			}
		}
		if changed || err != nil {
			return *v, changed, err
		}
		v.Rung, v.Contradicts = rung, brokenEncoding
	}
	plain, err = r.decode(o, *v, true)
	return plain, false, err
}

// failWith ends o, or the whole run where the trouble is this machine's.
func (r *Run) failWith(o *Object, err error) {
	e := failure.From(err, failure.Internal, "verify what was fetched")
	if e.Code.Local() {
		r.fatal(e)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	o.fail(e)
}

// enoughDoubts is how often an object is fetched once more whose bytes change each time and never fit.
const enoughDoubts = 3

// doubt fetches everything a second time because the bytes do not match what the server says of them: it
// cannot be told which are wrong. What is here stays, except where the second fetch brings something else;
// then changed is true. When it brings the same, or nothing, and the object proves itself by its own
// checksums, it is the server's word that is wrong, and proof names what proves it. Otherwise proof is one of
// the rungs that say that nothing does.
func (r *Run) doubt(o *Object, wrong string) (proof string, changed bool, err error) {
	r.logf(
		"%s: the bytes do not match the checksum that the server gives (%s); fetching them once more",
		o.Source.Link, wrong,
	)
	changed, err = r.second(o)
	var e *failure.Error
	if changed || r.ctx.Err() != nil || errors.As(err, &e) && (e.Retryable() || e.Code.Local()) {
		return "", changed, err
	}
	if proof = o.proof(); proof != "" {
		return proof, false, nil
	}
	if err == nil {
		return RungDamaged, false, nil
	}
	if err = o.unprovable(o.Source.failure(err)); Unprovable(err) {
		return RungUnproven, false, nil
	}
	return "", false, err
}

// second fetches everything a second time. changed is true when something else came.
func (r *Run) second(o *Object) (changed bool, err error) {
	if o.doubts++; o.doubts > enoughDoubts {
		return false, &failure.Error{
			Code: failure.Network, Hint: failure.HintFor(failure.Network),
			Message: "the bytes fit no checksum, and come out different each time they are fetched",
		}
	}
	o.mend.Lock()
	defer o.mend.Unlock()
	r.mu.Lock()
	o.mending = true
	r.mu.Unlock()
	defer o.endMending()
	return r.mend(o, func() (bool, error) { return r.mendAll(o) })
}

// proof names what in the object itself proves that every byte is right, or is empty.
func (o *Object) proof() string {
	if o.coded == nil {
		return proves(o.run.ctx, o.Source.Kind, o.st.data, o.size)
	}
	if o.coded[0] != "gzip" || decodeInto(
		o.run.ctx, io.Discard, o.coded, io.NewSectionReader(o.st.data, 0, o.size),
	) != nil {
		return ""
	}
	return "gzip-crc32"
}

// misfit is the failure of an object whose server says something else of it than what it serves, each time.
func misfit(wrong string) *failure.Error {
	return &failure.Error{
		Code: failure.NotTheExport, Err: errSameAgain,
		Message: fmt.Sprintf(
			"the bytes do not match the checksum that the server gives (%s), though they came out the "+
				"same twice",
			wrong,
		),
		Hint: "the platform holds a damaged file, or says something wrong of it: ask for a new export; " +
			"what was received is kept",
	}
}

// mendAll fetches the whole object again, over several connections where the server takes them.
func (r *Run) mendAll(o *Object) (changed bool, err error) {
	const least = 64 << 20 // for one connection
	part := o.size
	if n := min(startConns, o.size/least); n > 1 && !o.sequential {
		part = (o.size/n/o.st.pieceSize + 1) * o.st.pieceSize
	}
	g, ctx := errgroup.WithContext(r.ctx)
	var any atomic.Bool
	for from := int64(0); from < o.size; from += part {
		g.Go(func() error {
			changed, err := r.mendSpan(ctx, o, from, min(from+part, o.size))
			if changed {
				any.Store(true)
			}
			return err
		})
	}
	err = g.Wait()
	return any.Load(), err
}

// climb compares what is known of a complete object with what its server said of it. It names the rung
// reached, or the claim that does not fit.
func (o *Object) climb(all map[string][]byte) (rung, wrong string, err error) {
	if o.cut.taken {
		return RungCut, contradictsLength, nil
	}
	for _, c := range o.id.claims() {
		got, ok := all[c.digest]
		if !ok {
			continue
		}
		if string(got) == string(c.sum) {
			return c.rung, "", nil
		}
		if c.firm {
			return "", c.rung, nil
		}
	}
	if m := multipartMD5.FindStringSubmatch(o.id.strong()); m != nil && !o.id.Transcoded {
		if ok, err := multipartMatches(o.path, o.size, m[1], m[2]); ok || err != nil {
			return "etag-multipart", "", err
		}
	}
	if o.id.Size < 0 {
		return "none", "", nil
	}
	return "size", "", nil
}

// multipartMatches solves for the part size of an S3 multipart upload: its ETag is the MD5 of the parts'
// MD5s, and how many parts there were. No match says nothing: with SSE-KMS the ETag is no digest.
func multipartMatches(path string, size int64, sum, count string) (bool, error) {
	n, err := strconv.ParseInt(count, 10, 64)
	if err != nil || size <= 0 {
		return false, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return false, failure.Disk(err, "read back a fetched object")
	}
	defer f.Close()
	for _, part := range partSizes(size, n) {
		got, err := multipartSum(f, size, part)
		if err != nil {
			return false, failure.Disk(err, "read back a fetched object")
		}
		if got == sum {
			return true, nil
		}
	}
	return false, nil
}

// partSizes returns the part sizes, in whole MiB or round decimals, that cut size into n parts; at most
// eight, those that programs use first.
func partSizes(size, n int64) []int64 {
	fits := func(p int64) bool { return p > 0 && (size+p-1)/p == n }
	var out []int64
	add := func(p int64) {
		for _, q := range out {
			if q == p {
				return
			}
		}
		if fits(p) && len(out) < 8 {
			out = append(out, p)
		}
	}
	for _, m := range []int64{
		8, 5, 16, 15, 10, 64, 32, 100, 50, 128, 20, 25, 256, 512, 1024, 6, 7, 12, 24, 48, 200, 250, 500,
	} {
		add(m << 20)
	}
	for _, m := range []int64{5, 8, 10, 16, 50, 64, 100} {
		add(m * 1_000_000)
	}
	for m := (size + n - 1) / n >> 20; m <= (size+n-1)/n>>20+8; m++ {
		add(m << 20)
	}
	if n == 1 {
		add(size)
	}
	return out
}

func multipartSum(f io.ReaderAt, size, part int64) (string, error) {
	all := md5.New()
	n := 0
	for at := int64(0); at < size; at += part {
		h := md5.New()
		if _, err := io.Copy(h, io.NewSectionReader(f, at, min(part, size-at))); err != nil {
			return "", err
		}
		all.Write(h.Sum(nil))
		n++
	}
	return hex.EncodeToString(all.Sum(nil)), nil
}

// dropPieces takes back pieces that are not what they should be, so that they are fetched again.
func (r *Run) dropPieces(o *Object, first, n int64) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := first; i < first+n; i++ {
		if !o.have.has(i) {
			continue
		}
		if err := o.st.dropPiece(i); err != nil {
			return err
		}
		o.have.drop(i)
		start := i * o.st.pieceSize
		end := o.pieceEnd(start)
		o.here -= end - start
		o.reused = min(o.reused, o.here)
		o.free = insertSpan(o.free, &span{pos: start, end: end}, o.st.pieceSize)
		if o.hash.offset() > start {
			o.hash.restart()
		}
	}
	r.work.Broadcast()
	return nil
}
