package eploysim

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// tokenLife is what the guide's example says: 599 seconds.
const tokenLife = 599 * time.Second

// A token is what a key was exchanged for.
type token struct {
	key    *Key
	scopes []string
	ends   time.Time
}

// tokenAnswer exchanges a key for a token. The body is JSON; a form works, too.
func (s *System) tokenAnswer(r *http.Request, body []byte) answer {
	if s.config.Behaviour.TokenCounts {
		if _, over := s.count(); over {
			return s.overLimit("token")
		}
	}
	ask := map[string]string{}
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		form, err := url.ParseQuery(string(body))
		if err != nil {
			return failed(bad("invalid_request"))
		}
		for name := range form {
			ask[name] = form.Get(name)
		}
	} else if json.Unmarshal(body, &ask) != nil {
		return failed(bad("invalid_request"))
	}
	key := s.key(ask["client_id"], ask["client_secret"])
	switch {
	case r.Method != http.MethodPost || ask["grant_type"] != "client_credentials":
		return failed(bad("unsupported_grant_type"))
	case key == nil:
		return failed(&problem{status: http.StatusUnauthorized, message: "invalid_client"})
	}
	scopes := s.granted(key)
	if ask["scope"] != "" {
		asked := strings.Split(ask["scope"], ",")
		refused := func(x string) bool { return !slices.Contains(scopes, x) }
		allowed := slices.DeleteFunc(slices.Clone(asked), refused)
		if len(allowed) < len(asked) && s.config.Behaviour.UngrantedScope == "refused" {
			return failed(bad("invalid_scope"))
		}
		scopes = allowed
	}
	name := rand.Text() + rand.Text()
	s.issued = append(s.issued, name)
	s.tokens[name] = &token{key: key, scopes: scopes, ends: time.Now().Add(tokenLife)}
	return good(fmt.Sprintf(`{"access_token":"%s","token_type":"Bearer","expires_in":%d,"scope":"%s"}`,
		name, int(tokenLife.Seconds()), strings.Join(scopes, ",")))
}

func (s *System) key(id, secret string) *Key {
	for i := range s.config.Keys {
		if k := &s.config.Keys[i]; k.ID == id && k.Secret == secret {
			return k
		}
	}
	return nil
}

// ReadScopes are the scopes that read.
func ReadScopes() []string {
	var scopes []string
	for _, k := range catalogue {
		if !slices.Contains(scopes, k.needs()) {
			scopes = append(scopes, k.needs())
		}
	}
	return scopes
}

func (s *System) granted(k *Key) []string {
	scopes := k.Scopes
	if scopes == nil {
		scopes = ReadScopes()
	}
	return slices.DeleteFunc(slices.Clone(scopes), func(x string) bool { return s.revoked[x] })
}

// authorised finds the key behind a request's token, with the scopes that the token has.
func (s *System) authorised(r *http.Request) (*Key, bool) {
	name, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	t := s.tokens[name]
	if !ok || t == nil || !time.Now().Before(t.ends) {
		return nil, false
	}
	return &Key{ID: t.key.ID, Scopes: t.scopes}, true
}

func (s *System) may(k *Key, scope string) bool {
	return slices.Contains(k.Scopes, scope) && !s.revoked[scope]
}

// denied is the answer to a dead token, and to a living one that may not.
func denied() *problem {
	return &problem{
		status:  http.StatusUnauthorized,
		message: "Authorisation has been denied for this request",
	}
}

// quota counts the requests of all keys.
type quota struct {
	day, second         string
	dayUsed, secondUsed int
	neighbour           int // of dayUsed
}

// count counts a request against the quotas, and says whether it is beyond them. Its headers tell what is
// left.
func (s *System) count() (http.Header, bool) {
	q, now := &s.quota, time.Now().In(s.config.Behaviour.Zone)
	if day := now.Format(time.DateOnly); day != q.day {
		q.day, q.dayUsed, q.neighbour = day, 0, 0
	}
	if second := now.Format(time.DateTime); second != q.second {
		q.second, q.secondUsed = second, 0
	}
	if q.neighbour < s.config.Neighbour { // works while we work
		q.neighbour++
		q.dayUsed++
	}
	over := q.dayUsed >= s.config.DayLimit || q.secondUsed >= s.config.SecondLimit
	if !over {
		q.dayUsed++
		q.secondUsed++
	}
	h := http.Header{}
	h.Set("X-RateLimit-Total-Second-Limit", strconv.Itoa(s.config.SecondLimit))
	h.Set("X-RateLimit-Remaining-Second", strconv.Itoa(max(0, s.config.SecondLimit-q.secondUsed)))
	h.Set("X-RateLimit-Total-Day-Limit", strconv.Itoa(s.config.DayLimit))
	h.Set("X-RateLimit-Remaining-Day", strconv.Itoa(max(0, s.config.DayLimit-q.dayUsed)))
	return h, over
}

// overLimit is what comes beyond a limit, which the guide does not say.
func (s *System) overLimit(path string) answer {
	const message = "API calls quota exceeded"
	switch s.config.Behaviour.OverLimit {
	case "429-retry-after":
		return failed(&problem{status: http.StatusTooManyRequests, message: message, retry: time.Second})
	case "403":
		return failed(&problem{status: http.StatusForbidden, message: message})
	case "503":
		return failed(&problem{status: http.StatusServiceUnavailable, message: message})
	case "200-empty":
		if strings.HasSuffix(path, "/search") {
			return good(`{"Records":[],"TotalRecords":0,"CurrentPage":1,"TotalPages":0}`)
		}
		return good("null")
	}
	return failed(&problem{status: http.StatusTooManyRequests, message: message})
}

// markExported adds to the log of exports.
func (s *System) markExported(body []byte) answer {
	type item struct {
		ID                int `json:"Id"`
		ExternalReference string
	}
	var ask struct {
		ExportPackageId int
		VacancyIds      []item
		ApplicationIds  []item
	}
	if json.Unmarshal(body, &ask) != nil || ask.ExportPackageId < 1 ||
		ask.ExportPackageId > len(optionLists["86"]) {
		return failed(bad("The request is invalid."))
	}
	add := func(kind string, items []item) {
		for _, i := range items {
			s.exports = append(s.exports, exportRow{
				id: len(s.exports) + 1, pack: ask.ExportPackageId, success: true, at: time.Now(),
				kind: kind, record: i.ID, externalID: i.ExternalReference,
			})
		}
	}
	add("Vacancy", ask.VacancyIds)
	add("Application", ask.ApplicationIds)
	return good(`{"Success":true}`)
}
