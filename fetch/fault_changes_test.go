package fetch

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"testing"
	"time"

	"holdall/fetch/failure"
	"holdall/fetch/master"
)

// replace gives the object other bytes of the same size, and another ETag.
func replace(o *served) {
	o.body = zipLike(len(o.body), 77)
	o.etag = `"replaced"`
	o.mod = o.mod.Add(time.Hour)
}

var changeFaults = []faultCase{
	{name: "replaced while it is being fetched, same size",
		fault: after(2, func(o *served, w http.ResponseWriter, r *http.Request) bool {
			other := &served{body: zipLike(faultSize, 77), etag: `"replaced"`, mod: o.mod.Add(time.Hour)}
			other.serve(w, r)
			return true
		}), want: failure.ObjectChanged, hint: "again"},
	{name: "replaced between two runs, same size", fault: stopAfter(1 << 20), first: failure.Network,
		between: func(t *testing.T, w *faultWorld) { replace(w.object) }},
	{name: "replaced between two runs, no ETag",
		fault: func(w *faultWorld, o *served) { o.etag = ""; stopAfter(1<<20)(w, o) }, first: failure.Network,
		between: func(t *testing.T, w *faultWorld) { replace(w.object); w.object.etag = "" }},
	{name: "replaced between two runs, nothing tells",
		fault: func(w *faultWorld, o *served) { o.etag, o.mod = "", time.Time{}; stopAfter(1<<20)(w, o) },
		first: failure.Network,
		between: func(t *testing.T, w *faultWorld) {
			w.object.body = zipLike(faultSize, 77)
		}},
	{name: "replaced between two runs from the middle on, nothing tells",
		fault: func(w *faultWorld, o *served) { o.etag, o.mod = "", time.Time{}; stopAfter(1<<20)(w, o) },
		first: failure.Network,
		between: func(t *testing.T, w *faultWorld) {
			w.object.body = append(w.body[:500_000:500_000], zipLike(faultSize, 77)[500_000:]...)
		}, want: failure.ObjectChanged, hint: "again"},
	{name: "a complete object was replaced, nothing tells",
		fault:   func(w *faultWorld, o *served) { o.etag, o.mod = "", time.Time{} },
		between: func(t *testing.T, w *faultWorld) { w.object.body = zipLike(faultSize, 77) }},
	{name: "a weak ETag", fault: func(_ *faultWorld, o *served) { o.etag = `W/"1"` }},
	{
		name:  "an ETag that looks like a digest and is none (KMS)",
		fault: func(_ *faultWorld, o *served) { o.etag = `"0123456789abcdef0123456789abcdef"` },
	},
	{
		name: "an ETag of a multipart upload whose part size nobody tells", test: testMultipartETag,
		outcome: "every byte is right, and checked against the ETag",
	},
	{name: "no ETag and no date", fault: func(_ *faultWorld, o *served) { o.etag, o.mod = "", time.Time{} }},
	{
		name: "each answer has the ETag of another edge, and ranges come in short answers",
		fault: func(_ *faultWorld, o *served) {
			o.fault = func(n int, o *served, w http.ResponseWriter, r *http.Request) bool {
				edge := &served{body: o.body, etag: fmt.Sprintf(`W/"edge %d"`, n)}
				var from, to int
				if _, err := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-%d", &from, &to); from > 0 {
					to = min(from+100_000, len(o.body)) - 1
					r = r.Clone(r.Context())
					r.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", from, to))
				} else if err != nil && r.Header.Get("Range") != "" {
					r.Header.Set("Range", "bytes=0-99999")
				}
				edge.serve(w, r)
				return true
			}
		},
	},
	{name: "one in three answers has the ETag of another edge", fault: func(_ *faultWorld, o *served) {
		edge := &served{body: o.body, etag: `"other-edge"`, mod: o.mod}
		o.fault = func(n int, o *served, w http.ResponseWriter, r *http.Request) bool {
			if n%3 == 2 {
				edge.serve(w, r)
			}
			return n%3 == 2
		}
	}, opts: slow},
	{name: "a fresh link to the same object", fault: stopAfter(1 << 20), first: failure.Network,
		between: func(t *testing.T, w *faultWorld) {
			w.objects["/moved/again.zip"] = w.object
		},
		master2: func(t *testing.T, w *faultWorld) *master.CSV {
			return w.master(t, "", "/moved/again.zip", "")
		},
		check: func(t *testing.T, w *faultWorld, r *Run, err error) {
			if p := r.Progress(); p.Reused == 0 || p.Fetched+p.Reused != p.Total {
				t.Errorf("progress %+v, want the old bytes reused", p)
			}
		}},
	{name: "a fresh link after a break in the middle of a piece", fault: stopAfter(1<<20 + 100_003),
		first: failure.Network,
		between: func(t *testing.T, w *faultWorld) {
			w.objects["/moved/again.zip"] = w.object
		},
		master2: func(t *testing.T, w *faultWorld) *master.CSV {
			return w.master(t, "", "/moved/again.zip", "")
		},
		check: func(t *testing.T, w *faultWorld, r *Run, err error) {
			if p := r.Progress(); p.Reused != 1<<20+100_003 || p.Fetched+p.Reused != p.Total {
				t.Errorf("progress %+v, want every byte that had come reused", p)
			}
		}},
	{name: "a fresh link to another export", fault: stopAfter(1 << 20), first: failure.Network,
		between: func(t *testing.T, w *faultWorld) {
			w.object = w.place("/other.zip", zipLike(faultSize, 78))
		},
		master2: func(t *testing.T, w *faultWorld) *master.CSV { return w.master(t, "", "/other.zip", "") },
		check: func(t *testing.T, w *faultWorld, r *Run, err error) {
			if p := r.Progress(); p.Reused != 0 {
				t.Errorf("progress %+v, want nothing of the other export reused", p)
			}
		}},

	{name: "a fresh link to the same object on another host", fault: stopAfter(1 << 20),
		first:   failure.Network,
		between: func(t *testing.T, w *faultWorld) {},
		master2: func(t *testing.T, w *faultWorld) *master.CSV {
			other := newFaultServer(t)
			o := other.put("/elsewhere/x.zip", w.body)
			o.etag, o.mod = w.object.etag, w.object.mod
			return other.master(t, "", "/elsewhere/x.zip", "")
		},
		check: func(t *testing.T, w *faultWorld, r *Run, err error) {
			if p := r.Progress(); p.Reused == 0 || p.Fetched+p.Reused != p.Total {
				t.Errorf("progress %+v, want the old bytes reused", p)
			}
		}},
	{name: "the server tells a digest that the bytes never match, and they are a ZIP whose own checksums " +
		"fit", world: func(t *testing.T, w *faultWorld) *master.CSV {
		w.object = w.put("/attachments.zip", zipOf(t, 300))
		return w.master(t, "", "/attachments.zip", "")
	}, fault: toldWrong, outcome: "every byte is right, and the contradiction is told",
		check: func(t *testing.T, w *faultWorld, r *Run, runErr error) {
			v, err := r.Objects[0].Wait(t.Context())
			if err != nil || v.Check != "zip-crc32" || v.Contradicts != "x-goog-hash-md5" {
				t.Errorf("verified %+v, %v; want by the ZIP, against the server", v, err)
			}
			fewRequests(4)(t, w, r, runErr)
			if _, mem, err := openJournal(w.spoolFile(".journal")); err != nil || mem.done == nil ||
				*mem.done != v {
				t.Errorf("the journal says %+v, %v; want %+v", mem.done, err, v)
			}
		}},
	{name: "the server tells a digest that the bytes never match, and nothing else vouches for them",
		fault: toldWrong,
		outcome: "damaged at its source, after two fetches that brought the same: it is kept whole and " +
			"told, and what can be read of it is taken",
		check: func(t *testing.T, w *faultWorld, r *Run, err error) {
			if v, err := r.Objects[0].Wait(t.Context()); err != nil || v.Check != CheckDamaged ||
				v.Contradicts != "x-goog-hash-md5" {
				t.Errorf("verified %+v, %v; want that it is damaged", v, err)
			}
			fewRequests(4)(t, w, r, err)
			wantBytes(t, r.Objects[0], w.object.body)
		}},
	{name: "a bit flips on the way, and the server tells a digest", fault: func(_ *faultWorld, o *served) {
		sum := sha256.Sum256(o.body)
		o.fault = func(n int, o *served, w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set("Repr-Digest", "sha-256=:"+base64Of(sum[:])+":")
			if n > 1 {
				return false
			}
			bad := append([]byte(nil), o.body...)
			bad[2_000_000] ^= 1
			o.body = bad
			return o.whole(w)
		}
	}},
}

// toldWrong adds a digest of other bytes to every answer.
func toldWrong(_ *faultWorld, o *served) {
	o.fault = func(_ int, _ *served, w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("X-Goog-Hash", "md5="+base64Of(make([]byte, 16)))
		return false
	}
}
