package failure

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"strings"
)

// SaysExpired reports whether a storage service's error says outright that the link has expired.
func SaysExpired(code, detail string) bool {
	switch code {
	case "ExpiredToken", "ExpiredRequest", "TokenExpired":
		return true
	case "AccessDenied", "AuthenticationFailed", "RequestExpired":
		d := strings.ToLower(detail)
		return strings.Contains(d, "expired") || strings.Contains(d, "not valid in the specified time frame")
	}
	return false
}

// shownCode returns an error code as it may be shown: a server may put anything there.
func shownCode(code string) string {
	code = strings.TrimSpace(code)
	if len(code) > 48 || strings.ContainsFunc(
		code, func(r rune) bool { return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z') },
	) {
		return ""
	}
	return code
}

// StoreError reads the code and the texts of an S3, Google or Azure error body, XML or JSON.
func StoreError(body []byte) (code, detail string) {
	body = bytes.TrimPrefix(bytes.TrimSpace(body), []byte("\xef\xbb\xbf"))
	var x struct {
		XMLName xml.Name
		Code    string
		Message string
		Detail  string `xml:"AuthenticationErrorDetail"`
		Details string
	}
	if bytes.HasPrefix(body, []byte("<")) && xml.Unmarshal(body, &x) == nil && x.XMLName.Local == "Error" {
		return shownCode(x.Code), x.Message + " " + x.Detail + " " + x.Details
	}
	var j struct {
		Code    any
		Message string
		Error   any
	}
	if bytes.HasPrefix(body, []byte("{")) && json.Unmarshal(body, &j) == nil {
		if s, ok := j.Code.(string); ok {
			return shownCode(s), j.Message
		}
		if m, ok := j.Error.(map[string]any); ok {
			c, _ := m["code"].(string)
			msg, _ := m["message"].(string)
			return shownCode(c), msg
		}
	}
	return "", ""
}
