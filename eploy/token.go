package eploy

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

const stepToken = "token"

// A token is what the key is exchanged for. It lives in memory only.
type token struct {
	value string
	ends  time.Time
	lives time.Duration
	used  bool // a request was answered with it
}

// tokenMargin is how long before its end a token is renewed, or a quarter of its life.
const tokenMargin = 45 * time.Second

// authorise sees that there is a token that lives a while yet.
func (c *client) authorise(ctx context.Context) error {
	if c.token.value != "" && time.Until(c.token.ends) > min(tokenMargin, c.token.lives/4) {
		return nil
	}
	status, t, err := c.exchange(ctx, strings.Join(c.scopes, ","))
	if err != nil {
		return err
	}
	if status == http.StatusOK {
		return nil
	}
	// A key need not be granted all that is asked for. Asked for nothing in particular, the system says what
	// it is granted; that token may be allowed to write, so it is thrown away.
	refused := status
	if status, t, err = c.exchange(ctx, ""); err != nil {
		return err
	}
	granted := strings.FieldsFunc(t.Scope, func(r rune) bool { return r == ',' || r == ' ' })
	may := slices.DeleteFunc(slices.Clone(c.scopes),
		func(s string) bool { return !slices.Contains(granted, s) })
	c.token = token{}
	if status == http.StatusOK && len(may) > 0 && len(may) < len(c.scopes) {
		c.scopes = may
		if refused, _, err = c.exchange(ctx, strings.Join(may, ",")); err != nil {
			return err
		}
	}
	if c.token.value == "" {
		return &Failure{Code: CodeDenied,
			Message: fmt.Sprintf("the system grants this API key no token that reads (status %d)", refused),
			Hint: "check the key, what it may read, and that this machine's address is allowed for its " +
				"user"}
	}
	return nil
}

type tokenAnswer struct {
	AccessToken string  `json:"access_token"`
	ExpiresIn   float64 `json:"expires_in"` // seconds
	Scope       string  `json:"scope"`
}

// exchange asks for a token until there is an answer. Neither what is sent nor what comes is kept.
func (c *client) exchange(ctx context.Context, scope string) (int, tokenAnswer, error) {
	body, err := json.Marshal(map[string]string{"grant_type": "client_credentials",
		"client_id":     c.o.Credentials.ClientID,
		"client_secret": c.o.Credentials.ClientSecret, "scope": scope})
	if err != nil {
		return 0, tokenAnswer{}, err
	}
	var r *Receipt
	for try := 1; try <= maxTries; try++ {
		if err := c.budget.pace(ctx); err != nil {
			return 0, tokenAnswer{}, err
		}
		limited, cancel := context.WithTimeout(ctx, stall)
		status, t, err := c.exchangeOnce(limited, body)
		cancel()
		if ctx.Err() != nil {
			return 0, t, ctx.Err()
		}
		r = &Receipt{Step: stepToken, Time: time.Now().UTC(), Method: http.MethodPost, Path: "token",
			Status: status, Scope: t.Scope}
		if err != nil {
			r.Rejected = plainNetwork(err)
		}
		c.requests++
		if err := c.journal.add(r); err != nil {
			return 0, t, err
		}
		if err == nil && status != http.StatusTooManyRequests && status < 500 {
			if t.AccessToken != "" {
				lives := time.Duration(t.ExpiresIn * float64(time.Second))
				c.token = token{value: t.AccessToken, ends: time.Now().Add(lives), lives: lives}
			}
			return status, t, nil
		}
		if try == maxTries && status == http.StatusTooManyRequests { // its day is over, too
			if err := c.overLimit(ctx, r); err != nil {
				return 0, t, err
			}
			try = 0
		}
		c.budget.hold(time.Second << try)
	}
	return 0, tokenAnswer{}, &Failure{Code: CodeNetwork, Retryable: true,
		Hint:    "run the same command again to go on",
		Message: fmt.Sprintf("no token can be had (status %d %s)", r.Status, r.Rejected)}
}

func (c *client) exchangeOnce(ctx context.Context, body []byte) (int, tokenAnswer, error) {
	var t tokenAnswer
	h, err := http.NewRequestWithContext(ctx, http.MethodPost, c.o.URL+"/token", bytes.NewReader(body))
	if err != nil {
		return 0, t, err
	}
	h.Header.Set("Content-Type", "application/json")
	if c.o.UserAgent != "" {
		h.Header.Set("User-Agent", c.o.UserAgent)
	}
	answer, err := c.o.Transport.RoundTrip(h)
	if err != nil {
		return 0, t, err
	}
	defer answer.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	if err != nil {
		return answer.StatusCode, t, err
	}
	if answer.StatusCode == http.StatusOK {
		if err := json.Unmarshal(raw, &t); err != nil || t.AccessToken == "" || t.ExpiresIn <= 0 {
			return answer.StatusCode, tokenAnswer{}, fmt.Errorf("the answer holds no token")
		}
	}
	return answer.StatusCode, t, nil
}
