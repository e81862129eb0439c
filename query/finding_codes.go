package query

import "slices"

// A Severity says how much a Finding matters.
type Severity string

// The severities of findings, the gravest first. All but info make a takeover end with exit code 5.
const (
	SeverityError   Severity = "error"   // something promised is missing or damaged
	SeverityWarning Severity = "warning" // worth checking
	SeverityInfo    Severity = "info"    // worth knowing
)

// Rank orders severities, the gravest first.
func (s Severity) Rank() int {
	return slices.Index([]Severity{SeverityError, SeverityWarning, SeverityInfo}, s)
}

// A Code names a kind of Finding. Scripts rely on it: a code is never renamed. A new one gets a constant
// here, a row in codeTable, and its line in docs/cli.md ("go test ./query -run TestFindingCodes -update"
// writes it).
type Code string

// The codes of findings.
const (
	AttachmentMissing      Code = "attachment-missing"
	AttachmentRefused      Code = "attachment-refused"
	BytesUnaccounted       Code = "bytes-unaccounted"
	AttachmentUnclear      Code = "attachment-unclear"
	CellsDamaged           Code = "cells-damaged"
	CellsRejected          Code = "cells-rejected"
	ChecksumContradicted   Code = "checksum-contradicted"
	ColumnsMissing         Code = "columns-missing"
	ColumnsUnknown         Code = "columns-unknown"
	CommentsFound          Code = "comments-found"
	ContainerContradictory Code = "container-contradictory"
	ContainerDamaged       Code = "container-damaged"
	ContainerUnopened      Code = "container-unopened"
	CVMissing              Code = "cv-missing"
	CVUnclear              Code = "cv-unclear"
	DamagedInSource        Code = "damaged-in-source"
	DamagedUnproven        Code = "damaged-unproven"
	DatesAmbiguous         Code = "dates-ambiguous"
	DelimiterGuessed       Code = "delimiter-guessed"
	DuplicateContent       Code = "duplicate-content"
	DuplicateKey           Code = "duplicate-key"
	EmptyFile              Code = "empty-file"
	EncodingGuessed        Code = "encoding-guessed"
	EncodingMixed          Code = "encoding-mixed"
	EndUnproven            Code = "end-unproven"
	EntriesUnlisted        Code = "entries-unlisted"
	EntryRefused           Code = "entry-refused"
	ErrorPage              Code = "error-page"
	FileDiffers            Code = "file-differs"
	FileUnavailable        Code = "file-unavailable"
	FileUnexpected         Code = "file-unexpected"
	FileUnlisted           Code = "file-unlisted"
	HeadingsFound          Code = "headings-found"
	HeadingsRepeated       Code = "headings-repeated"
	HeadingsUnknown        Code = "headings-unknown"
	KeyMissing             Code = "key-missing"
	ListingIncomplete      Code = "listing-incomplete"
	LockedDocument         Code = "locked-document"
	MatchAmbiguous         Code = "match-ambiguous"
	NamesDiffer            Code = "names-differ"
	NumbersAmbiguous       Code = "numbers-ambiguous"
	ObjectUnrecognised     Code = "object-unrecognised"
	OwnerUnknown           Code = "owner-unknown"
	PartMissing            Code = "part-missing"
	QuotingAmbiguous       Code = "quoting-ambiguous"
	QuotingDecided         Code = "quoting-decided"
	ReferenceDangling      Code = "reference-dangling"
	RowsRagged             Code = "rows-ragged"
	SizeMismatch           Code = "size-mismatch"
	SystemLitter           Code = "system-litter"
	TableEmpty             Code = "table-empty"
	TableInParts           Code = "table-in-parts"
	TableMissing           Code = "table-missing"
	TableRepeated          Code = "table-repeated"
	TableUnknown           Code = "table-unknown"
	TableUnreadable        Code = "table-unreadable"
	TextGarbled            Code = "text-garbled"
	TypeMismatch           Code = "type-mismatch"
)

