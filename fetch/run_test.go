package fetch

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"holdall/fetch/failure"
	"holdall/fetch/link"
)

func testCancelled(t *testing.T) {
	s := newFaultServer(t)
	body := zipLike(8<<20, 1)
	o := s.put("/attachments.zip", body)
	o.fault = func(_ int, o *served, w http.ResponseWriter, r *http.Request) bool {
		o.serve(throttle(w, 2<<20), r)
		return true
	}
	m := s.master(t, "", "/attachments.zip", "")
	dir := t.TempDir()
	f := newTestFetcher(t, nil)
	ctx, cancel := context.WithCancel(context.Background())
	p, err := f.Plan(ctx, m)
	if err != nil {
		t.Fatal(err)
	}
	r, err := f.Start(ctx, p, dir)
	if err != nil {
		t.Fatal(err)
	}
	for r.Progress().Done < 2<<20 {
		time.Sleep(10 * time.Millisecond)
	}
	began := time.Now()
	cancel()
	err = r.Wait()
	var e *failure.Error
	if !errors.As(err, &e) || e.Code != failure.Interrupted || !errors.Is(err, context.Canceled) {
		t.Errorf("Wait = %v, want an interruption", err)
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("it took %s to stop", took)
	}
	if n, err := r.Objects[0].ReadAt(make([]byte, 1), int64(len(body)-1)); n != 0 || err == nil {
		t.Errorf("ReadAt of what did not come = %d, %v; want the failure", n, err)
	}
	before := r.Progress().Done
	r.Close()
	o.fault = nil
	r2, err := take(t, f, m, dir)
	if err != nil {
		t.Fatal(err)
	}
	if p := r2.Progress(); p.Reused < before-maxConns*256<<10 {
		t.Errorf("reused %d of %d bytes", p.Reused, before)
	}
	wantBytes(t, r2.Objects[0], body)
}

func testOneRunAtATime(t *testing.T) {
	s := newFaultServer(t)
	s.put("/attachments.zip", zipLike(1<<20, 1))
	m := s.master(t, "", "/attachments.zip", "")
	dir := t.TempDir()
	f := newTestFetcher(t, nil)
	r, err := take(t, f, m, dir)
	if err != nil {
		t.Fatal(err)
	}
	_, err = take(t, f, m, dir)
	var e *failure.Error
	if !errors.As(err, &e) || e.Code != failure.Busy || !e.Retryable() ||
		!strings.Contains(e.Message, fmt.Sprintf("process %d on", os.Getpid())) {
		t.Errorf("a second run = %v, want busy, and by whom", err)
	}
	r.Close()
	if _, err := take(t, f, m, dir); err != nil {
		t.Errorf("after the first run: %v", err)
	}
}

func testOneDeadLink(t *testing.T) {
	s := newFaultServer(t)
	data, cvs := zipLike(1<<20, 1), zipLike(2<<20, 2)
	s.put("/data.zip", data)
	o := s.put("/attachments.zip", zipLike(3<<20, 3))
	after(1, refuses(403, s3Error("AccessDenied", "Request has expired")))(nil, o)
	s.put("/cvs.zip", cvs)
	f := newTestFetcher(t, nil)
	r, err := take(t, f, s.master(t, "/data.zip", "/attachments.zip", "/cvs.zip"), t.TempDir())
	var e *failure.Error
	if !errors.As(err, &e) || e.Code != failure.LinkExpired || e.Part != link.PartAttachments {
		t.Errorf("Wait = %v, want the expired link of the attachments", err)
	}
	wantBytes(t, r.Objects[0], data)
	wantBytes(t, r.Objects[2], cvs)
	if _, err := r.Objects[1].Wait(context.Background()); !errors.Is(err, e) {
		t.Errorf("Wait of the object = %v, want the same failure", err)
	}
}

