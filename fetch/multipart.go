package fetch

import (
	"crypto/md5"
	"encoding/hex"
	"io"
	"os"
	"strconv"

	"holdall/fetch/failure"
)

// An object that was uploaded to S3 in parts has an ETag that depends on the size of the parts, which nobody
// states. Where the server gives no other digest, finding that size is the only way to verify more than the
// object's length, so the sizes that common programs use are tried, each at the cost of reading the object
// once more. A match proves every byte; a guess that fails proves nothing, and is not reported.

// multipartMatches solves for the part size of an S3 multipart upload: its ETag is the MD5 of the parts'
// MD5s, and how many parts there were. No match says nothing: with SSE-KMS the ETag is not a digest.
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
