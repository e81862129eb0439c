package eploy

import (
	"bytes"
	"cmp"
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var (
	aCV      = regexp.MustCompile(`(?i)\bcv\b|curriculum|r[eé]sum[eé]`)
	plainID  = regexp.MustCompile(`^[A-Za-z0-9-]{1,64}$`)
	nameKeys = []string{"filename", "name", "title"}
)

// files returns the listed files in the order they are fetched in. An ID that is not a plain word names no
// path of ours.
func (p *pull) files() ([]file, error) {
	byID := map[string]file{}
	for _, l := range p.listings {
		if l.table() != "files" {
			continue
		}
		g := p.of[l.name]
		err := p.journal.eachReceipt(l, func(r *Receipt, id string, record json.RawMessage) error {
			if g.have[id] {
				f := describe(id, record)
				f.stated = append(byID[id].stated, stated{f.modified, f.size, r.at})
				byID[id] = f
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	var out []file
	for _, f := range byID {
		out = append(out, f)
	}
	slices.SortFunc(out, func(a, b file) int {
		if a.cv != b.cv {
			return map[bool]int{true: -1, false: 1}[a.cv]
		}
		return cmp.Or(cmp.Compare(b.created, a.created), cmp.Compare(a.id, b.id))
	})
	return out, nil
}

// describe reads what a file's record says of it, as far as it does.
func describe(id string, record json.RawMessage) file {
	f := file{id: id, size: -1}
	var all map[string]json.RawMessage
	if json.Unmarshal(record, &all) != nil {
		return f
	}
	m := map[string]json.RawMessage{}
	for name, value := range all {
		m[strings.ToLower(name)] = value
	}
	for _, key := range nameKeys {
		if f.name == "" {
			json.Unmarshal(m[key], &f.name)
		}
	}
	f.ownerType, _ = strconv.Atoi(text(m["recordtypeid"]))
	if f.owner = text(m["recordid"]); f.owner == "" {
		f.owner = text(m["record"])
	}
	f.cv = aCV.Match(m["filetype"])
	json.Unmarshal(m["creationdate"], &f.created)
	json.Unmarshal(m["modificationdate"], &f.modified)
	if whole, fraction, ok := strings.Cut(f.modified, "."); ok && strings.Trim(fraction, "0") == "" {
		f.modified = whole
	}
	if n, err := strconv.ParseInt(strings.Trim(string(m["filesize"]), `"`), 10, 64); err == nil {
		f.size = n
	}
	return f
}

// text is a number or text as text, and of a link or an option its ID.
func text(v json.RawMessage) string {
	var object struct{ ID json.RawMessage }
	if bytes.HasPrefix(v, []byte("{")) && json.Unmarshal(v, &object) == nil {
		v = object.ID
	}
	if string(v) == "null" {
		return ""
	}
	return strings.Trim(string(v), `"`)
}
