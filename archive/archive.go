// Package archive keeps one export as a bag (BagIt 1.0, RFC 8493) that stock tools can check and read: it
// writes, reads and verifies bags. FORMAT.md in this directory describes every byte of them.
//
// To write a bag: NewBuilder; Create and CreateZstd for files, Packer for documents; then Packer.Finish,
// WriteIndex, Seal and Commit. To read one: Open, then FS, Rows and OpenDocument, or Verify for all of it.
//
// What is promised:
//   - A Builder resumes what an earlier process left in its staging directory, whenever that was killed.
//   - Seal has read every file back from the disk before it returns.
//   - Commit writes bagit.txt last, after the manifests, which come after everything else has been checked in
//     its place. A bag without bagit.txt does not exist. Only the ledger's event follows.
//   - What is read to its end has been verified: the last Read returns an error instead of io.EOF otherwise.
//   - Nothing in a committed bag is changed, and nothing in a Store is overwritten or deleted.
//
// Where to look:
//   - building: builder*.go, journal.go (what a killed process is resumed from), readback.go, seal.go
//   - documents: packer*.go, pack.go (the ZIP format), content.go and deflate.go (their bytes while they
//     are added), contentindex.go (equal contents are stored once), mediatype.go and encrypted.go, index.go
//   - into a store: commit*.go; deliver.go and uploader.go where it cannot take over a directory; copy.go
//   - reading: bag*.go, document_reader.go, cache.go, root.go
//   - verifying: verify*.go for one bag, root_check.go for a root
//   - the root's history: ledger.go, and runs.go on top of it
//   - stores: store.go has the interface; dirstore and s3store implement it, storetest tests both
//
// The package knows nothing of HTTP, of cloud services or of databases.
package archive

import (
	"errors"
	"io/fs"
)

// Errors that callers decide on.
var (
	// ErrIncomplete says that a bag has no bagit.txt: it was never committed.
	ErrIncomplete = errors.New("the export is not complete: it has no bagit.txt")
	// ErrSealed says that a staging directory holds a finished bag to which nothing can be added.
	ErrSealed = errors.New("the bag is sealed")
	// ErrDamaged says that a staging directory no longer holds what was recorded after it had been synced.
	// The way out is to remove the directory and build the bag again from the received bytes.
	ErrDamaged = errors.New("the staging directory is damaged")
	// ErrBusy says that another process is building in the staging directory.
	ErrBusy = errors.New("another process is using the staging directory")
	// ErrCredentials says that a store does not accept the credentials, or that there are none.
	// All that was done is kept.
	ErrCredentials = errors.New("the store does not accept the credentials")
	// ErrUnavailable says that a store did not answer, or not usefully, for as long as was waited for it.
	// All that was done is kept.
	ErrUnavailable = errors.New("the store cannot be reached")
)

// A missing is the absence of an export, for people; it matches fs.ErrNotExist.
type missing string

func (m missing) Error() string        { return string(m) }
func (m missing) Is(target error) bool { return target == fs.ErrNotExist }

// FormatVersion is the version of the format that FORMAT.md describes. A reader of version 1 reads every
// later bag whose version begins with "1.".
const FormatVersion = "1.0"

// Names of files of a bag, by their path from its root.
const (
	bagitName       = "bagit.txt"
	bagInfoName     = "bag-info.txt"
	manifestName    = "manifest-sha256.txt"
	tagManifestName = "tagmanifest-sha256.txt"
	readmeName      = "README.txt"
	profileName     = "bagit-profile.json"
	fileListName    = "custody/files.csv"
	partListName    = "custody/parts.csv"
	payloadDir      = "data/"
	documentsDir    = "data/documents/"
	largeDir        = "data/documents/large/"
	indexName       = "data/documents/index.csv.zst"
	exportsDir      = "exports/"
	ledgerDir       = "ledger/"
)

// bagit is the content of every bagit.txt, so that the tag manifest can name its digest before it is written.
const bagit = "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
