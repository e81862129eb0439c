package query

import (
	"fmt"
	"slices"
	"strings"
)

// rowFindings says what is to be known about how a file's rows were separated, and which of them were not
// loaded.
func rowFindings(l *loaded, s *scanned) []Finding {
	var found []Finding
	add := func(code Code, severity Severity, format string, args ...any) {
		detail := fmt.Sprintf(format, args...)
		found = append(found, Finding{Code: code, Severity: severity, Table: l.Table, Detail: detail})
	}
	if s.above > 0 && len(s.headings) > 0 {
		add(HeadingsFound, SeverityInfo,
			"the headings are line %d of %s; the lines above are not rows, and are not loaded",
			s.above+1, l.File)
	}
	if l.Known && len(s.headings) > 0 && s.knows.score(s.headings) == 0 {
		add(HeadingsUnknown, SeverityError, "no line at the beginning of %s names a column of %s; "+
			"the first was taken for headings, so that no cell is in its column",
			l.File, l.Table)
	}
	if !l.Known && s.again.data && len(s.headings) > 1 {
		add(HeadingsUnknown, SeverityWarning, "the first line of %s looks like a row; it was taken for the "+
			"headings, so that its cells are the names of the columns", l.File)
	}
	switch {
	case s.unusual:
		add(DelimiterGuessed, SeverityWarning, "no usual delimiter separates the cells of %s; %q was taken, "+
			"with which all records that are loaded have the cells that the headings ask for",
			l.File, string(s.d.delim))
	case !l.Known && len(s.headings) == 1 && s.records > 0:
		add(DelimiterGuessed, SeverityInfo, "no delimiter was found in %s; each of its lines is one cell", l.File)
	}
	if n := s.faults[faultHeadings]; n > 0 {
		add(HeadingsRepeated, SeverityInfo, "%d records of %s are headings again; they are in quarantine",
			n, l.File)
	}
	if n := s.faults[faultComment]; n > 0 {
		add(CommentsFound, SeverityInfo, "%d lines of %s begin with # and do not fit the headings: they are "+
			"comments, and are in quarantine", n, l.File)
	}
	if s.ev != nil {
		switch {
		case s.rival != "":
			add(QuotingAmbiguous, SeverityWarning,
				"%s; read otherwise (%s), at least as many records fit, but other cells come out",
				s.decided, s.rival)
		case !s.d.plain():
			add(QuotingDecided, SeverityInfo, "%s", s.decided)
		}
	}
	records := s.records - s.faults[faultHeadings] - s.faults[faultComment]
	if lost := records - s.loadable; lost > 0 {
		severity := SeverityWarning
		if l.Known && 2*lost > records {
			severity = SeverityError
		}
		add(RowsRagged, severity,
			"%d of %d records could not be loaded (%s); they are kept in quarantine, not in %s",
			lost, records, s.reasons(), l.Table)
	}
	if s.lacking > 0 {
		add(RowsRagged, SeverityInfo,
			"%d of %d records have fewer cells than there are headings; nothing shows more than that their "+
				"last cells are missing, and they are loaded without these",
			s.lacking, records)
	}
	return found
}

// reasons lists why records were not loaded, the most frequent first.
func (s *scanned) reasons() string {
	var names []string
	for fault := range s.faults {
		if fault != faultHeadings && fault != faultComment {
			names = append(names, fault)
		}
	}
	slices.SortFunc(names, func(a, b string) int {
		if s.faults[a] != s.faults[b] {
			return int(s.faults[b] - s.faults[a])
		}
		return strings.Compare(a, b)
	})
	for i, name := range names {
		names[i] = fmt.Sprintf("%d: %s", s.faults[name], name)
	}
	return strings.Join(names, "; ")
}

// numberFindings says of a column of numbers that its notation is in doubt.
func numberFindings(table string, c column) []Finding {
	either := c.stats.numbers.either[eitherPoint] + c.stats.numbers.either[eitherComma]
	switch c.stats.notation {
	case notationAmbiguous:
		return []Finding{{Code: NumbersAmbiguous, Severity: SeverityWarning, Table: table,
			Detail: fmt.Sprintf("%s: %d numbers have three digits behind their only mark (such as 45.000), "+
				"and nothing shows whether these are decimals or thousands; they are not converted",
				c.name, either)}}
	case notationMixed:
		return []Finding{{Code: NumbersAmbiguous, Severity: SeverityWarning, Table: table,
			Detail: fmt.Sprintf("%s: %d numbers have a decimal point and %d a decimal comma; "+
				"of the %d that may be either, none is converted",
				c.name, c.stats.numbers.point, c.stats.numbers.comma, either)}}
	}
	if c.stats.decidedBy != "" {
		return []Finding{{Code: NumbersAmbiguous, Severity: SeverityInfo, Table: table,
			Detail: fmt.Sprintf("%s: %d numbers such as 45,000 are read as thousands; that was decided %s",
				c.name, either, c.stats.decidedBy)}}
	}
	return nil
}

// encodingFindings says where it is in doubt which characters a file's bytes are.
func encodingFindings(l *loaded, e encodingReport) []Finding {
	var found []Finding
	add := func(code Code, severity Severity, format string, args ...any) {
		detail := fmt.Sprintf(format, args...)
		found = append(found, Finding{Code: code, Severity: severity, Table: l.Table, Detail: detail})
	}
	if e.foreign > 0 {
		add(EncodingMixed, SeverityWarning,
			"%d bytes are not UTF-8 although the rest is; they were read as windows-1252",
			e.foreign)
	}
	if e.broken > 0 {
		add(EncodingMixed, SeverityWarning,
			"%d places are not UTF-16 although the rest is; they are replaced by U+FFFD",
			e.broken)
	}
	switch {
	case 2*e.strange > e.guessed:
		add(EncodingGuessed, SeverityWarning,
			"%d bytes are not ASCII, and %d of them are hardly of windows-1252, "+
				"as which they were read; old Macs and DOS wrote such",
			e.guessed, e.strange)
	case 10*e.unlikely > e.guessed:
		add(EncodingGuessed, SeverityWarning,
			"%d bytes are not ASCII, and %d of them make no sense as windows-1252, as which they were read: "+
				"the texts are in another code page, such as of Cyrillic, Greek, Polish, Chinese or Japanese",
			e.guessed, e.unlikely)
	case e.guessed > 0:
		add(EncodingGuessed, SeverityInfo,
			"%d bytes are not ASCII, and were read as windows-1252, which the file does not say",
			e.guessed)
	}
	if e.garbled > 0 {
		add(TextGarbled, SeverityInfo,
			"%d places look like UTF-8 that was read as windows-1252 before it was exported "+
				"(Ã© for é); they are kept as received", e.garbled)
	}
	return found
}
