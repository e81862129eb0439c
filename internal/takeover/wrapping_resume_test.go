package takeover

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// oddDelivery is an export whose parts come wrapped, split, locked and cut.
func oddDelivery(t *testing.T) delivery {
	z := zipped(t, letters())
	locked := zipped(t, []handmadeFile{{"locked.pdf", "secret"}, {"Thumbs.db", "\xd0\xcf\x11\xe0 pictures"}})
	locked[6] |= 1
	locked[bytes.Index(locked, []byte("PK\x01\x02"))+8] |= 1
	return delivery{
		data: []object{{
			"data.zip", zipped(t, []handmadeFile{{"Part-1.zip", string(zipped(t, tablesOf(t)))}}),
		}},
		attachments: []object{
			{
				"a.zip",
				append(
					zipped(t, letters()[:1]),
					zipped(t, []handmadeFile{{"Part-1.zip", string(zipped(t, letters()[1:]))}})...,
				),
			},
			{"b.zip", locked}, {"c.zip.001", z[:900]}, {"c.zip.002", z[900:]},
		},
		cvs: []object{{"cvs.zip", zipped(t, lives())[:directoryOf(zipped(t, lives()))]}},
	}
}

// A takeover of everything odd at once, stopped again and again, comes out as one that nobody stopped.
func TestOddContainersStoppedAgainAndAgain(t *testing.T) {
	raw := oddDelivery(t).serve(t)
	take := func(root string, stop func() (context.Context, context.CancelFunc)) *Result {
		for {
			ctx, cancel := stop()
			r, err := Take(ctx, MasterCSV{Raw: raw}, options(t, root))
			stopped := ctx.Err() != nil
			cancel()
			if err == nil {
				return r
			}
			if !stopped {
				t.Fatalf("take failed though it was not stopped: %v", err)
			}
		}
	}
	smooth := t.TempDir()
	want := take(
		smooth, func() (context.Context, context.CancelFunc) { return context.WithCancel(t.Context()) },
	)
	random, tries := rand.New(rand.NewPCG(5, 6)), 0
	root := t.TempDir()
	got := take(root, func() (context.Context, context.CancelFunc) {
		if tries++; tries > 10 {
			return context.WithCancel(t.Context())
		}
		return context.WithTimeout(t.Context(), time.Duration(random.IntN(200*tries))*time.Millisecond)
	})
	if tries < 3 {
		t.Errorf("stopped %d times only: nothing has been tested", tries-1)
	}
	describe := func(root string, r *Result) string {
		return fmt.Sprint(ask(
			t, root, r,
			"select doc_id, original_name, owner_id, sha256, received_in, state from documents order by all",
		),
			ask(t, root, r, "select code, severity, record_id, detail from findings order by all"),
			refusedRows(t, root, r), r.Documents, r.Tables)
	}
	if a, b := describe(smooth, want), describe(root, got); a != b {
		t.Errorf("undisturbed:\n%s\nstopped again and again:\n%s", a, b)
	}
	mustVerify(t, root, got)
}
