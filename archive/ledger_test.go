package archive_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"holdall/archive"
	"holdall/archive/storetest"
)

func events(s archive.Store) (all []archive.Event, err error) {
	for e, err := range archive.Events(context.Background(), s) {
		if err != nil {
			return all, err
		}
		all = append(all, e)
	}
	return all, nil
}

func appendEvent(t *testing.T, s archive.Store, kind string) archive.Event {
	t.Helper()
	e, err := archive.AppendEvent(
		context.Background(), s,
		archive.Event{Kind: kind, Export: testID, Facts: map[string]string{"a": "b"}},
	)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestEventsFormAChain(t *testing.T) {
	s := &storetest.Memory{}
	for i, kind := range []string{"taken", "verified", "verified"} {
		if e := appendEvent(t, s, kind); e.Number != i+1 || e.Time.IsZero() {
			t.Errorf("event %+v, want number %d", e, i+1)
		}
	}
	all, err := events(s)
	if err != nil || len(all) != 3 || all[2].Kind != "verified" || all[0].Facts["a"] != "b" ||
		!all[0].Previous.IsZero() {
		t.Errorf("events %+v, %v", all, err)
	}
	if _, err := archive.AppendEvent(context.Background(), s, archive.Event{Kind: "Not/A kind"}); err == nil {
		t.Error("a kind that cannot be a file name was accepted")
	}
}

func TestABrokenChainIsNamed(t *testing.T) {
	s := &storetest.Memory{}
	for range 3 {
		appendEvent(t, s, "verified")
	}
	objects := s.Objects()
	const second = "ledger/00000002-verified.json"
	for _, tc := range []struct {
		name, object string
		content      []byte
		names        string // the event that the error is about
	}{
		{
			"an event was changed", second, bytes.Replace(objects[second], []byte(`"b"`), []byte(`"c"`), 1),
			"00000003",
		},
		{"an event was taken out", second, nil, "00000003"},
		{"an event was added", "ledger/00000002-zzz.json", objects[second], "00000002-zzz"},
		{"an event is no JSON", second, []byte("{"), "00000002"},
		{"an event was renamed", "ledger/00000004-verified.json", objects[second], "00000004"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s.Replace(tc.object, tc.content)
			defer s.Replace(tc.object, objects[tc.object])
			if _, err := events(s); err == nil || !strings.Contains(err.Error(), tc.names) {
				t.Errorf("events: %v, want an error about %s", err, tc.names)
			}
		})
	}
}

func TestWritersOfTheLedgerDoNotLoseEvents(t *testing.T) {
	for name, s := range stores(t) {
		t.Run(name, func(t *testing.T) {
			const writers, each = 6, 4
			var wg sync.WaitGroup
			for w := range writers {
				wg.Go(func() {
					for i := range each {
						// Of different kinds, so that their names differ even where their numbers do not.
						e := archive.Event{
							Kind: fmt.Sprintf("kind-%c", 'a'+w), Export: testID,
							Facts: map[string]string{"i": fmt.Sprint(i)},
						}
						if _, err := archive.AppendEvent(context.Background(), s, e); err != nil {
							t.Error(err)
						}
					}
				})
			}
			wg.Wait()
			all, err := events(s)
			if err != nil || len(all) != writers*each {
				t.Errorf("%d events, %v; want %d", len(all), err, writers*each)
			}
		})
	}
}

func TestAnEventWhoseWriterDiedIsCompleted(t *testing.T) {
	s := &storetest.Memory{}
	appendEvent(t, s, "taken")
	for n := 1; ; n++ {
		before, err := events(s)
		if err != nil {
			t.Fatal(err)
		}
		f := &storetest.Faulty{Store: s, FailAt: n, LostAnswer: true}
		_, err = archive.AppendEvent(context.Background(), f, archive.Event{Kind: "dying", Export: testID})
		if !f.Failed() {
			break
		}
		if !errors.Is(err, storetest.ErrFault) {
			t.Fatalf("fault at operation %d: %v", n, err)
		}
		appendEvent(t, s, "verified")
		after, err := events(s)
		if err != nil {
			t.Fatalf("after a fault at operation %d: %v", n, err)
		}
		if added := len(after) - len(before); added != 1 && added != 2 {
			t.Errorf("after a fault at operation %d there are %d more events, want 1 or 2", n, added)
		}
	}
}
