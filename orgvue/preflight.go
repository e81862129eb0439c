package orgvue

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
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
	names := map[string]bool{}
	path, seen := "datasets/"+c.o.Dataset+"/items", map[string]bool{}
	for path != "" {
		if seen[path] {
			return unlisted("the system lists the same page of the dataset's items again")
		}
		seen[path] = true
		items, next, err := c.itemsAt(ctx, path)
		if err != nil {
			return err
		}
		for _, item := range items {
			for name := range item {
				names[name] = true
			}
			if id := idOf(item, c.o.KeyProperty()); id != "" {
				d.Items = append(d.Items, id)
			}
		}
		path = next
	}
	d.Properties = slices.Sorted(maps.Keys(names))
	return nil
}

// itemsAt reads a list of items, on its own or in an object, which may say where there are more: next is that
// path, below the tenant's.
func (c *Client) itemsAt(ctx context.Context, path string) (items []map[string]any, next string, err error) {
	var raw json.RawMessage
	if _, err := c.ask(ctx, http.MethodGet, path, nil, &raw); err != nil {
		return nil, "", err
	}
	if json.Unmarshal(raw, &items) == nil {
		return items, "", nil
	}
	var wrapped struct {
		Items []map[string]any
		Links map[string]struct{ URL string } `json:"_links"`
	}
	if err := json.Unmarshal(raw, &wrapped); err != nil || wrapped.Items == nil {
		return nil, "", unlisted("the dataset's items cannot be read")
	}
	more := wrapped.Links["next"].URL
	if more == "" {
		return wrapped.Items, "", nil
	}
	u, err := url.Parse(more)
	if err != nil {
		return nil, "", unlisted("where there are more items of the dataset cannot be read")
	}
	_, next, ok := strings.Cut(u.EscapedPath(), "/api/v1/"+c.o.Tenant+"/")
	if !ok || u.Host != "" && u.Host != c.host {
		return nil, "", unlisted("the system lists more items elsewhere, where the token does not belong")
	}
	if u.RawQuery != "" {
		next += "?" + u.RawQuery
	}
	return wrapped.Items, next, nil
}

// unlisted is the error of a dataset whose items are not known, so that nothing is sent to it.
func unlisted(what string) error {
	return &Error{Code: CodeRefused, Message: what, Hint: "nothing was sent; ask the vendor"}
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
