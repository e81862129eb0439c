package exportsim

import "strings"

// A locale is a country that people come from, with names common there. A name in another script is written
// "native|latin".
type locale struct {
	country, code, nationality string
	weight                     int // share of the people
	women, men, surnames       []string
	surnameFirst               bool
	joined                     bool     // no space between surname and first name
	cities                     []string // "city;region;postcode pattern", # is a digit, @ a letter
	street                     string   // %s is a name, %d a number
	cvTitle                    string   // "Curriculum vitae" as written there
	greeting                   string   // a sentence in the person's own language, for documents
}

func words(s string) []string { return strings.Split(s, " ") }

// locales are where people come from. Everyone is a random pair of common names: nobody in particular.
var locales = []locale{
	{country: "United Kingdom", code: "GB", nationality: "British", weight: 42,
		women: words(
			"Amelia Beatrice Charlotte Daisy Eleanor Florence Georgia Harriet Imogen Jessica Lucy Megan " +
				"Niamh Poppy Rosie Sophie Zara Aisha Chloe Siân",
		),
		men: words(
			"Alfie Benjamin Callum Daniel Edward Finlay George Harvey Isaac Jack Kieran Liam Morgan " +
				"Nathan Owen Rhys Samuel Theo William Imran",
		),
		surnames: words(
			"Ainsworth Barlow Carrington Dewhurst Ellison Fairclough Garside Hargreaves Ingham Jessop " +
				"Kershaw Lockwood Midgley Naylor Ogden Pickering Quarmby Ramsbottom Sutcliffe Thackray " +
				"Underwood Varley Whitaker Yates O'Connor MacLeod Ap-Rhys Begum Okafor Patel",
		),
		cities: []string{
			"London;Greater London;E## #@@", "Manchester;Greater Manchester;M## #@@",
			"Leeds;West Yorkshire;LS## #@@", "Bristol;Avon;BS## #@@", "Cardiff;South Glamorgan;CF## #@@",
			"Edinburgh;Midlothian;EH## #@@", "Belfast;County Antrim;BT## #@@",
			"Sheffield;South Yorkshire;S## #@@",
		},
		street: "%d %s Road", cvTitle: "Curriculum Vitae",
		greeting: "I am a reliable colleague who likes to finish what was begun."},
	{country: "Ireland", code: "IE", nationality: "Irish", weight: 4,
		women:    words("Aoife Caoimhe Gráinne Órla Róisín Sinéad"),
		men:      words("Cillian Darragh Eoin Fionn Oisín Pádraig"),
		surnames: words("Byrne Gallagher Kavanagh Ní-Dhomhnaill Ó-Briain Ó-Súilleabháin Quinn"),
		cities:   []string{"Dublin;Leinster;D## @#@#", "Cork;Munster;T## @#@#"}, street: "%d %s Street",
		cvTitle: "Curriculum Vitae", greeting: "Is maith liom obair i bhfoireann."},
	{country: "Poland", code: "PL", nationality: "Polish", weight: 7,
		women:    words("Agnieszka Bożena Elżbieta Katarzyna Małgorzata Żaneta"),
		men:      words("Bartłomiej Grzegorz Łukasz Paweł Sławomir Wojciech"),
		surnames: words("Brzęczyszczak Dąbrowny Gołębiak Jędrzejak Kołodziejak Śliwiak Wróblak Źdźbłowicz"),
		cities:   []string{"Kraków;Małopolskie;##-###", "Łódź;Łódzkie;##-###", "Wrocław;Dolnośląskie;##-###"},
		street:   "ul. %[2]s %[1]d", cvTitle: "Życiorys",
		greeting: "Lubię pracę w zespole i nowe wyzwania."},
	{country: "Germany", code: "DE", nationality: "German", weight: 5,
		women:    words("Änne Brunhilde Friederike Käthe Liesl Ursula"),
		men:      words("Bjarne Götz Jörg Jürgen Konrad Rüdiger"),
		surnames: words("Bäcker Größer Häuser Köhler Lößnitz Müller Schäfer Straßer Weiß"),
		cities: []string{
			"München;Bayern;#####", "Köln;Nordrhein-Westfalen;#####", "Düsseldorf;Nordrhein-Westfalen;#####",
		},
		street: "%[2]sstraße %[1]d", cvTitle: "Lebenslauf",
		greeting: "Ich arbeite gründlich und gern im größeren Team."},
	{country: "France", code: "FR", nationality: "French", weight: 5,
		women:    words("Anaïs Chloé Hélène Maëlle Océane Zoé"),
		men:      words("André François Gaëtan Jérôme Loïc Rémi"),
		surnames: words("Béranger Côté Dépré D'Aubigny Gagné L'Hôpital Lefèvre Sévigné Œuvrard"),
		cities:   []string{"Lyon;Auvergne-Rhône-Alpes;#####", "Orléans;Centre-Val de Loire;#####"},
		street:   "%d, rue %s", cvTitle: "Curriculum vitæ",
		greeting: "J’aime apprendre et j’ai déjà mené plusieurs équipes."},
	{country: "Spain", code: "ES", nationality: "Spanish", weight: 4,
		women:    words("Begoña Concepción Inés Lucía Nuria Sofía"),
		men:      words("Álvaro Íñigo Joaquín José Martín Óscar"),
		surnames: words("Castaño Domínguez Ibáñez Muñoz Núñez Peña Zúñiga"),
		cities:   []string{"Málaga;Andalucía;#####", "A Coruña;Galicia;#####"}, street: "Calle %[2]s, %[1]d",
		cvTitle: "Currículum", greeting: "Me gusta trabajar en equipo; ¿hablamos mañana?"},
	{country: "Sweden", code: "SE", nationality: "Swedish", weight: 3,
		women: words("Åsa Britt-Märta Märta Saga Ylva"), men: words("Åke Björn Göran Håkan Sölve"),
		surnames: words("Åkerlund Björkqvist Höglind Sjöstrand Ödmark"),
		cities:   []string{"Göteborg;Västra Götaland;### ##", "Malmö;Skåne;### ##"},
		street:   "%[2]sgatan %[1]d", cvTitle: "Meritförteckning", greeting: "Jag trivs där det går undan."},
	{country: "Czechia", code: "CZ", nationality: "Czech", weight: 3,
		women: words("Alžběta Božena Jiřina Růžena Šárka"), men: words("Bořivoj Jiří Řehoř Tomáš Zdeněk"),
		surnames: words("Čapka Dvořáček Hřib Kříž Říha Šťastný Žižka"),
		cities:   []string{"Plzeň;Plzeňský kraj;### ##", "Třebíč;Vysočina;### ##"}, street: "%[2]sova %[1]d",
		cvTitle: "Životopis", greeting: "Příliš žluťoučký kůň mi nevadí."},
	{country: "Türkiye", code: "TR", nationality: "Turkish", weight: 3,
		women: words("Ayşe Çiğdem Gülşen İpek Özlem"), men: words("Çağrı Işık İlker Oğuz Ümit"),
		surnames: words("Akgün Çetinkaya Güneş Işıklar Öztürkmen Şahinoğlu"),
		cities:   []string{"İzmir;Ege;#####", "Eskişehir;İç Anadolu;#####"}, street: "%[2]s Sokağı No %[1]d",
		cvTitle: "Özgeçmiş", greeting: "Düzenli çalışırım, işimi severim."},
	{country: "Vietnam", code: "VN", nationality: "Vietnamese", weight: 2, surnameFirst: true,
		women:    words("Hồng|Hong Lệ|Le Phượng|Phuong Thảo|Thao"),
		men:      words("Đức|Duc Hiếu|Hieu Quốc|Quoc Thịnh|Thinh"),
		surnames: words("Đặng|Dang Đỗ|Do Nguyễn|Nguyen Trần|Tran"),
		cities:   []string{"Đà Nẵng;Quảng Nam;######"}, street: "%d đường %s", cvTitle: "Sơ yếu lý lịch",
		greeting: "Tôi làm việc cẩn thận và đúng hẹn."},
	{country: "Greece", code: "GR", nationality: "Greek", weight: 3,
		women: words("Αθηνά|Athina Ελένη|Eleni Κατερίνα|Katerina Φωτεινή|Foteini"),
		men:   words("Γιώργος|Giorgos Δημήτρης|Dimitris Νίκος|Nikos Σταύρος|Stavros"),
		surnames: words(
			"Αγγέλου|Angelou Καραγιάννης|Karagiannis Λάμπρου|Lambrou Παπαδάκης|Papadakis Ψαράς|Psaras",
		),
		cities: []string{"Θεσσαλονίκη;Μακεδονία;### ##", "Πάτρα;Αχαΐα;### ##"}, street: "%[2]s %[1]d",
		cvTitle: "Βιογραφικό σημείωμα", greeting: "Μου αρέσει η δουλειά μου."},
	{country: "Ukraine", code: "UA", nationality: "Ukrainian", weight: 4,
		women:    words("Ганна|Hanna Єва|Yeva Оксана|Oksana Соломія|Solomiia"),
		men:      words("Андрій|Andrii Богдан|Bohdan Ілля|Illia Юрій|Yurii"),
		surnames: words("Бондаренко|Bondarenko Гриценко|Hrytsenko Ґудзь|Gudz Їжак|Yizhak Шевчук|Shevchuk"),
		cities:   []string{"Львів;Львівська область;#####", "Харків;Харківська область;#####"},
		street:   "вул. %[2]s, %[1]d", cvTitle: "Резюме", greeting: "Працюю уважно й без поспіху."},
	{country: "Egypt", code: "EG", nationality: "Egyptian", weight: 3,
		women: words("أمينة|Amina سلمى|Salma ليلى|Layla"), men: words("خالد|Khaled سامي|Sami يوسف|Youssef"),
		surnames: words("الحداد|Alhaddad المنصوري|Almansouri النجار|Alnajjar حسن|Hassan"),
		cities:   []string{"الإسكندرية;محافظة الإسكندرية;#####"}, street: "شارع %[2]s %[1]d",
		cvTitle: "السيرة الذاتية", greeting: "أحب العمل مع فريق جيد"},
	{country: "Israel", code: "IL", nationality: "Israeli", weight: 2,
		women: words("נועה|Noa תמר|Tamar שירה|Shira"), men: words("אורי|Ori דוד|David יונתן|Yonatan"),
		surnames: words("אלון|Alon ברקת|Barkat לוין|Levin שפירא|Shapira"),
		cities:   []string{"חיפה;מחוז חיפה;#######"}, street: "רחוב %[2]s %[1]d", cvTitle: "קורות חיים",
		greeting: "אני אוהב לעבוד בצוות"},
	{country: "China", code: "CN", nationality: "Chinese", weight: 4, surnameFirst: true, joined: true,
		women: words("梅|Mei 丽华|Lihua 秀英|Xiuying 雪|Xue"), men: words("伟|Wei 建国|Jianguo 志强|Zhiqiang 明|Ming"),
		surnames: words("陈|Chen 李|Li 欧阳|Ouyang 王|Wang 赵|Zhao"),
		cities:   []string{"成都;四川;######", "杭州;浙江;######"}, street: "%[2]s路%[1]d号", cvTitle: "简历",
		greeting: "我喜欢团队合作，做事认真。"},
	{country: "Japan", code: "JP", nationality: "Japanese", weight: 2, surnameFirst: true,
		women: words("さくら|Sakura 花子|Hanako 結衣|Yui"), men: words("健太|Kenta 太郎|Taro 翔|Sho"),
		surnames: words("佐藤|Sato 渡辺|Watanabe 髙橋|Takahashi 鈴木|Suzuki"),
		cities:   []string{"札幌市;北海道;###-####"}, street: "%[2]s町%[1]d番地", cvTitle: "履歴書",
		greeting: "よろしくお願いいたします。"},
	{country: "South Korea", code: "KR", nationality: "South Korean", weight: 1, surnameFirst: true,
		joined: true,
		women:  words("서연|Seoyeon 지우|Jiwoo"), men: words("민준|Minjun 도윤|Doyun"),
		surnames: words("김|Kim 박|Park 최|Choi"),
		cities:   []string{"부산;영남;#####"}, street: "%[2]s로 %[1]d", cvTitle: "이력서", greeting: "성실하게 일하겠습니다."},
	{country: "India", code: "IN", nationality: "Indian", weight: 3,
		women:    words("अनीता|Anita प्रिया|Priya सुनीता|Sunita"),
		men:      words("अर्जुन|Arjun विकास|Vikas राजेश|Rajesh"),
		surnames: words("गुप्ता|Gupta जोशी|Joshi मिश्रा|Mishra शर्मा|Sharma"),
		cities:   []string{"पुणे;महाराष्ट्र;######"}, street: "%[2]s मार्ग %[1]d", cvTitle: "जीवन-वृत्त",
		greeting: "मुझे नया काम सीखना पसंद है।"},
}

