package fetch

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"holdall/fetch/link"
	"holdall/internal/redact"
)

// A urlTrace holds the URLs that one request went through. Errors of net/http, and servers, quote them whole
// or in part.
type urlTrace struct {
	mu      sync.Mutex
	urls    []*url.URL
	secrets []string // of the first of urls
	known   int
}

type urlTraceKey struct{}

func traceURLs(ctx context.Context, u *url.URL) (context.Context, *urlTrace) {
	t := &urlTrace{urls: []*url.URL{u}}
	return context.WithValue(ctx, urlTraceKey{}, t), t
}

// add notes where a redirect leads.
func (t *urlTrace) add(u *url.URL) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.urls = append(t.urls, u)
}

// scrub returns err without what is secret in the URLs of the trail. It unwraps as err does, but no
// *url.Error is left.
func (t *urlTrace) scrub(err error) error {
	var ue *url.Error
	for errors.As(err, &ue) {
		err = ue.Err
	}
	err = redact.Error(err)
	if text := t.hide(err.Error()); text != err.Error() {
		return &scrubbed{text, err}
	}
	return err
}

// scrubHeader does the same to what a server sent along, most of which is kept somewhere.
func (t *urlTrace) scrubHeader(h http.Header) {
	for _, values := range h {
		for i, v := range values {
			values[i] = t.hide(v)
		}
	}
}

func (t *urlTrace) hide(text string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	for ; t.known < len(t.urls); t.known++ {
		t.secrets = append(t.secrets, link.Secrets(t.urls[t.known])...)
	}
	for _, s := range t.secrets {
		text = strings.ReplaceAll(text, s, redact.Hidden)
	}
	return text
}

type scrubbed struct {
	text string
	err  error
}

func (e *scrubbed) Error() string { return e.text }

// Is lets errors.Is look at the cause; Unwrap would give away its text.
func (e *scrubbed) Is(target error) bool { return errors.Is(e.err, target) }
