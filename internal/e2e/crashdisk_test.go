package e2e

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A crashDisk is what a disk holds at some operation of a recorded run, below one directory: what the program
// sees, and what would still be there after a loss of power.
type crashDisk struct {
	root *diskNode
	base string // the directory, absolute
	open map[int]*openNode
	all  []*diskNode // by number
}

// A diskNode is a file or a directory.
type diskNode struct {
	number          int // in the order in which they were made: the same in each replay
	dir             bool
	data, synced    []byte // of a file: as seen, and as of the last fsync
	entries, stable map[string]*diskNode
}

type openNode struct {
	*diskNode
	pos    int64
	append bool
}

func (d *crashDisk) newNode(dir bool) *diskNode {
	n := &diskNode{number: len(d.all), dir: dir}
	if dir {
		n.entries, n.stable = map[string]*diskNode{}, map[string]*diskNode{}
	}
	d.all = append(d.all, n)
	return n
}

// A diskOp is one system call that changed something, or made a change last.
type diskOp struct {
	call        string
	path, path2 string // absolute
	fd          int
	data        []byte
	at          int64 // offset; length; flags
	flags       string
}

// changes reports whether a crash behind the operation differs from one before it.
func (o diskOp) changes() bool {
	opens := strings.HasPrefix(o.call, "open")
	return o.call != "close" && o.call != "lseek" &&
		(!opens || strings.Contains(o.flags, "O_CREAT") || strings.Contains(o.flags, "O_TRUNC"))
}

func newCrashDisk(base string) *crashDisk {
	d := &crashDisk{base: base, open: map[int]*openNode{}}
	d.root = d.newNode(true)
	return d
}

// parent returns the directory of a path and the name in it; nil for what is not below the base.
func (d *crashDisk) parent(path string) (*diskNode, string) {
	rel, err := filepath.Rel(d.base, path)
	if err != nil || rel == "." || strings.HasPrefix(rel, "..") {
		return nil, ""
	}
	n := d.root
	dir, name := filepath.Split(rel)
	for _, e := range strings.Split(strings.Trim(dir, "/"), "/") {
		if e == "" {
			continue
		}
		if n = n.entries[e]; n == nil {
			return nil, ""
		}
	}
	return n, name
}

func (d *crashDisk) find(path string) *diskNode {
	if filepath.Clean(path) == d.base {
		return d.root
	}
	if p, name := d.parent(path); p != nil {
		return p.entries[name]
	}
	return nil
}

// do applies an operation.
func (d *crashDisk) do(o diskOp) {
	f := d.open[o.fd]
	switch o.call {
	case "open", "openat":
		n := d.find(o.path)
		if p, name := d.parent(o.path); n == nil && p != nil && strings.Contains(o.flags, "O_CREAT") {
			n = d.newNode(false)
			p.entries[name] = n
		}
		if delete(d.open, o.fd); n == nil {
			return
		}
		if strings.Contains(o.flags, "O_TRUNC") {
			n.data = nil
		}
		d.open[o.fd] = &openNode{diskNode: n, append: strings.Contains(o.flags, "O_APPEND")}
	case "close":
		delete(d.open, o.fd)
	case "rename":
		from, a := d.parent(o.path)
		to, b := d.parent(o.path2)
		if from != nil && to != nil {
			to.entries[b] = from.entries[a]
			delete(from.entries, a)
		}
	case "link":
		if to, b := d.parent(o.path2); to != nil {
			to.entries[b] = d.find(o.path)
		}
	case "unlink":
		if p, name := d.parent(o.path); p != nil {
			delete(p.entries, name)
		}
	case "mkdir":
		if p, name := d.parent(o.path); p != nil {
			p.entries[name] = d.newNode(true)
		}
	}
	if f == nil {
		return
	}
	switch o.call {
	case "write":
		if f.append {
			f.pos = int64(len(f.data))
		}
		f.write(o.data, f.pos)
		f.pos += int64(len(o.data))
	case "pwrite":
		f.write(o.data, o.at)
	case "lseek":
		f.pos = o.at
	case "truncate":
		f.write(nil, o.at)
		f.data = f.data[:o.at:o.at]
	case "allocate":
		f.write(nil, o.at)
	case "fsync":
		f.synced = f.data[:len(f.data):len(f.data)]
		if f.dir {
			f.stable = cloneMap(f.entries)
		}
	}
}

