package archive

// NewSmallBuilder is NewBuilder with small limits, so that a few documents fill several packs.
func NewSmallBuilder(dir string, packBytes int64, packEntries int, inMemory, ownFile int64) (*Builder, error) {
	return newBuilder(dir, limits{packBytes: packBytes, packEntries: packEntries, inMemory: inMemory, ownFile: ownFile})
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
