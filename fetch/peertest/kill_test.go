package peertest

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"holdall/fetch"
	"holdall/fetch/link"
	"holdall/fetch/master"
)

// A ZIP, a listing and a tar are fetched by a process that is killed at random moments, as often as
// HOLDALL_TEST_KILLS says (6), of HOLDALL_TEST_KILL_BYTES in all (30,000,000). When everything has been
// received before that many kills, it is compared and the next fetch begins from nothing.
func TestKilledAThousandTimes(t *testing.T) {
	kills := int(sizeEnv(t, "HOLDALL_TEST_KILLS", 6))
	total := sizeEnv(t, "HOLDALL_TEST_KILL_BYTES", 30_000_000)
	www := t.TempDir()
	objects, files := layExport(t, www, total)
	m := newMirror(t, www, 4<<20)
	point(t, www, m.URL)
	parts := []part{
		{link.PartData, m.URL + "/data.zip?sig=" + secret},
		{link.PartAttachments, m.URL + "/attachments.tar?sig=" + secret},
		{link.PartCVs, m.URL + "/cvs.csv?sig=" + secret},
	}
	torture := &torture{t: t, m: m, master: masterOf(t, parts...), most: 600 * time.Millisecond}
	for torture.kills < kills {
		torture.cycle(kills, objects, files)
	}
	t.Logf("%d kills over %d whole fetches of %d bytes; again: %d bytes of large objects, %d of listed "+
		"files; at worst %d KiB a connection in one kill",
		torture.kills, torture.cycles, objects+files, torture.againObjects, torture.againFiles,
		torture.worst>>10)
}

type torture struct {
	t      *testing.T
	m      *mirror
	master *master.CSV
	most   time.Duration // between a start and its kill

	kills, cycles            int
	againObjects, againFiles int64
	worst                    int64 // bytes of large objects lost by kills, for each connection then open
}

// cycle fetches everything once, with kills on the way while there are some left, and compares it.
func (k *torture) cycle(kills int, objects, files int64) {
	k.t.Helper()
	dir := filepath.Join(k.t.TempDir(), "spool")
	objects0, files0, _ := k.m.count()
	// of large objects: sent by the processes before, of that not here when last known, and may be lost since
	var sent, lost, allowed int64
	var ever int64 // bytes that all kills together may cost
	for ended := false; !ended; {
		var said string
		said, ended = k.child(dir, kills)
		if here, ok := hereOf(said); ok {
			now := sent - here
			if now-lost > allowed {
				k.t.Errorf(
					"%d bytes of large objects were lost; kills may cost %d with the connections there were",
					now-lost, allowed,
				)
			}
			if allowed > 0 {
				k.worst = max(k.worst, (now-lost)/(allowed>>20))
			}
			lost, allowed = now, 0
		}
		peak := int64(k.m.waitIdle()) << 20
		allowed, ever = allowed+peak, ever+peak
		all, _, _ := k.m.count()
		sent = all - objects0
	}
	k.cycles++
	allObjects, allFiles, _ := k.m.count()
	k.againObjects += allObjects - objects0 - objects
	k.againFiles += allFiles - files0 - files
	if again := allFiles - files0 - files; again > ever {
		k.t.Errorf("%d bytes of the listing's files were fetched again; the kills may cost %d", again, ever)
	}
	k.compare(dir)
	if got, _, _ := k.m.count(); got-allObjects > 2<<20 {
		k.t.Errorf("a run over a complete spool was sent %d bytes of large objects", got-allObjects)
	}
	if _, got, _ := k.m.count(); got != allFiles {
		k.t.Errorf("a run over a complete spool was sent %d bytes of the listing's files", got-allFiles)
	}
}

// hereOf reads how many bytes a process found in the spool when it began.
func hereOf(said string) (int64, bool) {
	_, rest, ok := strings.Cut(said, "here ")
	text, _, whole := strings.Cut(rest, "\n")
	n, err := strconv.ParseInt(text, 10, 64)
	return n, ok && whole && err == nil
}

// child runs one process, and kills it after a random time unless there have been enough kills. It reports
// what the process said, and whether it came to its end.
func (k *torture) child(dir string, kills int) (said string, ended bool) {
	k.t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), spoolEnv+"="+dir)
	cmd.Stdin = bytes.NewReader(k.master.Raw)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		k.t.Fatal(err)
	}
	if k.kills < kills {
		timer := time.AfterFunc(rand.N(k.most), func() { cmd.Process.Signal(syscall.SIGKILL) })
		defer timer.Stop()
	}
	err := cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL {
		k.kills++
		return out.String(), false
	}
	if err != nil || !strings.Contains(out.String(), "done") {
		k.t.Fatalf("a process that was not killed ended without success: %v\n%s", err, out.String())
	}
	if strings.Contains(out.String(), secret) {
		k.t.Error("the output shows the secret")
	}
	return out.String(), true
}

// compare goes over a complete spool, which needs nothing more, and compares every byte with what was served.
func (k *torture) compare(dir string) {
	t := k.t
	t.Helper()
	f, err := fetch.New(fetch.Options{AllowPrivate: true})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	p, err := f.Plan(t.Context(), k.master)
	if err != nil {
		t.Fatal(err)
	}
	r, err := f.Start(t.Context(), p, dir)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := r.Wait(); err != nil {
		t.Fatal(err)
	}
	names := map[link.Part]string{link.PartData: "data.zip", link.PartAttachments: "attachments.tar"}
	for _, o := range r.Objects {
		if o.Source.Listing {
			k.compareFiles(o)
			continue
		}
		want, got := hashFile(t, filepath.Join(k.m.dir, names[o.Source.Part])), hashFile(t, o.Path())
		v, err := o.Wait(t.Context())
		if err != nil || got != want || v.SHA256.String() != want {
			t.Errorf(
				"%s: has SHA-256 %s, recorded as %s (%v); want %s", o.Source.Part, got, v.SHA256, err, want,
			)
		}
	}
	(outcome{}).wantNoSecret(t, dir, secret)
}

func (k *torture) compareFiles(o *fetch.Object) {
	n := 0
	for file, err := range o.Files(k.t.Context()) {
		if err != nil || file.Err != nil {
			k.t.Fatalf("file %d: %v, %v", n, err, file.Err)
		}
		in, err := o.OpenFile(file)
		if err != nil {
			k.t.Fatal(err)
		}
		got, err := io.ReadAll(in)
		in.Close()
		want, readErr := os.ReadFile(filepath.Join(k.m.dir, "files", fmt.Sprintf("%05d.bin", n)))
		if err != nil || readErr != nil || !bytes.Equal(got, want) ||
			file.Name != fmt.Sprintf("cv %05d.bin", n) {
			k.t.Errorf(
				"file %d, %q: %d bytes that differ from the %d served (%v, %v)", n, file.Name, len(got),
				len(want), err, readErr,
			)
		}
		n++
	}
	if want, err := os.ReadDir(filepath.Join(k.m.dir, "files")); err != nil || n != len(want) {
		k.t.Errorf("%d files of %d (%v)", n, len(want), err)
	}
}

func hashFile(t testing.TB, path string) string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}
