package fetch

import (
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"path"
	"strings"
	"time"

	"holdall/fetch/listing"
	"holdall/internal/digest"
	"holdall/internal/filetype"
)

// A doubt is why what came for a file of a listing may not be the file. It is asked for again; what comes a
// second time is what the server has.
type doubt struct {
	why  string
	page bool // it looks like an error page
	// a checksum says that it changed in transit
	corrupt bool
	slow    bool       // it is believed only when it still comes some time later
	sum     digest.Sum // of what came
}

func (d *doubt) Error() string { return d.why }

// A sighting is the first answer of a kind that is believed only when it comes again.
type sighting struct {
	what  string
	at    time.Time
	times int
}

const (
	// a page, or nothing, must take the place of a file this long until it counts as what the server has
	pageTime    = 10 * time.Second
	slowTimes   = 3 // and it must have come this often
	enoughPages = 5 // files that bring the very same page, until it is clear that it stands for all of them
)

// doubtful returns why body may not be the listed file, or nil. plain is its content, where it came encoded.
func (p *filePool) doubtful(l listing.Entry, rec fileRecord, x *exchange, body, plain []byte) *doubt {
	d := &doubt{sum: rec.sum}
	switch {
	case isPage(l, plain):
		d.why, d.page, d.slow = "an error page seems to have come in its place", true, true
	case !sizeAgrees(l.Size, int64(len(body))):
		d.why = fmt.Sprintf("the listing says %d bytes, but %d came", l.Size, len(body))
	case !checksumAgrees(x.identity, body):
		d.why, d.corrupt = "it does not match the checksum that came with it", true
	case !tagAgrees(l, x.identity, body):
		d.why = "it does not match the ETag that the listing gives"
	case l.Size < 0 && len(body) == 0:
		d.why = "it came without content"
	case l.Size < 0 && unframed(x):
		d.why = "the server did not say where it ends"
	default:
		return nil
	}
	d.slow = d.slow || len(body) == 0 // a server in trouble says that there is nothing, too
	return d
}

// unframed reports whether nothing shows that a body has come to its end: the connection was closed, and that
// was all.
func unframed(x *exchange) bool {
	return x.bounds.end < 0 && len(x.resp.TransferEncoding) == 0 && len(x.identity.claims()) == 0
}

// sizeAgrees compares the size that a listing gives, which may be in thousands of bytes, with that of what
// came.
func sizeAgrees(listed, got int64) bool {
	if listed < 0 || listed == got {
		return true
	}
	near := func(unit int64) bool {
		return listed > 0 && got >= unit/2 && got >= (listed-1)*unit && got <= (listed+1)*unit
	}
	return near(1000) || near(1024)
}

func checksumAgrees(id Identity, body []byte) bool {
	for _, c := range id.claims() {
		h := newHash(c.digest)
		h.Write(body)
		if string(h.Sum(nil)) == string(c.sum) {
			return true
		}
		if c.firm {
			return false
		}
	}
	return true
}

// tagAgrees compares the ETag that a listing gives with the one that came; where none came, and it is an MD5,
// with the content.
func tagAgrees(l listing.Entry, id Identity, body []byte) bool {
	listed := strings.Trim(l.ETag, `"`)
	if got := strings.Trim(id.strong(), `"`); listed == "" || got != "" {
		return listed == "" || listed == got
	}
	if !plainMD5.MatchString(listed) {
		return true
	}
	sum := md5.Sum(body)
	return listed == hex.EncodeToString(sum[:])
}

// binaryNames are extensions of files that are never text of a markup language. (Word documents named .doc
// often are.)
var binaryNames = map[string]bool{
	".pdf": true, ".docx": true, ".xlsx": true, ".pptx": true, ".odt": true, ".ods": true, ".zip": true,
	".msg": true, ".jpg": true,
	".jpeg": true, ".png": true, ".gif": true, ".tif": true, ".tiff": true, ".heic": true, ".mp3": true,
	".mp4": true,
}

var pageNames = map[string]bool{
	".html": true, ".htm": true, ".xhtml": true, ".xml": true, ".json": true, ".svg": true, ".txt": true,
}

// isPage reports whether body looks like a page of a server or a proxy in place of the file.
func isPage(l listing.Entry, body []byte) bool {
	ext := strings.ToLower(path.Ext(l.Label()))
	if pageNames[ext] || l.Size >= 0 && l.Size == int64(len(body)) {
		return false
	}
	switch filetype.Detect(body[:min(len(body), 4096)]) {
	case filetype.HTML:
		return true
	case filetype.XML, filetype.JSON:
		return binaryNames[ext]
	}
	return false
}

// confirmed reports whether what is doubtful has come before, and long enough ago.
func (p *filePool) confirmed(i int, d *doubt) bool {
	wait := time.Duration(0)
	if d.slow {
		wait = p.slowWait()
	}
	p.o.run.mu.Lock()
	defer p.o.run.mu.Unlock()
	return p.seenAgain(i, d.sum.String(), wait)
}

// slowWait is how long an answer must go on coming that a server in trouble gives as well.
func (p *filePool) slowWait() time.Duration {
	return min(pageTime, believedAfter(p.o.run.f.opts.retryBudget()))
}

// seenAgain remembers an answer for file i and reports whether it came before, at least wait ago. With the
// run's mutex held.
func (p *filePool) seenAgain(i int, what string, wait time.Duration) bool {
	now := time.Now()
	s, ok := p.doubts.sightings[i]
	if !ok || s.what != what {
		p.doubts.sightings[i] = sighting{what, now, 1}
		return false
	}
	s.times++
	p.doubts.sightings[i] = s
	return wait == 0 || now.Sub(s.at) >= wait && s.times >= slowTimes
}

// oddity says how a received file differs from what the listing says about it, or nothing. It has come so
// twice.
func oddity(l listing.Entry, r fileRecord) string {
	switch tag := strings.Trim(l.ETag, `"`); {
	case !sizeAgrees(l.Size, r.size):
		return fmt.Sprintf(
			"the listing says %d bytes, but it has %d; the server sent the same twice", l.Size, r.size,
		)
	case tag != "" && r.tag != 0 && r.tag != tagOf(l.ETag) && r.tag != tagOf(`"`+tag+`"`):
		return "the listing gives another ETag than the one it came with; the server sent the same twice"
	}
	return ""
}
