package unpack

// Limits bound what a container made by others may cost. A zero field means the default of DefaultLimits.
type Limits struct {
	Entries    int   // most entries
	EntrySize  int64 // most bytes of content of an entry
	EntryRatio int64 // an entry's content over its stored bytes, at most (beyond 1 MiB of content)
	// all content is at most this many times the container (beyond 1 MiB of content); later entries are
	// refused
	OverallRatio int64
	NameLength   int // bytes of a name
}

// DefaultLimits are generous for honest exports and stop bombs.
var DefaultLimits = Limits{
	Entries: 20_000_000, EntrySize: 1 << 40, EntryRatio: 1000, OverallRatio: 200, NameLength: 65535,
}

// ratioFree is the content below which no ratio counts: an empty form compresses well and harms nobody.
const ratioFree = 1 << 20

// Limits of looking through bytes that no directory accounts for.
const (
	scanWindow = 64 << 10 // read at once
	scanEffort = 6        // trying headers there may read this many times the container's size
)

func (l Limits) orDefaults() Limits {
	orDefault(&l.Entries, DefaultLimits.Entries)
	orDefault(&l.EntrySize, DefaultLimits.EntrySize)
	orDefault(&l.EntryRatio, DefaultLimits.EntryRatio)
	orDefault(&l.OverallRatio, DefaultLimits.OverallRatio)
	orDefault(&l.NameLength, DefaultLimits.NameLength)
	return l
}

func orDefault[T int | int64](field *T, value T) {
	if *field <= 0 {
		*field = value
	}
}

// A tally adds up what the documents of one container cost, in the order of its entries.
type tally struct {
	lim       Limits
	container int64 // size of the container as received
	content   int64 // of the documents so far
}

// admit counts e, or reports that it goes beyond a limit.
func (t *tally) admit(e Entry) bool {
	if e.Size > t.lim.EntrySize || len(e.RawName) > t.lim.NameLength ||
		exceeds(e.Size, t.lim.EntryRatio, e.CompressedSize) {
		return false
	}
	if exceeds(t.content+e.Size, t.lim.OverallRatio, t.container) {
		return false
	}
	t.content += e.Size
	return true
}

func exceeds(content, ratio, stored int64) bool {
	return content > ratioFree && content/ratio >= max(stored, 1) && (content/ratio > stored ||
		content%ratio > 0)
}
