package orgvuesim

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Behaviour decides what is not documented, and what goes wrong. The zero value is what seems likeliest.
type Behaviour struct {
	URLLife     time.Duration // of generated URLs; 0: 15 minutes
	JobTime     time.Duration // from import to result; 0: 5 seconds
	ResultLate  time.Duration // from the job's end, as it is told, to the result
	ResultLink  bool          // the result has a URL of its own in the ticket; else it is where the upload was
	ResultShape string        // "array" (default), "wrapped": in an object, "csv"
	FailShape   string        // of a failed item: "message" (default), "errors", "bare"
	BlankClears bool          // blank cells of a CSV clear values instead of leaving them
	SparseItems bool          // items are listed without the properties that they have no value of
	ItemsPage   int           // items are listed in an object, so many at once; 0: in one array

	FailEvery     int    // every Nth item fails
	JobFails      bool   // the job ends as failed, without a result
	LostImport    string // the import begins, and its answer is "502" or an error "page" with status 200
	ThrottleEvery int    // every Nth request is answered with 429
	QuotaSpent    bool   // every request is, for the day's quota
	ExpireUploads int    // the first N uploads find their URL expired
	ExpireImports int    // the first N imports find the URL of their payload expired

	// Refuse are codes of ErrorCodes, all in one answer, that requests to the API are refused with: those
	// from number RefuseFrom on, RefuseTimes of them (0: all).
	Refuse                  []string
	RefuseFrom, RefuseTimes int
	RefuseSilently          bool // without a message
}

func (b *Behaviour) fill() {
	if b.URLLife == 0 {
		b.URLLife = 15 * time.Minute
	}
	if b.JobTime == 0 {
		b.JobTime = 5 * time.Second
	}
}

// Set sets a switch by the name that Switches lists: "blank-clears", "result-shape=csv".
func (b *Behaviour) Set(s string) (err error) {
	name, value, given := strings.Cut(s, "=")
	if to, ok := b.flags()[name]; ok && !given {
		*to = true
		return nil
	}
	if name == "refuse" && slices.Contains(ErrorCodes(), value) {
		b.Refuse = append(b.Refuse, value)
		return nil
	}
	if to, ok := b.words()[name]; ok {
		if !slices.Contains(to.words, value) {
			return fmt.Errorf("%s: %q is none of %q", name, value, to.words)
		}
		*to.value = value
		return nil
	}
	if to, ok := b.numbers()[name]; ok {
		*to, err = strconv.Atoi(value)
		return err
	}
	if to, ok := b.times()[name]; ok {
		*to, err = time.ParseDuration(value)
		return err
	}
	return fmt.Errorf("there is no switch %q", s)
}

type word struct {
	value *string
	words []string
}

func (b *Behaviour) words() map[string]word {
	return map[string]word{
		"result-shape": {&b.ResultShape, []string{"array", "wrapped", "csv"}},
		"fail-shape":   {&b.FailShape, []string{"message", "errors", "bare"}},
		"lost-import":  {&b.LostImport, []string{"502", "page"}},
	}
}

func (b *Behaviour) flags() map[string]*bool {
	return map[string]*bool{"result-link": &b.ResultLink, "blank-clears": &b.BlankClears,
		"sparse-items": &b.SparseItems, "job-fails": &b.JobFails, "quota-spent": &b.QuotaSpent,
		"refuse-silently": &b.RefuseSilently}
}

func (b *Behaviour) numbers() map[string]*int {
	return map[string]*int{"items-page": &b.ItemsPage, "fail-every": &b.FailEvery,
		"throttle-every": &b.ThrottleEvery, "expire-uploads": &b.ExpireUploads,
		"expire-imports": &b.ExpireImports, "refuse-from": &b.RefuseFrom, "refuse-times": &b.RefuseTimes}
}

func (b *Behaviour) times() map[string]*time.Duration {
	return map[string]*time.Duration{"url-life": &b.URLLife, "job-time": &b.JobTime,
		"result-late": &b.ResultLate}
}

// Switches describes what Set takes, a line each.
func Switches() (lines []string) {
	b := &Behaviour{}
	lines = []string{"refuse=" + strings.Join(ErrorCodes(), "|")}
	for name, x := range b.words() {
		lines = append(lines, name+"="+strings.Join(x.words, "|"))
	}
	for name := range b.flags() {
		lines = append(lines, name)
	}
	for name := range b.numbers() {
		lines = append(lines, name+"=N")
	}
	for name := range b.times() {
		lines = append(lines, name+"=TIME")
	}
	slices.Sort(lines)
	return lines
}
