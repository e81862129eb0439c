package archive

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"regexp"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"holdall/internal/digest"
)

// An Event is one line of a root's append-only history.
type Event struct {
	Number   int               `json:"number"`
	Kind     string            `json:"kind"` // taken, verified, …: a lower-case word, hyphens allowed
	Export   string            `json:"export"`
	Time     time.Time         `json:"time"`
	Previous digest.Sum        `json:"previous"` // SHA-256 of the event before, as stored; empty in the first
	Facts    map[string]string `json:"facts,omitempty"`
}

var (
	eventKind = regexp.MustCompile(`^[a-z][a-z0-9-]{0,39}$`)
	eventName = regexp.MustCompile(`^ledger/([0-9]{8})-([a-z][a-z0-9-]*)\.json$`)
)

// maxEvent is the longest event that is read.
const maxEvent = 1 << 20

func (e *Event) name() string { return fmt.Sprintf("%s%08d-%s.json", ledgerDir, e.Number, e.Kind) }

// claimPath is where the event of a number is put first. Two writers may want the same number for events of
// different kinds, whose names differ; on this name one of them fails.
func claimPath(number int) string { return fmt.Sprintf("%snumbers/%08d.json", ledgerDir, number) }

// AppendEvent adds e to the root's ledger, setting Number and Previous, and Time if it is zero. Several
// processes may append at once. If it fails between its two writes, the next append completes the event.
func AppendEvent(ctx context.Context, s Store, e Event) (Event, error) {
	if !eventKind.MatchString(e.Kind) {
		return Event{}, fmt.Errorf("ledger: %q is not a kind of event", e.Kind)
	}
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	e.Time = e.Time.UTC()
	for {
		last, err := completeLedger(ctx, s)
		if err != nil {
			return Event{}, err
		}
		e.Number, e.Previous = last.number+1, last.sum
		b, err := json.MarshalIndent(e, "", "  ")
		if err != nil {
			return Event{}, err
		}
		b = append(b, '\n')
		err = putNew(ctx, s, claimPath(e.Number), b)
		if errors.Is(err, fs.ErrExist) {
			continue // another writer was first; the next round completes its event and goes on after it
		}
		if err == nil {
			err = putNew(ctx, s, e.name(), b)
		}
		if err != nil {
			return Event{}, fmt.Errorf("ledger: write event %d: %w", e.Number, err)
		}
		return e, nil
	}
}

// A ledgerEnd is where the next event goes.
type ledgerEnd struct {
	number int
	sum    digest.Sum
}

// completeLedger completes an event that was claimed but not written, and returns the end of the ledger.
func completeLedger(ctx context.Context, s Store) (ledgerEnd, error) {
	for {
		names, err := eventNames(ctx, s)
		if err != nil {
			return ledgerEnd{}, fmt.Errorf("ledger: %w", err)
		}
		var end ledgerEnd
		if len(names) > 0 {
			b, err := readAll(ctx, s, names[len(names)-1], maxEvent)
			if err != nil {
				return ledgerEnd{}, fmt.Errorf("ledger: %w", err)
			}
			number, _ := strconv.Atoi(eventName.FindStringSubmatch(names[len(names)-1])[1])
			end = ledgerEnd{number: number, sum: digest.Of(b)}
		}
		b, err := readAll(ctx, s, claimPath(end.number+1), maxEvent)
		if errors.Is(err, fs.ErrNotExist) {
			return end, nil
		}
		if err != nil {
			return ledgerEnd{}, fmt.Errorf("ledger: %w", err)
		}
		if err := completeEvent(ctx, s, b, end); err != nil {
			return ledgerEnd{}, fmt.Errorf("ledger: complete event %d: %w", end.number+1, err)
		}
	}
}

// completeEvent writes a claimed event under its own name.
func completeEvent(ctx context.Context, s Store, b []byte, end ledgerEnd) error {
	var e Event
	if err := json.Unmarshal(b, &e); err != nil {
		return err
	}
	if e.Number != end.number+1 || !eventKind.MatchString(e.Kind) || e.Previous != end.sum {
		return fmt.Errorf("%s does not continue the ledger", claimPath(end.number+1))
	}
	return putNew(ctx, s, e.name(), b)
}