// write writes into a copy, since synced may be the same bytes.
func (n *diskNode) write(b []byte, at int64) {
	grown := make([]byte, max(int64(len(n.data)), at+int64(len(b))))
	copy(grown, n.data)
	copy(grown[at:], b)
	n.data = grown
}

func cloneMap(m map[string]*diskNode) map[string]*diskNode {
	c := make(map[string]*diskNode, len(m))
	for k, v := range m {
		c[k] = v
	}
	return c
}

// The ways in which a disk may come out of a crash.
const (
	killed = "killed" // all that was written is there
	strict = "strict" // what was not synced is not, and neither are names in directories that were not
	// names are those of some moment since the last fsync, as journals have them, and data may be torn
	ordered = "ordered"
)

// writeOut makes the directory that is left after a crash. names has the names of the ordered way.
func (d *crashDisk) writeOut(way string, names *diskNode, random *rand.Rand) error {
	if err := os.RemoveAll(d.base); err != nil {
		return err
	}
	if way != ordered {
		names = d.root
	}
	return d.writeNode(names, d.base, way, random)
}

// writeNode writes what is left of a node, whose names are those of this disk or of an earlier moment of it.
func (d *crashDisk) writeNode(n *diskNode, path, way string, random *rand.Rand) error {
	if !n.dir {
		return os.WriteFile(path, d.all[n.number].left(way, random), 0o600)
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		return err
	}
	all := n.entries
	if way == strict {
		all = n.stable
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if err := d.writeNode(all[name], filepath.Join(path, name), way, random); err != nil {
			return err
		}
	}
	return nil
}

// left is what is left of a file.
func (n *diskNode) left(way string, random *rand.Rand) []byte {
	switch {
	case way == strict:
		return n.synced
	case way == killed || bytes.Equal(n.data, n.synced):
		return n.data
	}
	switch random.IntN(4) {
	case 0:
		return n.synced
	case 1:
		return n.data
	case 2: // cut where a block may end, or anywhere
		return n.data[:random.IntN(len(n.data)+1)]
	}
	torn := bytes.Clone(n.data) // its length came before its bytes
	const block = 512
	for at := 0; at < len(torn); at += block {
		if random.IntN(2) == 0 {
			end := min(at+block, len(torn))
			clear(torn[at:end])
			if at < len(n.synced) {
				copy(torn[at:end], n.synced[at:])
			}
		}
	}
	return torn
}

const hexed = `"((?:\\x[0-9a-f]{2})*)"`

var (
	dirFD    = `(?:AT_FDCWD|\d+)<((?:\\x[0-9a-f]{2})*)>`
	openLine = regexp.MustCompile(`^openat\(` + dirFD + `, ` + hexed + `, ([A-Z_|]+).*\) += (\d+)<`)
	fdLine   = regexp.MustCompile(`^(\w+)\((\d+)<[^>]*>(.*)\) += (-?\d+)`)
	pathLine = regexp.MustCompile(`^(mkdirat|unlinkat)\(` + dirFD + `, ` + hexed + `.*\) += 0`)
	twoLine  = regexp.MustCompile(
		`^(renameat2?|linkat)\(` + dirFD + `, ` + hexed + `, ` + dirFD + `, ` + hexed + `.*\) += 0`,
	)
	// the calls without a directory, which the engine makes
	oldOpen  = regexp.MustCompile(`^open\(` + hexed + `, ([A-Z_|]+).*\) += (\d+)<`)
	oldPath  = regexp.MustCompile(`^(mkdir|unlink|rmdir)\(` + hexed + `.*\) += 0`)
	oldTwo   = regexp.MustCompile(`^(rename|link)\(` + hexed + `, ` + hexed + `\) += 0`)
	unknown  = regexp.MustCompile(`^(creat|symlinkat|symlink|truncate)\(.*\) += \d`)
	dataPart = regexp.MustCompile(`^, ` + hexed + `, \d+(?:, (\d+))?$`)
	lastPart = regexp.MustCompile(`(\d+)$`)
)

func unhex(t *testing.T, s string) string {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, `\x`, ""))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// traced is what strace has to record.
const traced = "openat,open,creat,write,pwrite64,writev,pwritev,pwritev2,ftruncate,truncate,fallocate,fsync," +
	"fdatasync,rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,link,linkat,rmdir," +
	"copy_file_range,sendfile,splice,close,lseek,symlink,symlinkat"

