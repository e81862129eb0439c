package archive

// This file has all limits of the format and of the program.

const (
	maxName      = 120 // characters of a name inside a bag
	maxStoreName = 240 // characters of a name in a store: exports/<ID>/ and a name inside a bag
	maxID        = 80  // characters of a document's ID

	// copyBuffer is the size of the buffers that bytes pass through.
	copyBuffer = 256 << 10

	// maxPending is how many rows may wait for another part's pack to close before it is closed for them.
	maxPending = 4096

	// backlog is how many full packs may wait to be delivered to a store before Packer.Put waits.
	backlog = 3

	// maxCheckedRows is how many rows Verify keeps in memory while it checks packs: about 1 KiB each. A pack
	// of more is checked alone.
	maxCheckedRows = 30_000
)

// limits are those that tests reduce.
type limits struct {
	// a pack closes before it would grow beyond this; a larger document has a pack of its own
	packBytes   int64
	packEntries int   // and before it would hold more rows than this
	inMemory    int64 // a longer document is spilled to disk while it is read
	parts       int64 // of a longer file the digests of its parts are recorded, see PartLimit
	ownFile     int64 // a longer document is a file of its own, because a ZIP without ZIP64 ends at 4 GiB
}

// A ZIP without ZIP64 holds 65,535 entries and 4 GiB; 64 MiB of that are left for _pack.csv and the
// directory.
func defaultLimits() limits {
	return limits{
		packBytes: 256 << 20, packEntries: 60_000, inMemory: 16 << 20, ownFile: 4<<30 - 64<<20,
		parts: PartLimit,
	}
}
