package takeover

import (
	"context"
	"io"

	"holdall/archive"
	"holdall/fetch"
	"holdall/schemas"
)

// A source is where an export comes from. There are two: the links of a full export (links), and the API of
// a system that has none (apiSource). Each brings tables and documents into the bag and the database of the
// takeover that it belongs to; reconciling, sealing, committing, and everything that is done with an archive
// later, do not know which one it was.
type source interface {
	// name begins the export's ID and is kept in the archive.
	name() string
	// plan is the progress of receiving, for people.
	plan() fetch.Progress
	// parts are the kinds of documents that were received.
	parts() map[string]bool
	// tenant names the account that the export is of.
	tenant(ctx context.Context) string
	// describe says what the export is, for bag-info.txt.
	describe(tenant string) archive.BagInfo
	// leftovers keeps what was received and is in neither a table nor a document.
	leftovers(ctx context.Context) error
	// objects says what became of each link; none where there are no links.
	objects(ctx context.Context) ([]ObjectRecord, error)
	// counts compares what each part should hold with what it holds.
	counts(r *Result, objects []ObjectRecord) map[string]PartCount
	// records are the files about the source, besides those that every archive has.
	records(objects []ObjectRecord) []aboutFile
}

// An aboutFile is a file of the bag that describes the export, and did not come from it.
type aboutFile struct {
	name  string
	write func(io.Writer) error
	drop  func([]ObjectRecord) // what it was made of, once it is durable; may be nil
}

// schemaOf is the schema of a source by its name, for archives. Those of before there were two say nothing.
func schemaOf(name string) []schemas.Table {
	if name == eployName {
		return schemas.Eploy()
	}
	return nil
}

// knownTables is schemaOf with the ten tables for a full export.
func knownTables(name string) []schemas.Table {
	if s := schemaOf(name); s != nil {
		return s
	}
	return schemas.Recruitly()
}
