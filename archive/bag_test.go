package archive_test

import (
	"testing"

	"holdall/archive"
	"holdall/archive/dirstore"
	"holdall/archive/storetest"
)

func stores(t *testing.T) map[string]archive.Store {
	d, err := dirstore.Open(t.TempDir(), true)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]archive.Store{"directory": d, "memory": &storetest.Memory{}}
}

func TestADocumentReadsBackAsItWasAdded(t *testing.T) {
	for name, s := range stores(t) {
		t.Run(name, func(t *testing.T) { checkDocuments(t, committed(t, s), samples()) })
	}
}
