package exportsim

// Kinds of Mistake.
const (
	MistakeUnlisted = "file-without-row"
)

func (w *world) spoilCandidate(*csvFile, *candidate) {}
func (w *world) spoilCard(*csvFile, *card)           {}

func (s csvSet) endCompany(*block, *company) error { return s["companies"].end() }
func (s csvSet) endTask(*block, *task) error       { return s["tasks"].end() }