// rareFirst are first names that only people of rareName bear.
var rareFirst = words(
	"Aldhelm Bellamira Cuthberta Drusilla Ethelinda Fenwick Godiva Hesperia Isambard Jocasta Kenelm " +
		"Lettice Merewyn Nerissa Ottoline Peregrine Quenby Rosamunde Sidonie Thaddea Ursuline Venetia " +
		"Wulfstan Xanthe Yseult Zenobia Araminta Barnaby Cressida Dulcibella Euphemia Florizel",
)

var rareSurnames = words(
	"Abbotsmere Birchwold Coldharrow Dunsmuirton Eastonleigh Foxgrove Greyhurst Hollowby Ivelbridge " +
		"Kingsmark Langwith Marlpit Northcombe Oxenholt Prestgrave Quillfeather Ravensby Silverdale " +
		"Thornlea Upwell Vexford Winterley Yarmsley Aldercroft Bramwith Caldervale Dovedale Elmstead " +
		"Fernhough Gadsworth Hazelwick Inglebeck Jadesworth Knaresmoor Linthwaite Millbeck Netherton " +
		"Oakenshaw Pendlebrook Riddlesworth",
)

// rareName returns a name that no other n below 51,200 leads to and nobody else bears: it alone names its
// owner.
func rareName(n int) (first, surname string) {
	n = n * 7919 % (len(rareFirst) * len(rareSurnames) * len(rareSurnames)) // a prime, so all different still
	f, n := n%len(rareFirst), n/len(rareFirst)
	a, b := n%len(rareSurnames), n/len(rareSurnames)%len(rareSurnames)
	return rareFirst[f], rareSurnames[a] + "-" + rareSurnames[b]
}

