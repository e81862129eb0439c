package archive

import (
	"fmt"
	"strings"
)

// CheckName says whether name may be a file of a bag: at most 120 characters of [A-Za-z0-9._/-], no element
// empty or beginning or ending with a dot, none that Windows reserves, and no ".part" at its end.
func CheckName(name string) error {
	if len(name) > maxName {
		return fmt.Errorf("name %q has %d characters, more than %d", name, len(name), maxName)
	}
	return CheckStoreName(name)
}

// CheckStoreName is CheckName for the names in a store, which may have 240 characters.
func CheckStoreName(name string) error {
	if name == "" || len(name) > maxStoreName {
		return fmt.Errorf("name %q has %d characters, want 1 to %d", name, len(name), maxStoreName)
	}
	for i := range len(name) {
		if !nameByte(name[i]) {
			return fmt.Errorf(
				"name %q holds %q: only letters, digits, dot, underscore, hyphen and slash are allowed", name,
				name[i],
			)
		}
	}
	if strings.HasSuffix(name, ".part") {
		return fmt.Errorf("name %q ends in .part, which marks unfinished files", name)
	}
	for elem := range strings.SplitSeq(name, "/") {
		if elem == "" || elem[0] == '.' || elem[len(elem)-1] == '.' || reserved(elem) {
			return fmt.Errorf(
				"name %q has the element %q: empty, with a dot at an end, or reserved on Windows", name, elem,
			)
		}
	}
	return nil
}

func nameByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		c == '.' || c == '_' || c == '-' || c == '/'
}

// reserved reports whether Windows takes the element for a device whatever its extension.
func reserved(elem string) bool {
	stem, _, _ := strings.Cut(strings.ToLower(elem), ".")
	switch stem {
	case "con", "prn", "aux", "nul":
		return true
	}
	return len(stem) == 4 && (stem[:3] == "com" || stem[:3] == "lpt") && '0' <= stem[3] && stem[3] <= '9'
}

// A nameSet holds names that are unique after case folding, their directories included.
type nameSet map[string]string // lower case to the spelling in use

// add takes a name; it fails where the name, or one that differs only in case, is taken, or is both file and
// directory.
func (s nameSet) add(name string) error {
	for i := 0; i < len(name); i++ {
		if name[i] != '/' {
			continue
		}
		dir := name[:i+1]
		if used, ok := s[strings.ToLower(dir)]; ok && used != dir {
			return fmt.Errorf("name %q differs only in case from %q", name, used)
		}
		if used, ok := s[strings.ToLower(name[:i])]; ok {
			return fmt.Errorf("name %q lies below %q, which is a file", name, used)
		}
	}
	if used, ok := s[strings.ToLower(name)]; ok {
		return fmt.Errorf("name %q is taken by %q", name, used)
	}
	if used, ok := s[strings.ToLower(name)+"/"]; ok {
		return fmt.Errorf("name %q is the directory %q", name, used)
	}
	for i := 0; i < len(name); i++ {
		if name[i] == '/' {
			s[strings.ToLower(name[:i+1])] = name[:i+1]
		}
	}
	s[strings.ToLower(name)] = name
	return nil
}

func (s nameSet) remove(name string) { delete(s, strings.ToLower(name)) }
