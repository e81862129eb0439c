package eploysim

import (
	"encoding/json"
	"testing"
	"testing/synctest"
	"time"
)

func TestQuotas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := start(t, Config{DayLimit: 30, Neighbour: 10})
		allowed, seconds := 0, 0
		for range 60 {
			status, _, h := c.do("GET", "candidates/1001", "")
			switch {
			case status == 200:
				allowed++
			case h.Get("X-Ratelimit-Remaining-Day") != "0":
				seconds++
				time.Sleep(time.Second)
			}
			if h.Get("X-Ratelimit-Total-Day-Limit") != "30" ||
				h.Get("X-Ratelimit-Total-Second-Limit") != "10" {
				t.Fatalf("headers %v", h)
			}
		}
		if allowed != 20 || seconds == 0 {
			t.Errorf(
				"%d requests of 30 less the neighbour's 10 were answered; the second's limit struck %d times",
				allowed,
				seconds,
			)
		}
		time.Sleep(24 * time.Hour)
		c.sign("")
		if status, _, _ := c.do("GET", "candidates/1001", ""); status != 200 {
			t.Errorf("a new day, and still status %d", status)
		}
	})
}

func TestBeyondALimit(t *testing.T) {
	for behaviour, want := range map[string]int{"429": 429, "429-retry-after": 429, "403": 403, "503": 503,
		"200-empty": 200} {
		c := start(t, Config{DayLimit: 1, Behaviour: Behaviour{OverLimit: behaviour}})
		c.search("candidates", `{}`)
		status, raw, h := c.do("POST", "candidates/search", `{}`)
		if status != want || (h.Get("Retry-After") != "") != (behaviour == "429-retry-after") {
			t.Errorf("%s: status %d, %s", behaviour, status, raw)
		}
	}
}

func TestKeysShareAQuota(t *testing.T) {
	c := start(
		t,
		Config{
			DayLimit: 2,
			Keys: []Key{
				{ID: "client", Secret: "secret"},
				{ID: "other", Secret: "word", Scopes: []string{"users.read"}},
			},
		},
	)
	first := c.token
	_, raw, _ := c.do(
		"POST",
		"token",
		`{"grant_type":"client_credentials","client_id":"other","client_secret":"word"}`,
	)
	var a map[string]any
	json.Unmarshal([]byte(raw), &a)
	c.token = a["access_token"].(string)
	c.search("users", `{}`)
	c.token = first
	c.search("users", `{}`)
	if _, status := c.search("users", `{}`); status != 429 {
		t.Errorf("the third request of two keys: %d", status)
	}
}
