package query

import "testing"

func TestWhatACellLooksLike(t *testing.T) {
	for cell, want := range map[string]cellClass{
		"18'500.00": classNumber, "1'250'000": classNumber, "£18,500": classNumber, "45.000,50": classNumber,
		"-7":      classNumber,
		"'18500'": classText, "5'11": classText, "18'5000": classText, "'500": classText,
		"O'Brolin":   classText,
		"2024-01-15": classDate, "yes": classFlag, "a.person@mail.example": classEmail, "larc0123": classID,
		"two words": classText,
	} {
		if got := classOf([]byte(cell)); got != want {
			t.Errorf("%q has the class %d, want %d", cell, got, want)
		}
	}
}
