package bagit

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/ianaindex"
	"golang.org/x/text/encoding/unicode/utf32"
)

// maxTagFile is the longest tag file that is read.
const maxTagFile = 1 << 30

const bom = "\ufeff"

// read returns a file of the bag, and whether it is there.
func (c *checker) read(name string) ([]byte, bool) {
	if size, ok := c.files[name]; !ok || size > maxTagFile {
		if ok {
			c.add(Unreadable, name, "longer than %d bytes", maxTagFile)
		}
		return nil, false
	}
	f, err := c.root.Open(name)
	if err != nil {
		c.add(Unreadable, name, "%v", cause(err))
		return nil, !errors.Is(err, fs.ErrNotExist)
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		c.add(Unreadable, name, "%v", cause(err))
	}
	return b, err == nil
}

// lines returns the lines of a tag file as UTF-8, and whether it is there. code is that of a fault in it.
func (c *checker) lines(name string, code Code) ([]string, bool) {
	b, ok := c.read(name)
	if !ok {
		return nil, false
	}
	if c.text != nil {
		decoded, err := c.text.NewDecoder().Bytes(b)
		if err != nil {
			c.add(code, name, "it is not in the encoding that bagit.txt names: %v", err)
			return nil, true
		}
		b = bytes.TrimPrefix(decoded, []byte(bom))
		if bytes.ContainsRune(b, utf8.RuneError) {
			c.add(code, name, "it is not in the encoding that bagit.txt names")
		}
	} else {
		if !utf8.Valid(b) {
			c.add(code, name, "it is not in UTF-8")
		}
		if bytes.HasPrefix(b, []byte(bom)) {
			c.note("a byte-order mark is at the beginning", name)
			b = b[len(bom):]
		}
	}
	return splitLines(string(b)), true
}

// splitLines splits at LF, CR and CRLF; the last line need not end.
func splitLines(text string) []string {
	text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")
	text = strings.TrimSuffix(text, "\n")
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}

var declaration = []struct {
	label string
	exact *regexp.Regexp // RFC 8493, 2.1.1
	loose *regexp.Regexp // of earlier drafts
}{
	{"BagIt-Version", regexp.MustCompile(`^BagIt-Version: (\d+\.\d+)$`),
		regexp.MustCompile(`^BagIt-Version\s*:\s*(\d+\.\d+)\s*$`)},
	{"Tag-File-Character-Encoding", regexp.MustCompile(`^Tag-File-Character-Encoding: (\S+)$`),
		regexp.MustCompile(`^Tag-File-Character-Encoding\s*:\s*(\S+)\s*$`)},
}

// readDeclaration reads bagit.txt (RFC 8493, 2.1.1). A bag whose version cannot be read is judged as 1.0.
func (c *checker) readDeclaration() {
	c.version = version1
	b, ok := c.read(bagit)
	if !ok {
		if _, there := c.files[bagit]; !there {
			c.add(Missing, bagit, "the file is not there; without it the directory is not a bag")
		}
		return
	}
	if bytes.HasPrefix(b, []byte(bom)) {
		c.add(Declaration, bagit, "it begins with a byte-order mark")
		b = b[len(bom):]
	}
	lines, values := splitLines(string(b)), [2]string{}
	if len(lines) != len(declaration) {
		c.add(Declaration, bagit, "it has %d lines instead of two", len(lines))
	}
	for i, d := range declaration {
		text := ""
		if i < len(lines) {
			text = lines[i]
		}
		m := d.loose.FindStringSubmatch(text)
		if m == nil {
			c.add(Declaration, bagit, "line %d is %.80q, not \"%s: …\"", i+1, text, d.label)
			continue
		}
		values[i] = m[1]
		if i == 0 {
			c.declareVersion(m[1])
		}
		if !d.exact.MatchString(text) {
			c.addOrNote(Declaration, bagit,
				fmt.Sprintf("line %d has more or other blanks than one behind the colon", i+1))
		}
	}
	c.declareEncoding(values[1])
}

func (c *checker) declareVersion(v string) {
	c.declared = v
	major, minor, _ := strings.Cut(v, ".")
	x, err := strconv.Atoi(major)
	y, err2 := strconv.Atoi(minor)
	if n := x*1000 + y; err == nil && err2 == nil && (n == version1 || n >= oldest && n <= 97) {
		c.version = n
		return
	}
	c.add(Declaration, bagit, "there is no version %s of BagIt; the bag is judged as one of 1.0", v)
}

func (c *checker) declareEncoding(name string) {
	switch strings.ToUpper(name) {
	case "UTF-8", "":
		return
	case "UTF-32":
		c.text = utf32.UTF32(utf32.BigEndian, utf32.UseBOM)
		return
	}
	e, err := ianaindex.IANA.Encoding(name)
	if err != nil || e == nil {
		c.add(Declaration, bagit, "no encoding %.40q is known; the tag files are read as UTF-8", name)
		return
	}
	if e != encoding.Nop {
		c.text = e
	}
}

// readInfo reads bag-info.txt (RFC 8493, 2.2.2), if there is one.
func (c *checker) readInfo() {
	lines, _ := c.lines(bagInfo, Info)
	label := ""
	for i, text := range lines {
		switch {
		case strings.TrimSpace(text) == "":
			c.note("a line is empty", bagInfo)
			continue
		case text[0] == ' ' || text[0] == '\t':
			if label == "" {
				c.add(Info, bagInfo, "line %d continues a value, but there is none", i+1)
			}
			continue
		}
		name, value, ok := strings.Cut(text, ":")
		label = strings.TrimSpace(name)
		switch {
		case !ok || label == "":
			c.add(Info, bagInfo, "line %d is %.80q, not \"label: value\"", i+1, text)
			continue
		case label != name:
			c.addOrNote(Info, bagInfo, fmt.Sprintf("line %d has a blank before its colon", i+1))
		case value != "" && value[0] != ' ' && value[0] != '\t':
			c.note("a line has no blank behind its colon", bagInfo)
		}
		if strings.EqualFold(label, "Payload-Oxum") {
			c.readOxum(strings.TrimSpace(value))
		}
	}
}

var oxum = regexp.MustCompile(`^\d+\.\d+$`)

func (c *checker) readOxum(value string) {
	switch {
	case c.hasOxum && c.strict():
		c.add(Info, bagInfo, "Payload-Oxum is there twice")
	case c.hasOxum:
		c.note("Payload-Oxum is there twice", bagInfo)
	case !oxum.MatchString(value):
		c.add(Info, bagInfo, "Payload-Oxum is %.40q, not \"<bytes>.<files>\"", value)
	default:
		c.oxum, c.hasOxum = value, true
	}
}
