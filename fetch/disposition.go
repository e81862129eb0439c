package fetch

import (
	"mime"
	"net/http"
	"regexp"
	"strings"

	"holdall/fetch/link"
)

var bareName = regexp.MustCompile(`(?i)filename=`)

// dispositionName returns the file name that a Content-Disposition header suggests (RFC 6266, RFC 5987), or
// nothing. It is a name to show and to recognise things by, never a path.
func dispositionName(h http.Header) string {
	v := h.Get("Content-Disposition")
	if v == "" {
		return ""
	}
	_, params, err := mime.ParseMediaType(v)
	if err == nil {
		return link.CleanName(params["filename"])
	}
	// Many servers leave out the quotes or the disposition's type.
	at := bareName.FindStringIndex(v)
	if at == nil {
		return ""
	}
	raw, _, _ := strings.Cut(v[at[1]:], ";")
	return link.CleanName(strings.Trim(strings.TrimSpace(raw), `"`))
}
