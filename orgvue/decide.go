package orgvue

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
)

// Known is what earlier sends to the same dataset say of a record.
type Known struct {
	There    bool              // a create or update succeeded, and no delete since
	Fields   map[string]string // digest of each property, as it is there
	Tried    string            // digest of the record at the last try
	Failed   bool              // and the last try failed
	Requeued bool              // it is to be sent again, whatever was sent before
}

// Fields returns a digest of each property's value, by which a change is noticed. The record's ID is in
// them, so that equal values of different records do not look alike.
func Fields(id string, properties []string, values []json.RawMessage) map[string]string {
	out := make(map[string]string, len(properties))
	for i, name := range properties {
		v := values[i]
		if isNull(v) {
			v = json.RawMessage("null")
		}
		out[name] = short(id, name, string(v))
	}
	return out
}

// Digest identifies the whole content of a record, its ID included.
func Digest(id string, properties []string, values []json.RawMessage) string {
	h := sha256.New()
	for i, name := range properties {
		v := values[i]
		if isNull(v) {
			v = json.RawMessage("null")
		}
		h.Write([]byte(name + "\x00" + string(v) + "\x00"))
	}
	h.Write([]byte(id))
	return hex.EncodeToString(h.Sum(nil))
}

func short(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		h.Write([]byte(p + "\x00"))
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// Decide says what is to be sent of a record: nothing when it is there as it is, or when exactly this failed
// and nobody asked to try again; all of it when it is new or was requeued; else what changed, and its
// identifier. key is the index of that.
func Decide(id string, key int, properties []string, values []json.RawMessage, k *Known) (Item, bool) {
	all := Item{Action: Create, Values: values}
	switch {
	case k == nil:
		return all, true
	case k.Requeued:
		if k.There {
			all.Action = Update
		}
		return all, true
	case k.Failed && k.Tried == Digest(id, properties, values):
		return Item{}, false
	case !k.There:
		return all, true
	}
	now := Fields(id, properties, values)
	if maps.Equal(now, k.Fields) {
		return Item{}, false
	}
	changed := Item{Action: Update, Values: make([]json.RawMessage, len(values))}
	for i, name := range properties {
		if i != key && k.Fields[name] == now[name] {
			continue
		}
		changed.Values[i] = values[i]
		if values[i] == nil {
			changed.Values[i] = json.RawMessage("null")
		}
	}
	return changed, true
}

// ForCSV returns an item as a row of a CSV has to have it. Whether a blank cell leaves a property as it is or
// clears it is not documented, so an update has every property of the record, and no cell is blank but that
// of a property which k says is empty there already. An update that clears a property stays one that Write
// refuses.
func ForCSV(item Item, id string, properties []string, values []json.RawMessage, k *Known) Item {
	if item.Action != Update {
		return item
	}
	out := make([]json.RawMessage, len(values))
	for i, name := range properties {
		switch {
		case !isNull(values[i]):
			out[i] = values[i]
		case k == nil || k.Fields[name] != short(id, name, "null"):
			out[i] = json.RawMessage("null")
		}
	}
	item.Values = out
	return item
}
