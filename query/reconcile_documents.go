package query

import "fmt"

// attachments compares the Attachments table with the documents.
func (r *reconciler) attachments() []string {
	if !r.parts["attachments"] {
		return []string{finding(PartMissing, SeverityError, "documents", "NULL",
			"'the attachments were not received; ' || n || ' rows of attachments have no file: ask the "+
				"vendor for them while the account is open'", "(SELECT count(*) AS n FROM main.attachments)")}
	}
	all := append(lostAttachments(r.b.attachmentRows()), manyFiles(),
		finding(SizeMismatch, SeverityWarning, "attachments", "a.attachment_id",
			`concat(coalesce(a.file_name, d.original_name), ': the row says ', a.file_size,
				' bytes, the file has ', d.size)`,
			`main.attachments AS a JOIN main.documents AS d USING (attachment_id)
				WHERE d.part = 'attachments' AND a.file_size <> d.size AND d.state IS DISTINCT
					FROM 'damaged-in-source'`))
	if r.missing["attachments"] {
		return append(all,
			finding(FileUnlisted, SeverityWarning, "documents", "NULL",
				`n || ' files of the attachments have no row, as the table attachments is missing or empty'`,
				`(SELECT count(*) AS n FROM main.documents WHERE part = 'attachments') WHERE n > 0`))
	}
	const unlisted = `main.documents WHERE part = 'attachments' AND attachment_id IS NULL
		AND matched_by IS %s '` + matchedAmbiguous + `'`
	return append(all,
		finding(
			FileUnlisted, SeverityWarning, "documents", "doc_id",
			`concat('no row in attachments for ', original_name)`, fmt.Sprintf(unlisted, "DISTINCT FROM"),
		),
		finding(
			MatchAmbiguous, SeverityWarning, "documents", "doc_id",
			`concat('several rows of attachments fit ', original_name, ': ' || ids)`, ambiguousRows,
		),
		finding(OwnerUnknown, SeverityWarning, "documents", "doc_id",
			`concat('its row in attachments names no owner: ', original_name)`,
			`main.documents WHERE part = 'attachments' AND attachment_id IS NOT NULL AND owner_id IS NULL`))
}

// cvs compares the candidates' has_cv with the documents.
func (r *reconciler) cvs() []string {
	if !r.parts["cvs"] {
		return []string{finding(PartMissing, SeverityError, "documents", "NULL",
			"'the internal CVs were not received; ' || n || ' candidates have one: ask the vendor for "+
				"them while the account is open'",
			"(SELECT count(*) AS n FROM main.candidates WHERE has_cv)")}
	}
	if r.missing["candidates"] {
		return []string{finding(OwnerUnknown, SeverityWarning, "documents", "NULL",
			`n || ' CVs have no owner, as the table candidates is missing or empty'`,
			`(SELECT count(*) AS n FROM main.documents WHERE part = 'cvs') WHERE n > 0`)}
	}
	const ownerless = `main.documents WHERE part = 'cvs' AND owner_id IS NULL AND matched_by IS %s '` +
		matchedAmbiguous + `'`
	return append(lostCVs(),
		finding(
			OwnerUnknown, SeverityWarning, "documents", "doc_id",
			`concat('no candidate fits the CV ', original_name)`, fmt.Sprintf(ownerless, "DISTINCT FROM"),
		),
		finding(
			MatchAmbiguous, SeverityWarning, "documents", "doc_id",
			`concat('several candidates fit the CV ', original_name)`,
			fmt.Sprintf(ownerless, "NOT DISTINCT FROM"),
		))
}

// documents reports what is to be known about single documents.
func (r *reconciler) documents() []string {
	state := func(code Code, severity Severity, state, says string) string {
		return finding(
			code, severity, "documents", "doc_id", fmt.Sprintf("concat(original_name, %s)", text(": "+says)),
			"main.documents WHERE state = "+text(state),
		)
	}
	return []string{
		state(EmptyFile, SeverityWarning, "empty", "it has no content"),
		state(ErrorPage, SeverityError, "error-page", "in place of the document it holds an error page"),
		state(LockedDocument, SeverityInfo, "locked", "it opens only with a password"),
		state(
			DamagedInSource, SeverityError, "damaged-in-source",
			"its bytes do not fit the checksum in the container it came in",
		),
		finding(
			TypeMismatch, SeverityWarning, "documents", "doc_id",
			`concat(original_name, ': by its bytes it is ', media_type)`, typeMismatchSQL,
		),
		finding(DuplicateContent, SeverityInfo, "documents", "min(doc_id)",
			`concat(count(*), ' documents have the same content: ', left(string_agg(coalesce(original_name,
				doc_id), '; ' ORDER BY doc_id), 400))`,
			`main.documents WHERE size > 0 AND sha256 IN (`+repeatedOf("sha256", "size > 0")+`)
				GROUP BY sha256`),
	}
}

// repeatedOf is a query for the values that several documents have in a column. What is said of them is put
// together for these only: the engine holds all texts that it may have to join.
func repeatedOf(column, where string) string {
	return fmt.Sprintf("SELECT %[1]s FROM main.documents WHERE %[2]s AND %[1]s IS NOT NULL GROUP BY %[1]s "+
		"HAVING count(*) > 1", column, where)
}

// typeMismatchSQL finds documents whose name promises something else than their bytes are. It reports only
// where both are known well: a text may be called anything, and old Office files come in many forms.
const typeMismatchSQL = `(SELECT doc_id, original_name, media_type, lower(regexp_extract(original_name,
	'\.([^./\\]+)$', 1)) AS ext,
	CASE WHEN media_type = 'application/pdf' THEN 'pdf'
		WHEN media_type IN ('image/jpeg', 'image/png', 'image/gif', 'image/bmp', 'image/tiff', 'image/webp')
			THEN regexp_extract(media_type, '[a-z]+$')
		WHEN media_type = 'application/zip' OR starts_with(media_type, 'application/vnd.openxmlformats')
			OR starts_with(media_type, 'application/vnd.oasis') THEN 'zip'
		WHEN media_type IN ('application/x-ole-storage', 'application/msword', 'application/vnd.ms-excel',
			'application/vnd.ms-powerpoint', 'application/vnd.ms-outlook', 'application/x-cfb') THEN 'ole'
		WHEN media_type IN ('text/rtf', 'application/rtf') THEN 'rtf'
		WHEN starts_with(media_type, 'text/html') OR starts_with(media_type, 'text/xml')
			OR media_type = 'application/xml' THEN 'html' END AS is_a,
	CASE WHEN ext = 'pdf' THEN ['pdf'] WHEN ext IN ('jpg', 'jpeg', 'jpe') THEN ['jpeg'] WHEN ext IN ('png',
		'gif', 'bmp', 'webp') THEN [ext] WHEN ext IN ('tif', 'tiff') THEN ['tiff']
		WHEN ext IN ('docx', 'xlsx', 'pptx', 'odt', 'ods', 'odp') THEN ['zip', 'ole']
			WHEN ext = 'zip' THEN ['zip'] WHEN ext = 'rtf' THEN ['rtf']
		WHEN ext IN ('doc', 'xls', 'ppt') THEN ['ole', 'zip', 'rtf', 'html'] WHEN ext = 'msg' THEN ['ole']
			WHEN ext IN ('txt', 'csv', 'eml') THEN ['html', 'rtf'] END AS may_be
	FROM main.documents WHERE state IS DISTINCT FROM 'error-page' AND state IS DISTINCT FROM 'empty')
		WHERE is_a IS NOT NULL AND may_be IS NOT NULL AND NOT list_contains(may_be, is_a)`
