package fetch

// completeIn reports whether the spool in dir holds the object whole and verified.
func (e *spoolEntry) completeIn(dir string) bool {
	_, complete := peekStore(dir, e)
	return complete
}
