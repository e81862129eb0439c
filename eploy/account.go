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

// A Part is what some of a pull's receipts tell of: those of one process, or of several that were killed.
type Part struct {
	Killed       bool // its processes could not tell of it
	Began, Ended time.Time
	Receipts     int // of the pull, up to the end of the part
	Requests     int
	Bytes        int64 // received
	records      func(use func(PartRecord) error) error
}

// Records calls use for each record that took part: once for each action, as it was last. It is valid only
// during the call of Took.
func (p Part) Records(use func(PartRecord) error) error { return p.records(use) }

// A PartRecord is a record in a Part.
type PartRecord struct {
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
	PartRecord
}

func (p *pull) decide(g *progress, id string, r *Receipt, action, why string) {
	p.decided = append(p.decided, decision{r, PartRecord{Type: g.table(), ID: id, Action: action,
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
	if p.o.Took == nil {
		return nil
	}
	from, now := p.o.Accounted, len(p.journal.all)
	if from < 0 || from > opened {
		from = opened
	}
	if from < opened {
		if err := p.o.Took(p.portion(from, opened, true)); err != nil {
			return err
		}
	}
	return p.o.Took(p.portion(opened, now, false))
}

func (p *pull) portion(from, to int, killed bool) Part {
	part := Part{Killed: killed, Receipts: to, Requests: to - from}
	for _, r := range p.journal.all[from:to] {
		if part.Began.IsZero() {
			part.Began = r.Time
		}
		part.Ended = r.Time
		part.Bytes += r.Size
	}
	part.records = func(use func(PartRecord) error) error { return p.tookPart(from, to, use) }
	return part
}

// tookPart calls use for each record that some receipts tell of.
func (p *pull) tookPart(from, to int, use func(PartRecord) error) error {
	var all []PartRecord
	at := map[PartRecord]int{}
	add := func(x PartRecord) {
		key := PartRecord{Type: x.Type, ID: x.ID, Action: x.Action}
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
		if err := p.tookReceipt(r, add); err != nil {
			return err
		}
	}
	for _, d := range p.decided {
		if present[d.receipt] {
			add(d.PartRecord)
		}
	}
	for _, x := range all {
		if err := use(x); err != nil {
			return err
		}
	}
	return nil
}

// tookReceipt adds the records that an answer has.
func (p *pull) tookReceipt(r *Receipt, add func(PartRecord)) error {
	if id := p.contents.asked[r]; id != "" {
		x := PartRecord{Type: "files", ID: id, Action: actionContent, SHA256: r.SHA256}
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
		x := PartRecord{Type: g.table(), ID: id, Action: actionReceive}
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
