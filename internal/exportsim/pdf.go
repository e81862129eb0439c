package exportsim

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf16"
)

// pdf writes one page: the lines as text that can be searched in any script, and under it a picture. Fonts
// are not embedded; each character's code is its UTF-16 unit, and a ToUnicode map says so (ISO 32000-1,
// 9.10.3).
func (p content) pdf(pics pictures) []byte {
	lines := append(p.lines[:len(p.lines):len(p.lines)], p.mark())
	content := pdfPage(lines)
	f := pdfFile{}
	f.b.Grow(p.target + 8192)
	f.b.WriteString("%PDF-1.5\n%\xe2\xe3\xcf\xd3\n")
	pic, side := p.picture(pics, 4200+len(content))
	resources := "/Font << /F1 5 0 R >>"
	if pic != nil {
		resources += " /XObject << /I1 8 0 R >>"
		content += "q 240 0 0 240 300 40 cm /I1 Do Q\n"
	}
	f.object("<< /Type /Catalog /Pages 2 0 R >>")
	f.object("<< /Type /Pages /Kids [3 0 R] /Count 1 >>")
	f.object(
		"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources << " + resources +
			" >> /Contents 4 0 R >>",
	)
	if p.key%3 == 0 {
		f.stream("/Filter /FlateDecode", deflated(content))
	} else {
		f.stream("", []byte(content))
	}
	f.object(
		"<< /Type /Font /Subtype /Type0 /BaseFont /ArialUnicodeMS /Encoding /Identity-H /DescendantFonts " +
			"[6 0 R] /ToUnicode 7 0 R >>",
	)
	f.object(
		"<< /Type /Font /Subtype /CIDFontType2 /BaseFont /ArialUnicodeMS /CIDSystemInfo << /Registry " +
			"(Adobe) /Ordering (Identity) /Supplement 0 >> /DW 600 /FontDescriptor << /Type " +
			"/FontDescriptor /FontName /ArialUnicodeMS /Flags 4 /FontBBox [0 -200 1000 900] /ItalicAngle " +
			"0 /Ascent 900 /Descent -200 /CapHeight 700 /StemV 80 >> >>",
	)
	f.stream("", []byte(toUnicode(lines)))
	if pic != nil {
		f.stream(
			fmt.Sprintf(
				"/Type /XObject /Subtype /Image /Width %d /Height %d /ColorSpace /DeviceRGB "+
					"/BitsPerComponent 8 /Filter /DCTDecode",
				side, side,
			),
			pic,
		)
	}
	return f.finish(p.locked)
}

// pdfPage draws the lines from the top. Readers expect text that runs from right to left in the order seen.
func pdfPage(lines []string) string {
	var b strings.Builder
	for i, line := range lines {
		if line == "" {
			continue
		}
		fmt.Fprintf(&b, "BT /F1 10 Tf 1 0 0 1 50 %d Tm <", 800-14*i)
		for _, u := range utf16.Encode(visual([]rune(line))) {
			fmt.Fprintf(&b, "%04X", u)
		}
		b.WriteString("> Tj ET\n")
	}
	return b.String()
}

// visual puts a line that is wholly or partly written from right to left into the order in which it is seen:
// it turns each run of such letters round, with the spaces inside the run. (The Unicode algorithm does more;
// these lines need no more.)
func visual(line []rune) []rune {
	rtl := func(r rune) bool { return unicode.In(r, unicode.Arabic, unicode.Hebrew) }
	out := slices.Clone(line)
	for i := 0; i < len(out); {
		if !rtl(out[i]) {
			i++
			continue
		}
		end := i + 1
		for k := end; k < len(out) && (rtl(out[k]) || out[k] == ' '); k++ {
			if rtl(out[k]) {
				end = k + 1
			}
		}
		slices.Reverse(out[i:end])
		i = end
	}
	return out
}

// toUnicode is the CMap from the codes used in lines to Unicode: each to itself.
func toUnicode(lines []string) string {
	var used []uint16
	for _, line := range lines {
		used = append(used, utf16.Encode([]rune(line))...)
	}
	slices.Sort(used)
	used = slices.Compact(used)
	var b strings.Builder
	b.WriteString(
		"/CIDInit /ProcSet findresource begin\n12 dict begin\nbegincmap\n/CMapName /Adobe-Identity-UCS " +
			"def\n/CMapType 2 def\n1 begincodespacerange\n<0000> <FFFF>\nendcodespacerange\n",
	)
	for chunk := range slices.Chunk(used, 100) {
		fmt.Fprintf(&b, "%d beginbfchar\n", len(chunk))
		for _, u := range chunk {
			fmt.Fprintf(&b, "<%04X> <%04X>\n", u, u)
		}
		b.WriteString("endbfchar\n")
	}
	b.WriteString("endcmap\nCMapName currentdict /CMap defineresource pop\nend\nend\n")
	return b.String()
}

func deflated(s string) []byte {
	var b bytes.Buffer
	z := zlib.NewWriter(&b)
	z.Write([]byte(s))
	z.Close()
	return b.Bytes()
}

// pdfFile numbers objects as they come and remembers where they begin.
type pdfFile struct {
	b       bytes.Buffer
	offsets []int
}

func (f *pdfFile) object(body string) {
	f.offsets = append(f.offsets, f.b.Len())
	fmt.Fprintf(&f.b, "%d 0 obj\n%s\nendobj\n", len(f.offsets), body)
}

func (f *pdfFile) stream(dict string, data []byte) {
	f.offsets = append(f.offsets, f.b.Len())
	fmt.Fprintf(&f.b, "%d 0 obj\n<< %s /Length %d >>\nstream\n", len(f.offsets), dict, len(data))
	f.b.Write(data)
	f.b.WriteString("\nendstream\nendobj\n")
}

// finish writes the end. A locked file claims to be encrypted with a password that nobody knows.
func (f *pdfFile) finish(locked bool) []byte {
	encrypt := ""
	if locked {
		encrypt = "/Encrypt << /Filter /Standard /V 1 /R 2 /O <" + strings.Repeat("5A", 32) + "> /U <" +
			strings.Repeat("A5", 32) + "> /P -4 >> /ID [<00112233445566778899AABBCCDDEEFF> " +
			"<00112233445566778899AABBCCDDEEFF>] "
	}
	start := f.b.Len()
	fmt.Fprintf(&f.b, "xref\n0 %d\n0000000000 65535 f \n", len(f.offsets)+1)
	for _, o := range f.offsets {
		fmt.Fprintf(&f.b, "%010d 00000 n \n", o)
	}
	fmt.Fprintf(
		&f.b, "trailer\n<< /Size %d /Root 1 0 R %s>>\nstartxref\n%d\n%%%%EOF\n", len(f.offsets)+1, encrypt,
		start,
	)
	return f.b.Bytes()
}
