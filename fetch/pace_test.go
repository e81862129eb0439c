package fetch

import "testing"

func TestPace(t *testing.T) {
	for _, c := range []struct {
		name   string
		size   int
		change func(*Options)
		most   float64 // 0: too small to tell
	}{
		{"unlimited", 8 << 20, nil, 1 << 40},
		{"limited", 16 << 20, func(o *Options) { o.MaxRate = 4 << 20 }, 6 << 20},
		{"small", 100_000, nil, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newFaultServer(t)
			s.put("/data.zip", zipLike(c.size, 1))
			s.put("/cvs.zip", zipLike(c.size/2, 2))
			f := newTestFetcher(t, c.change)
			p, err := f.Plan(t.Context(), s.master(t, "/data.zip", "", "/cvs.zip"))
			if err != nil {
				t.Fatal(err)
			}
			pace := f.Pace(t.Context(), p)
			if c.most == 0 && pace != 0 || c.most > 0 && (pace <= 0 || pace > c.most) {
				t.Errorf("%.0f bytes a second, want at most %.0f", pace, c.most)
			}
			r, err := f.Start(t.Context(), p, t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			if c.size > 1<<20 {
				return // that it begins is enough here
			}
			if err := r.Wait(); err != nil {
				t.Error(err)
			}
		})
	}
}
