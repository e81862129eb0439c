package exportsim

import (
	"fmt"
	"net/http"
)

// rangeFaults are answers to ranges that are not what was asked for.
var rangeFaults = []fault{
	{
		Fault: Fault{
			"no-range", "ranges are ignored: every request is answered with 200 and the whole object",
		},
		spoil: func(f *activeFault, a *answer) { a.whole() },
	},
	{Fault: Fault{"no-range-later", "ranges are ignored after the first N requests for an object"},
		number: 2, spoil: func(f *activeFault, a *answer) {
			if int64(a.nth) > f.number {
				a.whole()
			}
		}},
	{
		Fault: Fault{
			"range-as-200", "ranges are answered rightly, Content-Range included, but with status 200",
		},
		spoil: inRange(func(f *activeFault, a *answer) { a.status = http.StatusOK }),
	},
	{Fault: Fault{"range-shifted", "a 206 begins N bytes before what was asked for, and says so"},
		number: 512, spoil: inRange(func(f *activeFault, a *answer) {
			back := min(f.number, a.from)
			a.from, a.n = a.from-back, a.n+back
			a.contentRange(a.from, a.n, a.o.size)
		})},
	{Fault: Fault{"range-short", "a 206 has at most N bytes, and says so"}, number: 100_000,
		spoil: inRange(func(f *activeFault, a *answer) {
			a.n = min(a.n, max(f.number, 1))
			a.contentRange(a.from, a.n, a.o.size)
		})},
	{Fault: Fault{
		"range-total-wrong", "the total in Content-Range is N bytes too large in every second 206",
	}, number: 1, spoil: inRange(func(f *activeFault, a *answer) {
		if a.nth%2 == 0 {
			a.contentRange(a.from, a.n, a.o.size+f.number)
		}
	})},
	{
		Fault: Fault{"range-bare", "a 206 has no Content-Range"},
		spoil: inRange(func(f *activeFault, a *answer) { a.header.Del("Content-Range") }),
	},
	{
		Fault:  Fault{"range-lies", "a 206 that does not begin at 0 sends bytes from N earlier than it says"},
		number: 64, spoil: inRange(func(f *activeFault, a *answer) { a.from -= min(f.number, a.from) }),
	},
	{Fault: Fault{"range-multipart", "a 206 comes as multipart/byteranges with one part"},
		spoil: inRange(func(f *activeFault, a *answer) {
			const boundary = "THIS_STRING_SEPARATES"
			a.before = []byte(fmt.Sprintf(
				"--%s\r\nContent-Type: %s\r\nContent-Range: %s\r\n\r\n", boundary, a.o.mediaType,
				a.header.Get("Content-Range"),
			))
			a.after = []byte("\r\n--" + boundary + "--\r\n")
			a.header.Set("Content-Type", "multipart/byteranges; boundary="+boundary)
			a.header.Del("Content-Range")
		})},
	{Fault: Fault{"range-416", "ranges that do not begin at 0 are refused with 416"},
		spoil: inRange(func(f *activeFault, a *answer) {
			if a.from > 0 {
				a.page(
					http.StatusRequestedRangeNotSatisfiable, "application/xml",
					"<Error><Code>InvalidRange</Code></Error>",
				)
				a.header.Set("Content-Range", fmt.Sprintf("bytes */%d", a.o.size))
			}
		})},
	{Fault: Fault{
		"if-range-date", "If-Range is honoured with a date only: with an ETag the whole object comes",
	}, spoil: func(f *activeFault, a *answer) {
		if v := a.r.Header.Get("If-Range"); v != "" && (v[0] == '"' || v[0] == 'W') {
			a.whole()
		}
	}},
	{
		Fault: Fault{"etag-weak", "ETags are weak"},
		spoil: func(f *activeFault, a *answer) { a.setETag("W/" + a.o.etag) },
	},
	{
		Fault: Fault{"etag-absent", "there are no ETags"},
		spoil: func(f *activeFault, a *answer) { a.setETag("") },
	},
	{
		Fault: Fault{"validators-absent", "there are neither ETags nor Last-Modified"},
		spoil: func(f *activeFault, a *answer) { a.setETag(""); a.header.Del("Last-Modified") },
	},
	{Fault: Fault{"etag-by-edge", "ETags of one object differ between N edges, which take turns"}, number: 2,
		spoil: func(f *activeFault, a *answer) {
			a.setETag(fmt.Sprintf("%s-edge%d\"", a.o.etag[:len(a.o.etag)-1], int64(a.nth)%max(f.number, 1)))
		}},
	{
		Fault: Fault{"etag-md5", "ETags are the MD5 of the object, as of a plain upload to S3"},
		spoil: func(f *activeFault, a *answer) { a.setETag(f.md5(a.o, 0)) },
	},
	{
		Fault:  Fault{"etag-multipart", "ETags are those of an S3 multipart upload with parts of N bytes"},
		number: 8 << 20, spoil: func(f *activeFault, a *answer) { a.setETag(f.md5(a.o, f.number)) },
	},
}

// inRange limits a fault to answers with status 206.
func inRange(spoil func(*activeFault, *answer)) func(*activeFault, *answer) {
	return func(f *activeFault, a *answer) {
		if a.partial {
			spoil(f, a)
		}
	}
}

// setETag changes the ETag of an answer that has the object's bytes.
func (a *answer) setETag(etag string) {
	switch {
	case a.body != nil:
	case etag == "":
		a.header.Del("ETag")
	default:
		a.header.Set("ETag", etag)
	}
}
