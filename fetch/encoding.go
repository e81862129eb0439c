package fetch

import "strings"

// encodings reads a Content-Encoding: what was applied to the content, first to last (RFC 9110, section 8.4). What is no
// encoding of content, though it is found in the wild (identity, aws-chunked, a charset), is left out.
func encodings(header string) []string {
	var out []string
	for _, e := range strings.Split(strings.ToLower(header), ",") {
		switch e = strings.TrimSpace(e); e {
		case "gzip", "x-gzip":
			out = append(out, "gzip")
		case "deflate", "zstd", "br", "compress":
			out = append(out, e)
		case "x-compress":
			out = append(out, "compress")
		}
	}
	return out
}
