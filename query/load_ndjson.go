package query

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// LoadNDJSON loads a file of JSON objects, one a line, as a table: file is its name, which says which table
// it is, path a local copy. It makes what LoadCSV makes; raw.<table> has the values as text.
//
// Objects are flattened by their shape, whatever their source:
//
//	a number, text, true, false         a column; null is NULL, as is what is missing
//	{"Id", "Description", …}            an option: its description, and <name>_id
//	{"Id", "Url"}                       a link: <name>_id alone, as URLs are not to be followed
//	another object                      a wrapper: a column for each member, <name>_<member>
//	an array                            its JSON
func (b *Builder) LoadNDJSON(ctx context.Context, file, path string) (*TableReport, error) {
	flat, err := b.flattenFile(ctx, file, path)
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", file, err)
	}
	defer os.Remove(flat)
	return b.LoadCSV(ctx, file, flat)
}

// flattenFile makes the CSV that LoadNDJSON loads. The caller removes it.
func (b *Builder) flattenFile(ctx context.Context, file, path string) (string, error) {
	in, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer in.Close()
	var columns []string
	known := map[string]bool{}
	err = eachObject(ctx, in, func(cells []flatCell) error {
		for _, c := range cells {
			if !known[c.name] {
				known[c.name] = true
				columns = append(columns, c.name)
			}
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	flat := filepath.Join(b.work, "flat-"+safeName(file)+".csv")
	if err := writeFlat(ctx, in, columns, flat); err != nil {
		return "", errors.Join(err, removeIfThere(flat))
	}
	return flat, nil
}

// A flatCell is one value of a flattened object.
type flatCell struct{ name, value string }

// eachObject reads a file from its beginning and hands on the cells of each line's object.
func eachObject(ctx context.Context, in io.ReadSeeker, use func([]flatCell) error) error {
	if _, err := in.Seek(0, io.SeekStart); err != nil {
		return err
	}
	lines := bufio.NewReaderSize(in, 1<<20)
	for n := 1; ; n++ {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) && len(bytes.TrimSpace(line)) == 0 {
			return nil
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		cells, err := flatten(line)
		if err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
		if err := use(cells); err != nil {
			return err
		}
	}
}

// flatten returns an object's cells in the order of its members.
func flatten(line []byte) ([]flatCell, error) {
	d := json.NewDecoder(bytes.NewReader(line))
	d.UseNumber()
	var cells []flatCell
	if err := flattenObject(d, "", &cells); err != nil {
		return nil, err
	}
	return cells, nil
}

// A jsonMember is a member of an object.
type jsonMember struct {
	name  string
	value json.RawMessage
}

func flattenObject(d *json.Decoder, prefix string, cells *[]flatCell) error {
	members, err := readMembers(d)
	if err != nil {
		return err
	}
	for _, m := range members {
		if err := flattenMember(prefix+m.name, m.value, cells); err != nil {
			return err
		}
	}
	return nil
}

func readMembers(d *json.Decoder) ([]jsonMember, error) {
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, fmt.Errorf("not a JSON object (%v)", err)
	}
	var members []jsonMember
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, err
		}
		m := jsonMember{name: t.(string)} // a key of an object is one
		if err := d.Decode(&m.value); err != nil {
			return nil, err
		}
		members = append(members, m)
	}
	return members, nil
}

func flattenMember(name string, value json.RawMessage, cells *[]flatCell) error {
	switch value[0] {
	case '{':
	case '"':
		var s string
		if err := json.Unmarshal(value, &s); err != nil {
			return err
		}
		*cells = append(*cells, flatCell{name, s})
		return nil
	case 'n': // null: of what, it cannot be known
		return nil
	default:
		*cells = append(*cells, flatCell{name, plainNumber(string(value))})
		return nil
	}
	members, err := readMembers(json.NewDecoder(bytes.NewReader(value)))
	if err != nil {
		return err
	}
	has := func(key string) int {
		return slices.IndexFunc(members, func(m jsonMember) bool { return strings.EqualFold(m.name, key) })
	}
	id, description, link := has("Id"), has("Description"), has("Url")
	switch {
	case id >= 0 && description >= 0:
		if err := flattenMember(name, members[description].value, cells); err != nil {
			return err
		}
		return flattenMember(name+".Id", members[id].value, cells)
	case id >= 0 && link >= 0 && len(members) == 2:
		return flattenMember(name+".Id", members[id].value, cells)
	case id >= 0 && len(members) == 1:
		return flattenMember(name+".Id", members[id].value, cells)
	}
	for _, m := range members {
		if err := flattenMember(name+"."+m.name, m.value, cells); err != nil {
			return err
		}
	}
	return nil
}

// plainNumber keeps a number from being taken for one with thousands: 37.500 has a decimal point in JSON,
// whatever it is elsewhere.
func plainNumber(s string) string {
	if whole, fraction, ok := strings.Cut(s, "."); ok && len(fraction) == 3 &&
		!strings.ContainsAny(fraction, "eE") {
		return whole + "." + fraction + "0"
	}
	return s
}

// writeFlat writes the flattened objects as CSV, each with all columns.
func writeFlat(ctx context.Context, in io.ReadSeeker, columns []string, to string) (err error) {
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	if len(columns) == 0 {
		return nil
	}
	w := csv.NewWriter(out)
	if err := w.Write(columns); err != nil {
		return err
	}
	at := map[string]int{}
	for i, c := range columns {
		at[c] = i
	}
	row := make([]string, len(columns))
	err = eachObject(ctx, in, func(cells []flatCell) error {
		clear(row)
		for _, c := range cells {
			row[at[c.name]] = c.value
		}
		return w.Write(row)
	})
	w.Flush()
	return errors.Join(err, w.Error())
}
