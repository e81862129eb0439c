package archive

import (
	"bufio"
	"bytes"
	"cmp"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"holdall/internal/digest"
)

// A manifestLine is one line of a manifest: RFC 8493, 2.1.3, written as sha256sum writes it.
type manifestLine struct {
	name string
	sum  digest.Sum
}

func formatManifest(lines []manifestLine) []byte {
	slices.SortFunc(lines, func(a, b manifestLine) int { return cmp.Compare(a.name, b.name) })
	var b bytes.Buffer
	for _, l := range lines {
		fmt.Fprintf(&b, "%s  %s\n", l.sum, l.name)
	}
	return b.Bytes()
}

// lostLineEnd is two lines of a manifest that have become one, because the byte between them is another.
var lostLineEnd = regexp.MustCompile(`^([0-9a-f]{64}  \S+)(?s:.)([0-9a-f]{64}  \S+)$`)

// parseManifest returns the lines that can be read, and what is wrong with the others.
func parseManifest(b []byte) (lines []manifestLine, faults []string) {
	seen := map[string]bool{}
	for i, text := range strings.Split(strings.TrimSuffix(string(b), "\n"), "\n") {
		if two := lostLineEnd.FindStringSubmatch(text); two != nil {
			faults = append(faults, fmt.Sprintf("line %d: its end is damaged", i+1))
			for _, text := range two[1:] {
				if l, err := parseManifestLine(text); err == nil && !seen[l.name] {
					seen[l.name] = true
					lines = append(lines, l)
				}
			}
			continue
		}
		l, err := parseManifestLine(text)
		if err == nil && seen[l.name] {
			err = fmt.Errorf("%q is listed twice", l.name)
		}
		if err != nil {
			faults = append(
				faults, fmt.Sprintf("line %d: %.200s", i+1, strings.ToValidUTF8(err.Error(), "?")),
			)
			continue
		}
		seen[l.name] = true
		lines = append(lines, l)
	}
	if len(b) > 0 && b[len(b)-1] != '\n' {
		faults = append(faults, "the last line has no line end")
	}
	return lines, faults
}

func parseManifestLine(text string) (manifestLine, error) {
	hex, name, ok := strings.Cut(text, "  ")
	if !ok {
		return manifestLine{}, fmt.Errorf("%.120q is not a digest, two spaces and a path", text)
	}
	sum, err := digest.Parse(hex)
	if err == nil {
		err = CheckName(name)
	}
	return manifestLine{name: name, sum: sum}, err
}

// A label is one line of bag-info.txt.
type label struct{ name, value string }

func formatBagInfo(labels []label) []byte {
	var b bytes.Buffer
	for _, l := range labels {
		// RFC 8493, 2.2.2: one line each; a value of several lines would have to be folded.
		if value := clean(strings.Join(strings.Fields(l.value), " ")); value != "" {
			fmt.Fprintf(&b, "%s: %s\n", l.name, value)
		}
	}
	return b.Bytes()
}

// parseBagInfo reads what it can.
func parseBagInfo(r io.Reader) map[string][]string {
	info := map[string][]string{}
	last := ""
	sc := bufio.NewScanner(r)
	for sc.Scan() {
		text := sc.Text()
		if values := info[last]; (strings.HasPrefix(text, " ") || strings.HasPrefix(text, "\t")) &&
			len(values) > 0 {
			values[len(values)-1] += " " + strings.TrimSpace(text)
			continue
		}
		name, value, ok := strings.Cut(text, ":")
		if !ok {
			continue
		}
		last = strings.TrimSpace(name)
		info[last] = append(info[last], strings.TrimSpace(value))
	}
	return info
}
