package eploy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// A page is one answer to a search. Total and Pages are as stated; nothing is computed.
type page struct {
	Records      []json.RawMessage
	TotalRecords *int
	CurrentPage  *int
	TotalPages   *int
}

// parsePage reads the answer to a search.
func parsePage(body []byte) (*page, error) {
	var p page
	if err := json.Unmarshal(body, &p); err != nil {
		return nil, errNotJSON
	}
	if p.Records == nil || p.TotalRecords == nil || p.TotalPages == nil || p.CurrentPage == nil {
		return nil, errors.New("the answer is not a page of records")
	}
	return &p, nil
}

// ids returns the records' IDs, in order. A record without one is an error: nothing could be said about it.
func (l *listing) ids(records []json.RawMessage) ([]string, error) {
	out := make([]string, len(records))
	for i, r := range records {
		id, err := l.id(r)
		if err != nil {
			return nil, err
		}
		out[i] = id
	}
	return out, nil
}

// id finds a record's ID: CandidateId or CandidateID, a number or a text. It is usually the first member.
func (l *listing) id(record json.RawMessage) (string, error) {
	d := json.NewDecoder(bytes.NewReader(record))
	d.UseNumber()
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return "", fmt.Errorf("a record of %s is not an object", l.name)
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return "", err
		}
		name, _ := key.(string)
		if !strings.EqualFold(name, l.record+"Id") && !strings.EqualFold(name, "Id") {
			var skip json.RawMessage
			if err := d.Decode(&skip); err != nil {
				return "", err
			}
			continue
		}
		var value any
		if err := d.Decode(&value); err != nil {
			return "", err
		}
		if s := fmt.Sprint(value); value != nil && s != "" {
			return s, nil
		}
	}
	return "", fmt.Errorf("a record of %s has no %sId", l.name, l.record)
}

// members returns the names of a record's members: in lower case, to as they are written.
func members(record json.RawMessage) map[string]string {
	names := map[string]string{}
	var m map[string]json.RawMessage
	if json.Unmarshal(record, &m) != nil {
		return names
	}
	for name := range m {
		names[strings.ToLower(name)] = name
	}
	return names
}

// searchBody is what a search asks for.
func searchBody(sizeKey string, size, number int, filters []filter, blocks []string) []byte {
	b, err := json.Marshal(struct {
		Paging         map[string]int
		Filters        []filter `json:",omitempty"`
		ResponseBlocks []string `json:",omitempty"`
	}{map[string]int{sizeKey: size, "RequestedPage": number}, filters, blocks})
	if err != nil {
		panic(err) // of ints and strings
	}
	return b
}
