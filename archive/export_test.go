package archive

// NewSmallBuilder is NewBuilder with small limits, so that a few documents fill several packs.
func NewSmallBuilder(
	dir string, packBytes int64, packEntries int, inMemory, ownFile int64,
) (*Builder, error) {
	return newBuilder(dir, limits{
		packBytes: packBytes, packEntries: packEntries, inMemory: inMemory, ownFile: ownFile,
		parts: PartLimit,
	})
}

// NewPartsBuilder is NewBuilder for which files above limit are long.
func NewPartsBuilder(dir string, limit int64) (*Builder, error) {
	lim := defaultLimits()
	lim.parts = limit
	return newBuilder(dir, lim)
}

// Names for tests.
var (
	EntryName = entryName
	MediaType = mediaType
	Columns   = columns
)

const (
	MaxPending      = maxPending
	Backlog         = backlog
	FactTagManifest = factTagManifest
)
