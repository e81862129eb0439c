package takeover

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"hash/maphash"
	"io"
	"maps"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"holdall/internal/unpack"
	"holdall/query"
)

// A table that is too long for its writer comes in several files: Candidates_1.csv, Candidates_2.csv. They
// are one table if their names differ only in a number, their first records are the same to the byte, and
// what follows those is not: a second download is named so as well. Each is kept as received; the table is
// loaded from the first, followed by what the others have behind their first records.

var (
	partNumber = regexp.MustCompile(`(?i)[ ._-]*(?:(?:part|page|file)[ ._-]*)?\(?(\d+)\)?`)
	dateInName = regexp.MustCompile(`\d{4}[-_.]?\d{2}[-_.]?\d{2}`)
)

// maxPartDigits is how long the number of a part may be; longer ones are times or ids.
const maxPartDigits = 4

// A partOf is a way to read a file's name: as that of a part of a table.
type partOf struct {
	table  string // the name without the number
	number int    // 0 for a name without one
}

// readPartName returns the ways to read a name, that without a number first.
func readPartName(name string) []partOf {
	name = strings.ToLower(uncompressedName(strings.ReplaceAll(name, `\`, "/")))
	suffix := path.Ext(name)
	if !slices.Contains([]string{".csv", ".tsv", ".tab", ".txt"}, suffix) {
		return nil
	}
	dir, base := path.Split(strings.TrimSuffix(name, suffix))
	dates := dateInName.FindAllStringIndex(base, -1)
	ways := []partOf{{name, 0}}
	for _, m := range partNumber.FindAllStringSubmatchIndex(base, -1) {
		from, to := m[2], m[3] // of the digits
		number, err := strconv.Atoi(base[from:to])
		inDate := slices.ContainsFunc(dates, func(d []int) bool { return from < d[1] && to > d[0] })
		if err != nil || to-from > maxPartDigits || inDate {
			continue
		}
		ways = append(ways, partOf{dir + base[:m[0]] + base[m[1]:] + suffix, number})
	}
	return ways
}

// A numberedEntry is an entry with the number that its name has in one way to read it.
type numberedEntry struct {
	unpack.Entry
	number int
}

// groupTableParts puts the files that may be parts of one table together, in the order of their numbers, in
// the place of the first of them. Numbers that do not follow each other are not parts.
func groupTableParts(files []unpack.Entry) [][]unpack.Entry {
	byTable := map[string][]numberedEntry{}
	for _, e := range files {
		for _, way := range readPartName(e.Name) {
			byTable[way.table] = append(byTable[way.table], numberedEntry{e, way.number})
		}
	}
	var groups [][]unpack.Entry
	grouped := map[int]bool{}
	for _, e := range files {
		if grouped[e.Index] {
			continue
		}
		group := []unpack.Entry{e}
		for _, way := range readPartName(e.Name) {
			if parts := byTable[way.table]; len(parts) > len(group) && areNumbered(parts, grouped) {
				group = group[:0]
				for _, p := range parts {
					group = append(group, p.Entry)
				}
			}
		}
		for _, p := range group {
			grouped[p.Index] = true
		}
		groups = append(groups, group)
	}
	return groups
}

// areNumbered sorts what may be the parts of a table, and reports whether their numbers follow each other.
func areNumbered(parts []numberedEntry, grouped map[int]bool) bool {
	slices.SortStableFunc(parts, func(a, b numberedEntry) int { return cmp.Compare(a.number, b.number) })
	if parts[0].number > 1 {
		return false
	}
	for i, p := range parts[1:] {
		// Candidates.csv may be followed by a 1 or by a 2
		next := p.number == parts[i].number+1 || i == 0 && parts[0].number == 0 && p.number == 2
		if !next || grouped[p.Index] {
			return false
		}
	}
	return !grouped[parts[0].Index]
}

// loadParts loads files that may be parts of one table. waits reports that it did not: the other parts may be
// in other containers.
func (d *dataFiles) loadParts(ctx context.Context, parts []unpack.Entry) (waits bool, err error) {
	stray := len(parts) == 1 && d.in.t.strays.wants(parts[0].Name)
	if len(parts) == 1 && !stray {
		return false, d.load(ctx, parts[0], false)
	}
	var files []*dataFile
	defer func() {
		for _, f := range files {
			_ = os.Remove(f.plain) // the directory is removed in any case
		}
	}()
	for _, e := range parts {
		f, err := d.extract(ctx, e, false)
		if err != nil {
			return false, err
		}
		if f != nil {
			files = append(files, f)
		}
	}
	if stray && len(files) == 1 && looksLikeCSV(files[0].name, files[0].first) {
		d.tables++
		d.in.t.strays.add(d, files[0])
		files = nil
		return true, nil
	}
	return false, d.loadExtracted(ctx, files, len(files) == len(parts))
}

// loadExtracted loads files that may be parts of one table: as one, or, if they turn out to be something else
// or are not all, each by itself.
func (d *dataFiles) loadExtracted(ctx context.Context, files []*dataFile, all bool) error {
	one := all && len(files) > 1
	for _, f := range files {
		one = one && looksLikeCSV(f.name, f.first)
	}
	if one {
		var err error
		if one, err = areParts(files); err != nil {
			return err
		}
	}
	if one {
		d.in.t.findings.add(query.Finding{Code: query.TableInParts, Severity: query.SeverityInfo,
			Detail: partsName(files) + " have the same headings and numbers in their names: " +
				"they were loaded as one table"})
		return d.loadTable(ctx, files)
	}
	for _, f := range files {
		if err := d.keepOrLoad(ctx, f, false); err != nil {
			return err
		}
	}
	return nil
}

// partsName is what the record of a table calls its files.
func partsName(files []*dataFile) string {
	names := make([]string, len(files))
	for i, f := range files {
		names[i] = f.name
	}
	return strings.Join(names, ", ")
}

// maxFirstLine is how long the first line of a table in parts may be, in bytes: the headings of a hundred
// columns have 4 KiB.
const maxFirstLine = 64 << 10

// areParts reports whether all files begin with the same record, and go on otherwise: not the same, and not
// with many of the same lines either, as two versions of a table do. Several may have no rows. A file that
// breaks off in a quoted cell is not followed by others: they would become the rest of the cell.
func areParts(files []*dataFile) (bool, error) {
	var headings []byte
	seen := map[[32]byte]bool{}
	lines := map[uint64]bool{}
	for i, f := range files {
		p, err := lookAtPart(f.plain)
		if err != nil || len(p.first) == 0 || p.quotes.open && i < len(files)-1 ||
			i > 0 && !bytes.Equal(p.first, headings) ||
			seen[p.rest] && len(p.lines) > 0 {
			return false, err
		}
		known := 0
		for h := range p.lines {
			if lines[h] {
				known++
			}
		}
		if 2*known > len(p.lines) {
			return false, nil
		}
		maps.Copy(lines, p.lines)
		headings, seen[p.rest] = p.first, true
	}
	return true, nil
}

// A partLook is what is compared of the files of a table.
type partLook struct {
	first []byte            // record, with its end; empty for a file without one, or with too long a one
	rest  [sha256.Size]byte // digest of what follows it
	lines map[uint64]bool   // hashes of the first lines of that, blank ones left out

	quotes quoteState // at its end
}

// A quoteState follows the quotes of a CSV that is written to it. A quote opens a cell where one begins, and
// in other places only if it closed one just before: it was doubled.
type quoteState struct {
	open   bool // within a quoted cell
	before byte // the last byte but zeros, which UTF-16 has
}

func (q *quoteState) Write(p []byte) (int, error) {
	for _, c := range p {
		switch {
		case c == 0:
			continue
		case c != '"':
		case q.open:
			q.open = false
		default:
			q.open = bytes.IndexByte([]byte("\x00\r\n,;\t|\""), q.before) >= 0
		}
		q.before = c
	}
	return len(p), nil
}

// maxPartLines is how many lines of each file are compared.
const maxPartLines = 10_000

func lookAtPart(plain string) (p partLook, err error) {
	in, err := os.Open(plain)
	if err != nil {
		return p, err
	}
	defer in.Close()
	r := bufio.NewReaderSize(in, maxFirstLine)
	head, err := r.Peek(maxFirstLine)
	if err != nil && !errors.Is(err, io.EOF) {
		return p, err
	}
	p.first = bytes.Clone(head[:headingsEnd(head)])
	if _, err = r.Discard(len(p.first)); err != nil {
		return p, err
	}
	p.lines = map[uint64]bool{}
	sum, seed, end := sha256.New(), partSeed, byte('\n')
	if !bytes.ContainsRune(p.first, '\n') {
		end = '\r'
	}
	for err == nil && len(p.lines) < maxPartLines {
		var line []byte
		line, err = r.ReadBytes(end)
		sum.Write(line) // neither of them fails
		_, _ = p.quotes.Write(line)
		if line = bytes.Trim(line, " ,;\t\r\n\x00\x1a"); len(line) > 0 {
			p.lines[maphash.Bytes(seed, line)] = true
		}
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return p, err
	}
	if _, err := io.Copy(io.MultiWriter(sum, &p.quotes), r); err != nil {
		return p, err
	}
	p.rest = [sha256.Size]byte(sum.Sum(nil))
	return p, nil
}

var partSeed = maphash.MakeSeed()

// headingsEnd returns where the first record of a file ends, with its line end; 0 if it does not. A quoted
// heading may have line ends in it.
func headingsEnd(head []byte) int {
	for end := lineEnd(head, 0); end > 0; end = lineEnd(head, end) {
		if bytes.Count(head[:end], []byte{'"'})%2 == 0 {
			return end
		}
	}
	return 0
}

// lineEnd returns where the line from there ends, behind its line feed, or behind its carriage return where
// no line feed follows that; 0 if it does not.
func lineEnd(head []byte, from int) int {
	at := bytes.IndexAny(head[from:], "\r\n")
	if at < 0 {
		return 0
	}
	at += from
	end := at + 1
	highFirst := bytes.HasPrefix(head, []byte{0xfe, 0xff}) // UTF-16
	lowFirst := !highFirst && bytes.HasPrefix(head[end:], []byte{0})
	if lowFirst {
		end++
	}
	switch rest := head[end:]; {
	case head[at] == '\n':
	case highFirst && bytes.HasPrefix(rest, []byte("\x00\n")),
		lowFirst && bytes.HasPrefix(rest, []byte("\n\x00")):
		end += 2
	case !highFirst && !lowFirst && bytes.HasPrefix(rest, []byte("\n")):
		end++
	}
	return end
}
