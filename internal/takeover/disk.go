package takeover

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"holdall/fetch"
	"holdall/fetch/failure"
	"holdall/fetch/link"
	"holdall/internal/diskspace"
)

// A DiskNeed is what a takeover still needs on one file system.
type DiskNeed struct {
	For    []string `json:"for"` // "spool", "archive", "database"
	Path   string   `json:"path"`
	Needed int64    `json:"needed"`
	Free   int64    `json:"free"` // -1 when unknown

	device string
}

// Enough reports whether there is room, as far as that is known.
func (d DiskNeed) Enough() bool { return d.Free < 0 || d.Needed <= d.Free }

// Tables take about so many times the size of their compressed CSVs: in the archive as received and as
// Parquet, and in the database.
const (
	tablesInArchive  = 2
	tablesInDatabase = 1
)

// packsHere is about what the packs of a bag that goes elsewhere take here at once.
const packsHere = 2 << 30

// diskNeeds says what is still to be written, where, as far as the sizes are known. Spool, archive and
// database are there side by side when the archive is committed. r is the run that is resumed, or nil.
func diskNeeds(p *fetch.Plan, r *run, o Options) (needs []DiskNeed, unknown int) {
	spool := filepath.Join(o.work(), "spool")
	if o.Spool != "" {
		spool = o.Spool
	}
	var received, archived int64
	if r != nil {
		spool = r.spool()
		if m, err := fetch.MatchSpool(spool, p); err == nil {
			received = m.Bytes
		}
		archived = treeSize(r.path("bag"))
	}
	var all, data int64
	for _, s := range p.Sources {
		switch {
		case s.Err != nil:
		case s.Listing || s.Identity.Size < 0:
			unknown++
		case s.Part == link.PartData:
			data += s.Identity.Size
			all += s.Identity.Size
		default:
			all += s.Identity.Size
		}
	}
	bag := all - data + tablesInArchive*data
	if o.KeepContainers {
		bag += all
	}
	needs = addNeed(needs, o, "spool", spool, all-received)
	if o.Remote != nil { // the rest of the bag is there already
		bag = min(bag, tablesInArchive*data+packsHere)
	}
	needs = addNeed(needs, o, "archive", o.Home(), bag-archived)
	return addNeed(needs, o, "database", o.Home(), tablesInDatabase*data), unknown
}

// addNeed adds to the need on the file system of path.
func addNeed(needs []DiskNeed, o Options, what, path string, bytes int64) []DiskNeed {
	space := o.space
	if space == nil {
		space = diskspace.Of
	}
	at, ok := space(path)
	if !ok {
		at.Free = -1
	}
	bytes = max(bytes, 0)
	for i, n := range needs {
		if n.device == at.Device && ok == (n.Free >= 0) {
			needs[i].For, needs[i].Needed = append(n.For, what), n.Needed+bytes
			return needs
		}
	}
	return append(
		needs, DiskNeed{For: []string{what}, Path: path, Needed: bytes, Free: at.Free, device: at.Device},
	)
}

// CheckDisk returns an error of class disk-full when one of the needs cannot be met.
func CheckDisk(needs []DiskNeed) error {
	var short []string
	for _, n := range needs {
		if !n.Enough() {
			short = append(short,
				fmt.Sprintf("%d bytes are still needed for the %s in %s, and %d are free there",
					n.Needed, strings.Join(n.For, " and the "), n.Path, n.Free))
		}
	}
	if short == nil {
		return nil
	}
	return &failure.Error{
		Code: failure.DiskFull, Reason: failure.ReasonSpoolFull, Message: strings.Join(short, "; "),
		Hint: "free space, or choose another directory for the spool, and run the same command again",
	}
}

// treeSize is the size of the files below dir; 0 when there is none.
func treeSize(dir string) int64 {
	var n int64
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil
		}
		if info, err := d.Info(); err == nil {
			n += info.Size()
		}
		return nil
	})
	return n
}
