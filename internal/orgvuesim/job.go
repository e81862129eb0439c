package orgvuesim

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// settleJobs does the jobs whose time has come. It needs mu.
func (t *Tenant) settleJobs() {
	for _, j := range t.jobs {
		if !j.done && time.Now().After(j.ends) {
			j.done = true
			if !t.config.Behaviour.JobFails {
				t.do(j)
			}
		}
		late := time.Now().Before(j.ends.Add(t.config.Behaviour.ResultLate))
		if f := t.files[j.to]; f != nil && j.result != nil && !late {
			f.content, j.result = j.result, nil
			if t.config.Behaviour.ResultLink {
				f.ends = time.Now().Add(t.config.Behaviour.URLLife)
			}
		}
	}
}

// do imports the payload of a job and writes its result.
func (t *Tenant) do(j *job) {
	items, err := parse(t.files[j.from].content)
	var results []map[string]any
	if err != nil {
		results = []map[string]any{{"_status": "failed", "message": err.Error()}}
	}
	named := map[string]bool{}
	for i, item := range items {
		id, err := t.apply(j, item, i+1)
		named[id] = true
		result := map[string]any{"_id": id, "_action": item["_action"], "_status": "success"}
		if err != nil {
			t.failShape(result, err)
		}
		results = append(results, result)
	}
	if j.query["implicitDelete"] == "true" {
		maps.DeleteFunc(j.dataset.items, func(id string, _ map[string]any) bool { return !named[id] })
	}
	j.result = t.shape(results)
}

// shape writes a result.
func (t *Tenant) shape(results []map[string]any) []byte {
	var v any = results
	switch t.config.Behaviour.ResultShape {
	case "wrapped":
		v = map[string]any{"items": results}
	case "csv":
		var b bytes.Buffer
		w := csv.NewWriter(&b)
		w.Write([]string{"_id", "_action", "_status", "message"})
		for _, r := range results {
			row := []string{"", "", "", ""}
			for i, name := range []string{"_id", "_action", "_status", "message"} {
				if r[name] != nil {
					row[i] = fmt.Sprint(r[name])
				}
			}
			w.Write(row)
		}
		w.Flush() // into memory: cannot fail
		return b.Bytes()
	}
	b, err := json.Marshal(v)
	if err != nil {
		return []byte("[]")
	}
	return b
}

func (t *Tenant) failShape(result map[string]any, err error) {
	result["_status"] = "failed"
	switch t.config.Behaviour.FailShape {
	case "errors":
		result["errors"] = []map[string]string{{"code": "42200", "message": err.Error()}}
	case "bare":
		result["_status"] = "error"
	default:
		result["message"] = err.Error()
	}
}

// parse reads a payload: JSON as it is, else CSV. An object's members keep no order here; that _action comes
// first is looked at by whoever tests what is sent.
func parse(content []byte) ([]map[string]any, error) {
	var items []map[string]any
	if bytes.HasPrefix(bytes.TrimSpace(content), []byte("[")) {
		d := json.NewDecoder(bytes.NewReader(content))
		d.UseNumber()
		if err := d.Decode(&items); err != nil {
			return nil, fmt.Errorf("the payload is not valid JSON: %w", err)
		}
		return items, nil
	}
	rows, err := csv.NewReader(bytes.NewReader(content)).ReadAll()
	if err != nil || len(rows) == 0 || rows[0][0] != "_action" {
		return nil, errors.New("the payload is not valid CSV with _action first")
	}
	for _, row := range rows[1:] {
		item := map[string]any{}
		for i, cell := range row {
			item[rows[0][i]] = cell
		}
		items = append(items, item)
	}
	return items, nil
}

// apply does what one item says.
func (t *Tenant) apply(j *job, item map[string]any, number int) (string, error) {
	d := j.dataset
	key := "_id"
	for _, name := range []string{"idKey", "mergeKey"} {
		if j.query[name] != "" {
			key = j.query[name]
		}
	}
	id := fmt.Sprint(item[key])
	action := item["_action"]
	if item[key] == nil {
		id = ""
	}
	if id == "" && action == "create" && j.query["autoId"] == "true" {
		id = fmt.Sprintf("auto-%d", d.next)
		d.next++
	}
	if n := t.config.Behaviour.FailEvery; n > 0 && number%n == 0 {
		return id, fmt.Errorf("value of item %d is not allowed", number)
	}
	if id == "" {
		return id, errors.New("the item has no identifier")
	}
	for name := range item {
		if name != "_action" && name != "_id" && !slices.Contains(d.Properties, name) {
			return id, fmt.Errorf("there is no property %s", name)
		}
	}
	_, there := d.items[id]
	switch {
	case action == "create" && there:
		return id, errors.New("an item with this identifier exists")
	case action != "create" && !there:
		return id, errors.New("there is no item with this identifier")
	case action == "delete":
		delete(d.items, id)
		return id, nil
	case action != "create" && action != "update":
		return id, fmt.Errorf("unknown action %v", action)
	}
	if !there {
		d.items[id] = map[string]any{}
	}
	for name, value := range item {
		switch {
		case name == "_action" || name == "_id":
		case value == "" && !t.config.Behaviour.BlankClears:
		default:
			d.items[id][name] = value
		}
	}
	return id, nil
}
