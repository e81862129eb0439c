package main

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"holdall/internal/atomicfile"
	"holdall/internal/orgvuesim"
)

// simulatedDataset is the ID of the dataset that an invented tenant has.
const simulatedDataset = "3F0E6A52-9C1D-4B7A-8E24-5D6C7B8A9F01"

type simulateOrgvueOptions struct {
	tenant      string
	properties  []string
	failEvery   int
	jobTime     time.Duration
	resultLink  bool
	failShape   string
	throttle    int
	behave      []string
	refuse      []string
	refuseFrom  int
	refuseTimes int
	listen      string
	credentials string
	ttl         time.Duration
}

func simulateOrgvueCommand() command {
	var o simulateOrgvueOptions
	return command{
		use:   "orgvue",
		short: "Serve a made-up Orgvue tenant to rehearse a send with",
		long: `
Serve the asynchronous import of Orgvue as the vendor's public guide describes it, over one empty dataset.
It was made without access to a live system.

An API token is written to --credentials, and the API's URL is printed on stdout. It serves until it is
stopped or --ttl is over.

What the guide leaves open, and what goes wrong, is a switch (--behave NAME[=VALUE], may be repeated):
` + indented(orgvuesim.Switches()),
		example: `  holdall simulate orgvue --property EmployeeID --property FullName --fail-every 100 --ttl 10m
  holdall simulate orgvue --behave result-shape=csv --behave blank-clears`,
		args:  cobra.NoArgs,
		flags: o.addFlags,
		run:   func(ctx context.Context, e *env, _ []string) error { return o.run(ctx, e) },
	}
}

func (o *simulateOrgvueOptions) addFlags(f *pflag.FlagSet) {
	f.StringVar(&o.tenant, "tenant", "ACME_1", "`ID` of the tenant")
	f.StringArrayVar(&o.properties, "property", []string{"EmployeeID", "FullName", "Email", "StartDate"},
		"a `NAME` of the dataset's properties; may be repeated")
	f.IntVar(&o.failEvery, "fail-every", 0, "every `N`th item fails")
	f.StringVar(&o.failShape, "fail-shape", "message", "`SHAPE` of a failed item: message, errors, bare")
	f.DurationVar(&o.jobTime, "job-time", time.Second, "`TIME` that an import takes")
	f.BoolVar(&o.resultLink, "result-link", false,
		"the result has a URL of its own; else it is where the upload was")
	f.IntVar(&o.throttle, "throttle-every", 0, "every `N`th request is refused for now")
	f.StringSliceVar(&o.refuse, "refuse", nil,
		"refuse requests with these `CODES`, all in one answer: "+strings.Join(orgvuesim.ErrorCodes(), ", "))
	f.IntVar(&o.refuseFrom, "refuse-from", 1, "refuse from the `N`th request to the API on")
	f.IntVar(&o.refuseTimes, "refuse-times", 0, "refuse `N` requests (default: all from then on)")
	f.StringArrayVar(&o.behave, "behave", nil, "a `SWITCH` of the tenant's behaviour (see above)")
	f.StringVar(&o.listen, "listen", "127.0.0.1:0", "`ADDRESS` to serve on; port 0 takes a free one")
	f.StringVar(&o.credentials, "credentials", "./orgvue-token.txt", "`FILE` to write the token to")
	f.DurationVar(&o.ttl, "ttl", 0, "stop after this `TIME` (default: when stopped)")
}

func (o *simulateOrgvueOptions) run(ctx context.Context, e *env) error {
	if !strings.Contains(" message errors bare ", " "+o.failShape+" ") {
		return usagef("use message, errors or bare", "unknown --fail-shape %q", o.failShape)
	}
	for _, code := range o.refuse {
		if !slices.Contains(orgvuesim.ErrorCodes(), code) {
			return usagef("the codes are "+strings.Join(orgvuesim.ErrorCodes(), ", "), "unknown --refuse %q",
				code)
		}
	}
	behaviour := orgvuesim.Behaviour{FailEvery: o.failEvery, FailShape: o.failShape, JobTime: o.jobTime,
		ResultLink: o.resultLink, ThrottleEvery: o.throttle,
		Refuse: o.refuse, RefuseFrom: o.refuseFrom, RefuseTimes: o.refuseTimes}
	for _, s := range o.behave {
		if err := behaviour.Set(s); err != nil {
			return usagef("\"holdall simulate orgvue --help\" lists what can be asked for", "%v", err)
		}
	}
	ln, err := net.Listen("tcp", o.listen)
	if err != nil {
		return withHint(err, "name another address with --listen")
	}
	defer ln.Close()
	url := "http://" + ln.Addr().String()
	tenant := orgvuesim.New(orgvuesim.Config{Tenant: o.tenant, Base: url,
		Datasets: []orgvuesim.Dataset{
			{ID: simulatedDataset, Name: "People", Type: "PEOPLE", Properties: o.properties},
		},
		Behaviour: behaviour})
	if err := atomicfile.WriteFile(o.credentials, []byte(tenant.Token()+"\n")); err != nil {
		return withHint(err, "name another file with --credentials")
	}
	if e.json {
		err = e.printJSON(map[string]string{"token_file": o.credentials, "url": url, "tenant": o.tenant,
			"dataset": simulatedDataset})
	} else {
		_, err = fmt.Fprintln(e.stdout, url)
	}
	if err != nil {
		return err
	}
	e.talk("serving the invented tenant %s with the dataset %s; its token is in %s", o.tenant,
		simulatedDataset,
		o.credentials)
	return serveUntil(ctx, ln, tenant, o.ttl)
}
