package query

import "testing"

func TestWhatACellLooksLike(t *testing.T) {
	for cell, want := range map[string]cellClass{
		"18'500.00": classNumber, "1'250'000": classNumber, "£18,500": classNumber, "45.000,50": classNumber,
		"-7": classNumber, "GBP 31,000.00": classNumber, "45k EUR": classNumber, "EUR zone": classText,
		"feb1287d-49cf-4900-a885-9a1c45c85569": classID, "2 Feb 2024": classDate, "Feb 2, 2024": classDate,
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
