package eploysim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// searchBody is what is asked. Names are matched without regard to case, by encoding/json.
type searchBody struct {
	Paging struct {
		RecordsPerPage *int
		RecordPerPage  *int
		RequestedPage  int
	}
	Filters []struct {
		Route     string
		Value     any
		Operation any
	}
	ResponseBlocks []string
}

// A page is the answer to a search.
type page struct {
	records      []string
	total        int
	page, pages  int
	firstOf, end int
}

func (p page) String() string {
	return fmt.Sprintf(`{"Records":[%s],"TotalRecords":%d,"CurrentPage":%d,"TotalPages":%d}`,
		strings.Join(p.records, ","), p.total, p.page, p.pages)
}

// cutOut says which of n records a page has.
func (s *System) cutOut(q searchBody, n int) (page, *problem) {
	size := 20
	asked := q.Paging.RecordsPerPage
	if s.config.Behaviour.PageSizeKey == "RecordPerPage" {
		asked = q.Paging.RecordPerPage
	}
	if asked != nil {
		size = *asked
	}
	if size > s.maxPage {
		if s.config.Behaviour.Oversize == "400" {
			return page{}, bad("RecordsPerPage must be between 1 and %d", s.maxPage)
		}
		size = s.maxPage
	}
	number := max(1, q.Paging.RequestedPage)
	if size < 1 {
		return page{}, bad("RecordsPerPage must be between 1 and %d", s.maxPage)
	}
	p := page{total: n, page: number, pages: (n + size - 1) / size}
	p.firstOf, p.end = min(n, (number-1)*size), min(n, number*size)
	return p, nil
}

// search answers a search of a table. It needs mu.
func (s *System) search(t *table, body []byte) (string, *problem) {
	q, problem := parseSearch(body)
	if problem != nil {
		return "", problem
	}
	blocks, problem := s.blocks(t.kind, q.ResponseBlocks)
	if problem != nil {
		return "", problem
	}
	match, problem := s.filter(t, q)
	if problem != nil {
		return "", problem
	}
	s.drift(t)
	found := t.order
	if match != nil {
		found = nil
		for _, id := range t.order {
			if match(t.records[id]) {
				found = append(found, id)
			}
		}
	}
	p, problem := s.cutOut(q, len(found))
	if problem != nil {
		return "", problem
	}
	for _, id := range found[p.firstOf:p.end] {
		if s.hidden(id) {
			continue // counted, and not shown to this user
		}
		p.records = append(p.records, s.show(t.kind, t.records[id], blocks))
	}
	return p.String(), nil
}

func parseSearch(body []byte) (searchBody, *problem) {
	var q searchBody
	if err := json.Unmarshal(body, &q); err != nil {
		return q, bad("The request is invalid.")
	}
	return q, nil
}

// show writes a record with the blocks asked for; without any, its ID.
func (s *System) show(k *kind, r *record, blocks map[string]bool) string {
	if len(blocks) == 0 {
		return object([]member{{k.idField(), strconv.Itoa(r.id)}})
	}
	members := s.members(k, r, true)
	return object(slices.DeleteFunc(members, func(m member) bool { return !blocks[strings.ToLower(m.name)] }))
}

// blocks checks the names of response blocks, which may differ from members' in case.
func (s *System) blocks(k *kind, asked []string) (map[string]bool, *problem) {
	known := map[string]bool{}
	for _, m := range s.members(k, &record{id: firstID}, true) {
		known[strings.ToLower(m.name)] = true
	}
	blocks := map[string]bool{}
	for _, b := range asked {
		name := strings.ToLower(b)
		switch {
		case known[name]:
			blocks[name] = true
		case s.config.Behaviour.UnknownBlock == "400-named":
			return nil, bad("'%s' is not a valid response block for %s", b, k.record)
		case s.config.Behaviour.UnknownBlock == "400":
			return nil, bad("One or more response blocks are not valid")
		}
	}
	return blocks, nil
}

// A problem is an answer that is an error.
type problem struct {
	status  int
	message string
	retry   time.Duration // Retry-After, where there is one
}

func bad(format string, args ...any) *problem {
	return &problem{status: http.StatusBadRequest, message: fmt.Sprintf(format, args...)}
}

func (p *problem) body() string { return fmt.Sprintf(`{"Message":%s}`, strconv.Quote(p.message)) }

// searchOptions answers a search of a drop-down or custom list.
func (s *System) searchOptions(list string, body []byte) (string, *problem) {
	q, problem := parseSearch(body)
	if problem != nil {
		return "", problem
	}
	values := optionsOf(list)
	p, problem := s.cutOut(q, len(values))
	if problem != nil {
		return "", problem
	}
	for i := p.firstOf; i < p.end; i++ {
		m := []member{{"ID", fmt.Sprintf(`"%d"`, i+1)}}
		for _, b := range q.ResponseBlocks {
			switch strings.ToLower(b) {
			case "description":
				m = append(m, member{"Description", strconv.Quote(values[i])})
			case "reference":
				m = append(m, member{"Reference", `""`})
			}
		}
		p.records = append(p.records, object(m))
	}
	return p.String(), nil
}

// searchExports answers a search of the log of exports.
func (s *System) searchExports(body []byte) (string, *problem) {
	q, problem := parseSearch(body)
	if problem != nil {
		return "", problem
	}
	p, problem := s.cutOut(q, len(s.exports))
	if problem != nil {
		return "", problem
	}
	for _, e := range s.exports[p.firstOf:p.end] {
		m := []member{{"ExportId", strconv.Itoa(e.id)}}
		if len(q.ResponseBlocks) > 0 {
			m = append(m,
				member{"ExportPackageID", strconv.Itoa(e.pack)}, member{"Success",
					strconv.FormatBool(e.success)},
				member{"DateExported", s.date(e.at, e.id)}, member{"ExternalID", strconv.Quote(e.externalID)},
				member{e.kind, fmt.Sprintf(`{"Id":%d}`, e.record)})
		}
		p.records = append(p.records, object(m))
	}
	return p.String(), nil
}
