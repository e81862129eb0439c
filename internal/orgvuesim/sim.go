// Package orgvuesim is an Orgvue tenant that was never sold: a server for the asynchronous import of items
// into datasets, as the vendor's guide describes it, over invented datasets. It is for rehearsals and tests
// of what sends data there.
//
// What the guide leaves open, or only its developer pages show, is a switch in Behaviour. The time comes
// from package time only, so a Tenant works in a testing/synctest bubble; Transport reaches it there without
// a network.
package orgvuesim

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Config says which tenant to invent.
type Config struct {
	Tenant   string // "" : ACME_1
	Datasets []Dataset
	Base     string // of the URLs that it hands out; "": https://api.orgvue.example

	TokenStarts time.Time // zero: now
	TokenEnds   time.Time // zero: in 90 days
	Behaviour   Behaviour
}

// A Dataset has properties, and items that have values of them. None is made by importing.
type Dataset struct {
	ID         string // an upper-case UUID
	Name       string
	Type       string // POSITIONS, PEOPLE or LINKS
	Properties []string
	Items      []map[string]any
}

// A Tenant is an invented Orgvue tenant. Its methods may be called from several goroutines.
type Tenant struct {
	config Config
	token  string

	mu       sync.Mutex // guards what follows
	datasets map[string]*dataset
	files    map[string]*file
	jobs     map[string]*job
	requests []Request
	uploads  int
	imports  int
	asked    int // requests to the API
}

// A Request is one request that the tenant received; URLs that are credentials are left out.
type Request struct {
	Method, Path, Query string
	Status              int
	Body                string
	Authorised          bool // it had an Authorization header
}

type dataset struct {
	Dataset
	items map[string]map[string]any
	next  int
}

// A file is what a generated pair of URLs leads to.
type file struct {
	content []byte
	ends    time.Time
}

type job struct {
	dataset  *dataset
	result   []byte // that is not there yet
	from     string // the payload's file
	to       string // the result's file
	query    map[string]string
	ends     time.Time
	done     bool
	callback string
	trace    string
}

// New invents a tenant.
func New(c Config) *Tenant {
	if c.Tenant == "" {
		c.Tenant = "ACME_1"
	}
	if c.Base == "" {
		c.Base = "https://api.orgvue.example"
	}
	if c.TokenStarts.IsZero() {
		c.TokenStarts = time.Now().Add(-time.Minute)
	}
	if c.TokenEnds.IsZero() {
		c.TokenEnds = c.TokenStarts.Add(90 * 24 * time.Hour)
	}
	c.Behaviour.fill()
	t := &Tenant{config: c, datasets: map[string]*dataset{}, files: map[string]*file{},
		jobs: map[string]*job{}}
	for _, d := range c.Datasets {
		x := &dataset{Dataset: d, items: map[string]map[string]any{}, next: 1}
		for _, item := range d.Items {
			x.items[fmt.Sprint(item["_id"])] = maps.Clone(item)
		}
		t.datasets[d.ID] = x
	}
	t.token = makeToken(c.TokenStarts, c.TokenEnds)
	return t
}

// makeToken makes what looks like a JSON Web Token (RFC 7519): the dates in it can be read by whoever has it.
func makeToken(starts, ends time.Time) string {
	part := func(v any) string {
		b, _ := json.Marshal(v) // of strings and numbers: cannot fail
		return base64.RawURLEncoding.EncodeToString(b)
	}
	head := part(map[string]string{"alg": "HS256", "typ": "JWT"})
	body := part(map[string]any{"nbf": starts.Unix(), "exp": ends.Unix(), "jti": rand.Text()})
	return head + "." + body + "." + base64.RawURLEncoding.EncodeToString([]byte(rand.Text()))
}

// Token is the API token, which the vendor shows once.
func (t *Tenant) Token() string { return t.token }

// Tenant is its ID.
func (t *Tenant) Tenant() string { return t.config.Tenant }

// SetBase changes the base of the URLs that are handed out from now on, once an address is known.
func (t *Tenant) SetBase(base string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.config.Base = base
}

// Set changes how the tenant behaves from now on.
func (t *Tenant) Set(change func(*Behaviour)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	change(&t.config.Behaviour)
}

// Items returns a dataset's items by ID.
func (t *Tenant) Items(id string) map[string]map[string]any {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.settleJobs()
	out := map[string]map[string]any{}
	for id, item := range t.datasets[id].items {
		out[id] = maps.Clone(item)
	}
	return out
}

// Requests returns what was asked so far.
func (t *Tenant) Requests() []Request {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.requests)
}

// Credentials returns everything that must not be found anywhere: the token, and what the URLs' signatures
// are.
func (t *Tenant) Credentials() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append(slices.Collect(maps.Keys(t.files)), t.token)
}

// fileURL is a URL that grants what it is for to whoever has it. The name is the secret.
func (t *Tenant) fileURL(name, verb string) string {
	return fmt.Sprintf("%s/store/%s?verb=%s&X-Amz-Signature=%s", t.config.Base, strings.ToLower(name[:6]),
		verb, name)
}

func (t *Tenant) newFile() string {
	name := rand.Text() + rand.Text()
	t.files[name] = &file{ends: time.Now().Add(t.config.Behaviour.URLLife)}
	return name
}

var _ http.Handler = (*Tenant)(nil)
