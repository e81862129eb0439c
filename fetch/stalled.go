package fetch

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"holdall/fetch/link"
	"holdall/internal/redact"
)

// waitShown is how long nothing must have come before that is called waiting.
const waitShown = 3 * time.Second

// A Wait is a part that does not make progress at the moment, and why.
type Wait struct {
	Part  link.Part
	Host  string
	Since time.Time     // when something last came, or was first asked for
	Next  time.Time     // when it is tried again; zero while an answer is awaited
	Try   int           // the number of that try; 1 is the first
	Asked time.Duration // how long the server asked to wait, or 0
	Cause string        // how the last try ended; empty before the first has
}

// Text says it for people, as of now: "attachments: no answer from files.example for 24 s, trying again (try
// 3)".
func (w Wait) Text(now time.Time) string {
	var b strings.Builder
	if w.Part != "" {
		fmt.Fprintf(&b, "%s: ", w.Part)
	}
	switch {
	case w.Asked > 0:
		fmt.Fprintf(&b, "%s asks for %s", redact.Host(w.Host), seconds(w.Asked))
	case w.Next.IsZero() || w.Cause == "":
		fmt.Fprintf(&b, "no answer from %s for %s", redact.Host(w.Host), seconds(now.Sub(w.Since)))
	default:
		fmt.Fprintf(
			&b, "nothing from %s for %s (%s)", redact.Host(w.Host), seconds(now.Sub(w.Since)), w.Cause,
		)
	}
	if w.Try > 1 {
		b.WriteString(", trying again")
		if in := w.Next.Sub(now); in >= time.Second {
			b.WriteString(" in " + seconds(in))
		}
		fmt.Fprintf(&b, " (try %d)", w.Try)
	}
	return b.String()
}

func seconds(d time.Duration) string {
	return fmt.Sprintf("%d s", int64(d.Round(time.Second).Seconds()))
}

// waiting describes the tries at something of part at host, or is false when they make progress.
func (t *tries) waiting(part link.Part, host string, now time.Time) (Wait, bool) {
	w := Wait{Part: part, Host: host, Since: t.since, Try: t.wait.Tries() + 1}
	var ref *refusal
	switch {
	case t.err == nil && now.Sub(t.since) < waitShown:
		return w, false
	case t.err == nil:
		return w, true
	case errors.As(t.err, &ref):
		w.Asked, w.Cause = ref.asked, ref.err.Message
	default:
		w.Cause = redact.Text(t.err.Error())
	}
	if now.Before(t.next) {
		w.Next = t.next
	}
	return w, now.Sub(t.since) >= waitShown || w.Asked > 0
}

// waiting lists the objects that are being fetched and do not make progress. With the run's mutex held.
func (r *Run) waiting(now time.Time) []Wait {
	waits := r.f.Waiting()
	for _, o := range r.all() {
		if o.over() || o.outcome.complete || o.size >= 0 && o.spans.received == o.size {
			continue
		}
		host := o.Source.Link.Host()
		if fp := o.files; fp != nil {
			quiet := now.Sub(fp.conns.lastBytes) >= waitShown
			if fp.entries != nil && quiet && (fp.conns.busy > 0 || len(fp.queue.retries) > 0) {
				waits = append(waits, Wait{Part: o.Source.Part, Host: host, Since: fp.conns.lastBytes})
			}
			continue
		}
		if len(o.spans.active) == 0 && !now.Before(o.attempts.tries.next) {
			continue // its turn has not come
		}
		if w, ok := o.attempts.tries.waiting(o.Source.Part, host, now); ok {
			waits = append(waits, w)
		}
	}
	return waits
}

// asking notes that a probe of s is tried, until the function returned is called.
func (f *Fetcher) asking(s *Source, t *tries) (done func()) {
	t.since = time.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked[s] = t
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.asked, s)
	}
}

// Waiting lists the links that are being asked what they serve and do not answer.
func (f *Fetcher) Waiting() []Wait {
	now := time.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	var waits []Wait
	for s, t := range f.asked {
		if w, ok := t.waiting(s.Part, s.Link.Host(), now); ok {
			waits = append(waits, w)
		}
	}
	slices.SortFunc(
		waits, func(a, b Wait) int { return cmp.Or(cmp.Compare(a.Part, b.Part), a.Since.Compare(b.Since)) },
	)
	return waits
}
