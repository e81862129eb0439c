// Package s3test runs the real S3 server that is pinned in tools/versitygw, and a proxy in front of it that
// counts requests and misbehaves on request. It is for tests only.
package s3test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"holdall/internal/servertest"
	"holdall/internal/testneed"
)

// A User is a pair of keys that the server knows.
type User struct{ AccessKey, SecretKey string }

// The users of every server. Root may do everything; Writer and Reader may do in Bucket what WriterActions
// and ReaderActions say.
var (
	Root   = User{"AKIAHOLDALLROOT00000", "invented/secret+of+the+root/0000000000000"}
	Writer = User{"AKIAHOLDALLWRITER000", "invented/secret+of+the+writer/00000000000"}
	Reader = User{"AKIAHOLDALLREADER000", "invented/secret+of+the+reader/00000000000"}
)

// Bucket is the bucket that every server has. LockBucket is one with Object Lock.
const (
	Bucket     = "archives"
	LockBucket = "locked"
	Region     = "us-east-1"
)

// The actions of docs/s3.md: none of them allows deleting or changing what is there.
var (
	WriterActions = []string{"s3:GetObject", "s3:PutObject", "s3:ListBucket"}
	ReaderActions = []string{"s3:GetObject", "s3:ListBucket"}
)

// A Server is a running S3 server with an empty bucket. It stops when the test ends.
type Server struct {
	URL string
	t   testing.TB
}

// Start starts a server, or skips the test where it cannot be built.
func Start(t testing.TB) *Server {
	t.Helper()
	program, err := Program()
	if err != nil {
		testneed.Missing(t, "the S3 server pinned in tools/versitygw could not be built: "+err.Error())
	}
	dir := t.TempDir()
	for _, d := range []string{"data", "versions", "iam"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	writeUsers(t, filepath.Join(dir, "iam", "users.json"))
	port := servertest.FreePort(t)
	cmd := exec.Command(program, "--port", fmt.Sprintf("127.0.0.1:%d", port),
		"--iam-dir", filepath.Join(dir, "iam"), "posix",
		"--versioning-dir", filepath.Join(dir, "versions"), filepath.Join(dir, "data"))
	cmd.Env = append(os.Environ(), "ROOT_ACCESS_KEY="+Root.AccessKey, "ROOT_SECRET_KEY="+Root.SecretKey)
	servertest.Start(t, cmd, port, filepath.Join(dir, "log"))
	s := &Server{URL: fmt.Sprintf("http://127.0.0.1:%d", port), t: t}
	for _, bucket := range []string{Bucket, LockBucket} {
		headers := map[string]string{}
		if bucket == LockBucket {
			headers["x-amz-bucket-object-lock-enabled"] = "true"
		}
		s.Do("PUT", bucket, "", headers, nil)
		s.Do("PUT", bucket, "policy", nil, policy(t, bucket))
	}
	return s
}

func writeUsers(t testing.TB, path string) {
	accounts := map[string]map[string]string{}
	for _, u := range []User{Writer, Reader} {
		accounts[u.AccessKey] = map[string]string{
			"access": u.AccessKey, "secret": u.SecretKey, "role": "user",
		}
	}
	b, err := json.Marshal(map[string]any{"accessAccounts": accounts})
	if err == nil {
		err = os.WriteFile(path, b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func policy(t testing.TB, bucket string) []byte {
	statement := func(u User, actions []string) map[string]any {
		return map[string]any{
			"Effect": "Allow", "Principal": map[string]any{"AWS": []string{u.AccessKey}}, "Action": actions,
			"Resource": []string{"arn:aws:s3:::" + bucket, "arn:aws:s3:::" + bucket + "/*"},
		}
	}
	writer := WriterActions
	if bucket == LockBucket {
		writer = append([]string{"s3:PutObjectRetention", "s3:PutObjectLegalHold"}, writer...)
	}
	statements := []any{statement(Writer, writer), statement(Reader, ReaderActions)}
	b, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": statements})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Do sends a request as Root, for bucket or bucket/key, and returns the answer. Anything but a success ends
// the test.
func (s *Server) Do(method, path, query string, headers map[string]string, body []byte) (http.Header,
	[]byte) {
	s.t.Helper()
	link := s.presign(Root, method, "/"+path, query, headers)
	req, err := http.NewRequest(method, link, bytes.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	for k, v := range headers {
		req.Header.Set(k, v)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	if resp.StatusCode >= 300 {
		s.t.Fatalf("%s %s?%s: %s: %s", method, path, query, resp.Status, answer)
	}
	return resp.Header, answer
}

// Setenv makes the process's AWS environment lead to endpoint as that user, and nowhere else.
func Setenv(t testing.TB, endpoint string, u User) {
	for _, kv := range Environ(t.TempDir(), endpoint, u) {
		name, value, _ := strings.Cut(kv, "=")
		t.Setenv(name, value)
	}
}

// Environ is what Setenv sets, for another process. home is a directory without AWS files.
func Environ(home, endpoint string, u User) []string {
	return []string{
		"AWS_ENDPOINT_URL_S3=" + endpoint, "AWS_REGION=" + Region,
		"AWS_ACCESS_KEY_ID=" + u.AccessKey, "AWS_SECRET_ACCESS_KEY=" + u.SecretKey, "AWS_SESSION_TOKEN=",
		"AWS_PROFILE=", "AWS_EC2_METADATA_DISABLED=true",
		"AWS_CONFIG_FILE=" + filepath.Join(home, "no-config"),
		"AWS_SHARED_CREDENTIALS_FILE=" + filepath.Join(home, "no-credentials"),
	}
}

// Program builds the S3 server, once for each pin, and returns its path: the build takes minutes on a small
// machine.
var Program = sync.OnceValues(func() (string, error) {
	tools, err := toolsDir()
	if err != nil {
		return "", err
	}
	pin, err := os.ReadFile(filepath.Join(tools, "go.sum"))
	if err != nil {
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	dir := filepath.Join(cache, "holdall-test")
	program := filepath.Join(dir, fmt.Sprintf("versitygw-%x", sha256.Sum256(pin))[:len("versitygw-")+16])
	if _, err := os.Stat(program); err == nil {
		return program, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 9*time.Minute)
	defer cancel()
	part := fmt.Sprintf("%s.%d", program, os.Getpid())
	defer os.Remove(part)
	build := exec.CommandContext(ctx, "go", "-C", tools, "build", "-o", part,
		"github.com/versity/versitygw/cmd/versitygw")
	build.Env = append(os.Environ(), "GOFLAGS=-mod=readonly")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %.300s", err, bytes.TrimSpace(out))
	}
	return program, os.Rename(part, program)
})

// toolsDir finds tools/versitygw from any package's directory.
func toolsDir() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; ; dir = filepath.Dir(dir) {
		tools := filepath.Join(dir, "tools", "versitygw")
		if _, err := os.Stat(filepath.Join(tools, "go.sum")); err == nil {
			return tools, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("there is no tools/versitygw above the package")
		}
	}
}