func testRefetch(t *testing.T) {
	s := newFaultServer(t)
	good := zipLike(3<<20, 1)
	o := s.put("/attachments.zip", good)
	o.fault = func(n int, o *served, w http.ResponseWriter, r *http.Request) bool {
		if n > 1 {
			return false
		}
		bad := append([]byte(nil), good...)
		bad[1_000_000] ^= 4 // a bit that flipped in transit
		(&served{body: bad, etag: o.etag, mod: o.mod}).serve(w, r)
		return true
	}
	dir := t.TempDir()
	f := newTestFetcher(t, nil)
	m := s.master(t, "", "/attachments.zip", "")
	r, err := take(t, f, m, dir)
	if err != nil {
		t.Fatal(err)
	}
	obj := r.Objects[0]
	before, err := obj.Wait(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := obj.Refetch(context.Background(), 999_990, 20); err != nil {
		t.Fatalf("Refetch: %v", err)
	}
	wantBytes(t, obj, good)
	v, err := obj.Wait(context.Background())
	if err != nil || v.SHA256 == before.SHA256 {
		t.Errorf("Wait after Refetch = %+v, %v; want another digest", v, err)
	}
	if n := r.Progress().Fetched - int64(len(good)); n > 256<<10 {
		t.Errorf("%d bytes fetched again for one bad bit", n)
	}
	if _, err := obj.Refetch(context.Background(), 999_990, 20); err != nil {
		t.Errorf("Refetch of what came out the same: %v; want nothing yet", err)
	}
	n := len(s.log())
	if _, err := obj.Refetch(t.Context(), 999_990, 20); !errors.Is(err, errSameAgain) || len(s.log()) != n {
		t.Errorf("Refetch once more = %v with %d requests; want a refusal at once", err, len(s.log())-n)
	}
	r.Close()
	r2, err := take(t, f, m, dir)
	if err != nil {
		t.Fatal(err)
	}
	if p := r2.Progress(); p.Fetched != 0 {
		t.Errorf("the next run fetched %d bytes, want the mended object kept", p.Fetched)
	}
	wantBytes(t, r2.Objects[0], good)
}

func TestVerificationLadder(t *testing.T) {
	body := zipLike(1<<20+7, 1)
	sums := map[string]string{}
	for _, name := range []string{"sha-256", "sha-512", "sha-1", "md5", "crc32c", "crc64nvme"} {
		h := newHash(name)
		h.Write(body)
		sums[name] = base64Of(h.Sum(nil))
	}
	h := newHash("md5")
	h.Write(body)
	md5hex := fmt.Sprintf("%x", h.Sum(nil))
	wrong := base64Of(make([]byte, 32))
	for _, tc := range []struct {
		name, header, value, want string
	}{
		{"Repr-Digest", "Repr-Digest", "sha-256=:" + sums["sha-256"] + ":", "repr-digest"},
		{
			"Repr-Digest of another kind", "Repr-Digest", "md5=:x:, sha-512=:" + sums["sha-512"] + ":",
			"repr-digest",
		},
		{"S3 SHA-256", "X-Amz-Checksum-Sha256", sums["sha-256"], "x-amz-checksum-sha256"},
		{"S3 CRC-64/NVME", "X-Amz-Checksum-Crc64nvme", sums["crc64nvme"], "x-amz-checksum-crc64nvme"},
		{"S3 SHA-1", "X-Amz-Checksum-Sha1", sums["sha-1"], "x-amz-checksum-sha1"},
		{"S3 digest of digests", "X-Amz-Checksum-Sha256", sums["sha-256"] + "-3", "size"},
		{"Google", "X-Goog-Hash", "crc32c=" + sums["crc32c"] + ",md5=" + sums["md5"], "x-goog-hash-crc32c"},
		{"S3 plain ETag", "ETag", `"` + md5hex + `"`, "etag-md5"},
		{"an ETag that is no digest (KMS)", "ETag", `"0123456789abcdef0123456789abcdef"`, "size"},
		{"nothing", "ETag", `"v1"`, "size"},
		{"a digest that does not match", "Repr-Digest", "sha-256=:" + wrong + ":", CheckDamaged},
		{"an S3 digest that does not match", "X-Amz-Checksum-Sha256", wrong, CheckDamaged},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := newFaultServer(t)
			o := s.put("/attachments.zip", body)
			if tc.header == "ETag" {
				o.etag = tc.value
			}
			o.fault = func(_ int, o *served, w http.ResponseWriter, r *http.Request) bool {
				w.Header().Set(tc.header, tc.value)
				return false
			}
			r, err := take(t, newTestFetcher(t, nil), s.master(t, "", "/attachments.zip", ""), t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			if n := r.Progress().Fetched; tc.want == CheckDamaged && n != int64(2*len(body)) {
				t.Errorf("fetched %d bytes, want everything twice", n)
			}
			if v, err := r.Objects[0].Wait(context.Background()); v.Check != tc.want || err != nil {
				t.Errorf("check %q, %v; want %q", v.Check, err, tc.want)
			}
		})
	}
}

func testMultipartETag(t *testing.T) {
	body := zipLike(13<<20+5, 1)
	for _, part := range []int64{5 << 20, 8 << 20, 10_000_000, 7 << 20} {
		s := newFaultServer(t)
		o := s.put("/attachments.zip", body)
		sum, err := multipartSum(readerAt(body), int64(len(body)), part)
		if err != nil {
			t.Fatal(err)
		}
		o.etag = fmt.Sprintf(`"%s-%d"`, sum, (int64(len(body))+part-1)/part)
		r, err := take(
			t, newTestFetcher(t, func(o *Options) { o.RetryBudget = 20 * time.Second }),
			s.master(t, "", "/attachments.zip", ""), t.TempDir(),
		)
		if err != nil {
			t.Fatal(err)
		}
		if v, _ := r.Objects[0].Wait(context.Background()); v.Check != "etag-multipart" {
			t.Errorf("parts of %d: check %q", part, v.Check)
		}
	}
}
