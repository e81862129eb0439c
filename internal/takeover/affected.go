package takeover

import (
	"context"
	"maps"
	"slices"
	"strings"

	"holdall/archive"
	"holdall/internal/scratch"
	"holdall/query"
)

// An Affected document is one that a fault of its archive concerns, as people know it.
type Affected struct {
	ID        string `json:"doc_id"`
	File      string `json:"file"` // its original name
	OwnerType string `json:"owner_type,omitempty"`
	OwnerID   string `json:"owner_id,omitempty"`
	Owner     string `json:"owner,omitempty"` // the name of the record that it belongs to
}

const affectedQuery = `SELECT doc_id, original_name, owner_type, owner_id, owner_name FROM documents
WHERE doc_id IN (SELECT unnest(string_split($ids, ' ')))`

// NameDocuments says whose documents are, by the archive's own index and tables. Those are part of what may
// be damaged: what they do not give is left out. Nor are the tables of an archive made again for it that has
// no catalog. dir is as for Verify.
func NameDocuments(
	ctx context.Context, bag *archive.Bag, ids map[string]bool, dir string,
) (map[string]Affected, error) {
	s, err := readStatus(ctx, bag)
	if err != nil || s.Catalog == nil || len(ids) == 0 {
		return nil, err
	}
	work, err := scratch.Make(dir, verifyPrefix)
	if err != nil {
		return nil, err
	}
	defer work.Remove()
	db, err := OpenDatabase(ctx, bag, work.Path, query.OpenOptions{}, func(string, ...any) {})
	if err != nil {
		return nil, err
	}
	defer db.Close()
	rows, err := db.Query(ctx, affectedQuery, map[string]string{
		"ids": strings.Join(slices.Sorted(maps.Keys(ids)), " "),
	})
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	found := map[string]Affected{}
	for rows.Next() {
		v, err := rows.Strings()
		if err != nil {
			return nil, err
		}
		found[v[0]] = Affected{ID: v[0], File: v[1], OwnerType: v[2], OwnerID: v[3], Owner: v[4]}
	}
	return found, rows.Err()
}
