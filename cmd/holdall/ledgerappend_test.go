package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Verifications and copies, good and bad, are rows of the ledger like takes and sends.
func TestEachRunIsARowOfTheLedger(t *testing.T) {
	root, _, _ := demo(t)
	other := filepath.Join(t.TempDir(), "other")
	must(t, good[:1], "verify", root, "--level", "quick")
	must(t, good[:1], "copy", root, other)
	must(t, good[:1], "verify", other)
	manifests, err := filepath.Glob(filepath.Join(other, "exports", "*", "manifest-sha256.txt"))
	if err != nil || len(manifests) != 1 {
		t.Fatal(manifests, err)
	}
	manifest, err := os.ReadFile(manifests[0])
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(manifest), "\n")
	rotten := filepath.Join(filepath.Dir(manifests[0]), strings.Fields(first)[1])
	if err := os.Chmod(rotten, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(rotten, []byte("rotten"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"HOLDALL_OPERATOR", "SUDO_USER", "USER", "LOGNAME", "USERNAME"} {
		t.Setenv(name, "")
	}
	must(t, []int{exitFindings}, "verify", other)

	if runs := logged(t, other); runs[0].Operator == "" {
		t.Error("without an environment, nobody verified")
	}
	if to := logged(t, root, "--type", "copy"); len(to) != 1 || to[0].Direction != "out" ||
		!strings.HasPrefix(to[0].Detail, "to "+other) {
		t.Errorf("where it was copied from, the copy is %+v", to)
	}
	tests := []struct {
		root, kind string
		statuses   []string // newest first
	}{
		{root, "take", []string{"complete"}},
		{root, "verify", []string{"valid"}},
		{root, "copy", []string{"complete"}}, // the root that it was copied from knows, too
		{other, "copy", []string{"complete"}},
		{other, "verify", []string{"faults", "valid"}},
	}
	for _, tt := range tests {
		var runs []struct{ Run, Type, Status, Export, Version string }
		o := must(t, good[:1], "log", tt.root, "--type", tt.kind, "--json")
		if err := json.Unmarshal([]byte(o.stdout), &runs); err != nil {
			t.Fatal(err)
		}
		if len(runs) != len(tt.statuses) {
			t.Errorf("%s: %d runs, want %d: %s", tt.kind, len(runs), len(tt.statuses), o.stdout)
			continue
		}
		for i, r := range runs {
			if r.Type != tt.kind || r.Status != tt.statuses[i] || r.Export == "" ||
				r.Version == "" && tt.kind != "take" {
				t.Errorf("%s: %+v, want status %s", tt.kind, r, tt.statuses[i])
			}
		}
		if tt.root == other && tt.kind == "verify" {
			o := must(t, good[:1], "log", other, runs[0].Run, "--failed")
			if !strings.Contains(o.stdout, runs[0].Export) || !strings.Contains(o.stdout, "fault") {
				t.Errorf("the failed verification opens as %s", o.stdout)
			}
		}
	}
}