// A name is a person's name as written at home and in Latin letters.
type name struct{ first, surname, full, latin string }

func (l *locale) name(first, surname string) name {
	first, latinFirst := scripts(first)
	surname, latinSurname := scripts(surname)
	n := name{first: first, surname: surname, latin: latinFirst + " " + latinSurname}
	switch {
	case l.joined:
		n.full = surname + first
	case l.surnameFirst:
		n.full = surname + " " + first
	default:
		n.full = first + " " + surname
	}
	return n
}

func scripts(s string) (native, latin string) {
	native, latin, found := strings.Cut(s, "|")
	if !found {
		latin = native
	}
	return native, latin
}

var plainLetters = strings.NewReplacer("ä", "ae", "ö", "oe", "ü", "ue", "ß", "ss", "å", "aa", "æ", "ae", "œ",
	"oe", "ø", "oe", "ł", "l", "đ", "d", "ı", "i",
	"á", "a", "à", "a", "â", "a", "ą", "a", "č", "c", "ć", "c", "ç", "c", "ď", "d", "é", "e", "è", "e", "ê",
	"e", "ë", "e", "ę", "e", "ě", "e", "ğ", "g",
	"í", "i", "ï", "i", "î", "i", "ň", "n", "ñ", "n", "ń", "n", "ó", "o", "ô", "o", "ò", "o", "ř", "r", "š",
	"s", "ś", "s", "ş", "s", "ť", "t", "ú", "u", "ů", "u", "ù", "u", "ý", "y", "ž", "z", "ź", "z", "ż", "z",
	"i̇", "i")

// slug returns s in lower-case ASCII letters and digits, its words joined by sep.
func slug(s, sep string) string {
	var b strings.Builder
	gap := false
	for _, r := range plainLetters.Replace(strings.ToLower(s)) {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			if gap && b.Len() > 0 {
				b.WriteString(sep)
			}
			gap = false
			b.WriteRune(r)
		case r != '\'' && r != '’':
			gap = true
		}
	}
	return b.String()
}
