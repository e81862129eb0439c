package archive_test

import (
	"context"
	"testing"

	"holdall/archive"
)

func TestAnUntouchedBagIsValidAtEveryLevel(t *testing.T) {
	for name, s := range stores(t) {
		bag := committed(t, s)
		for _, level := range []archive.Level{archive.Quick, archive.Full, archive.Deep} {
			t.Run(name+" "+string(level), func(t *testing.T) {
				var done, total int64
				r, err := bag.Verify(context.Background(), level, func(d, n int64) { done, total = d, n })
				if err != nil {
					t.Fatal(err)
				}
				if !r.Valid || len(r.Faults) > 0 {
					t.Errorf("report %+v, want no faults", r)
				}
				if done != total || level != archive.Quick && done != r.Bytes {
					t.Errorf("progress ended at %d of %d, report says %d", done, total, r.Bytes)
				}
			})
		}
	}
}
