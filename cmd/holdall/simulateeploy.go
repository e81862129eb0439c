package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"holdall/internal/atomicfile"
	"holdall/internal/eploysim"
)

type simulateEployOptions struct {
	people      int
	seed        uint64
	release     int
	dayLimit    int
	neighbour   int
	behave      []string
	events      []string
	listen      string
	credentials string
	latency     time.Duration
	ttl         time.Duration
}

func simulateEployCommand() command {
	var o simulateEployOptions
	return command{
		use:   "eploy",
		short: "Serve a made-up Eploy system to rehearse a pull with",
		long: `
Invent an Eploy system from a seed and serve its REST API as the vendor's public guide describes it, limits
included. It can only be read from. All people are invented; nobody here has seen a live system.

An API key is written to --credentials, and the API's URL is printed on stdout. It serves until it is stopped
or --ttl is over.

What the guide leaves open is a switch (--behave NAME=VALUE, may be repeated):
` + indented(eploysim.Switches()) + `
What happens at the Nth request (--event KIND[=COUNT][:TYPE[.FIELD]]@N, may be repeated):
` + eventList(),
		example: `  holdall simulate eploy --people 200 --credentials key.json --ttl 10m
  holdall simulate eploy --day-limit 150 --event update=5:candidates@60 --behave order=shuffled`,
		args:  cobra.NoArgs,
		flags: o.addFlags,
		run:   func(ctx context.Context, e *env, _ []string) error { return o.run(ctx, e) },
	}
}

func indented(lines []string) string {
	var b strings.Builder
	for _, line := range lines {
		fmt.Fprintf(&b, "  %s\n", line)
	}
	return b.String()
}

func eventList() string {
	kinds := eploysim.EventKinds()
	var b strings.Builder
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		fmt.Fprintf(&b, "  %-22s %s\n", kind, kinds[kind])
	}
	return b.String()
}

func (o *simulateEployOptions) addFlags(f *pflag.FlagSet) {
	f.IntVar(&o.people, "people", 500, "`N` candidates, 1 to 1000000, and other records in proportion")
	f.Uint64Var(&o.seed, "seed", 1, "`S`: the same seed makes the same records")
	f.IntVar(&o.release, "release", 48, "`VERSION` of the system, 42 to 48")
	f.IntVar(&o.dayLimit, "day-limit", 1000, "`N` requests a day, for all keys together")
	f.IntVar(&o.neighbour, "neighbour", 0, "`N` requests a day that another integration takes of them")
	f.StringArrayVar(&o.behave, "behave", nil, "a `SWITCH` of the system's behaviour (see above)")
	f.StringArrayVar(&o.events, "event", nil, "an `EVENT` (see above)")
	f.StringVar(&o.listen, "listen", "127.0.0.1:0", "`ADDRESS` to serve on; port 0 takes a free one")
	f.StringVar(&o.credentials, "credentials", "./eploy-key.json", "`FILE` to write an API key to")
	f.DurationVar(&o.latency, "latency", 0, "`TIME` before each answer")
	f.DurationVar(&o.ttl, "ttl", 0, "stop after this `TIME` (default: when stopped)")
}

func (o *simulateEployOptions) config() (eploysim.Config, error) {
	c := eploysim.Config{
		Seed: o.seed, Version: o.release, Records: eploysim.Small(o.people), DayLimit: o.dayLimit,
		Neighbour: o.neighbour, Latency: o.latency,
		Keys: []eploysim.Key{{ID: "holdall-" + strings.ToLower(rand.Text()[:6]), Secret: rand.Text()}},
	}
	for _, s := range o.behave {
		if err := c.Behaviour.Set(s); err != nil {
			return c, err
		}
	}
	for _, s := range o.events {
		event, err := eploysim.ParseEvent(s)
		if err != nil {
			return c, err
		}
		c.Events = append(c.Events, event)
	}
	if o.people < 1 || o.people > 1_000_000 {
		return c, fmt.Errorf("--people %d: use 1 to 1000000", o.people)
	}
	return c, nil
}

func (o *simulateEployOptions) run(ctx context.Context, e *env) error {
	const help = "\"holdall simulate eploy --help\" lists what can be asked for"
	c, err := o.config()
	if err != nil {
		return usagef(help, "%v", err)
	}
	system, err := eploysim.New(c)
	if err != nil {
		return usagef(help, "%v", err)
	}
	ln, err := net.Listen("tcp", o.listen)
	if err != nil {
		return withHint(err, "name another address with --listen")
	}
	defer ln.Close()
	key, err := json.Marshal(map[string]string{"client_id": c.Keys[0].ID, "client_secret": c.Keys[0].Secret})
	if err != nil {
		return err
	}
	if err := atomicfile.WriteFile(o.credentials, append(key, '\n')); err != nil {
		return withHint(err, "name another file with --credentials")
	}
	url := "http://" + ln.Addr().String() + "/api"
	if e.json {
		err = e.printJSON(map[string]string{"credentials": o.credentials, "url": url})
	} else {
		_, err = fmt.Fprintln(e.stdout, url)
	}
	if err != nil {
		return err
	}
	e.talk("serving an invented Eploy system; its key is in %s", o.credentials)
	return serveUntil(ctx, ln, system, o.ttl)
}

// serveUntil serves until ctx ends or ttl is over; zero is no limit.
func serveUntil(ctx context.Context, ln net.Listener, h http.Handler, ttl time.Duration) error {
	if ttl > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, ttl)
		defer cancel()
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	defer context.AfterFunc(ctx, func() { server.Close() })()
	if err := server.Serve(ln); err != nil && ctx.Err() == nil {
		return err
	}
	return nil // to be stopped is how it ends
}
