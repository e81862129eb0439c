package archive_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"holdall/archive"
	"holdall/archive/storetest"
)

func aRun(typ, status string) archive.Run {
	began := time.Date(2026, 4, 7, 9, 30, 0, 0, time.UTC)
	return archive.Run{
		ID: archive.NewRunID(began), Started: began, Ended: began.Add(90 * time.Second), Direction: "out",
		Type:       typ,
		RecordType: "people", Status: status, Records: 3, Failed: 1, Bytes: 512, Requests: 7,
		TraceID: "Root=1-5f",
		Export:  testID, Operator: "ines", Version: "v0.1.0", Destination: "orgvue:ACME_1/X",
		Detail: "a \"detail\"",
	}
}

func TestARunAndItsRecordsAreReadAsTheyWereWritten(t *testing.T) {
	s := &storetest.Memory{}
	ctx := context.Background()
	want := aRun("send", "completed-with-failures")
	records := []archive.RunRecord{
		{Type: "people", ID: "E1", Action: "create", Status: "success", ExternalID: "17", SHA256: "ab",
			Fields: map[string]string{"Grade": "0123456789abcdef"}},
		{Type: "people", ID: "E2", Action: "update", Status: "failed", Error: "value <4> is not allowed"},
	}
	if err := archive.AppendRun(ctx, s, want, records); err != nil {
		t.Fatal(err)
	}
	runs, err := archive.Runs(ctx, s)
	if err != nil || len(runs) != 1 {
		t.Fatalf("%d runs, %v", len(runs), err)
	}
	if d := cmp.Diff(want, runs[0], cmpopts.IgnoreUnexported(archive.Run{})); d != "" {
		t.Error(d)
	}
	var got []archive.RunRecord
	for r, err := range archive.RunRecords(ctx, s, runs[0]) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, r)
	}
	if d := cmp.Diff(records, got); d != "" {
		t.Error(d)
	}
}

func TestATakeoverThatOnlyItsCommitTellsOfIsARun(t *testing.T) {
	s := &storetest.Memory{}
	ctx := context.Background()
	appendEvent(t, s, archive.KindTaken)
	runs, err := archive.Runs(ctx, s)
	if err != nil || len(runs) != 1 || runs[0].Type != "take" || runs[0].Export != testID {
		t.Fatalf("%+v, %v", runs, err)
	}
	if err := archive.AppendRun(ctx, s, aRun("take", "complete"), nil); err != nil {
		t.Fatal(err)
	}
	if runs, err := archive.Runs(ctx, s); err != nil || len(runs) != 1 || runs[0].Operator != "ines" {
		t.Errorf("one takeover is %d runs, %v", len(runs), err)
	}
}

func TestRecordsThatWereChangedAreNotRead(t *testing.T) {
	s := &storetest.Memory{}
	ctx := context.Background()
	if err := archive.AppendRun(
		ctx, s, aRun("send", "completed"), []archive.RunRecord{{Type: "people", ID: "E1"}},
	); err != nil {
		t.Fatal(err)
	}
	runs, err := archive.Runs(ctx, s)
	if err != nil {
		t.Fatal(err)
	}
	other := &storetest.Memory{} // a root without that file
	for _, err := range archive.RunRecords(ctx, other, runs[0]) {
		if err == nil || !strings.Contains(err.Error(), "is gone") {
			t.Errorf("got %v", err)
		}
	}
}
