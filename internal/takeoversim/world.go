package takeoversim

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// A World is one invented takeover.
type World struct {
	*Choices
	Truths  []*Truth // by generation; most worlds have one
	objects [][]*object
	links   string        // signed, opaque, path
	life    time.Duration // of a link
	master  string        // the form of the master CSV

	workbook   bool   // the master CSV was saved by Excel
	masterMore string // what else the master CSV says; see moreInMaster

	connections int         // as many requests are answered at once; 0: any number
	issued      []time.Time // when each issue of the master CSV was made
	server      *server
	net         *Network
	Outage      bool // nothing can be reached
	steps       []Step
}

// A Step is what happens to a run of the program from outside.
type Step struct {
	Kill      int // chunks into the run when the process is killed; 0: it is not
	Interrupt time.Duration
	Outage    bool          // the network is down during this run
	Twice     time.Duration // this long after the run has begun, another one like it begins; 0: none does
	Disk      int           // KiB that the disk holds during this run; 0: enough
	Rot       bool          // after this run, a byte of what it left is another one
}

// Epoch is when worlds begin.
var Epoch = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

const (
	host      = "files.vendor.example"
	storeHost = "store.cloud.example" // where redirects lead
)

// New returns the world of a seed.
func New(s Selection) *World {
	w := &World{Choices: newChoices(s)}
	w.links = w.pick("links", 0.5, "signed", "opaque", "path")
	w.master = w.pick("master", 0.3, masterForms...)
	w.masterMore = w.laterPick("master-more", 0.2, "expiry", "numbered", "markdown", "brackets", "note-below")
	w.workbook = w.laterOdd("master-workbook", 0.05)
	if w.odd("few-connections", 0.05) {
		w.connections = w.number("connections", 1, 5)
	}
	w.life = 7 * 24 * time.Hour
	if w.odd("short-lived-links", 0.1) {
		w.life = time.Duration(w.number("life", 2, 90)) * time.Second
	}
	w.steps = w.drawSteps()
	generations := 1
	if w.odd("second-export", 0.05) {
		generations = 2
	}
	for g := range generations {
		t := invent(w.Choices, g)
		w.Truths = append(w.Truths, t)
		w.objects = append(w.objects, w.exports(t, g))
	}
	w.server = &server{w: w, state: State{Requests: map[string]int{}, Clock: Epoch}}
	w.net = newNetwork(w.server.serve, func() bool { return w.Outage })
	return w
}

// Story names the oddities of the world.
func (w *World) Story() []string { return w.made }

// FullDisks are the oddities that need a disk which can be made small.
var FullDisks = []string{"full-disk-0", "full-disk-1", "full-disk-2"}

// Rots reports whether the finished archive rots, which has to be noticed.
func (w *World) Rots() bool { return w.odd("archive-rots", 0.15) }

// Steps are what happens to the first runs; later ones are left alone.
func (w *World) Steps() []Step { return w.steps }

func (w *World) drawSteps() []Step {
	var steps []Step
	for i := range 3 {
		r := w.random(fmt.Sprint("step ", i))
		switch {
		case w.odd(fmt.Sprintf("kill-%d", i), 0.15):
			steps = append(steps, Step{Kill: 1 + r.IntN(12)})
		case w.odd(fmt.Sprintf("interrupt-%d", i), 0.05):
			steps = append(steps, Step{Interrupt: time.Duration(1+r.IntN(4000)) * time.Millisecond})
		case w.odd(fmt.Sprintf("twice-%d", i), 0.05):
			steps = append(steps, Step{Twice: time.Duration(1+r.IntN(5000)) * time.Millisecond})
		case w.odd(fmt.Sprintf("outage-%d", i), 0.05):
			steps = append(steps, Step{Outage: true})
		case w.odd(FullDisks[i], 0.05):
			steps = append(steps, Step{Disk: 50 << r.IntN(8)})
		default:
			return steps
		}
		steps[i].Rot = w.odd(fmt.Sprintf("rot-%d", i), 0.2)
	}
	return steps
}

// exports makes the objects of an export.
func (w *World) exports(t *Truth, generation int) []*object {
	d := w.dialect()
	data := w.dataFiles(d, t)
	var attachments, cvs []file
	for _, doc := range t.Documents {
		f := file{name: doc.Entry, data: doc.Content, doc: doc}
		if doc.Part == "cvs" {
			cvs = append(cvs, f)
		} else {
			attachments = append(attachments, f)
		}
	}
	var all []*object
	if w.laterOdd("data-unpacked", 0.04) {
		nameless := len(data) == len(t.Tables) && w.laterOdd("data-nameless", 0.3) // parts need their numbers
		for i, f := range data {
			all = append(all, &object{path: strings.TrimPrefix(f.name, "./"), part: "data", data: f.data})
			if nameless {
				all[i].path = fmt.Sprintf("d/9f8a7b6c5d4e3f2a1b%02d", i)
			}
		}
	} else {
		all = append(all, w.wrap("data", data)...)
	}
	for _, p := range []struct {
		part  string
		files []file
	}{{"attachments", attachments}, {"cvs", cvs}} {
		if p.part == t.NoPart {
			continue
		}
		if len(p.files) > 0 && w.odd(p.part+"-listing", 0.15) {
			all = append(all, w.listed(p.part, p.files))
			continue
		}
		all = append(all, w.wrap(p.part, p.files)...)
	}
	for _, o := range all {
		w.finish(o, false)
		for _, f := range o.children() {
			w.finish(f, true)
		}
	}
	return all
}

