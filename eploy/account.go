package eploy

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// A Session is what some of a pull's receipts tell of: those of one process, or of several that were killed.
type Session struct {
	Killed       bool // its processes could not tell of it
	Began, Ended time.Time
	Receipts     int // of the pull, up to the end of the session
	Requests     int
	Bytes        int64 // received
	records      func(use func(SessionRecord) error) error
}

// Records calls use for each record that took part: once for each action, as it was last. It is valid only
// during the call of OnSession.
func (s Session) Records(use func(SessionRecord) error) error { return s.records(use) }

// A SessionRecord is a record that took part in a Session.
type SessionRecord struct {
	Type   string // candidates
	ID     string // of a value of a list: the list's number, a slash, the value's ID
	Action string // receive, receive-content, vanish
	SHA256 string // of the record's JSON without blanks between its tokens, or of the content
	Error  string // why it could not be received
}

const (
	actionReceive = "receive"
	actionContent = "receive-content"
	actionVanish  = "vanish" // it had been received, and is no longer there
)

// A decision is what an answer says of a record that is not in it.
type decision struct {
	receipt *Receipt
	SessionRecord
}

func (p *pull) decide(g *progress, id string, r *Receipt, action, why string) {
	p.decided = append(p.decided, decision{r, SessionRecord{Type: g.table(), ID: id, Action: action,
		Error: why}})
}

// vanished takes note that a record which was received is no longer there.
func (p *pull) vanished(g *progress, id string, r *Receipt) {
	delete(g.have, id)
	g.gone[id] = true
	p.decide(g, id, r, actionVanish, "")
}

// account tells of what was received: opened is how many receipts there were when this process began.
func (p *pull) account(opened int) error {
	if p.o.OnSession == nil {
		return nil
	}
	from, now := p.o.Accounted, len(p.journal.all)
	if from < 0 || from > opened {
		from = opened
	}
	if from < opened {
		if err := p.o.OnSession(p.session(from, opened, true)); err != nil {
			return err
		}
	}
	return p.o.OnSession(p.session(opened, now, false))
}

func (p *pull) session(from, to int, killed bool) Session {
	s := Session{Killed: killed, Receipts: to, Requests: to - from}
	for _, r := range p.journal.all[from:to] {
		if s.Began.IsZero() {
			s.Began = r.Time
		}
		s.Ended = r.Time
		s.Bytes += r.Size
	}
	s.records = func(use func(SessionRecord) error) error { return p.sessionRecords(from, to, use) }
	return s
}

// sessionRecords calls use for each record that some receipts tell of.
func (p *pull) sessionRecords(from, to int, use func(SessionRecord) error) error {
	var all []SessionRecord
	at := map[SessionRecord]int{}
	add := func(x SessionRecord) {
		key := SessionRecord{Type: x.Type, ID: x.ID, Action: x.Action}
		if i, ok := at[key]; ok {
			all[i] = x
			return
		}
		at[key] = len(all)
		all = append(all, x)
	}
	present := map[*Receipt]bool{}
	for _, r := range p.journal.all[from:to] {
		present[r] = true
		if err := p.receiptRecords(r, add); err != nil {
			return err
		}
	}
	for _, d := range p.decided {
		if present[d.receipt] {
			add(d.SessionRecord)
		}
	}
	for _, x := range all {
		if err := use(x); err != nil {
			return err
		}
	}
	return nil
}

// receiptRecords adds the records that an answer has.
func (p *pull) receiptRecords(r *Receipt, add func(SessionRecord)) error {
	if id := p.contents.asked[r]; id != "" {
		x := SessionRecord{Type: "files", ID: id, Action: actionContent, SHA256: r.SHA256}
		if r.File == "" || r.Status != http.StatusOK {
			x.SHA256, x.Error = "", fmt.Sprintf("status %d", r.Status)
			if r.Refusal != "" {
				x.Error = r.Refusal
			}
		}
		add(x)
		return nil
	}
	name, _, _ := strings.Cut(r.Step, "/")
	g := p.of[name]
	if g == nil || r.Rejected != "" || r.Status != http.StatusOK || !g.bears(r.Step) {
		return nil
	}
	var line bytes.Buffer
	return p.journal.recordsIn(r, g.listing, func(id string, record json.RawMessage) error {
		x := SessionRecord{Type: g.table(), ID: id, Action: actionReceive}
		if list, ok := strings.CutPrefix(x.Type, "options-"); ok {
			x.Type, x.ID = "options", list+"/"+id
		}
		line.Reset()
		if err := json.Compact(&line, record); err != nil {
			return err
		}
		sum := sha256.Sum256(line.Bytes())
		x.SHA256 = hex.EncodeToString(sum[:])
		add(x)
		return nil
	})
}
