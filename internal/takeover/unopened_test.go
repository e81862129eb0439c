package takeover

import (
	"bytes"
	"path"
	"slices"
	"strings"
	"testing"

	"holdall/query"
)

// lock marks entries of a ZIP as encrypted.
func lock(z []byte, names ...string) []byte {
	z = bytes.Clone(z)
	for _, name := range names {
		z[bytes.Index(z, []byte(name))-localName+6] |= 1
		z[bytes.LastIndex(z, []byte(name))-recordName+8] |= 1
	}
	return z
}

func namesOf(files []handmadeFile) (names []string) {
	for _, f := range files {
		names = append(names, f.name)
	}
	return names
}

// insteadOf are the tables, with something else in the place of one.
func insteadOf(t *testing.T, table string, f handmadeFile) []object {
	files := slices.Clone(tablesOf(t))
	i := slices.IndexFunc(files, func(f handmadeFile) bool { return f.name == table })
	files[i] = f
	return []object{{"data.zip", zipped(t, files)}}
}

// Nothing is called missing that came and was not opened, or that may be in what was not opened: each case has
// the warnings and errors that it is told by, with their counts.
func TestWhatCameIsNotCalledMissing(t *testing.T) {
	const page = "<html><body><table><tr><td>candidate_id</td></tr></table></body></html>"
	apart := map[string][]handmadeFile{}
	for _, l := range letters() {
		owner, name := path.Split(l.name)
		owner = strings.TrimSuffix(owner, "/")
		apart[owner] = append(apart[owner], handmadeFile{name, l.content})
	}
	var perPerson []handmadeFile
	for _, owner := range []string{personA, personB} {
		perPerson = append(perPerson, handmadeFile{owner + ".zip", zippedString(t, apart[owner])})
	}
	// Mary's letters come in an archive that nobody can open, Ada's as it is
	half := []handmadeFile{letters()[0], {personB + "/all.7z", "7z\xbc\xaf\x27\x1c" + noise(900)}}
	for _, test := range []struct {
		name string
		d    delivery
		want map[query.Code]int
	}{
		{"encrypted letters", only("a.zip", lock(zipped(t, letters()), namesOf(letters())...)),
			map[query.Code]int{query.AttachmentRefused: 3, query.LockedDocument: 1}},
		{"one encrypted letter, under another folder", only("a.zip", lock(zipped(t, append(letters()[:2],
			handmadeFile{"old/" + personB + "/notes.txt", noise(3000)})), "old/"+personB+"/notes.txt")),
			map[query.Code]int{query.AttachmentRefused: 1, query.LockedDocument: 1}},
		{"letters in a form that is not read", only("a.7z", []byte("7z\xbc\xaf\x27\x1c\x00\x04"+noise(900))),
			map[query.Code]int{query.ContainerUnopened: 1, query.AttachmentUnclear: 3}},
		{"a person's letters in a form that is not read", only("a.zip", zipped(t, half)),
			map[query.Code]int{query.FileUnlisted: 1, query.AttachmentUnclear: 2}},
		{"a ZIP for each person", only("a.zip", zipped(t, perPerson)), map[query.Code]int{}},
		{"encrypted CVs", delivery{cvs: []object{{"c.zip", lock(zipped(t, lives()), namesOf(lives())...)}}},
			map[query.Code]int{query.CVUnclear: 2, query.LockedDocument: 1}},
		{"CVs in a form that is not read", delivery{cvs: []object{{"c.rar", []byte("Rar!\x1a\x07" + noise(900))}}},
			map[query.Code]int{query.CVUnclear: 2, query.ContainerUnopened: 1}},
		{"CVs among the attachments", delivery{
			attachments: []object{{"a.zip", zipped(t, append(letters(), lives()...))}},
			cvs:         []object{{"c.zip", zipped(t, nil)}},
		}, map[query.Code]int{query.CVUnclear: 2, query.FileUnlisted: 2}},
		{"a page in place of a table", delivery{data: insteadOf(t, "Jobs.csv", handmadeFile{"Jobs.csv", page})},
			map[query.Code]int{query.TableUnreadable: 1}},
		{"a table as JSON", delivery{data: insteadOf(t, "Jobs.csv", handmadeFile{"Jobs.json", `[{"job_id":"j1"}]`})},
			map[query.Code]int{query.TableUnreadable: 1}},
		{"a table as a 7z archive", delivery{data: insteadOf(t, "Jobs.csv",
			handmadeFile{"Jobs.7z", "7z\xbc\xaf\x27\x1c" + noise(900)})},
			map[query.Code]int{query.ContainerUnopened: 1}},
		{"an encrypted table", delivery{data: []object{{"data.zip", lock(zipped(t, tablesOf(t)), "Jobs.csv")}}},
			map[query.Code]int{query.TableUnreadable: 1, query.LockedDocument: 1}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			r := test.d.take(t, root)
			for _, f := range r.Findings {
				if f.Severity == query.SeverityInfo {
					continue
				}
				if f.Count != test.want[f.Code] {
					t.Errorf("%s, %d times, want %d: %s", f.Code, f.Count, test.want[f.Code], f.Detail)
				}
				delete(test.want, f.Code)
			}
			if len(test.want) > 0 {
				t.Errorf("not told: %v", test.want)
			}
			mustVerify(t, root, r)
		})
	}
}

// An archive whose findings were made by other rules is not damaged by that; by the same rules it would be.
func TestOtherRulesAreNoDamage(t *testing.T) {
	t.Parallel()
	then := []FindingCount{{Code: query.AttachmentMissing, Count: 3}}
	if differ := findingsDiffer(nil, &Status{Result: Result{Outcome: Outcome{Findings: then}}}); differ != nil {
		t.Errorf("found by the rules of before: %q", differ)
	}
	s := &Status{Result: Result{Outcome: Outcome{Findings: then}}, Details: Details{Rules: query.Rules}}
	if differ := findingsDiffer(nil, s); len(differ) != 1 {
		t.Errorf("found by the same rules: %q", differ)
	}
}
