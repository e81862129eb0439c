package main

import (
	"encoding/json"
	"io"
	"slices"

	"holdall/orgvue"
	"holdall/query"
)

// payloadFormats are the payloads that a destination takes.
var payloadFormats = map[query.Format]orgvue.Format{"orgvue-json": orgvue.JSON, "orgvue-csv": orgvue.CSV}

// actionColumn is the column of a query whose result is written as a payload: create, update or delete.
const actionColumn = "_action"

// writePayload writes rows as a payload: each a create, unless a column _action says otherwise. The first
// other column identifies items.
func writePayload(w io.Writer, rows *query.Rows, form orgvue.Format, limit int64) error {
	columns := rows.Columns()
	at := slices.Index(columns, actionColumn)
	properties := slices.Clone(columns)
	if at >= 0 {
		properties = slices.Delete(properties, at, at+1)
	}
	key := ""
	if len(properties) > 0 {
		key = properties[0]
	}
	p, err := orgvue.NewWriter(w, form, properties, key)
	if err != nil {
		return err
	}
	for n := int64(0); rows.Next() && (limit == 0 || n < limit); n++ {
		item := orgvue.Item{Action: orgvue.Create, Values: rows.JSON()}
		if at >= 0 {
			if item.Action, err = actionOf(item.Values[at]); err != nil {
				return err
			}
			item.Values = slices.Delete(item.Values, at, at+1)
		}
		if err := p.Write(item); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	return p.End()
}

func actionOf(v json.RawMessage) (orgvue.Action, error) {
	var s string
	if err := json.Unmarshal(v, &s); err != nil {
		return "", usagef("write create, update or delete", "the column _action is %s", v)
	}
	a, err := orgvue.ParseAction(s)
	if err != nil {
		return "", usagef("write create, update or delete", "%v", err)
	}
	return a, nil
}
