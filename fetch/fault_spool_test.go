package fetch

import (
	"syscall"
	"testing"

	"holdall/fetch/failure"
)

var spoolFaults = []faultCase{
	{
		name: "killed at any moment (SIGKILL)", test: testKilled,
		outcome: "every byte is right; at most 1 MiB a connection is fetched again",
	},
	{
		name: "stopped by the user", test: testCancelled,
		outcome: "`interrupted` within 2 s; the next run goes on",
	},
	{
		name: "interrupted from the keyboard (SIGINT)", test: testSignalled(syscall.SIGINT, childInterrupted),
		outcome: "`interrupted` within 2 s; the next run goes on and fetches nothing twice",
	},
	{
		name: "told to end (SIGTERM)", test: testSignalled(syscall.SIGTERM, childInterrupted),
		outcome: "`interrupted` within 2 s; the next run goes on and fetches nothing twice",
	},
	{
		name: "the process that had the spool is dead", test: testSignalled(syscall.SIGKILL, -1),
		outcome: "its lock does not count; the next run goes on",
	},
	{name: "two runs at once", test: testOneRunAtATime, outcome: "`busy` for the second"},
	{
		name: "one of the links is dead", test: testOneDeadLink,
		outcome: "everything else is fetched, then the dead link's failure is told",
	},
	{
		name: "a bit flips on the way, and a checksum inside the object tells", test: testRefetch,
		outcome: "the piece alone is fetched again",
	},
	{
		name: "the same, and the server is busy when the piece is to be fetched again", test: testBusyRefetch,
		outcome: "it is tried again; the piece is whole",
	},
	{
		name: "the same, and the link has died meanwhile", test: testDeadRefetch,
		outcome: "`link-expired`: new master CSV; never called damaged at its source",
	},
	{
		name: "a piece rots in the spool, and a checksum inside the object tells", test: testRottenPiece,
		outcome: "the piece is fetched again; never called damaged at its source",
	},
	{name: "the journal is torn", fault: stopAfter(1 << 20), first: failure.Network,
		between: func(t *testing.T, w *faultWorld) {
			w.change(t, ".journal", func(b []byte) []byte { return b[:len(b)-5] })
		}},
	{name: "the journal is full of zeros from the middle on", fault: stopAfter(1 << 20),
		first: failure.Network, between: func(t *testing.T, w *faultWorld) {
			w.change(t, ".journal", func(b []byte) []byte { clear(b[len(b)/2:]); return b })
		}},
	{name: "the journal is lost, the preallocated file is left", fault: stopAfter(1 << 20),
		first: failure.Network, between: func(t *testing.T, w *faultWorld) {
			w.change(t, ".journal", func(b []byte) []byte { return nil })
		}},
	{name: "the spool's list is lost", fault: stopAfter(1 << 20), first: failure.Network,
		between: func(t *testing.T, w *faultWorld) {
			remove(t, w.dir+"/spool.json")
		}},
	{name: "the data is lost, the journal is left", fault: stopAfter(1 << 20), first: failure.Network,
		between: func(t *testing.T, w *faultWorld) {
			remove(t, w.spoolFile(".data"))
		}},
	{name: "the data was cut", fault: stopAfter(2 << 20), first: failure.Network,
		between: func(t *testing.T, w *faultWorld) {
			w.change(t, ".data", func(b []byte) []byte { return b[:300_000] })
		}},
	{name: "data that was not synced became zeros in a power loss", fault: stopAfter(2 << 20),
		first: failure.Network, between: func(t *testing.T, w *faultWorld) {
			dropDurable(t, w)
			w.change(t, ".data", func(b []byte) []byte { clear(b[256<<10:]); return b })
		}},
	{name: "the state of another export", fault: stopAfter(2 << 20), first: failure.Network,
		between: func(t *testing.T, w *faultWorld) {
			w.object = w.place("/attachments.zip", zipLike(faultSize, 99))
		}},
}
