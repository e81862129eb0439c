package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"holdall/archive"
	"holdall/internal/atomicfile"
	"holdall/internal/takeover"
	"holdall/internal/term"
)

// print prints what was found.
func (v *verification) print(e *env) error {
	if e.json {
		return e.printJSON(v)
	}
	for _, note := range v.Notes {
		e.talk("%s", note)
	}
	for _, x := range v.Exports {
		if x.Valid {
			fmt.Fprintf(
				e.stdout, "%s: valid (%s: %s, %s), as its %s\n", x.Export, x.Level,
				count(x.Files, "file", "files"), term.Bytes(x.Bytes), anchorsText(x.Anchors),
			)
		}
	}
	v.tellFindings(e)
	if len(v.Faults) == 0 {
		return nil
	}
	if err := v.printFaults(e); err != nil {
		return err
	}
	faulty, unread := map[string]int{}, 0
	for _, f := range v.Faults {
		if f.Code == archive.FaultUnreadable {
			unread++
		}
		faulty[f.Export]++
	}
	if unread == len(v.Faults) {
		e.say(
			"%s could not be read: whether they are intact is not known",
			count(unread, "file", "files"),
		)
		e.hint("make what is named above readable (check its permissions, and the disk), and verify again")
		return nil
	}
	if v.other {
		e.say("%s is not a valid bag: %s", v.Exports[0].Location, count(len(v.Faults), "fault", "faults"))
		e.hint("ask whoever made the bag, or restore what is named above from another copy of it")
		return nil
	}
	if v.onlyLitter() {
		e.say("nothing is damaged: what is named above was left by file managers or storage devices")
		e.hint("delete it, and verify again")
		return nil
	}
	for _, x := range v.Exports {
		if n := faulty[x.Export]; n > 0 {
			e.say("%s has changed since it was committed: %s", x.Export, count(n, "fault", "faults"))
		}
	}
	if n := faulty[""]; n > 0 {
		e.say("the root does not hold what its ledger says: %s", count(n, "fault", "faults"))
	}
	e.hint("restore what is named above from another copy of the archive; all else is as it was")
	return nil
}

// tellFindings repeats what the takeovers found.
func (v *verification) tellFindings(e *env) {
	for _, x := range v.Exports {
		if len(x.Findings) > 0 {
			as := "as the takeover found"
			if x.OtherRules {
				as = "by this version's rules, which are not those of the takeover"
			}
			e.talk("%s, %s:", x.Export, as)
		}
		tellFindings(e, x.Findings)
		if x.Faulty() {
			e.hint("something promised was missing or damaged when it was taken; %q lists it all",
				"holdall status "+x.Location)
		}
	}
}

// anchorsText says what a valid archive was compared with.
func anchorsText(anchors []string) string {
	if slices.Contains(anchors, "ledger") {
		return "manifests and the root's ledger say"
	}
	return "manifests say; no ledger here vouches for these"
}

// onlyLitter reports whether all faults are files that file managers left in the folder.
func (v *verification) onlyLitter() bool {
	return !slices.ContainsFunc(v.Faults, func(f rootFault) bool {
		return f.Code != archive.FaultUnexpected || archive.LeftBy(f.Path) == ""
	})
}

// What a terminal shows of faults and of the documents of one: above, they are counted, and listed in a file.
const (
	maxFaultsShown    = 100
	maxDocumentsShown = 3
)

var faultHeadings = []string{"export", "fault", "path", "documents", "detail", "about"}

// printFaults prints all faults where a program may read them, and on a terminal what can be read there.
func (v *verification) printFaults(e *env) error {
	var all [][]string
	documents := 0 // the most that one fault has
	for _, f := range v.Faults {
		documents = max(documents, len(f.Documents))
		all = append(all, []string{
			f.Export, string(f.Code), f.Path, strings.Join(f.Documents, " "), f.Detail,
			aboutText(f.About, len(f.About)),
		})
	}
	if !term.Is(e.stdout) {
		return term.TSV(e.stdout, faultHeadings, all)
	}
	if len(all) > maxFaultsShown || documents > maxDocumentsShown {
		path, err := writeFaults(all)
		if err != nil {
			return err
		}
		defer e.say("all faults with all their documents are in %s; \"holdall clean\" lists it, too", path)
	}
	if len(all) > maxFaultsShown {
		return v.countFaults(e)
	}
	var rows [][]string
	for _, f := range v.Faults {
		what := f.Detail
		if len(f.About) > 0 {
			what = aboutText(f.About, maxDocumentsShown)
		}
		rows = append(rows, []string{f.Export, string(f.Code), f.Path, strconv.Itoa(len(f.Documents)), what})
	}
	return term.Table(e.stdout, []string{"export", "fault", "path", "documents", "what"},
		map[int]bool{3: true}, rows)
}

// countFaults prints how many faults of each kind there are, and the first of each.
func (v *verification) countFaults(e *env) error {
	type kind struct {
		export string
		code   archive.FaultCode
	}
	count, documents, first := map[kind]int{}, map[kind]int{}, map[kind]string{}
	for _, f := range v.Faults {
		k := kind{f.Export, f.Code}
		count[k]++
		documents[k] += len(f.Documents)
		if count[k] == 1 {
			first[k] = f.Path
		}
	}
	kinds := slices.SortedFunc(maps.Keys(count), func(a, b kind) int {
		return cmp.Or(cmp.Compare(a.export, b.export), cmp.Compare(a.code, b.code))
	})
	var rows [][]string
	for _, k := range kinds {
		rows = append(rows, []string{
			k.export, string(k.code), strconv.Itoa(count[k]), strconv.Itoa(documents[k]), first[k],
		})
	}
	return term.Table(e.stdout, []string{"export", "fault", "count", "documents", "first"},
		map[int]bool{2: true, 3: true}, rows)
}

// aboutText names documents by their owners and files, at most n of them.
func aboutText(about []takeover.Affected, n int) string {
	var texts []string
	for _, a := range about[:min(n, len(about))] {
		owner := cmp.Or(a.Owner, strings.TrimSpace(a.OwnerType+" "+a.OwnerID), "no known owner")
		texts = append(texts, owner+": "+a.File)
	}
	text := strings.Join(texts, "; ")
	if more := len(about) - len(texts); more > 0 {
		text += fmt.Sprintf("; and %d more", more)
	}
	return text
}

// writeFaults writes the list of all faults into this user's cache directory, and says where.
func writeFaults(rows [][]string) (path string, err error) {
	dir, err := faultsDir()
	if err != nil {
		return "", err
	}
	var b bytes.Buffer
	if err := term.TSV(&b, faultHeadings, rows); err != nil {
		return "", err
	}
	if err := atomicfile.MkdirAll(dir); err != nil {
		return "", err
	}
	path = filepath.Join(dir, time.Now().UTC().Format("20060102T150405.000")+".tsv")
	return path, atomicfile.WriteFile(path, b.Bytes())
}

func faultsDir() (string, error) { return cacheDir("faults") }

// leftFaults are the lists of faults that are there.
func leftFaults() ([]takeover.Leftover, error) {
	dir, err := faultsDir()
	if err != nil {
		return nil, err
	}
	files, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	var all []takeover.Leftover
	for _, f := range files {
		if info, err := f.Info(); err == nil {
			all = append(all, takeover.Leftover{
				Kind: takeover.LeftFaults, Name: f.Name(), Path: filepath.Join(dir,
					f.Name()), Bytes: info.Size(),
			})
		}
	}
	return all, err
}