// readTrace reads what strace -f -y -xx recorded, as operations in their order.
func readTrace(t *testing.T, path, base string) []diskOp {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all []diskOp
	begun := map[string]string{}
	lines := bufio.NewReaderSize(f, 1<<20)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return all
		}
		pid, call, _ := strings.Cut(strings.TrimSpace(line), " ")
		call = strings.TrimSpace(call)
		if before, ok := strings.CutSuffix(call, "<unfinished ...>"); ok {
			begun[pid] = strings.TrimRight(before, " ")
			if strings.HasPrefix(call, "close(") { // the number is free before the call returns
				all = append(all, parseCall(t, begun[pid]+") = 0", base)...)
			}
			continue
		}
		if _, rest, ok := strings.Cut(call, " resumed>"); ok && strings.HasPrefix(call, "<... ") {
			if strings.HasPrefix(call, "<... close ") {
				continue
			}
			call = begun[pid] + rest
		}
		all = append(all, parseCall(t, call, base)...)
	}
}

func parseCall(t *testing.T, call, base string) []diskOp {
	t.Helper()
	join := func(dir, name string) string {
		if name = unhex(t, name); filepath.IsAbs(name) {
			return name
		}
		return filepath.Join(unhex(t, dir), name)
	}
	number := func(s string) int {
		n, _ := strconv.Atoi(s) // the patterns leave nothing but digits
		return n
	}
	if m := openLine.FindStringSubmatch(call); m != nil {
		return []diskOp{{call: "openat", path: join(m[1], m[2]), flags: m[3], fd: number(m[4])}}
	}
	if m := pathLine.FindStringSubmatch(call); m != nil {
		return []diskOp{{call: strings.TrimSuffix(m[1], "at"), path: join(m[2], m[3]), fd: -1}}
	}
	if m := twoLine.FindStringSubmatch(call); m != nil {
		name := map[byte]string{'r': "rename", 'l': "link"}[m[1][0]]
		return []diskOp{{call: name, path: join(m[2], m[3]), path2: join(m[4], m[5]), fd: -1}}
	}
	if m := oldOpen.FindStringSubmatch(call); m != nil {
		return []diskOp{{call: "open", path: unhex(t, m[1]), flags: m[2], fd: number(m[3])}}
	}
	if m := oldPath.FindStringSubmatch(call); m != nil {
		return []diskOp{{call: strings.Replace(m[1], "rmdir", "unlink", 1), path: unhex(t, m[2]), fd: -1}}
	}
	if m := oldTwo.FindStringSubmatch(call); m != nil {
		return []diskOp{{call: m[1], path: unhex(t, m[2]), path2: unhex(t, m[3]), fd: -1}}
	}
	if m := unknown.FindString(call); m != "" && strings.Contains(call, hexPath(filepath.Base(base))) {
		t.Fatalf("a call that is not understood: %.300s", call)
	}
	m := fdLine.FindStringSubmatch(call)
	if m == nil || strings.HasPrefix(m[4], "-") {
		return nil
	}
	o := diskOp{fd: number(m[2])}
	switch m[1] {
	case "write", "pwrite64":
		part := dataPart.FindStringSubmatch(m[3])
		if part == nil {
			t.Fatalf("a write that is not understood: %.100s … %.100s", call, call[max(0, len(call)-100):])
		}
		o.call, o.data = strings.TrimSuffix(m[1], "64"), []byte(unhex(t, part[1]))[:number(m[4])]
		if part[2] != "" {
			o.at = int64(number(part[2]))
		}
	case "close":
		o.call = "close"
	case "fsync", "fdatasync":
		o.call = "fsync"
	case "lseek":
		o.call, o.at = "lseek", int64(number(m[4]))
	case "ftruncate":
		o.call, o.at = "truncate", int64(number(lastPart.FindString(m[3])))
	case "fallocate":
		part := strings.Split(m[3], ", ")
		o.call, o.at = "allocate", int64(number(part[len(part)-2])+number(part[len(part)-1]))
	default:
		if strings.Contains(call, hexPath(base)) { // it may be a writev to a socket
			t.Fatalf("a call that is not understood: %.300s", call)
		}
		return nil
	}
	return []diskOp{o}
}

// hexPath is a path as strace -xx prints it.
func hexPath(path string) string {
	var b strings.Builder
	for _, c := range []byte(path) {
		fmt.Fprintf(&b, `\x%02x`, c)
	}
	return b.String()
}
