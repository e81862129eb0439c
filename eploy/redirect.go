package eploy

import (
	"context"
	"errors"
	"net/http"
	"net/url"
)

// maxRedirects is how many places in a row a file's content may be sent for.
const maxRedirects = 3

// elsewhere reports whether an answer says that what was asked for is at another place.
func elsewhere(answer *http.Response) bool {
	switch answer.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect,
		http.StatusPermanentRedirect:
		return answer.Header.Get("Location") != ""
	}
	return false
}

// redirected asks for a file's content where an answer says that it is, as storage services have it: without
// the token, which does not belong there. The place grants access by itself, so only its host is kept.
func (c *client) redirected(ctx context.Context, answer *http.Response, r *Receipt) (*http.Response, error) {
	at := answer.Request.URL
	api := at
	for range maxRedirects {
		to, err := at.Parse(answer.Header.Get("Location"))
		if err != nil || !mayFollow(api, to) {
			return nil, errNotFollowed
		}
		q, err := http.NewRequestWithContext(ctx, http.MethodGet, to.String(), http.NoBody)
		if err != nil {
			return nil, errNotFollowed
		}
		q.Header.Set("Accept-Encoding", "identity")
		if answer, err = c.o.Transport.RoundTrip(q); err != nil {
			return nil, err
		}
		at, r.Host = to, to.Hostname()
		if !elsewhere(answer) {
			return answer, nil
		}
		answer.Body.Close()
	}
	return nil, errNotFollowed
}

// mayFollow allows https, and of an API by plain http, which a user has to allow, its own host.
func mayFollow(api, to *url.URL) bool {
	return to.Scheme == "https" && to.Host != "" || to.Scheme == "http" && api.Scheme == "http" &&
		to.Host == api.Host
}

var errNotFollowed = errors.New("the answer leads to a place that is not followed")
