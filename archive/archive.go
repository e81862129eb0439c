// Package archive keeps one export as a bag (BagIt 1.0, RFC 8493) that stock tools can check and read: write
// it, read it, verify it. FORMAT.md beside this file describes every byte of it.
//
// A Builder makes a bag in a staging directory and goes on with one that an earlier process left. Commit puts
// it under a root; its last act is bagit.txt, and a bag without bagit.txt does not exist. Open reads a
// committed bag from any Store. The package knows nothing of HTTP, of cloud services or of databases.
//
// To write: NewBuilder; Create and CreateZstd for files, Packer for documents; Finish, WriteIndex, Seal,
// Commit. To read: Open, then FS, Rows and OpenDocument, which verify whatever is read to its end, or Verify
// for all of it.
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