// eventNames returns the names of the events in order.
func eventNames(ctx context.Context, s Store) ([]string, error) {
	var names []string
	for info, err := range s.List(ctx, "ledger") {
		if err != nil {
			return nil, err
		}
		if eventName.MatchString(info.Name) {
			names = append(names, info.Name)
		}
	}
	return names, nil
}

// Events yields the ledger in order; a broken chain is an error naming the event.
func Events(ctx context.Context, s Store) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		files, err := readEvents(ctx, s)
		if err != nil {
			yield(Event{}, fmt.Errorf("ledger: %w", err))
			return
		}
		for e, err := range chain(s, files) {
			if !yield(e, err) {
				return
			}
		}
	}
}

// An eventFile is an event as it is stored, or why it cannot be read.
type eventFile struct {
	name    string
	content []byte
	err     error
}

// readEvents reads all events, in order, several at once.
func readEvents(ctx context.Context, s Store) ([]eventFile, error) {
	names, err := eventNames(ctx, s)
	if err != nil {
		return nil, err
	}
	files := make([]eventFile, len(names))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(requests)
	for i, name := range names {
		g.Go(func() error {
			content, err := readAll(ctx, s, name, maxEvent)
			files[i] = eventFile{name, content, err}
			if errors.Is(err, ErrCredentials) || errors.Is(err, ErrUnavailable) {
				return err
			}
			return ctx.Err()
		})
	}
	return files, g.Wait()
}

// chain yields the events as long as each follows the one before.
func chain(s Store, files []eventFile) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		var end ledgerEnd
		for _, f := range files {
			var e Event
			var err error
			e, end, err = f.follow(end)
			if err != nil {
				yield(Event{}, fmt.Errorf("ledger: event %s: %w", s.Location(f.name), err))
				return
			}
			if !yield(e, nil) {
				return
			}
		}
	}
}

// follow returns the event, which must follow end.
func (f *eventFile) follow(end ledgerEnd) (Event, ledgerEnd, error) {
	b, name := f.content, f.name
	if f.err != nil {
		return Event{}, end, f.err
	}
	var e Event
	if err := json.Unmarshal(b, &e); err != nil {
		return Event{}, end, err
	}
	switch {
	case e.Number != end.number+1:
		return Event{}, end, fmt.Errorf(
			"its number is %d instead of %d: an event is missing or was added", e.Number,
			end.number+1,
		)
	case e.name() != name:
		return Event{}, end, fmt.Errorf("its content is that of %s", e.name())
	case e.Previous != end.sum:
		return Event{}, end, errors.New(
			"the previous event does not have the digest that this one names: one of them was changed",
		)
	}
	return e, ledgerEnd{number: e.Number, sum: digest.Of(b)}, nil
}

// readAll reads a small object.
func readAll(ctx context.Context, s Store, name string, limit int64) ([]byte, error) {
	r, err := s.Open(ctx, name, 0, -1)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var b bytes.Buffer
	n, err := io.Copy(&b, io.LimitReader(r, limit+1))
	if err == nil && n > limit {
		err = fmt.Errorf("longer than %d bytes", limit)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", s.Location(name), err)
	}
	return b.Bytes(), nil
}

// A ledger is all events that can be read, whether their chain holds or not.
type ledger struct {
	taken  map[string]Event // those that brought an export here, by export
	order  []Event          // those of taken, in the order of the ledger
	broken error            // where the chain does not hold
	files  []eventFile      // all events as they are stored
}

func readLedger(ctx context.Context, s Store) (*ledger, error) {
	l := &ledger{taken: map[string]Event{}}
	files, err := readEvents(ctx, s)
	if err != nil {
		return l, fmt.Errorf("ledger: %w", err)
	}
	l.files = files
	for _, err := range chain(s, files) {
		l.broken = err
	}
	// A claimed event whose writer died before it wrote the event under its own name; the next append will.
	claim := claimPath(len(files) + 1)
	content, err := readAll(ctx, s, claim, maxEvent)
	for _, f := range append(files, eventFile{claim, content, err}) {
		var e Event
		if f.err != nil || json.Unmarshal(f.content, &e) != nil || !addsExport(e.Kind) {
			continue // what is wrong with it shows in the chain
		}
		if _, ok := l.taken[e.Export]; !ok {
			l.order = append(l.order, e)
		}
		l.taken[e.Export] = e
	}
	return l, ctx.Err()
}
