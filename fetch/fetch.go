// Package fetch follows the links of a master CSV and brings their bytes into a spool: verified, resumable at
// any instant, each byte once.
//
// Read the links with package master, or with Fetcher.Master where they are behind a link themselves. Then
// call New, Fetcher.Plan, which probes each link and says what it serves, and Fetcher.Start, which fetches
// all of it. Objects can be read while they arrive: Object.ReadAt waits, and the bytes that a reader waits
// for are fetched first. That is how package unpack reads the directory at the end of a ZIP before the rest
// of it is here.
//
// What is promised: bytes are never silently wrong, since what Object.Wait returns without an error has been
// checked as far as Verified says; a process may be killed at any instant, and the next Start resumes; what
// Run.Wait returns is a *failure.Error, whose code says whether another run or only a new link helps. Links
// are credentials: they are kept as link.Link, which prints redacted, and never reach a disk.
//
// Where to look for what:
//
//	link/                            which pieces of a link are secret (secrets.go), when it dies, how damage
//	                                 is repaired; internal/redact hides them, urltrace.go in errors
//	master/, listing/, loosecsv/     readers of lists from outside; they use no network
//	failure/                         the codes of failures, and all that follows from each
//	plan.go, probe.go, expand.go     what each link serves; known.go: what the spool has of it
//	run.go, progress.go              a fetch under way, from Start to Close
//	object.go, object_*.go           one object: its state, its readers, which bytes are next
//	schedule.go, host.go, gate.go    which connection fetches what; how many a host gets
//	worker.go, receive.go            one connection and its bytes; validate.go: whether they are usable
//	verdict.go, refusal.go           whether a try is repeated, and how long a busy server is waited for;
//	                                 transport.go has the figures, stalled.go only says that it is waited for
//	verify.go, claims.go, proof.go   what shows that an object is intact; refetch.go: damage fetched again;
//	                                 breakoff.go, probe_empty.go: objects cut off or empty at their source
//	spool.go, store.go, journal.go   what is on the disk, and how it survives a kill; spool_match.go: which of
//	                                 it a plan's links lead to; entry_store.go: a listing's links, encrypted
//	listing_*.go                     the pages of a listing, and how one is recognised
//	file_*.go                        the files of a listing: when one is given up (file_retry.go), what is not
//	                                 believed at once (file_doubt.go), links that work once (file_once.go,
//	                                 file_usedup.go), how they are kept (file_store.go, file_record.go)
package fetch

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"

	"holdall/fetch/failure"
)

// Options are the settings of a Fetcher. The zero value is usable.
type Options struct {
	Connections  int           // connections a host at most; 0: adaptive, 4 to 16
	MaxRate      int64         // bytes a second over all connections; 0: no limit
	AllowHTTP    bool          // follow plain http links
	AllowPrivate bool          // follow links to loopback and private addresses, also over http
	CAFile       string        // PEM certificates to trust alongside the system's
	Idle         time.Duration // a connection is dropped after this long without bytes; 0: 20 s
	RetryBudget  time.Duration // give up when nothing arrives for this long, over all retries; 0: 5 min
	UserAgent    string
	Receipt      func(Receipt)                 // called for every HTTP exchange, one at a time; may be nil
	Log          func(format string, a ...any) // talk for -v; may be nil
	// what the user should know at once, such as a link that will expire too early; may be nil, must not
	// block
	Warn func(string)
	Now  func() time.Time // the clock; nil: time.Now

	// Dial connects in place of the system; nil: the system. The address policy is applied to the address
	// dialled where that is an IP address, and to the remote address of a connection that has one.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	resolver *net.Resolver // of tests
}

// A Fetcher follows links. One Fetcher serves one takeover.
type Fetcher struct {
	opts   Options
	client *http.Client
	gate   *gate
	policy func(*http.Request) error
	clock  clock
	limit  *limiter

	receipts sync.Mutex // one receipt is handed over at a time

	mu     sync.Mutex            // guards probes, and asked with the tries in it
	asked  map[*Source]*tries    // probes under way
	probes map[*Source]*exchange // bodies that Plan left open for Start
}

// New returns a Fetcher.
func New(opts Options) (*Fetcher, error) {
	if opts.Connections < 0 || opts.MaxRate < 0 {
		return nil, &failure.Error{
			Code: failure.Usage, Message: "the number of connections and the rate cannot be negative",
		}
	}
	client, pol, err := newClient(opts)
	if err != nil {
		return nil, err
	}
	gate := newGate(client.Transport.(*http.Transport), opts.Connections)
	client.Transport = gate
	return &Fetcher{
		opts: opts, client: client, gate: gate,
		policy: func(r *http.Request) error { return pol.check(r.URL) },
		limit:  newLimiter(opts.MaxRate), asked: map[*Source]*tries{}, probes: map[*Source]*exchange{},
	}, nil
}

// Close drops what the Fetcher holds open.
func (f *Fetcher) Close() error {
	f.mu.Lock()
	probes := f.probes
	f.probes = map[*Source]*exchange{}
	f.mu.Unlock()
	for _, x := range probes {
		x.close(nil)
	}
	f.gate.CloseIdleConnections()
	return nil
}

// keepProbe leaves a probe's body open for Start, which asks for it with takeProbe. It stays parked until
// then.
func (f *Fetcher) keepProbe(s *Source, x *exchange) {
	f.gate.park(x)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.probes[s] = x
}

func (f *Fetcher) takeProbe(s *Source) *exchange {
	f.mu.Lock()
	defer f.mu.Unlock()
	x := f.probes[s]
	delete(f.probes, s)
	return x
}

// dropProbes closes the bodies left open at a host, which allows no further connection next to them. One that
// has been read to its end holds no connection, and may be all that a link which works once will ever give.
func (f *Fetcher) dropProbes(host string) {
	f.mu.Lock()
	var dropped []*exchange
	for s, x := range f.probes {
		if x.resp.Request.URL.Host == host && !x.ended {
			dropped = append(dropped, x)
			delete(f.probes, s)
		}
	}
	f.mu.Unlock()
	for _, x := range dropped {
		x.close(nil)
	}
}

func (f *Fetcher) now() time.Time {
	if f.opts.Now != nil {
		return f.opts.Now()
	}
	return time.Now()
}

func (f *Fetcher) handReceipt(r Receipt) {
	if f.opts.Receipt == nil {
		return
	}
	f.receipts.Lock()
	defer f.receipts.Unlock()
	f.opts.Receipt(r)
}

func (f *Fetcher) logf(format string, a ...any) {
	if f.opts.Log != nil {
		f.opts.Log(format, a...)
	}
}
