package orgvue

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
)

// A Format is a form of payload.
type Format string

// The formats.
const (
	JSON Format = "json"
	CSV  Format = "csv"
)

// An Action is what is to be done with an item.
type Action string

// The actions.
const (
	Create Action = "create"
	Update Action = "update"
	Delete Action = "delete"
)

// ParseAction reads an action, in any case.
func ParseAction(s string) (Action, error) {
	a := Action(strings.ToLower(strings.TrimSpace(s)))
	if a != Create && a != Update && a != Delete {
		return "", fmt.Errorf("%q is not an action: want create, update or delete", s)
	}
	return a, nil
}

// An Item is one row of a payload. Values are JSON, one for each property of the Writer; nil leaves a
// property out.
type Item struct {
	Action Action
	Values []json.RawMessage
}

// A Writer writes a payload item by item: an array of objects with _action first, or CSV with the column
// _action first. What it has written when End returns is valid.
type Writer struct {
	w     *bufio.Writer
	form  Format
	names []string
	keys  [][]byte // names as JSON, with the colon
	key   int      // of the property that identifies an item; -1: none
	items int
}

// NewWriter begins a payload. key is the property that identifies items; it may be missing where the system
// makes identifiers.
func NewWriter(w io.Writer, form Format, properties []string, key string) (*Writer, error) {
	p := &Writer{w: bufio.NewWriter(w), form: form, names: properties, key: slices.Index(properties, key)}
	for i, name := range properties {
		if name == "_action" || slices.Contains(properties[:i], name) {
			return nil, usage("give it another name in the SQL, with AS",
				"the column %s cannot be a property: "+
					"it is there twice, or reserved", name)
		}
		b, err := json.Marshal(name)
		if err != nil {
			return nil, err
		}
		p.keys = append(p.keys, append(b, ':'))
	}
	if form == CSV {
		p.csvRow("_action", func(i int) string { return properties[i] })
	} else {
		p.w.WriteByte('[')
	}
	return p, nil
}

// Write writes an item. A delete has its identifier and nothing else.
func (p *Writer) Write(item Item) error {
	values := item.Values
	if item.Action == Delete {
		values = make([]json.RawMessage, len(p.names))
		if p.key >= 0 {
			values[p.key] = item.Values[p.key]
		}
	}
	if item.Action != Create && (p.key < 0 || isNull(values[p.key])) {
		return usage("select the identifier, too", "an item to %s has no identifier", item.Action)
	}
	if p.form == CSV {
		if i := slices.IndexFunc(values, func(v json.RawMessage) bool {
			return v != nil &&
				isNull(v)
		}); i >= 0 && item.Action == Update {
			return usage("send it as JSON",
				"whether a blank cell of a CSV clears %s or leaves it as it is, the vendor does not say",
				p.names[i])
		}
		p.csvRow(string(item.Action), func(i int) string { return plain(values[i]) })
		p.items++
		return p.flushed()
	}
	if p.items++; p.items > 1 {
		p.w.WriteByte(',')
	}
	p.w.WriteString("\n{\"_action\":\"" + string(item.Action) + "\"")
	for i, v := range values {
		// What is not there need not be created; what is to be cleared is an update to null.
		if v == nil || item.Action == Create && isNull(v) {
			continue
		}
		p.w.WriteByte(',')
		p.w.Write(p.keys[i])
		p.w.Write(v)
	}
	p.w.WriteByte('}')
	return p.flushed()
}

// flushed returns an error that a write before has met.
func (p *Writer) flushed() error {
	_, err := p.w.Write(nil)
	return err
}

// End ends the payload.
func (p *Writer) End() error {
	if p.form == JSON {
		if p.items > 0 {
			p.w.WriteByte('\n')
		}
		p.w.WriteString("]\n")
	}
	return p.w.Flush()
}

func (p *Writer) csvRow(action string, cell func(int) string) {
	p.w.WriteString(action)
	for i := range p.names {
		p.w.WriteByte(',')
		s := cell(i)
		if strings.ContainsAny(s, ",\"\r\n") || strings.TrimSpace(s) != s {
			s = `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
		}
		p.w.WriteString(s)
	}
	p.w.WriteByte('\n')
}

func isNull(v json.RawMessage) bool {
	return v == nil || bytes.Equal(bytes.TrimSpace(v), []byte("null"))
}

// plain is a value as the text of a cell: texts without quotes, null as nothing, lists as JSON.
func plain(v json.RawMessage) string {
	if isNull(v) {
		return ""
	}
	var s string
	if json.Unmarshal(v, &s) == nil {
		return s
	}
	return string(v)
}
