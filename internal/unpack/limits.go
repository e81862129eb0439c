package unpack

// Limits bound what a container made by others may cost. The zero value means the defaults of DefaultLimits.
type Limits struct {
	Entries      int   // at most so many entries
	EntrySize    int64 // at most so many bytes of content an entry
	EntryRatio   int64 // content at most so many times the stored bytes, an entry (beyond 1 MiB of content)
	OverallRatio int64 // the same over the whole container
	NameLength   int   // bytes of a name
}

// DefaultLimits are generous for honest exports and stop bombs.
var DefaultLimits = Limits{Entries: 20_000_000, EntrySize: 1 << 40, EntryRatio: 1000, OverallRatio: 200, NameLength: 65535}
