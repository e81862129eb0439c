package query

import "testing"

// TestNamesThatExportersChange: long because it is one table of cases.
func TestNamesThatExportersChange(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		what, listed, file string
		want               nameLikeness
	}{
		{"nothing", "Letter.pdf", "Letter.pdf", respelt},
		{"case", "Letter.PDF", "letter.pdf", respelt},
		{"blanks to underscores", "My first letter.pdf", "My_first_letter.pdf", respelt},
		{"blanks to plus signs", "My first letter.pdf", "My+first+letter.pdf", respelt},
		{"percent-encoding", "Zeugnis für Jörg.pdf", "Zeugnis%20f%C3%BCr%20J%C3%B6rg.pdf", respelt},
		{"percent-encoding of Latin-1", "Zeugnis für Jörg.pdf", "Zeugnis%20f%FCr%20J%F6rg.pdf", respelt},
		{"HTML entities", "Terms & conditions é.pdf", "Terms &amp; conditions &eacute;.pdf", respelt},
		{"numeric entities", "Terms & conditions.pdf", "Terms &#38; conditions.pdf", respelt},
		{"escapes of Info-ZIP", "Größe.pdf", "Gr#U00f6#U00dfe.pdf", respelt},
		{"decomposed letters", "Résumé.pdf", "Re\u0301sume\u0301.pdf", respelt},
		{"accents dropped", "Résumé Łukasz Øre.pdf", "Resume Lukasz Ore.pdf", respelt},
		{"umlauts written out", "Größe Müller.pdf", "Groesse Mueller.pdf", respelt},
		{"Cyrillic in Latin letters", "Резюме Иван.pdf", "Rezyume Ivan.pdf", respelt},
		{"letters replaced by underscores", "Größe Müller.pdf", "Gr__e M_ller.pdf", respelt},
		{"letters replaced by question marks", "Größe Müller.pdf", "Gr??e M?ller.pdf", respelt},
		{"forbidden characters", `Q&A: "terms" <new>?.pdf`, "Q_A_ _terms_ _new__.pdf", respelt},
		{"UTF-8 read as code page 437", "Größe Müller.pdf", "Gr├╢├ƒe M├╝ller.pdf", respelt},
		{"UTF-8 read as windows-1252", "Größe Müller.pdf", "GrÃ¶ÃŸe MÃ¼ller.pdf", respelt},
		{"code page 850 read as windows-1252", "Müller.pdf", "M\u0081ller.pdf", respelt},
		{"windows-1252 read as code page 437", "Müller.pdf", "Mⁿller.pdf", respelt},
		{"Shift JIS read as code page 437", "新しい.txt", "ÉVé╡éó.txt", respelt},
		{"GBK read as Latin-1", "简历.pdf", "¼òÀú.pdf", respelt},
		{"the table's name misread", "GrÃ¶ÃŸe MÃ¼ller.pdf", "Größe Müller.pdf", respelt},
		{"another spelling of the extension", "photo.jpeg", "photo.jpg", respelt},
		{"the extension twice", "CV.pdf", "CV.pdf.pdf", respelt},
		{"dots and blanks at the end", "CV", "CV. .", respelt},
		{"a number of a copy", "CV.pdf", "CV(1).pdf", variant},
		{"a number of a copy behind a blank", "CV.pdf", "CV (12).pdf", variant},
		{"a number behind the extension", "CV.pdf", "CV.pdf(1)", variant},
		{"a copy", "CV.pdf", "CV - Copy.pdf", variant},
		{"a copy of a copy", "CV.pdf", "CV - Copy (2).pdf", variant},
		{"a German copy", "Vertrag.pdf", "Vertrag - Kopie.pdf", variant},
		{"a copy of", "CV.pdf", "Copy of CV.pdf", variant},
		{"an id in front", "CV.pdf", "9d0f6a52-52fd-4c0a-9a43-6e2d0a0a1e11_CV.pdf", variant},
		{"a number in front", "terms.pdf", "00017_terms.pdf", variant},
		{"a time behind", "terms.pdf", "terms_20230115103059.pdf", variant},
		{"a date in front", "terms.pdf", "2023-01-15 terms.pdf", variant},
		{
			"cut", "Reference of the Bergmann company, sales, July 2019.pdf",
			"Reference of the Bergmann comp.pdf", cut,
		},
		{
			"cut with its extension", "Reference of the Bergmann company, sales, July 2019.pdf",
			"Reference of the Bergmann comp", cut,
		},
		{
			"cut within an escape", "Bewerbung für die Stelle als Leiterin.pdf",
			"Bewerbung%20f%C3%BCr%20die%20St%C3.pdf", cut,
		},
		{
			"cut and numbered", "Reference of the Bergmann company, sales.pdf",
			"Reference of the Bergm(1).pdf", cut,
		},
		{"a name in front", "reference letter.pdf", "Wilma Ardent - reference letter.pdf", contained},
		{"another name", "Letter.pdf", "Passport.pdf", unlike},
		{"another beginning", "CV.pdf", "CV of somebody else.pdf", unlike},
		{"another extension", "Letter.pdf", "Letter.jpg", unlike},
		{"a year is no extension", "CV.2023", "CV.2024", unlike},
	} {
		if got := likeness(test.listed, test.file); got != test.want {
			t.Errorf("%s: like(%q, %q) = %d, want %d", test.what, test.listed, test.file, got, test.want)
		}
	}
}