// A CodeInfo says what findings of a code mean.
type CodeInfo struct {
	Code       Code
	Severities []Severity // that its findings have, the gravest first
	Meaning    string     // one sentence
}

// Codes returns every kind of finding there is, in the order of their names.
func Codes() []CodeInfo { return slices.Clone(codeTable) }

// codeTable is in the order of the names, one row a code.
var codeTable = []CodeInfo{
	{AttachmentMissing, at(SeverityError), "A row of the attachments has no file."},
	{
		AttachmentRefused, at(SeverityError),
		"The file of a row of the attachments came, but in a form that is not taken over as a document, " +
			"such as encrypted; its stored bytes are kept.",
	},
	{
		AttachmentUnclear, at(SeverityWarning),
		"A row of the attachments has no file that is surely its own; a file without a row may be it, or a " +
			"container that was not opened may hold it.",
	},
	{
		BytesUnaccounted, at(SeverityWarning),
		"A container holds bytes that belong to none of its entries; it is kept whole.",
	},
	{
		CellsDamaged, at(SeverityWarning, SeverityInfo),
		"Cells look changed by a spreadsheet program, or hold NUL bytes; an info for `\\N`, which may " +
			"mean no value.",
	},
	{
		CellsRejected, at(SeverityWarning),
		"Cells do not fit their column's type; their text is in `raw` and `rejects`.",
	},
	{
		ChecksumContradicted, at(SeverityWarning),
		"What a link serves does not match its server's checksum, twice the same, and its " +
			"own checksums prove it right.",
	},
	{
		ColumnsMissing, at(SeverityWarning, SeverityInfo),
		"A known table lacks columns; a warning where tables are joined by them.",
	},
	{ColumnsUnknown, at(SeverityInfo), "A known table has further columns, which are loaded as well."},
	{
		CommentsFound, at(SeverityInfo),
		"Lines of a CSV are comments that begin with `#`; they are in `quarantine`.",
	},
	{
		ContainerContradictory, at(SeverityWarning),
		"A container's own description contradicts its content; it is kept whole.",
	},
	{
		ContainerDamaged, at(SeverityError, SeverityWarning),
		"A container's structure is damaged; what can be read is taken, and it is kept whole.",
	},
	{
		ContainerUnopened, at(SeverityError, SeverityWarning),
		"A container, or what something is wrapped in, could not be opened; it is kept as received.",
	},
	{CVMissing, at(SeverityError), "A candidate has a CV according to the tables, but there is none."},
	{
		CVUnclear, at(SeverityWarning),
		"A candidate has a CV according to the tables; a CV without an owner, or a file of theirs among " +
			"the attachments, may be it.",
	},
	{DamagedInSource, at(SeverityError), "Bytes do not fit the checksum that the export itself gives them."},
	{
		DamagedUnproven, at(SeverityError),
		"Bytes do not fit a checksum, and the link did not serve them again: where they were damaged is " +
			"not proven. They are kept whole.",
	},
	{
		DatesAmbiguous, at(SeverityWarning, SeverityInfo),
		"A table's dates can be read day first and month first.",
	},
	{
		DelimiterGuessed, at(SeverityWarning, SeverityInfo),
		"A CSV has an unusual delimiter; an info for one that has none, so that its lines are single cells.",
	},
	{DuplicateContent, at(SeverityInfo), "Documents have the same content."},
	{DuplicateKey, at(SeverityWarning), "A key is in more than one row."},
	{EmptyFile, at(SeverityWarning), "A document has no content."},
	{
		EncodingGuessed, at(SeverityWarning, SeverityInfo),
		"A CSV does not say its encoding; windows-1252 was assumed. A warning where its bytes " +
			"contradict that.",
	},
	{EncodingMixed, at(SeverityWarning), "A CSV is not in one encoding throughout."},
	{
		EndUnproven, at(SeverityWarning),
		"An object's link worked once, and nothing proves that its one answer brought all of it.",
	},
	{
		EntriesUnlisted, at(SeverityWarning),
		"Entries that a container's own directory does not name were found and taken over.",
	},
	{
		EntryRefused, at(SeverityWarning),
		"Entries of a container are not taken over as documents; their bytes are kept.",
	},
	{ErrorPage, at(SeverityError), "In place of a document there is an error page."},
	{
		FileDiffers, at(SeverityWarning),
		"A file of a listing was received twice otherwise than the listing says, or once, without proof " +
			"of its end, by a link that worked once.",
	},
	{FileUnavailable, at(SeverityError), "A file of a listing could not be fetched."},
	{FileUnexpected, at(SeverityInfo), "The data files hold something else than CSVs; it is kept."},
	{FileUnlisted, at(SeverityWarning), "A file of the attachments has no row."},
	{HeadingsFound, at(SeverityInfo), "A CSV's headings are not in its first line."},
	{
		HeadingsRepeated, at(SeverityInfo),
		"A CSV's headings are repeated among its rows, and not loaded as rows.",
	},
	{
		HeadingsUnknown, at(SeverityError, SeverityWarning),
		"No line of a known CSV names its columns; a warning where the first line of another CSV looks like " +
			"a row.",
	},
	{KeyMissing, at(SeverityWarning), "Rows have no key."},
	{
		ListingIncomplete, at(SeverityError),
		"A listing says that it has more files than it names, or breaks off.",
	},
	{
		LockedDocument, at(SeverityWarning, SeverityInfo),
		"A document opens only with a password; a warning where its entry in the container is encrypted.",
	},
	{MatchAmbiguous, at(SeverityWarning), "A file fits several rows or people, and is given to none."},
	{NamesDiffer, at(SeverityInfo), "Entries of a container have two names; both are recorded."},
	{
		NumbersAmbiguous, at(SeverityWarning, SeverityInfo),
		"A column's numbers can be read with a decimal mark or with thousands; those are not converted. " +
			"An info where other evidence decides.",
	},
	{
		ObjectUnrecognised, at(SeverityWarning),
		"A link serves something that is not part of an export; it is kept as received.",
	},
	{OwnerUnknown, at(SeverityWarning), "A document's owner is not known."},
	{PartMissing, at(SeverityError), "A whole part was not received."},
	{
		QuotingAmbiguous, at(SeverityWarning),
		"A CSV's quotes can be read in two ways that fit equally well; the cells differ.",
	},
	{
		QuotingDecided, at(SeverityInfo),
		"A CSV's quotes are not those of RFC 4180; over the whole file it was decided how to read them.",
	},
	{
		ReferenceDangling, at(SeverityWarning, SeverityInfo),
		"A reference leads to no record; an info where the export leaves such records out by design.",
	},
	{
		RowsRagged, at(SeverityError, SeverityWarning, SeverityInfo),
		"Records do not fit the headings, or their quotes are in doubt; they are in `quarantine`. An " +
			"error where they are most of a known table; an info where records lack only their last cells, " +
			"and are loaded.",
	},
	{SizeMismatch, at(SeverityWarning), "A file has another size than its row says."},
	{
		SystemLitter, at(SeverityInfo),
		"Files that operating systems and office programs leave behind are kept apart from the documents.",
	},
	{TableEmpty, at(SeverityWarning, SeverityInfo), "A CSV has no rows."},
	{
		TableInParts, at(SeverityInfo),
		"A table came in several files with the same headings and numbers in their names; it was loaded as " +
			"one.",
	},
	{TableMissing, at(SeverityError), "The export lacks one of the ten CSVs."},
	{TableRepeated, at(SeverityWarning), "A further CSV is named or built like one of the ten."},
	{TableUnknown, at(SeverityInfo), "A CSV is not one of the ten known tables; it is loaded as well."},
	{TableUnreadable, at(SeverityError), "A CSV could not be loaded; it is kept as received."},
	{
		TextGarbled, at(SeverityInfo),
		"Texts look as if their encoding had been mistaken before the export; they are kept as received.",
	},
	{TypeMismatch, at(SeverityWarning), "A document's name promises something else than its bytes are."},
}

func at(s ...Severity) []Severity { return s }
