package takeover

import (
	"slices"
	"strings"
	"testing"

	"holdall/internal/containertest"
	"holdall/query"
)

// What a Mac, a Windows share and an office leave behind is not a document; a person's file that is merely
// named so is one.
func TestSystemLitterIsKeptApart(t *testing.T) {
	t.Parallel()
	const twin = "\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X        and some attributes"
	litter := []handmadeFile{
		{"__MACOSX/" + personA + "/._terms.txt", twin},
		{personA + "/.DS_Store", "\x00\x00\x00\x01Bud1 view settings"},
		{personB + "/Thumbs.db", "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 pictures"},
		{"desktop.ini", "[.ShellClassInfo]\r\n"},
		{personB + "/~$offer.docx", "\x05Mary" + strings.Repeat("\x00", 157)},
		{"@eaDir/offer.txt@SynoEAStream", "attributes"},
	}
	real := handmadeFile{personA + "/._letter.pdf", "%PDF-1.4\nnot a twin"}
	var twins []handmadeFile
	for _, f := range tablesOf(t) {
		twins = append(twins, handmadeFile{"__MACOSX/._" + f.name, twin}, f)
	}
	d := delivery{
		data:        []object{{"data.zip", zipped(t, twins)}},
		attachments: []object{{"a.zip", zipped(t, append(append(litter, letters()...), real))}},
		cvs: []object{{
			"c.zip", zipped(t, append(lives(), handmadeFile{"__MACOSX/._CA-1 Ada Byron.txt", twin})),
		}},
	}
	root := t.TempDir()
	r := d.take(t, root)
	docs := whole()
	docs[real.name] = personA + " " + digestOf(real.content)
	checkDelivered(t, root, r, docs, "warning file-unlisted")
	var told []query.Finding
	status, err := ReadStatus(t.Context(), openBag(t, root, r.Export))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range allFindings(t, status, openBag(t, root, r.Export)) {
		if f.Code == query.SystemLitter {
			told = append(told, f)
		}
	}
	if len(told) != 1 || !strings.HasPrefix(told[0].Detail, "17 files") ||
		told[0].Severity != query.SeverityInfo {
		t.Errorf("litter is told as %+v; want one info of 17 files", told)
	}
	rows := refusedRows(t, root, r)
	if len(rows) != 17 {
		t.Fatalf("refused.csv has %d rows, want 17", len(rows))
	}
	for _, row := range rows {
		if row["reason"] != "system-litter" || row["kept_in"] == "" {
			t.Errorf("row %+v; want system-litter, kept", row)
		}
	}
	if got := keptContent(
		t, root, r,
		rows[slices.IndexFunc(rows, func(r map[string]string) bool { return r["name"] == "desktop.ini" })],
	); got != "[.ShellClassInfo]\r\n" {
		t.Errorf("desktop.ini is kept as %q", got)
	}
}

// Litter in a tar takes more room than its compressed bytes, and is kept all the same.
func TestLitterOfACompressedTarIsKept(t *testing.T) {
	t.Parallel()
	store := handmadeFile{".DS_Store", "\x00\x00\x00\x01Bud1" + noise(1_300_000)}
	root := t.TempDir()
	r := only("a.tar.gz", containertest.Gzip(t, tarred(t, append(letters(), store)))).take(t, root)
	checkDelivered(t, root, r, whole())
	rows := refusedRows(t, root, r)
	if len(rows) != 1 || rows[0]["kept_in"] == "" || !strings.Contains(
		keptContent(t, root, r, rows[0]), store.content,
	) {
		t.Errorf("refused.csv: %.300v; want .DS_Store, kept", rows)
	}
}
