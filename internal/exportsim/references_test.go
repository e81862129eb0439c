package exportsim

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"holdall/schemas"
)

// A clean export must lead to no finding worse than an info, so everything in it must fit together.
func TestACleanExportFitsTogether(t *testing.T) {
	for _, people := range []int{1, 10, 110} {
		t.Run(fmt.Sprint(people, " people"), func(t *testing.T) {
			e := prepare(t, Config{Seed: 5, People: people})
			keys := keysOf(t, e)
			checkReferences(t, e, keys)
			checkDocuments(t, e)
			checkUnambiguousDates(t, e)
		})
	}
}

var prefixes = map[string]string{"candidates": "CA-", "contacts": "CT-", "companies": "CY-", "jobs": "JB-"}

// keysOf returns all keys by table, and fails on one that stands twice.
func keysOf(t *testing.T, e *Export) map[string]map[string]bool {
	t.Helper()
	keys := map[string]map[string]bool{}
	for _, s := range schemas.Recruitly() {
		keys[s.Name] = map[string]bool{}
		key, _ := s.PrimaryKey()
		references := map[string]bool{}
		for i, row := range table(t, e, s.File) {
			id := row[key.Heading]
			if len(id) != 36 || id[:4] != e.Truth().Tenant {
				t.Errorf("%s row %d: id %q is not the tenant and 32 digits", s.File, i, id)
			}
			if keys[s.Name][id] {
				t.Errorf("%s row %d: id %q stands twice", s.File, i, id)
			}
			keys[s.Name][id] = true
			if p, ok := prefixes[s.Name]; ok {
				ref := row["Reference"]
				if !strings.HasPrefix(ref, p) || references[ref] {
					t.Errorf("%s row %d: reference %q is wrong or stands twice", s.File, i, ref)
				}
				references[ref] = true
			}
		}
		if len(keys[s.Name]) == 0 {
			t.Errorf("%s is empty", s.File)
		}
	}
	return keys
}

func checkReferences(t *testing.T, e *Export, keys map[string]map[string]bool) {
	t.Helper()
	keys["folders"] = map[string]bool{}
	for _, row := range table(t, e, "Folder_Records.csv") {
		keys["folders"][row["Folder Id"]] = true
	}
	kinds := map[string]string{
		"CANDIDATE": "candidates", "CONTACT": "contacts", "COMPANY": "companies", "JOB": "jobs",
		"USER": "users",
	}
	for _, s := range schemas.Recruitly() {
		for i, row := range table(t, e, s.File) {
			for _, c := range s.Columns {
				target := c.References
				if target == "*" {
					target = kinds[row["Record Type"]]
				}
				target, _, _ = strings.Cut(target, ".")
				if c.References == "folder_records.folder_id" {
					target = "folders"
				}
				v := row[c.Heading]
				if keys[target] == nil || v == "" || c.Type == "JSON" {
					continue
				}
				if !keys[target][v] {
					t.Errorf("%s row %d: %s %q is not in %s", s.File, i, c.Heading, v, target)
				}
			}
		}
	}
	for i, row := range table(t, e, "Tasks.csv") {
		var links []link
		if err := json.Unmarshal([]byte(row["Linked Records"]), &links); err != nil {
			t.Fatalf("Tasks.csv row %d: %v", i, err)
		}
		for _, l := range links {
			if k := keys[kinds[l.Type]]; k != nil && !k[l.ID] {
				t.Errorf("Tasks.csv row %d: %s %s does not exist", i, l.Type, l.ID)
			}
		}
	}
}

// checkDocuments holds Attachments.csv and the candidates' Has CV against the documents.
func checkDocuments(t *testing.T, e *Export) {
	t.Helper()
	byID, cvs := map[string]Document{}, map[string]int{}
	entries := map[string]bool{}
	for _, d := range documents(t, e) {
		if k := d.Part + "/" + strings.ToLower(d.Entry); entries[k] {
			t.Errorf("two entries are called %s", d.Entry)
		} else {
			entries[k] = true
		}
		if d.Part == "cvs" {
			cvs[d.OwnerID]++
		} else {
			byID[d.AttachmentID] = d
		}
	}
	for i, row := range table(t, e, "Attachments.csv") {
		d, ok := byID[row["Attachment Id"]]
		if !ok || fmt.Sprint(d.Size) != row["File Size"] || d.OwnerID != row["Record Id"] ||
			d.MediaType != row["Content Type"] || row["File Path"] != "" && row["File Path"] != d.Entry {
			t.Errorf("Attachments.csv row %d is of no document: %v, %+v", i, row, d)
		}
		delete(byID, row["Attachment Id"])
	}
	if len(byID) > 0 {
		t.Errorf("%d attachments have no row", len(byID))
	}
	for i, row := range table(t, e, "Candidates.csv") {
		if (row["Has CV"] == "Yes") != (cvs[row["Candidate Id"]] > 0) {
			t.Errorf(
				"Candidates.csv row %d: Has CV is %s, there are %d", i, row["Has CV"],
				cvs[row["Candidate Id"]],
			)
		}
	}
}

// checkUnambiguousDates looks in each file for a date whose day cannot be a month.
func checkUnambiguousDates(t *testing.T, e *Export) {
	t.Helper()
	for _, s := range schemas.Recruitly() {
		found := false
		for _, row := range table(t, e, s.File) {
			for _, c := range s.Columns {
				if v := row[c.Heading]; (c.Type == "DATE" || c.Type == "TIMESTAMP") && len(v) >= 10 &&
					v[:2] > "12" {
					found = true
				}
			}
		}
		if !found {
			t.Errorf("%s: whether its dates are day first cannot be told", s.File)
		}
	}
}
