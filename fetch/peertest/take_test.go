package peertest

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"holdall/fetch"
	"holdall/fetch/failure"
	"holdall/fetch/link"
	"holdall/fetch/master"
)

// exportZIP invents a ZIP of about that many bytes, whose entries do not compress; the same for the same
// seed.
func exportZIP(t testing.TB, seed uint64, size int) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for i := 0; b.Len() < size; i++ {
		f, err := w.CreateHeader(&zip.FileHeader{Name: fmt.Sprintf("files/%05d.bin", i), Method: zip.Store})
		if err != nil {
			t.Fatal(err)
		}
		f.Write(noise(seed+uint64(i)<<32, min(256<<10, max(1, size-b.Len()))))
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// noise returns n bytes that do not compress, the same for the same seed.
func noise(seed uint64, n int) []byte {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	b := make([]byte, n)
	rand.NewChaCha8(key).Read(b)
	return b
}

// A part is a link in a master CSV.
type part struct {
	name link.Part
	link string
}

// master makes a master CSV of links.
func masterOf(t testing.TB, parts ...part) *master.CSV {
	t.Helper()
	var b strings.Builder
	b.WriteString("Part,Link\r\n")
	for _, p := range parts {
		fmt.Fprintf(&b, "%s,%s\r\n", p.name, p.link)
	}
	m, err := master.Read([]byte(b.String()))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// An outcome is what is left of a run that has ended.
type outcome struct {
	plan     *fetch.Plan
	objects  map[link.Part]fetch.Verified // of complete objects
	paths    map[link.Part]string         // in the spool
	receipts []fetch.Receipt
	progress fetch.Progress
	err      *failure.Error // of the run, else of the first source that could not be planned
	log      string
}

// take fetches what m leads to into the spool dir, and waits until that has ended.
func take(t testing.TB, opts fetch.Options, m *master.CSV, dir string) outcome {
	t.Helper()
	return takeAnd(t, opts, m, dir, func(*fetch.Run) {})
}

// takeAnd is take, with a look at the run before it is closed.
func takeAnd(t testing.TB, opts fetch.Options, m *master.CSV, dir string, look func(*fetch.Run)) outcome {
	t.Helper()
	var mu sync.Mutex
	var log strings.Builder
	out := outcome{objects: map[link.Part]fetch.Verified{}, paths: map[link.Part]string{}}
	opts.AllowPrivate = true
	opts.Receipt = func(r fetch.Receipt) { out.receipts = append(out.receipts, r) }
	opts.Log = func(format string, a ...any) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintf(&log, format+"\n", a...)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	f, err := fetch.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if out.plan, err = f.Plan(ctx, m); err != nil {
		t.Fatal(err)
	}
	r, err := f.Start(ctx, out.plan, dir)
	if err != nil {
		t.Fatal(err)
	}
	err = r.Wait()
	out.progress = r.Progress()
	for _, o := range r.Objects {
		out.paths[o.Source.Part] = o.Path()
		if v, err := o.Wait(ctx); err == nil {
			out.objects[o.Source.Part] = v
		}
	}
	look(r)
	if closing := r.Close(); closing != nil {
		t.Fatal(closing)
	}
	f.Close()
	mu.Lock()
	defer mu.Unlock()
	out.log = log.String()
	if err != nil && !errors.As(err, &out.err) {
		t.Fatalf("the run failed with something else than a *failure.Error: %v", err)
	}
	for _, s := range out.plan.Sources {
		if out.err == nil {
			out.err = s.Err
		}
	}
	return out
}

// wantBytes compares a part in the spool, and its recorded size, with what was served.
func (o outcome) wantBytes(t testing.TB, p link.Part, want []byte) {
	t.Helper()
	if o.err != nil {
		t.Fatalf("the run failed: %s: %v\n%s", o.err.Code, o.err, o.log)
	}
	got, err := os.ReadFile(o.paths[p])
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) || o.objects[p].Size != int64(len(want)) {
		t.Errorf("%s: %d bytes that differ from the %d served", p, len(got), len(want))
	}
}

// wantCode checks in which class a run failed, and that the user is told what to do.
func (o outcome) wantCode(t testing.TB, want failure.Code) {
	t.Helper()
	if o.err == nil {
		t.Fatalf("the run succeeded; want %s", want)
	}
	if o.err.Code != want {
		t.Errorf("code = %s (%v), want %s\n%s", o.err.Code, o.err, want, o.log)
	}
	if o.err.Hint == "" {
		t.Errorf("no hint with %s: %v", o.err.Code, o.err)
	}
}

// received adds up the body bytes of all exchanges.
func (o outcome) received() int64 {
	var n int64
	for _, r := range o.receipts {
		n += r.Length
	}
	return n
}

// wantNoSecret searches what a run said and left for each of the secrets.
func (o outcome) wantNoSecret(t testing.TB, dir string, secrets ...string) {
	t.Helper()
	said := o.log + fmt.Sprintf("%+v %v", o.receipts, o.err)
	if o.err != nil {
		said += o.err.Hint + o.err.Link + o.err.Message
	}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		said += path
		for _, s := range secrets {
			if bytes.Contains(b, []byte(s)) {
				t.Errorf("%s holds a secret", filepath.Base(path))
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range secrets {
		if s == "" || strings.Contains(said, s) {
			t.Errorf("what the run said shows the secret %q", s)
		}
	}
}
