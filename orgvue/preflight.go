package orgvue

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// A Dataset is what the system says of one.
type Dataset struct {
	ID   string `json:"datasetId"`
	Name string `json:"name"`
	Type string `json:"type"` // POSITIONS, PEOPLE or LINKS

	Items      []string // their identifiers
	Properties []string // that they have; empty where there are no items to tell
}

// Preflight looks at the dataset before anything is sent: whether it is there, and whether it has every
// property. An import makes none. Properties are known from the items that are there; without any, nothing
// can be said of them.
func (c *Client) Preflight(ctx context.Context, properties []string) (*Dataset, error) {
	var all []Dataset
	if _, err := c.ask(ctx, http.MethodGet, "datasets", nil, &all); err != nil {
		return nil, err
	}
	i := slices.IndexFunc(all, func(d Dataset) bool { return strings.EqualFold(d.ID, c.o.Dataset) })
	if i < 0 {
		return nil, usage("check the ID; a token sees the datasets of its own user only",
			"the tenant has no dataset %s", c.o.Dataset)
	}
	d := &all[i]
	if err := c.readItems(ctx, d); err != nil {
		return nil, err
	}
	if len(d.Properties) == 0 {
		c.o.Talk("the dataset has no items yet: its properties cannot be checked before they are sent")
		return d, nil
	}
	var lacking []string
	for _, p := range properties {
		if p != "_id" && !slices.Contains(d.Properties, p) {
			lacking = append(lacking, p)
		}
	}
	if len(lacking) > 0 && c.o.AssumeProperties {
		c.o.Talk("no item of the dataset has %s; sent all the same", strings.Join(lacking, ", "))
	} else if len(lacking) > 0 {
		hint := "make them in the dataset (if they are there and only have no values, add " +
			"--assume-properties), or name the columns as its properties are named: "
		return nil, usage(hint+strings.Join(d.Properties, ", "),
			"no item of the dataset %s has these properties: %s",
			d.Name, strings.Join(lacking, ", "))
	}
	return d, nil
}

func (c *Client) readItems(ctx context.Context, d *Dataset) error {
	var raw json.RawMessage
	if _, err := c.ask(ctx, http.MethodGet, "datasets/"+c.o.Dataset+"/items", nil, &raw); err != nil {
		return err
	}
	var items []map[string]any
	if json.Unmarshal(raw, &items) != nil {
		var wrapped struct{ Items []map[string]any }
		if err := json.Unmarshal(raw, &wrapped); err != nil {
			return fmt.Errorf("the dataset's items cannot be read: %w", err)
		}
		items = wrapped.Items
	}
	names := map[string]bool{}
	for _, item := range items {
		for name := range item {
			names[name] = true
		}
		if id := idOf(item, c.o.KeyProperty()); id != "" {
			d.Items = append(d.Items, id)
		}
	}
	d.Properties = slices.Sorted(maps.Keys(names))
	return nil
}

// KeyProperty is the name of the property that identifies items.
func (o *Options) KeyProperty() string {
	switch {
	case o.IDKey != "":
		return o.IDKey
	case o.MergeKey != "":
		return o.MergeKey
	}
	return "_id"
}

// idOf is an item's identifier: the property that was chosen for it, else _id.
func idOf(item map[string]any, key string) string {
	for _, name := range []string{key, "_id"} {
		if v := item[name]; v != nil && v != "" {
			return fmt.Sprint(v)
		}
	}
	return ""
}
