package orgvue

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"holdall/internal/retry"
)

const (
	maxTries = 8
	// timeout is of one request but for the upload.
	timeout = 2 * time.Minute
	// maxAnswer bounds an answer: the result of a million items is some 100 MB.
	maxAnswer = 1 << 30
)

// A Client speaks to one dataset.
type Client struct {
	o        Options
	host     string
	requests int
}

// New returns a client for options that Check has accepted.
func New(o Options) (*Client, error) {
	u, err := url.Parse(o.URL)
	if err != nil {
		return nil, err
	}
	return &Client{o: o, host: u.Host}, nil
}

// Requests is how many requests were made.
func (c *Client) Requests() int { return c.requests }

func (c *Client) api(path string) string { return c.o.URL + "/api/v1/" + c.o.Tenant + "/" + path }

// A call is one request. Those to other hosts than the API's are to URLs that grant what they are for: they
// get no token.
type call struct {
	method, url string
	body        func() (io.Reader, int64, error) // nil: none; asked for again with each try
	once        bool                             // what it begins must not begin twice
	timeout     time.Duration
}

type reply struct {
	status int
	header http.Header
	body   []byte
}

// do makes a request until there is an answer that is not "later". An error has no URL in it.
func (c *Client) do(ctx context.Context, q call) (*reply, error) {
	var last error
	for try := range maxTries {
		r, err := c.once(ctx, q)
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case err != nil && q.once:
			return nil, c.unclear("the answer to the import was lost (" + err.Error() + ")")
		case err != nil:
			last = err
		case r.status == http.StatusTooManyRequests:
			e := refusal(r)
			if slices.Contains(e.Codes, "42902") {
				return nil, e
			}
			last = e
		case r.status >= 500 && q.once: // of a server in between, perhaps, behind which it began
			return r, c.unclear(fmt.Sprintf("the import was answered with status %d", r.status))
		case r.status >= 500:
			last = refusal(r)
		default:
			return r, nil
		}
		if err := retry.Sleep(ctx, backoff(r, try)); err != nil {
			return nil, err
		}
	}
	var e *Error
	if errors.As(last, &e) {
		return nil, e
	}
	return nil, &Error{Code: CodeNetwork, Retryable: true, Message: "the system cannot be reached: " +
		last.Error(),
		Hint: "run the same command again"}
}

// backoff is how long to wait: what the system says, or twice as long each time.
func backoff(r *reply, try int) time.Duration {
	if r != nil {
		if n, err := strconv.Atoi(r.header.Get("Retry-After")); err == nil && n >= 0 && n < 3600 {
			return time.Duration(n) * time.Second
		}
	}
	return time.Second << min(try, 6)
}

func (c *Client) once(ctx context.Context, q call) (*reply, error) {
	if q.timeout == 0 {
		q.timeout = timeout
	}
	ctx, cancel := context.WithTimeout(ctx, q.timeout)
	defer cancel()
	var body io.Reader = http.NoBody
	size := int64(0)
	if q.body != nil {
		var err error
		if body, size, err = q.body(); err != nil {
			return nil, err
		}
	}
	r, err := http.NewRequestWithContext(ctx, q.method, q.url, body)
	if err != nil {
		return nil, errors.New("the system handed out a URL that cannot be read")
	}
	r.ContentLength = size
	if r.URL.Host == c.host && strings.HasPrefix(r.URL.Path, "/api/") {
		r.Header.Set("Authorization", "Bearer "+c.o.Token)
		r.Header.Set("Content-Type", "application/json; charset=UTF-8")
	} else if r.URL.Scheme != "https" && !c.o.AllowHTTP {
		return nil, errors.New("the system handed out a URL that is not https")
	}
	if c.o.UserAgent != "" {
		r.Header.Set("User-Agent", c.o.UserAgent)
	}
	c.requests++
	answer, err := c.o.Transport.RoundTrip(r) // no redirects: they would take a token or a payload elsewhere
	if err != nil {
		return nil, withoutURL(err)
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return nil, withoutURL(err)
	}
	if answer.StatusCode >= 400 { // some servers repeat in their errors what they were sent
		b = bytes.ReplaceAll(b, []byte(c.o.Token), []byte("(the token)"))
	}
	return &reply{answer.StatusCode, answer.Header, b}, nil
}

func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// ask makes an API request with a JSON body and reads its JSON answer.
func (c *Client) ask(ctx context.Context, method, path string, in, out any) (*reply, error) {
	q := call{method: method, url: c.api(path)}
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		q.body = func() (io.Reader, int64, error) { return bytes.NewReader(b), int64(len(b)), nil }
		q.once = strings.Contains(path, "/import")
	}
	r, err := c.do(ctx, q)
	if err != nil {
		return r, err
	}
	if r.status < 200 || r.status > 299 {
		return r, refusal(r)
	}
	if err := json.Unmarshal(r.body, out); err != nil && q.once {
		return r, c.unclear("the answer to the import is not JSON")
	} else if err != nil {
		return nil, fmt.Errorf("the system's answer is not JSON (status %d)", r.status)
	}
	return r, nil
}

// unclear is the error of an import that may have begun: a gateway answers 502 also when what is behind it is
// slow.
func (c *Client) unclear(what string) error {
	e := &Error{Code: CodeNetwork, Unclear: true, Retryable: true,
		Message: what + ", so that nobody can tell whether it began",
		Hint:    "run the same command again: it asks the dataset first which of the items it has"}
	if c.o.AutoID {
		e.Code, e.Retryable = CodeRefused, false
		e.Hint = "look whether the dataset has the items; if not, " +
			"\"holdall log requeue ROOT RUN --failed\" has them sent again"
	}
	return e
}
