package s3store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"holdall/archive"
	"holdall/internal/s3test"
)

func TestALostAnswerIsFoundOutWithoutSendingTheContentAgain(t *testing.T) {
	server := s3test.Start(t)
	proxy := server.NewProxy(t)
	s := open(t, proxy.URL, Options{})
	lost := false
	proxy.SetFault(func(r s3test.Request) s3test.Fault {
		if r.Op == "PutObject" && !lost {
			lost = true
			return s3test.Fault{Drop: true}
		}
		return s3test.Fault{}
	})
	content := random(1 << 20)
	if err := put(s, "data/file", content); err != nil {
		t.Fatal(err)
	}
	log := proxy.Take()
	ops, _ := s3test.Count(log)
	found := 0 // puts by which the server said that it has the object
	for _, r := range log {
		if r.Op == "PutObject" && r.Status == http.StatusPreconditionFailed {
			found++
		}
	}
	// A busy server may turn a put away before that.
	if found != 1 || log[len(log)-1].Op != "HeadObject" || ops["HeadObject"] != 1 || ops["GetObject"] != 0 {
		t.Errorf("requests: %v, want the put, the same again, and a look at what is there", ops)
	}
	if err := put(s, "data/file", random(2<<20)); !errors.Is(err, fs.ErrExist) {
		t.Errorf("other content: %v, want fs.ErrExist", err)
	}
}

func TestABodyThatBreaksGoesOnWhereItBroke(t *testing.T) {
	server := s3test.Start(t)
	proxy := server.NewProxy(t)
	s := open(t, proxy.URL, Options{})
	content := random(1 << 20)
	if err := put(s, "data/file", content); err != nil {
		t.Fatal(err)
	}
	proxy.Take()
	proxy.SetFault(func(s3test.Request) s3test.Fault { return s3test.Fault{CutBody: 300_000} })
	got, err := read(s, "data/file", 1000, -1)
	if err != nil || !bytes.Equal(got, content[1000:]) {
		t.Fatalf("read %d bytes, %v", len(got), err)
	}
	log := proxy.Take()
	if len(log) != 4 || log[1].Header.Get("If-Match") == "" {
		t.Errorf("%d requests, want 4, and each but the first for the same object", len(log))
	}
	for i, r := range log {
		if want := fmt.Sprintf("bytes=%d-", 1000+i*300_000); !strings.HasPrefix(r.Header.Get("Range"), want) {
			t.Errorf("request %d: range %q, want %s", i, r.Header.Get("Range"), want)
		}
	}
}

func TestAConnectionOnWhichNothingMovesIsGivenUp(t *testing.T) {
	server := s3test.Start(t)
	proxy := server.NewProxy(t)
	s := open(t, proxy.URL, Options{stall: 300 * time.Millisecond})
	slow := true
	proxy.SetFault(func(s3test.Request) s3test.Fault {
		if slow {
			slow = false
			return s3test.Fault{Delay: time.Minute}
		}
		return s3test.Fault{}
	})
	began := time.Now()
	if err := put(s, "data/file", []byte("content")); err != nil || time.Since(began) > 8*time.Second {
		t.Errorf("put: %v after %s", err, time.Since(began))
	}
	slow = true
	if got, err := read(s, "data/file", 0, -1); err != nil || string(got) != "content" {
		t.Errorf("read: %q, %v", got, err)
	}
}

func TestWhatCallersDecideOn(t *testing.T) {
	server := s3test.Start(t)
	proxy := server.NewProxy(t)
	for _, tt := range []struct {
		name  string
		fault s3test.Fault
		want  error
	}{
		{"expired credentials", s3test.Fault{Status: 400, Code: "ExpiredToken"}, archive.ErrCredentials},
		{"unknown keys", s3test.Fault{Status: 403, Code: "InvalidAccessKeyId"}, archive.ErrCredentials},
		{"a permission that is missing", s3test.Fault{Status: 403, Code: "AccessDenied"}, fs.ErrPermission},
		{"an overloaded server", s3test.Fault{Status: 503, Code: "SlowDown"}, archive.ErrUnavailable},
		{"a line that breaks", s3test.Fault{Drop: true}, archive.ErrUnavailable},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := open(t, proxy.URL, Options{Patience: time.Second})
			proxy.SetFault(func(s3test.Request) s3test.Fault { return tt.fault })
			defer proxy.SetFault(nil)
			began := time.Now()
			for what, err := range map[string]error{
				"put": put(s, "data/file", []byte("content")), "read": second(read(s, "data/file", 0, -1)),
				"stat": second(s.Stat(context.Background(), "data/file")), "list": listError(s),
			} {
				if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), "s3://archives/some/root-") {
					t.Errorf("%s: %v, want %v that names the object", what, err, tt.want)
				}
				for _, secret := range []string{s3test.Writer.SecretKey, "Signature", "Credential"} {
					if strings.Contains(fmt.Sprintf("%+v", err), secret) {
						t.Errorf("%s tells a secret: %v", what, err)
					}
				}
			}
			if took := time.Since(began); took > 20*time.Second {
				t.Errorf("it took %s to give up", took)
			}
		})
	}
}

func TestWaitingIsSaid(t *testing.T) {
	server := s3test.Start(t)
	proxy := server.NewProxy(t)
	var said []string
	s := open(t, proxy.URL, Options{Patience: 2 * time.Second, quiet: time.Second / 5})
	s.Waiting = func(why error, until time.Time) { said = append(said, why.Error()) }
	proxy.SetFault(func(s3test.Request) s3test.Fault { return s3test.Fault{Status: 503, Code: "SlowDown"} })
	if err := put(s, "data/file", []byte("content")); !errors.Is(err, archive.ErrUnavailable) {
		t.Errorf("put: %v, want archive.ErrUnavailable", err)
	}
	if len(said) == 0 || len(said) > 2 || !strings.Contains(said[0], "SlowDown") {
		t.Errorf("said %q, want once or twice that the server is busy", said)
	}
}

func TestABucketThatIsNotThere(t *testing.T) {
	server := s3test.Start(t)
	s3test.Setenv(t, server.URL, s3test.Root)
	s := openAt(t, "no-such-bucket", "root", Options{})
	for what, err := range map[string]error{"put": put(s, "data/file", nil), "list": listError(s)} {
		if err == nil || errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "NoSuchBucket") {
			t.Errorf("%s: %v, want that there is no such bucket", what, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func listError(s *Store) error {
	for _, err := range s.List(context.Background(), "") {
		return err
	}
	return nil
}

func TestNewCredentialsAreTakenUp(t *testing.T) {
	server := s3test.Start(t)
	s3test.Setenv(t, server.URL, s3test.Writer)
	file := t.TempDir() + "/credentials"
	write := func(u s3test.User) {
		text := fmt.Sprintf("[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n", u.AccessKey,
			u.SecretKey)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(s3test.User{AccessKey: "AKIAHOLDALLEXPIRED00", SecretKey: "long/gone"})
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} {
		t.Setenv(name, "")
	}
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", file)
	s := openAt(t, s3test.Bucket, "renewed", Options{})
	if err := put(s, "data/file", []byte("content")); !errors.Is(err, archive.ErrCredentials) {
		t.Errorf("put: %v, want archive.ErrCredentials", err)
	}
	write(s3test.Writer)
	s = openAt(t, s3test.Bucket, "renewed", Options{})
	if err := put(s, "data/file", []byte("content")); err != nil {
		t.Errorf("put with new credentials: %v", err)
	}
}
