package eploysim

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
)

func (s *System) content(key *Key, q *http.Request, id int) answer {
	if !s.may(key, "files.read") {
		return failed(denied())
	}
	r := s.tables["files"].records[id]
	if r == nil {
		return s.missing()
	}
	if a, ok := s.broken("contents"); ok {
		return a
	}
	b := s.config.Behaviour
	if b.BadFileEvery > 0 && id%b.BadFileEvery == 0 {
		return failed(&problem{status: http.StatusInternalServerError, message: "An error has occurred."})
	}
	switch b.FileEncoding {
	case "base64":
		return good(fmt.Sprintf(`{"FileId":%d,"Content":"%s"}`, id,
			base64.StdEncoding.EncodeToString(contentOf(r))))
	case "redirect":
		to := "https://files.eploy.example/store/"
		if q.URL.Scheme != "https" && q.TLS == nil {
			to = "http://" + q.Host + "/store/"
		}
		a := answer{status: http.StatusFound, typ: "text/html", headers: http.Header{}}
		a.headers.Set("Location", fmt.Sprintf("%s%d?sig=%s", to, id, StoreSignature))
		return a
	}
	return answer{status: 200, typ: "application/octet-stream", body: contentOf(r), slow: b.SlowContents}
}

// StoreSignature grants access to the contents that the system redirects to. It must be found nowhere.
const StoreSignature = "cGxhY2VzLWdyYW50LWFjY2Vzcw"

// store answers at the places that the system redirects to. A token beside the signature is refused, as by
// S3.
func (s *System) store(q *http.Request, key string) answer {
	id, err := strconv.Atoi(key)
	r := s.tables["files"].records[id]
	switch {
	case err != nil || r == nil || q.URL.Query().Get("sig") != StoreSignature:
		return answer{status: http.StatusForbidden, typ: "text/xml", body: []byte("<Error/>")}
	case q.Header.Get("Authorization") != "":
		return answer{status: http.StatusBadRequest, typ: "text/xml", body: []byte("<Error/>")}
	}
	return answer{status: 200, typ: "application/octet-stream", body: contentOf(r)}
}
