package fetch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"holdall/fetch/failure"
	"holdall/fetch/master"
)

// A run that is stopped ends, whatever is under way at that moment. In virtual time a goroutine that waits
// for something that never comes is an error of its own.
func TestAStoppedRunEndsAmongLargeListedFiles(t *testing.T) {
	body := zipLike(largeFile+500_000, 7)
	slow := func(w http.ResponseWriter, req *http.Request) {
		if req.URL.Path == "/list" {
			w.Header().Set("Content-Type", "text/html")
			for i := range 3 {
				fmt.Fprintf(w, "<a href=\"/files/%d.pdf?sig=%s\">%d.pdf</a>\n", i, secret, i)
			}
			return
		}
		w.Header().Set("Content-Length", fmt.Sprint(len(body)))
		w.Header().Set("Etag", `"1"`)
		for at := 0; at < len(body); at += 100_000 {
			if _, err := w.Write(body[at:min(at+100_000, len(body))]); err != nil {
				return
			}
			time.Sleep(100 * time.Millisecond)
		}
	}
	for n := range 60 {
		synctest.Test(t, func(t *testing.T) {
			defer time.Sleep(time.Minute) // the server's goroutines end
			network := newPipeNet()
			srv := &http.Server{Handler: http.HandlerFunc(slow)}
			go srv.Serve(network)
			defer srv.Close()
			f, err := New(Options{AllowHTTP: true, Dial: network.Dial})
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			m, err := master.Read([]byte("Attachments\nhttp://files.example/list?sig=" + secret + "\n"))
			if err != nil {
				t.Fatal(err)
			}
			p, err := f.Plan(t.Context(), m)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			r, err := f.Start(ctx, p, t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			time.AfterFunc(time.Duration(n)*20*time.Millisecond, cancel)
			var e *failure.Error
			if err := r.Wait(); !errors.As(err, &e) || e.Code != failure.Interrupted {
				t.Fatalf("stopped after %d: %v", n, err)
			}
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// A large file of a listing whose server says nothing of versions is replaced between two runs: a later run
// has it whole, as it is then.
func TestALargeListedFileReplacedBetweenRunsIsFetchedAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		defer time.Sleep(time.Minute)
		var content atomic.Pointer[[]byte] // the answers of the first run may not have ended yet in the second
		old := zipLike(largeFile+500_000, 7)
		content.Store(&old)
		network := newPipeNet()
		srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			if req.URL.Path == "/list" {
				w.Header().Set("Content-Type", "text/html")
				fmt.Fprintf(w, "<a href=\"/files/a.pdf?sig=%s\">a.pdf</a>\n", secret)
				return
			}
			body, from := *content.Load(), 0
			w.Header().Set("Accept-Ranges", "bytes")
			if n, _ := fmt.Sscanf(req.Header.Get("Range"), "bytes=%d-", &from); n == 1 {
				w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(body)-1, len(body)))
				w.WriteHeader(http.StatusPartialContent)
			} else {
				w.Header().Set("Content-Length", fmt.Sprint(len(body)))
			}
			for at := from; at < len(body); at += 100_000 {
				if _, err := w.Write(body[at:min(at+100_000, len(body))]); err != nil {
					return
				}
				time.Sleep(100 * time.Millisecond)
			}
		})}
		go srv.Serve(network)
		defer srv.Close()
		f, err := New(Options{AllowHTTP: true, Dial: network.Dial})
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		m, err := master.Read([]byte("Attachments\nhttp://files.example/list?sig=" + secret + "\n"))
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		run := func(stop time.Duration) (got []byte) {
			p, err := f.Plan(t.Context(), m)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			r, err := f.Start(ctx, p, dir)
			if err != nil {
				t.Fatal(err)
			}
			time.AfterFunc(stop, cancel)
			if r.Wait() == nil {
				got = onlyFile(t, r.Objects[0])
			}
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
			return got
		}
		run(1200 * time.Millisecond)
		body := zipLike(largeFile+500_000, 8)
		content.Store(&body)
		run(time.Hour) // finds out
		if !bytes.Equal(run(time.Hour), body) {
			t.Error("the third run does not have the file as it is now")
		}
	})
}

func onlyFile(t *testing.T, o *Object) []byte {
	for f, err := range o.Files(t.Context()) {
		if err != nil || f.Err != nil {
			t.Fatal(err, f.Err)
		}
		rc, err := o.OpenFile(f)
		if err != nil {
			t.Fatal(err)
		}
		defer rc.Close()
		b, err := io.ReadAll(rc)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	return nil
}
