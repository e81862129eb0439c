package fetch

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"holdall/fetch/failure"
	"holdall/fetch/master"
)

// A run that is stopped ends, whatever is under way at that moment. In virtual time a goroutine that waits for
// something that never comes is an error of its own.
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