// stopped reports whether a run is stopped from outside. Nobody could have a file of a listing then whose
// link works once: the stopped run may have used it, and a server that says "gone" says no more than that.
func (w *World) stopped() bool {
	return slices.ContainsFunc(
		w.steps, func(s Step) bool { return s.Kill > 0 || s.Interrupt > 0 || s.Disk > 0 },
	)
}

// finish gives an object its store's style and its faults.
func (w *World) finish(o *object, listed bool) {
	odd := func(name string, p float64) bool { return w.odd(o.path+":"+name, p) }
	o.style = objectStyle{
		noRanges: odd("no-ranges", 0.05), noETag: odd("no-etag", 0.05), weakETag: odd("weak-etag", 0.04),
		edgeETag: odd("edge-etag", 0.02),
		noLength: odd("no-length", 0.03), gzipped: o.listing == "" && odd("gzip-encoded", 0.03),
		once:        odd("once", 0.03),
		shortRanges: odd("short-ranges", 0.03),
		pace:        time.Duration(w.number(o.path+":pace", 0, 60)) * time.Millisecond,
	}
	if o.style.noLength || o.style.gzipped {
		o.style.noRanges = o.style.noRanges || o.style.noLength
	}
	if o.style.once {
		o.style.shortRanges = false // nobody could have all of it
		o.style.once = !listed || !w.stopped()
	}
	if odd("redirected", 0.06) {
		o.style.elsewhere = time.Duration(w.number(o.path+":elsewhere", 20, 900)) * time.Second
	}
	o.faults = w.faultsOf(o.path, max(len(o.data), 200))
	// Of a listing, a file whose links are used up in vain twice counts as missing.
	spared := o.style.once && (listed || !w.laterOdd(o.path+":once-faulty", 0.5))
	if spared {
		o.faults = nil
	}
	if !checked(o.path) {
		o.faults = slices.DeleteFunc(o.faults, func(f fault) bool { return f.name == "flip" })
	}
}

// checked reports whether the format has checksums: without them nobody could see a wrong bit.
func checked(name string) bool {
	return strings.HasSuffix(name, ".zip") || strings.HasSuffix(name, ".tar.gz") ||
		strings.HasSuffix(name, ".tar.zst")
}

// Master returns the master CSV, with links made now if those made last have expired or renew says so.
func (w *World) Master(renew bool) []byte {
	if len(w.issued) == 0 || renew {
		w.issued = append(w.issued, time.Now())
		w.server.state.Issue = len(w.issued) - 1
		if len(w.issued) > 2 {
			// a user who is told again and again that links expire asks for ones that live longer
			w.life = 7 * 24 * time.Hour
		}
	}
	return w.masterCSV()
}

// Network is the way to the world's server.
func (w *World) Network() *Network { return w.net }

// saved is a world's state on disk.
type saved struct {
	State  State
	Issued []time.Time
	Life   time.Duration
}

// Save returns what must outlive the process.
func (w *World) Save() []byte {
	w.server.mu.Lock()
	defer w.server.mu.Unlock()
	s := saved{State: w.server.state, Issued: w.issued, Life: w.life}
	b, _ := json.Marshal(s) // plain data does not fail
	return b
}

// Restore resumes from a saved state.
func (w *World) Restore(b []byte) error {
	var s saved
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	w.server.state, w.issued, w.life = s.State, s.Issued, s.Life
	return nil
}

// State is the server's memory.
func (w *World) State() State {
	w.server.mu.Lock()
	defer w.server.mu.Unlock()
	return w.server.state
}

// BeginRun prepares for a run of the program: at the chunk-th chunk from now on, end is called.
func (w *World) BeginRun(step Step, end func()) {
	w.net.begin()
	w.Outage = step.Outage
	w.server.begun = 0
	first := w.server.state.Chunks
	w.server.event = func(chunks int) {
		if step.Kill > 0 && chunks-first >= step.Kill {
			end()
		}
	}
}

// RunRequests is how many requests the run has made.
func (w *World) RunRequests() int {
	w.server.mu.Lock()
	defer w.server.mu.Unlock()
	return w.server.begun
}

// NextGeneration makes the server serve the next export.
func (w *World) NextGeneration() { w.server.state.Generation++ }

// TakesTwo reports whether two runs at once make two archives: the second finds a link of a file used up, and
// cannot prove that what it got without that file is the same export.
func (w *World) TakesTwo() bool {
	twice, once := false, false
	for _, name := range w.made {
		twice = twice || strings.HasPrefix(name, "twice-")
		once = once || strings.HasSuffix(name, ":once")
	}
	return twice && once
}

// EndRun breaks what connections are left.
func (w *World) EndRun() { w.net.Close() }

// Generation is the number of the export that is served.
func (w *World) Generation() int { return w.server.state.Generation }

// Issued is when the present master CSV was made.
func (w *World) Issued() time.Time { return w.issued[len(w.issued)-1] }

// lookDead are the faults by which a link looks as if it had ceased to work.
var lookDead = []string{"page", "404", "401", "redirect-loop", "json-error", "xml-error"}

// MayNeedNewLinks reports whether the present links have ceased to work for some object, or looked as if they
// had.
func (w *World) MayNeedNewLinks() bool {
	issue := len(w.issued) - 1
	if w.State().Clock.Add(time.Second).After(w.issued[issue].Add(w.life)) {
		return true
	}
	for _, o := range w.objects[w.server.state.Generation] {
		for _, o := range append([]*object{o}, o.children()...) {
			if o.style.once {
				return true
			}
			for _, f := range o.faults {
				if slices.Contains(lookDead, f.name) {
					return true
				}
			}
		}
	}
	return false
}
