package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/pflag"

	"holdall/eploy"
	"holdall/internal/atomicfile"
	"holdall/internal/takeover"
)

// apiOptions are the flags of take for a system that is pulled through its API.
type apiOptions struct {
	credentials string
	url         string
	reserve     int
	wait        bool
	types       []string
	fileContent string
	relist      bool
}

func (o *apiOptions) addFlags(f *pflag.FlagSet) {
	f.StringVar(&o.credentials, "credentials", "",
		"eploy: JSON `FILE` with the key's client_id and client_secret, or - (default: "+
			"HOLDALL_EPLOY_CLIENT_ID and HOLDALL_EPLOY_CLIENT_SECRET)")
	f.StringVar(&o.url, "api-url", "", "eploy: `URL` of the API (default https://SYSTEM.eploy.net/api)")
	f.IntVar(&o.reserve, "reserve", -1,
		"eploy: leave `N` requests a day to others (default: a tenth of the day's limit)")
	f.BoolVar(&o.wait, "wait", false, "eploy: wait for the next day instead of ending")
	f.StringSliceVar(&o.types, "types", nil, "eploy: only these `TYPES` of records, separated by commas")
	f.BoolVar(&o.relist, "relist", false,
		"eploy: read all records again at the end, for systems that change them without moving their dates")
	f.StringVar(&o.fileContent, "file-content", "",
		"eploy: `PATH` of a file's content below the API's URL, with {id}")
}

var systemName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]{0,62}$`)

// options are those of the pull, with the key read.
func (o *takeOptions) apiOptions(e *env, system string) (eploy.Options, error) {
	a := o.api
	p := eploy.Options{URL: a.url, Types: a.types, FileContent: a.fileContent, Reserve: a.reserve,
		Wait: a.wait, Relist: a.relist, Talk: e.talk,
		UserAgent: "holdall/" + strings.TrimPrefix(version(), "v"),
		Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, DialContext: e.dial,
			ForceAttemptHTTP2:     false,
			ResponseHeaderTimeout: 2 * time.Minute, MaxIdleConns: 2}}
	if !systemName.MatchString(system) {
		return p, usagef("it is the name in https://NAME.eploy.net", "%q is not the name of a system", system)
	}
	if p.URL == "" {
		p.URL = "https://" + strings.ToLower(system) + ".eploy.net/api"
	}
	if err := checkAPIURL(p.URL, o.allowPrivate); err != nil {
		return p, err
	}
	key, err := a.key(e)
	p.Credentials = key
	return p, err
}

// checkAPIURL refuses what a key must not be sent to.
func checkAPIURL(s string, allowPrivate bool) error {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.User != nil {
		return usagef("it is such as https://acme.eploy.net/api", "the URL of the API cannot be read")
	}
	ip := net.ParseIP(u.Hostname())
	private := u.Hostname() == "localhost" || ip != nil && (ip.IsLoopback() || ip.IsPrivate() ||
		ip.IsLinkLocalUnicast())
	switch {
	case allowPrivate && private:
		return nil
	case private:
		return usagef("add --allow-private if that is meant", "%s is not a public address", u.Host)
	case u.Scheme != "https":
		return usagef("use https: a key must not be sent where others can read it",
			"the URL of the API begins with %s", u.Scheme)
	}
	return nil
}

// key reads the API key.
func (o *apiOptions) key(e *env) (c eploy.Credentials, err error) {
	if o.credentials == "" {
		c.ClientID, _ = e.lookup("HOLDALL_EPLOY_CLIENT_ID")
		c.ClientSecret, _ = e.lookup("HOLDALL_EPLOY_CLIENT_SECRET")
		if c.ClientID == "" || c.ClientSecret == "" {
			return c, usagef("add --credentials FILE, or set HOLDALL_EPLOY_CLIENT_ID and "+
				"HOLDALL_EPLOY_CLIENT_SECRET",
				"there is no API key")
		}
		return c, nil
	}
	b, err := e.secret(o.credentials, "")
	if err != nil {
		return c, err
	}
	if json.Unmarshal(b, &c) != nil || c.ClientID == "" || c.ClientSecret == "" {
		return c, usagef(`write {"client_id":"…","client_secret":"…"} into it`, "%s holds no API key",
			o.credentials)
	}
	return c, nil
}

func (o *takeOptions) runAPI(ctx context.Context, e *env, system string) error {
	p, err := o.apiOptions(e, system)
	if err != nil {
		return err
	}
	if o.dryRun {
		return planAPI(ctx, e, p)
	}
	options := o.takeover(e)
	release, err := o.openRemote(ctx, e, &options)
	if err != nil {
		return err
	}
	defer release()
	if err := atomicfile.MkdirAll(options.Home()); err != nil {
		return withHint(fmt.Errorf("make the root: %w", err), "name another directory with --to or --work")
	}
	var last atomic.Pointer[eploy.Progress]
	p.Progress = func(x eploy.Progress) { last.Store(&x) }
	show := startTicker(e, func() {
		if x := last.Load(); x != nil {
			line := fmt.Sprintf("%s: %s records, %s files, %s requests left today", x.Part,
				group(x.Records), group(x.Files),
				group(int64(x.Remaining)))
			e.console.progress(line, line)
		}
	})
	began := time.Now()
	r, err := takeover.TakeAPI(ctx, system, p, options)
	show.end(e)
	err = stopped(ctx, err)
	if r != nil && len(r.PullSessions) > 0 {
		e.recordTake(ctx, options, r, err, began)
	}
	return e.reportResult(r, err)
}

func pausedFailure(p *eploy.Paused) errorReport {
	at := p.ResumeAfter.UTC().Format(time.RFC3339)
	return errorReport{
		Code: codeBusy, Retryable: true, ResumeAfter: at, exit: exitNotFinished,
		Message: fmt.Sprintf("paused: %d of the day's %d requests are left, and %d of them are for others",
			p.Remaining, p.Limit, p.Reserve),
		Hint: "run the same command again after " + at + "; a larger limit can be asked of the vendor",
	}
}

func planAPI(ctx context.Context, e *env, p eploy.Options) error {
	f, err := eploy.Plan(ctx, p)
	if err != nil {
		return err
	}
	if e.json {
		return e.printJSON(map[string]any{"plan": f})
	}
	var rows [][]string
	row := func(name string, records, pages, requests int, days float64) {
		rows = append(rows, []string{name, strconv.Itoa(records), strconv.Itoa(pages), strconv.Itoa(requests),
			strconv.FormatFloat(days, 'f', 2, 64)})
	}
	a := float64(max(1, f.Budget.DayLimit-f.Budget.Reserve))
	for _, name := range slices.Sorted(maps.Keys(f.Types)) {
		t := f.Types[name]
		row(name, t.Records, t.Pages, t.Requests, t.Days)
	}
	row("contents of files", f.Files, 0, f.Files, math.Ceil(100*float64(f.Files)/a)/100)
	if err := e.table([]string{"type", "records", "pages", "requests", "days"}, []int{1, 2, 3, 4},
		rows); err != nil {
		return err
	}
	e.talk("%s requests, %s: %s for the files, %s for the records; ask the vendor for a limit above %d a day "+
		"to be quicker", group(int64(f.Requests)), count(f.Days, "day", "days"), count(f.FileDays, "day",
		"days"),
		count(f.RecordDays, "day", "days"), f.Budget.DayLimit)
	for _, name := range f.Unanswered {
		e.warn("the system does not answer for " + name + " now; it is not in these figures")
	}
	for _, name := range f.Denied {
		e.warn("the key may not read " + name)
	}
	return nil
}
