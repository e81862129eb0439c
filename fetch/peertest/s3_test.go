package peertest

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"holdall/fetch"
	"holdall/fetch/failure"
	"holdall/fetch/link"
	"holdall/internal/s3test"
	"holdall/internal/servertest"
	"holdall/internal/testneed"
)

func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }

// A bucket is a bucket of a real S3 server, which stops when the test ends.
type bucket struct {
	t    testing.TB
	base string // scheme and host
	name string
	signer
}

const (
	accessKey = "AKIAHOLDALLEXAMPLE00"
	secretKey = "invented/secret+key/of+the+tests/000000"
)

func newBucket(t testing.TB) *bucket {
	t.Helper()
	program, err := s3test.Program()
	if err != nil {
		testneed.Missing(t, "the S3 server pinned in tools/versitygw could not be built: "+err.Error())
	}
	dir := t.TempDir()
	for _, d := range []string{"data", "versions"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	port := servertest.FreePort(t)
	cmd := exec.Command(
		program, "--port", fmt.Sprintf("127.0.0.1:%d", port), "posix", "--versioning-dir",
		filepath.Join(dir, "versions"), filepath.Join(dir, "data"),
	)
	cmd.Env = append(os.Environ(), "ROOT_ACCESS_KEY="+accessKey, "ROOT_SECRET_KEY="+secretKey)
	servertest.Start(t, cmd, port, filepath.Join(dir, "log"))
	b := &bucket{
		t, fmt.Sprintf("http://127.0.0.1:%d", port), "export", signer{accessKey, secretKey, "us-east-1"},
	}
	b.do("PUT", "", nil, nil, nil)
	return b
}

// do sends a presigned request for an object, or for the bucket where key is empty, and returns the answer's
// headers and body.
func (b *bucket) do(
	method, key string, query url.Values, headers map[string]string, body []byte,
) (http.Header, []byte) {
	b.t.Helper()
	link := b.presign(
		method, b.base, strings.TrimSuffix("/"+b.name+"/"+key, "/"), query, headers, time.Minute, time.Now(),
	)
	req, err := http.NewRequest(method, link, bytes.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	for k, v := range headers {
		req.Header.Set(k, v)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	if resp.StatusCode >= 300 {
		b.t.Fatalf("%s %s: %s: %s", method, key, resp.Status, answer)
	}
	return resp.Header, answer
}

func (b *bucket) put(key string, body []byte, headers map[string]string) {
	b.t.Helper()
	b.do("PUT", key, nil, headers, body)
}

// putInParts uploads an object as a multipart upload, with parts of that size.
func (b *bucket) putInParts(key string, body []byte, size int) (etag string) {
	b.t.Helper()
	_, answer := b.do("POST", key, url.Values{"uploads": {""}}, nil, nil)
	var begun struct{ UploadId string }
	if err := xml.Unmarshal(answer, &begun); err != nil {
		b.t.Fatal(err)
	}
	var list strings.Builder
	for i, p := range slices.Collect(slices.Chunk(body, size)) {
		h, _ := b.do(
			"PUT", key, url.Values{"partNumber": {fmt.Sprint(i + 1)}, "uploadId": {begun.UploadId}}, nil, p,
		)
		fmt.Fprintf(&list, "<Part><PartNumber>%d</PartNumber><ETag>%s</ETag></Part>", i+1, h.Get("ETag"))
	}
	_, answer = b.do(
		"POST", key, url.Values{"uploadId": {begun.UploadId}}, nil,
		[]byte("<CompleteMultipartUpload>"+list.String()+"</CompleteMultipartUpload>"),
	)
	var ended struct{ ETag string }
	if err := xml.Unmarshal(answer, &ended); err != nil || ended.ETag == "" {
		b.t.Fatalf("%v: %s", err, answer)
	}
	return ended.ETag
}

// link presigns a GET of an object, good for life.
func (b *bucket) link(key string, life time.Duration) string {
	return b.presign("GET", b.base, "/"+b.name+"/"+key, nil, nil, life, time.Now())
}

// signatureOf is the secret of a presigned link.
func signatureOf(t testing.TB, link string) string {
	t.Helper()
	u, err := url.Parse(link)
	if err != nil || u.Query().Get("X-Amz-Signature") == "" {
		t.Fatalf("not a presigned link (%v)", err)
	}
	return u.Query().Get("X-Amz-Signature")
}

func TestAnExportOnARealS3Server(t *testing.T) {
	t.Parallel()
	b := newBucket(t)
	files := threeZIPs(t)
	b.put("data.zip", files["data.zip"], nil)
	etag := b.putInParts("attachments.zip", files["attachments.zip"], 5<<20)
	if !strings.Contains(etag, "-2") {
		t.Fatalf("the ETag of two parts is %s", etag)
	}
	sum := sha256.Sum256(files["cvs.zip"])
	b.put(
		"cvs.zip", files["cvs.zip"],
		map[string]string{"x-amz-checksum-sha256": base64.StdEncoding.EncodeToString(sum[:])},
	)

	parts := []part{
		{link.PartData, b.link("data.zip", time.Hour)},
		{link.PartAttachments, b.link("attachments.zip", time.Hour)},
		{link.PartCVs, b.link("cvs.zip", time.Hour)},
	}
	dir := t.TempDir()
	out := take(t, fetch.Options{}, masterOf(t, parts...), dir)
	total := 0
	for _, p := range parts {
		out.wantBytes(t, p.name, files[string(p.name)+".zip"])
		out.wantNoSecret(t, dir, signatureOf(t, p.link), secretKey)
		total += len(files[string(p.name)+".zip"])
	}
	if out.progress.Fetched != int64(total) {
		t.Errorf("fetched %d bytes of %d", out.progress.Fetched, total)
	}
	// What a server says of its checksums on a link presigned for a plain GET decides how far cvs.zip can be
	// verified.
	for p, want := range map[link.Part]string{
		link.PartData: "etag-md5", link.PartAttachments: "etag-multipart", link.PartCVs: "etag-md5",
	} {
		if got := out.objects[p].Check; got != want {
			t.Errorf("%s is verified by %q, want %q", p, got, want)
		}
	}
	for _, src := range out.plan.Sources {
		if left := time.Until(src.Expiry); left < 58*time.Minute || left > time.Hour ||
			src.ExpiryFrom != "X-Amz-Expires" {
			t.Errorf("%s: expiry in %s, from %q", src.Name, left, src.ExpiryFrom)
		}
		if !src.Ranges {
			t.Errorf("%s: no ranges", src.Name)
		}
	}
}

// This server tells its checksums only to a signed header x-amz-checksum-mode, which a link alone cannot
// carry. In the query, where Amazon's own tools put it, it must at least do no harm.
func TestALinkSignedForChecksums(t *testing.T) {
	t.Parallel()
	b := newBucket(t)
	body := exportZIP(t, 5, 2<<20)
	sum := sha256.Sum256(body)
	b.put(
		"data.zip", body,
		map[string]string{"x-amz-checksum-sha256": base64.StdEncoding.EncodeToString(sum[:])},
	)
	href := b.presign(
		"GET", b.base, "/export/data.zip", url.Values{"x-amz-checksum-mode": {"ENABLED"}}, nil, time.Hour,
		time.Now(),
	)
	out := take(t, fetch.Options{}, masterOf(t, part{link.PartData, href}), t.TempDir())
	out.wantBytes(t, link.PartData, body)
	if got := out.objects[link.PartData].Check; got != "etag-md5" && got != "x-amz-checksum-sha256" {
		t.Errorf("verified by %q; want a digest", got)
	}
}

type refusalCase struct {
	name, link string
	want       failure.Code
}

func refusalCases(b *bucket, good string, flipped []byte) []refusalCase {
	stranger := signer{"AKIASTRANGEREXAMPLE0", "another/invented/secret", "us-east-1"}
	return []refusalCase{
		{"a signature with one wrong digit", string(flipped), failure.LinkDenied},
		// Amazon answers 403 InvalidAccessKeyId here, this server 404 XAdminUserNotFound; either way a new
		// link is what helps.
		{
			"a key nobody knows",
			stranger.presign("GET", b.base, "/export/data.zip", nil, nil, time.Hour, time.Now()),
			failure.LinkGone,
		},
		{
			"signed for HEAD", b.presign("HEAD", b.base, "/export/data.zip", nil, nil, time.Hour, time.Now()),
			failure.LinkDenied,
		},
		{
			"signed together with a header that only the vendor's program sends",
			b.presign(
				"GET", b.base, "/export/data.zip", nil, map[string]string{"x-amz-checksum-mode": "ENABLED"},
				time.Hour, time.Now(),
			), failure.LinkDenied,
		},
		{"an object that was never there", b.link("nothing.zip", time.Hour), failure.LinkGone},
		{
			"expired an hour ago",
			b.presign("GET", b.base, "/export/data.zip", nil, nil, time.Minute, time.Now().Add(-time.Hour)),
			failure.LinkExpired,
		},
		{"escaped for HTML", strings.ReplaceAll(good, "&", "&amp;"), ""},
		{"with every % lost to an escape", strings.ReplaceAll(good, "%", "%25"), ""},
	}
}

func TestLinksThatARealS3ServerRefuses(t *testing.T) {
	t.Parallel()
	b := newBucket(t)
	b.put("data.zip", exportZIP(t, 1, 100<<10), nil)
	good := b.link("data.zip", time.Hour)
	flipped := []byte(good)
	flipped[len(flipped)-1] ^= 1
	if !strings.ContainsAny(string(flipped[len(flipped)-1:]), "0123456789abcdef") {
		flipped[len(flipped)-1] = '0'
	}
	for _, tt := range refusalCases(b, good, flipped) {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			out := take(
				t, fetch.Options{RetryBudget: time.Second}, masterOf(t, part{link.PartData, tt.link}), dir,
			)
			out.wantNoSecret(t, dir, signatureOf(t, strings.ReplaceAll(tt.link, "amp;", "")), secretKey)
			if tt.want == "" {
				if out.err != nil || out.plan.Sources[0].Repair == "" {
					t.Errorf(
						"err = %v, repair = %q; want the link mended", out.err, out.plan.Sources[0].Repair,
					)
				}
				return
			}
			out.wantCode(t, tt.want)
			if n := len(out.receipts); n > 4 {
				t.Errorf("%d requests for a link that is refused", n)
			}
		})
	}
}

func TestADeletedObjectIsGone(t *testing.T) {
	t.Parallel()
	b := newBucket(t)
	b.put("data.zip", exportZIP(t, 1, 100<<10), nil)
	m := masterOf(t, part{link.PartData, b.link("data.zip", time.Hour)})
	b.do("DELETE", "data.zip", nil, nil, nil)
	take(t, fetch.Options{RetryBudget: time.Second}, m, t.TempDir()).wantCode(t, failure.LinkGone)
}

// The line drops every megabyte, and the links last three seconds.
func TestLinksThatExpireWhileTheyAreFollowed(t *testing.T) {
	t.Parallel()
	b := newBucket(t)
	body := exportZIP(t, 1, 24<<20)
	b.put("data.zip", body, nil)
	line := newLine(t, b.base)
	dir := t.TempDir()

	line.set(1<<20, 700<<10) // a second, and a connection
	direct := b.base
	b.base = line.url
	const life = 3 * time.Second
	short := b.link("data.zip", life)
	begun := time.Now()
	first := take(
		t, fetch.Options{RetryBudget: 20 * time.Second}, masterOf(t, part{link.PartData, short}), dir,
	)
	first.wantCode(t, failure.LinkExpired)
	first.wantNoSecret(t, dir, signatureOf(t, short), secretKey)
	if first.progress.Done == 0 || first.progress.Done >= int64(len(body)) {
		t.Fatalf("%d of %d bytes came before the expiry; the test needs some", first.progress.Done, len(body))
	}
	late, most := 0, 0
	for _, r := range first.receipts {
		if r.Status == http.StatusForbidden {
			late++
		}
	}
	for _, r := range first.receipts { // how many were open at once
		open := 0
		for _, s := range first.receipts {
			if !s.Start.After(r.Start) && s.End.After(r.Start) {
				open++
			}
		}
		most = max(most, open)
	}
	if late > most+1 {
		t.Errorf("%d requests were refused after the expiry, with %d connections", late, most)
	}
	t.Logf(
		"expired after %s with %d bytes here; %d requests refused, at most %d connections",
		time.Since(begun).Round(time.Millisecond), first.progress.Done, late, most,
	)

	line.set(0, 0)
	// at another host and port
	fresh := b.presign("GET", direct, "/export/data.zip", nil, nil, time.Hour, time.Now())
	second := take(t, fetch.Options{}, masterOf(t, part{link.PartData, fresh}), dir)
	second.wantBytes(t, link.PartData, body)
	second.wantNoSecret(t, dir, signatureOf(t, short), signatureOf(t, fresh), secretKey)
	twice := first.progress.Fetched + second.progress.Fetched - int64(len(body))
	t.Logf("%d bytes reused, %d fetched twice", second.progress.Reused, twice)
	if twice > int64(most)<<20 {
		t.Errorf("%d bytes were fetched twice, with %d connections", twice, most)
	}
	if second.progress.Reused == 0 {
		t.Error("nothing of the first run was used")
	}
}

func TestTheSameObjectUnderANewLinkIsNotFetchedAgain(t *testing.T) {
	t.Parallel()
	b := newBucket(t)
	body := exportZIP(t, 1, 6<<20)
	b.putInParts("data.zip", body, 5<<20)
	dir := t.TempDir()
	m := masterOf(t, part{link.PartData, b.link("data.zip", time.Hour)})
	take(t, fetch.Options{}, m, dir).wantBytes(t, link.PartData, body)
	again := take(t, fetch.Options{}, masterOf(t, part{link.PartData, b.link("data.zip", 2*time.Hour)}), dir)
	again.wantBytes(t, link.PartData, body)
	if again.progress.Fetched != 0 {
		t.Errorf("a second run fetched %d bytes", again.progress.Fetched)
	}
	// The same object, put again in one piece: the same bytes under another ETag are another object to be
	// careful with.
	b.put("data.zip", body, nil)
	put := take(t, fetch.Options{}, m, dir)
	put.wantBytes(t, link.PartData, body)
	sum := sha256.Sum256(body)
	if got := put.objects[link.PartData].SHA256.String(); !strings.Contains(got, hex.EncodeToString(sum[:])) {
		t.Errorf("SHA-256 = %s, want %x", got, sum)
	}
}
