package takeover

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"holdall/fetch"
	"holdall/fetch/link"
	"holdall/internal/filetype"
)

// A piece is one file of what may be a split container, by its name and its first bytes.
type piece struct {
	name string
	kind filetype.Type
}

var (
	numberedName = regexp.MustCompile(`(?i)^(.+)\.(\d{3,4})$`)  // export.zip.001, .002, …
	volumeName   = regexp.MustCompile(`(?i)^(.+)\.z(\d{2,3})$`) // export.z01, export.z02, …, export.zip
	lastVolume   = regexp.MustCompile(`(?i)^(.+)\.zip$`)
	// export.part1.zip, … where only the first begins a container
	partName = regexp.MustCompile(`(?i)^(.+[._ -]part[._ -]?)(\d+)(.*)$`)
)

// A numbered is a piece with its place in a split container.
type numbered struct{ at, number int }

// groupSplit finds the pieces that belong together, all of which have been received. Each group is in the
// order of the pieces; what is not part of a split container is a group of its own. volumes says that offsets
// in it count from the volume's start.
func groupSplit(pieces []piece) (groups [][]int, volumes map[int]bool) {
	taken := make([]bool, len(pieces))
	volumes = map[int]bool{}
	join := func(found []numbered, first int) bool {
		slices.SortFunc(found, func(a, b numbered) int { return cmp.Compare(a.number, b.number) })
		var all []int
		for i, f := range found {
			if f.number != first+i || taken[f.at] {
				return false
			}
			all = append(all, f.at)
		}
		if len(all) < 2 {
			return false
		}
		for _, at := range all {
			taken[at] = true
		}
		groups = append(groups, all)
		return true
	}
	for _, found := range matchPieces(pieces, numberedName) {
		if !join(found, 1) {
			join(found, 0)
		}
	}
	last := matchPieces(pieces, lastVolume)
	for stem, found := range matchPieces(pieces, volumeName) {
		if end := last[stem]; len(end) == 1 {
			found = append(found, numbered{end[0].at, len(found) + 1})
			if join(found, 1) {
				volumes[found[0].at] = true
			}
		}
	}
	for _, found := range matchPieces(pieces, partName) {
		slices.SortFunc(found, func(a, b numbered) int { return cmp.Compare(a.number, b.number) })
		if pieces[found[0].at].kind.IsContainer() && !slices.ContainsFunc(found[1:], func(n numbered) bool {
			return pieces[n.at].kind != filetype.Unknown
		}) {
			join(found, found[0].number)
		}
	}
	for i := range pieces {
		if !taken[i] {
			groups = append(groups, []int{i})
		}
	}
	slices.SortFunc(groups, func(a, b []int) int { return cmp.Compare(slices.Min(a), slices.Min(b)) })
	return groups, volumes
}

// matchPieces returns the pieces whose names fit, by what they have in common.
func matchPieces(pieces []piece, pattern *regexp.Regexp) map[string][]numbered {
	found := map[string][]numbered{}
	for i, p := range pieces {
		m := pattern.FindStringSubmatch(p.name)
		if m == nil {
			continue
		}
		stem, n := strings.ToLower(m[1]), 0
		if len(m) > 2 {
			n, _ = strconv.Atoi(m[2])
		}
		if len(m) > 3 {
			stem += "\x00" + strings.ToLower(m[3])
		}
		found[stem] = append(found[stem], numbered{i, n})
	}
	return found
}

// stem is what a split container is called as a whole.
func stem(name string) string {
	for _, p := range []*regexp.Regexp{numberedName, volumeName} {
		if m := p.FindStringSubmatch(name); m != nil {
			return m[1]
		}
	}
	return name
}

// An objectGroup is what is unpacked as one: an object, or the objects that a split container came in.
type objectGroup struct {
	objects []*fetch.Object
	volumes bool
}

func (g objectGroup) head() *fetch.Object { return g.objects[0] }

// groupObjects finds split containers among the objects of each part.
func groupObjects(objects []*fetch.Object) []objectGroup {
	byPart := map[link.Part][]*fetch.Object{}
	var order []link.Part
	for _, o := range objects {
		if byPart[o.Source.Part] == nil {
			order = append(order, o.Source.Part)
		}
		byPart[o.Source.Part] = append(byPart[o.Source.Part], o)
	}
	var groups []objectGroup
	for _, part := range order {
		var pieces []piece
		for _, o := range byPart[part] {
			name := o.Source.Name
			if o.Source.Listing {
				name = ""
			}
			pieces = append(pieces, piece{name, o.Source.Kind})
		}
		found, volumes := groupSplit(pieces)
		for _, all := range found {
			g := objectGroup{volumes: volumes[all[0]]}
			for _, i := range all {
				g.objects = append(g.objects, byPart[part][i])
			}
			groups = append(groups, g)
		}
	}
	return groups
}

// origin is where the bytes of the group are.
func (g objectGroup) origin(ctx context.Context) (*origin, error) {
	s, err := newOrigin(ctx, g.head())
	if err != nil || len(g.objects) == 1 {
		return s, err
	}
	j := &joined{}
	for _, o := range g.objects {
		size, err := o.Size(ctx)
		if err != nil {
			return nil, err
		}
		j.starts = append(j.starts, j.size)
		j.parts = append(j.parts, o)
		j.size += size
	}
	s.name = fmt.Sprintf("%02d %s", g.head().Source.Number, stem(g.head().Source.Name))
	s.bytes, s.size = j, j.size
	if g.volumes {
		s.volumes = j.starts
	}
	if !s.kind.IsContainer() { // the first volume of a split ZIP may begin with its own mark
		s.kind = filetype.ZIP
	}
	s.refetch = func(ctx context.Context, off, n int64) (bool, error) { return g.refetch(ctx, j, off, n) }
	s.serverDigestFits = func(ctx context.Context) bool {
		return !slices.ContainsFunc(g.objects, func(o *fetch.Object) bool {
			return !serverDigestFits(ctx, o)
		})
	}
	s.waitWhole = func(ctx context.Context) error {
		for _, o := range g.objects {
			if _, err := o.Wait(ctx); err != nil {
				return err
			}
		}
		return nil
	}
	return s, nil
}

// refetch fetches bytes again in each object that has some of them. They are proven to be the same only where
// all are.
func (g objectGroup) refetch(ctx context.Context, j *joined, off, n int64) (changed bool, err error) {
	var same error
	fresh := false
	for i, o := range g.objects {
		from, to := max(off-j.starts[i], 0), min(off+n, j.end(i))-j.starts[i]
		if to <= from {
			continue
		}
		c, err := o.Refetch(ctx, from, to-from)
		changed = changed || c
		switch {
		case fetch.SameAgain(err):
			same = err
		case err != nil:
			return changed, err
		default:
			fresh = true
		}
	}
	if fresh {
		return changed, nil
	}
	return false, same
}

// joined reads several files as one.
type joined struct {
	parts  []io.ReaderAt
	starts []int64
	size   int64
}

func (j *joined) end(i int) int64 {
	if i+1 < len(j.starts) {
		return j.starts[i+1]
	}
	return j.size
}

func (j *joined) ReadAt(p []byte, off int64) (n int, err error) {
	for i := range j.parts {
		at := off + int64(n)
		if at < j.starts[i] || at >= j.end(i) || n == len(p) {
			continue
		}
		want := p[n:min(int64(len(p)), int64(n)+j.end(i)-at)]
		got, err := j.parts[i].ReadAt(want, at-j.starts[i])
		n += got
		if got < len(want) {
			return n, err
		}
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}
