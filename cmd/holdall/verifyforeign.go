package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"

	"holdall/archive"
	"holdall/internal/bagit"
	"holdall/internal/takeover"
)

// otherBag returns the directory of a bag that is not an archive of ours, if a place is one.
func (at exportPath) otherBag() (dir string, ok bool) {
	switch {
	case isS3(at.root):
		return "", false
	case at.folder == "":
		dir = at.root // which has nothing that locate knows an archive by
	case at.root == "":
		dir = at.folder
	default:
		dir = at.path(at.folder)
	}
	if isDir(filepath.Join(dir, "exports")) && !isBag(dir) {
		return "", false
	}
	return dir, looksLikeBag(dir) && !looksLikeArchive(dir)
}

// looksLikeBag reports whether a directory is a bag of any maker, also one that has lost its bagit.txt.
func looksLikeBag(dir string) bool {
	manifests, err := filepath.Glob(filepath.Join(globEscape(dir), "manifest-*.txt"))
	_, errDeclared := os.Stat(filepath.Join(dir, "bagit.txt"))
	return errDeclared == nil || err == nil && len(manifests) > 0 && isDir(filepath.Join(dir, "data"))
}

// globEscape makes a directory's name mean itself to filepath.Glob.
func globEscape(dir string) string {
	var b bytes.Buffer
	for _, c := range []byte(dir) {
		if bytes.IndexByte([]byte(`*?[\`), c) >= 0 && filepath.Separator != '\\' {
			b.WriteByte('\\')
		}
		b.WriteByte(c)
	}
	return b.String()
}

// looksLikeArchive reports whether a bag is an archive of ours, also one that has lost any of its files.
func looksLikeArchive(dir string) bool {
	if filepath.Base(filepath.Dir(dir)) == "exports" && !archive.StartOf(filepath.Base(dir)).IsZero() {
		return true
	}
	info, err := os.ReadFile(filepath.Join(dir, "bag-info.txt"))
	if err == nil && bytes.Contains(info, []byte("Holdall-")) {
		return true
	}
	found := 0
	for _, name := range []string{"custody", "data/documents", "data/received", "data/tables"} {
		if isDir(filepath.Join(dir, filepath.FromSlash(name))) {
			found++
		}
	}
	return found >= 2
}

// otherBag judges a bag of another maker.
func (v *verification) otherBag(ctx context.Context, e *env, dir string) error {
	name := filepath.Base(dir)
	show := newVerifyProgress(e, name)
	r, err := bagit.Check(ctx, dir, v.Level != archive.Quick, show.update)
	show.end()
	if err != nil {
		return err
	}
	report := &archive.Report{
		Valid: len(r.Faults) == 0, Level: v.Level, Files: r.Files, Bytes: r.Bytes, Faults: []archive.Fault{},
		Anchors: []string{"manifests"},
	}
	for _, f := range r.Faults {
		fault := archive.Fault{
			Code: archive.FaultCode(f.Code), Path: f.Path, Documents: []string{}, Detail: f.Detail,
		}
		if who := archive.LeftBy(f.Path); f.Code == bagit.Unexpected && who != "" {
			fault.Detail += "; " + who + " left it there, and it can be deleted"
		}
		report.Faults = append(report.Faults, fault)
		v.add(name, fault, nil)
	}
	v.other = true
	v.Files, v.Bytes = r.Files, r.Bytes
	v.Exports = append(v.Exports, exportReport{name, dir, &takeover.Report{Report: report}})
	v.Notes = append(v.Notes,
		name+" is a bag of another maker, judged by RFC 8493 (BagIt); it declares version "+
			orUnknown(r.Version))
	v.Notes = append(v.Notes, r.Notes...)
	return nil
}

func orUnknown(version string) string {
	if version == "" {
		return "none"
	}
	return version
}
