package aloud

import (
	"slices"
	"strings"
	"testing"
	"unicode"
)

func TestText(t *testing.T) {
	for text, want := range map[string]string{
		// Plain text stays as it is.
		"Hello, “world”! It’s 5 o’clock…":         "Hello, “world”! It’s 5 o’clock…",
		"1900. A great year.":                     "1900. A great year.",
		"It was Plan B. He left. No. I do.\nDone": "It was Plan B. He left. No. I do.\nDone",
		"a * b, snake_case, x != y, :), a/b.c":    "a * b, snake_case, x != y, :), a/b.c",
		"R&D at AT&T":                             "R&D at AT&T",
		"I ___ a cat.":                            "I ___ a cat.",
		"(see above) a long line that somebody broke\nbecause it did not fit": "(see above) a long line that somebody broke\nbecause it did not fit",
		// Markdown.
		"# My day\n\nIt was **very** *good*.":                                              "My day.\n\nIt was very good.",
		"Title\n=====\nText ***b***, __u__, _i_, ~~s~~, `code`":                            "Title.\n\nText b, u, i, s, code",
		"I like:\n- apples\n* pears!\n+ plums,\n• [x] tea":                                 "I like:\napples.\npears!\nplums,\ntea.",
		"1. One\n2) Two\n(c) Three":                                                        "1, One.\n2, Two.\nc, Three.",
		"- one\n  and more\n- two":                                                         "one\n  and more.\ntwo.",
		"Apples\nPears\nPlums":                                                             "Apples.\nPears.\nPlums",
		"See [the docs](https://example.com/a_(b)?c \"Title\") and ![a cat](cat.png)[^1].": "See the docs and a cat.",
		"[one][1] at https://www.example.com/x/y?z#a.\n[1]: https://example.com":           "one at example.com.\n",
		"<https://example.com/x> or <lan@example.com>":                                     "example.com or lan@example.com",
		"> quoted\n> > twice\n\nend":                                                       "quoted\ntwice\n\nend",
		"| name | age |\n|:--|--:|\n| Lan | 20 |":                                          "name, age.\n\nLan, 20.",
		"```go\nx := 1\n```\nDone":                                                         "\nx := 1.\n\nDone",
		"\\*no\\* f*** don`t":                                                              "*no* f don't",
		"– Chào anh.\n– Chào em":                                                           "Chào anh.\nChào em.",
		"a. tea\nb. milk\n- [ ] rice":                                                      "a, tea.\nb, milk.\nrice.",
		"✅ tea\n❌ milk\n→ rice\n➤ salt":                                                    "✅ tea.\n❌ milk.\nrice.\nsalt.",
		"name | age\n--|--\nLan | 20\n\na | b":                                             "name, age.\n\nLan, 20.\n\na | b",
		"==marked== H~2~O x^n^ a == b":                                                     "marked H 2 O xn a == b",
		"Hello~everyone~ how, x^2^":                                                        "Hello~everyone~ how, x2",
		"==one== ==two==, ==a b== c":                                                       "one two, a b c",
		"soooo goooood, seeee, zzz, www.a.vn, XXX, III":                                    "so good, see, zzz, www.a.vn, XXX, 3",
		// HTML and SSML.
		"Hello <b>world</b>, H<sub>2</sub>O &amp; &lt;x&gt; &eacute;":                                                 "Hello world, H 2 O & <x> é",
		"<p>Hi</p><ul><li>One<li>Two.</ul><h1>Title</h1>End<br>here":                                                  "\n\nHi\n\nOne.\nTwo.\n\nTitle.\n\nEnd\nhere",
		"<table><tr><td>a</td><td>b</td></tr></table>":                                                                "\n\na, b.\n\n",
		`<speak>Hi <break time="1s"/> Lan. <say-as interpret-as="date">1</say-as> <mstts:x a="b">c</mstts:x></speak>`: "Hi, Lan. 1 c",
		"a<!-- no -->b<script>if (a<b) {}</script><style>p{}</style> `<b>`":                                           "a b <b>",
		"Dear <name>, <img src='x' alt=\"a cat\">":                                                                    "Dear name, a cat",
		"a < b, 3<4, x > y and x<y":                                                                                   "a less than b, 3 less than 4, x greater than y and x less than y",
		"b &lt; c &gt; d":                                                                                             "b less than c greater than d",
		`<sub alias="World Wide Web">WWW</sub> <sub>2</sub>`:                                                          "World Wide Web 2",
		"I <3 you <3":                    "I heart you heart",
		"50,000₫ or ₫50.000 or 5 ₫":      "50,000 dong or 50,000 dong or 5 dong",
		"if a < b and c > d, e <f and g": "if a less than b and c greater than d, e <f and g",
		// Abbreviations.
		"J. R. R. Tolkien met Mr. and Mrs. Lee on St. Mary Street.":         "J R R Tolkien met Mr.\u00a0and Mrs.\u00a0Lee on St.\u00a0Mary Street.",
		"The U.S. Army, e.g. Dr. Lee vs. Prof. Kim, No. 5, p. 12":           "The U S Army, for example Dr.\u00a0Lee versus Professor Kim, Number 5, page 12",
		"I live on Main St. He left at 5 p.m. Lan came on Jan. 5.":          "I live on Main St. He left at 5 p.m. Lan came on January 5.",
		"It was I. The end. See example.com. Lan did.":                      "It was I. The end. See example.com. Lan did.",
		"A Ph.D. in math. A Ph.D. He is here.":                              "A P H D in math. A P H D. He is here.",
		"tea, e.g., this, i.e., that, etc., in the U.S., too":               "tea, for example, this, that is, that, etc., in the U S, too",
		"Apple Inc. and Ford Co. They met King Jr. in May on King Jr. Day.": "Apple Incorporated and Ford Company. They met King Junior in May on King Junior Day.",
		"Mon. to Fri., but the sun. We sat. My co. is small.":               "Monday to Friday, but the sun. We sat. My co. is small.",
		"Mr.Smith, Dr.Lee, p.12, No.5, see a.b and 1.5":                     "Mr.\u00a0Smith, Dr.\u00a0Lee, page 12, Number 5, see a.b and 1.5",
		// Forms.
		"Ｈｅｌｌｏ　１２３！":                                  "Hello 123!",
		"①Apple ②③ ❸ ⑩ ⓿ 🄰 1️⃣":                       "1 Apple 2 3 3 10 0 A 1",
		"20℃, 5㎏, Ⅳ, ﬁne, 𝓗𝓲, ½ m² ™":                 "20 degrees Celsius, 5 kilograms, 4, fine, Hi, a half m² ™",
		"Iʼm ⒽⒾ CO₂ 👍🏽 ❤️ Hội An, Phạm Thị Thơ, café": "I'm HI C O 2 👍 ❤ Hoi An, Pham Thi Tho, café",
		"zero\u200bwidth\ufeff so\u00adft cafe\u0301": "zerowidth soft café",
		// Phonemes.
		"[[ *həlˈoʊ_ ]] and **[[x]]** [[": "[[ *həlˈoʊ_ ]] and [[x]] [[",
		"":                                "",
		"* * *":                           "",
	} {
		if got := Text(text, "en-us"); got != want {
			t.Errorf("%q is read as\n%q, want\n%q", text, got, want)
		}
	}
}

func TestLanguages(t *testing.T) {
	for language, want := range map[string]string{
		"vi": "Tiến sĩ Lan ở Thành phố Huế, Quận 1: 5 nhỏ hơn 7 đồng trái tim 9 đồng",
		"de": "TS Lan o TP Hue, Q 1: 5 < 7d <3 9₫",
		"":   "TS Lan ở TP Huế, Q 1: 5 < 7đ <3 9₫",
	} {
		if got := Text("TS. Lan ở TP. Huế, Q. 1: 5 < 7đ <3 9₫", language); got != want {
			t.Errorf("%s: %q, want %q", language, got, want)
		}
	}
}

// TestFigures checks what is read of numbers with signs and units. Without that, a
// voice says "dollar five", "seven zero five" and "nineteen hundred ninety z".
func TestFigures(t *testing.T) {
	for language, table := range map[string]map[string]string{
		"en-us": {
			// Money.
			"It costs $5.":                          "It costs 5 dollars.",
			"$1, $3.50, $0.99, $2.00, £1.01, -$5":   "1 dollar, 3 dollars and 50 cents, 99 cents, 2 dollars, 1 pound and 1 penny, minus 5 dollars",
			"a $5 million deal, $2.5M, $5k, €2bn":   "a 5 million dollar deal, 2.5 million dollars, 5 thousand dollars, 2 billion euros",
			"20€, €20, ¥500, 5 $, $5-10":            "20 euros, 20 euros, 500 yen, 5 dollars, 5 to 10 dollars",
			"50,000 VND, 50.000đ, 50k, 50K VND, 5K": "50,000 dong, 50,000 dong, 50 thousand, 50 thousand dong, 5K",
			"USD 20, 20 USD, US$5, 2 million VND":   "20 US dollars, 20 US dollars, 5 US dollars, 2 million dong",
			"₩1000, ₹500, ฿20, $5/hour, 5€/kg":      "1000 won, 500 rupees, 20 baht, 5 dollars per hour, 5 euros per kilogram",
			// Times and dates.
			"7:05 pm, 7:30, 7:00 AM, at 8pm, 7.30 am":   "7 oh 5 pm, 7 30, 7 AM, at 8 PM, 7 30 am",
			"9:00-17:00, 9am-5pm, 19h30, at 7h, for 5h": "9 o'clock to 17 hundred, 9 AM to 5 PM, 19 30, at 7 o'clock, for 5 hours",
			"10:00 a.m. on 1:30:45, 16:9, 7:60":         "10 a.m. on 1:30:45, 16:9, 7:60",
			"20/11/2024, 2024-11-20, 11/20/2024":        "November 20th twenty twenty four, November 20th twenty twenty four, November 20th twenty twenty four",
			"5/6/2024, 20.11.2024, 20/11":               "5 6 twenty twenty four, November 20th twenty twenty four, November 20th",
			"in 1999, 1905, 2024, 1900, 2005, 1500 m":   "in nineteen ninety nine, nineteen oh five, twenty twenty four, 1900, 2005, 1500 meters",
			"the 1990s, mid-1980s, '60s, 1800s, 2000s":  "the nineteen nineties, mid nineteen eighties, '60s, eighteen hundreds, two thousands",
			"1914–1918, 1914-18":                        "nineteen fourteen to nineteen eighteen, nineteen fourteen to 18",
			// Units.
			"60 km/h, 5kg, 10 cm, 1 kg, a 5 km run":      "60 kilometers per hour, 5 kilograms, 10 centimeters, 1 kilogram, a 5 kilometer run",
			"20°C, −5 °C, +5°F, 90°":                     "20 degrees Celsius, minus 5 degrees Celsius, plus 5 degrees Fahrenheit, 90 degrees",
			"100 m², 20m2, 256 GB, 2 hrs, 10x":           "100 square meters, 20 square meters, 256 gigabytes, 2 hours, 10 times",
			"5G, a 4K TV, MP3, 3D, A4, B-52, 5 in a row": "5G, a 4K TV, MP3, 3D, A4, B-52, 5 in a row",
			"1m70, 5'10\", x², 10³":                      "1 meter 70, 5 feet 10 inches\", x squared, 10 cubed",
			// Ranges, fractions, signs.
			"10-15, 10–15%, 5 - 7 kg, 20%-30%, 3-0":            "10 to 15, 10 to 15 percent, 5 to 7 kilograms, 20 to 30 percent, 3 to 0",
			"1/2, 3/4, 8/10, 24/7, 2½, 1 1/2, ⅛":               "a half, 3 quarters, 8 out of 10, 24 7, 2 and a half, 1 and a half, one eighth",
			"2-1=1, 5x3, 4x4, 5*3, 7 - 2 = 5, 3 x 4":           "2 minus 1 equals 1, 5 times 3, 4 by 4, 5 times 3, 7 minus 2 = 5, 3 times 4",
			"~5, #1, #fun, C#, №5, w/ milk, and/or":            "about 5, number 1, hashtag fun, C sharp, number 5, with milk, and or",
			"100th, 1000th, 21st, 10 000, 10\u202f000 m":       "1 hundredth, 1 thousandth, 21st, 10000, 10000 meters",
			"No. 1999, Jan. 1999, p. 1204, page xiii, viii":    "Number nineteen ninety nine, January nineteen ninety nine, page twelve oh four, page xiii, viii",
			"the 1920s–1930s, n°1, 9.8 m/s², +84-28-3822-1234": "the nineteen twenties to nineteen thirties, number 1, 9.8 meters per second squared, plus 8 4 2 8 3 8 2 2 1 2 3 4",
			// What must stay as it is.
			"the book I like. In class, I sleep. Part I is, Part I. An IV drip": "the book I like. In class, I sleep. Part I is, Part 1. An IV drip",
			"a question\nI have, Chapter I, Tell the class. I will":             "a question.\nI have, Chapter 1, Tell the class. I will",
			"fell 10 %, then 5 %. TOP 10 IN ASIA, COP26, 2^3^2, x==1 and y==2":  "fell 10 %, then 5 %. TOP 10 IN ASIA, COP26, 2^3^2, x==1 and y==2",
			"call 100 people, call 123 Main Street, call 911 now, call 1234.":   "call 100 people, call 123 Main Street, call 9 1 1 now, call 1 2 3 4.",
			"At 7 a.m., I love the Sun. it is hot. 0/5 points":                  "At 7 a.m., I love the Sun. it is hot. 0 out of 5 points",
			// An "I" behind a field that has no word left, or never had one.
			"I weigh 50 kg I think.": "I weigh 50 kilograms I think.",
			"It cost USD 20 I think": "It cost 20 US dollars I think",
			"It cost 5 $ I think":    "It cost 5 dollars I think",
			`He said: " I am here "`: `He said: " I am here "`,
			"( I think so )":         "( I think so )",
			// Numerals before a word in lower case.
			"World War I began in 1914. Type I diabetes, a Phase I trial, Phase I is": "World War 1 began in nineteen fourteen. Type 1 diabetes, a Phase 1 trial, Phase 1 is",
			"in Chapter I he is, see Part I and II":                                   "in Chapter 1 he is, see Part 1 and 2",
			"The World I Know. The war I saw. Part I like":                            "The World I Know. The war I saw. Part I like",
			// Words that could be units, days or parts of a telephone number.
			"born in 1999 in Hanoi, 1500 in a row, in 1999 x":              "born in nineteen ninety nine in Hanoi, 1500 in a row, in nineteen ninety nine x",
			"See you Mon. at 5, Fri. night, Tue. morning":                  "See you Monday at 5, Friday night, Tuesday morning",
			"I met Thu. She sat. Wed. and Sun. evening, Fri.":              "I met Thu. She sat. Wednesday and Sunday evening, Friday.",
			"the school year 2024/2025, the 2023/24 season":                "the school year twenty twenty four to twenty twenty five, the twenty twenty three to 24 season",
			"10/10, 20/20, 9/10, 7/5, 1999/2005":                           "10 out of 10, 20 out of 20, 9 out of 10, 7 over 5, 1999 out of 2005",
			"the Song (960-1279), 512-1024 MB, 125-1500 calories":          "the Song (960 to twelve seventy nine), 512 to 1024 megabytes, 125 to 1500 calories",
			"call me at 555-1234 today, 555-1234 is mine":                  "call me at 5 5 5 1 2 3 4 today, 5 5 5 1 2 3 4 is mine",
			"call 1900 1234, Hotline: 1900 545 415 now, call 19001234 now": "call 1 9 0 0 1 2 3 4, Hotline: 1 9 0 0 5 4 5 4 1 5 now, call 1 9 0 0 1 2 3 4 now",
			"a room of 9m2, 3m3, 1m7, 1m25":                                "a room of 9 square meters, 3 cubic meters, 1 meter 7, 1 meter 25",
			"HNO3, KNO3, COP26, CO2":                                       "H N O 3, K N O 3, COP26, C O 2",
			"a $5-million deal, $5-million, $5 bn, USD 5 bn":               "a 5 million dollar deal, 5 million dollars, 5 billion dollars, 5 billion US dollars",
			"a $1.5 million-dollar house, $2 million-a-year":               "a 1.5 million-dollar house, 2 million dollars-a-year",
			"¥ 500, € 5, A$ 5":                                             "500 yen, 5 euros, 5 Australian dollars",
			"a 50-50 chance, 20 g/l":                                       "a 50 50 chance, 20 grams per liter",
			// Scales behind the amount, and signs before or behind what has a unit.
			"$1 million, £1 billion, $3.50 million, USD 5 million, $ 5": "1 million dollars, 1 billion pounds, 3.50 million dollars, 5 million US dollars, 5 dollars",
			"~5 kg, ~20 USD, a 10x zoom, C6H12O6":                       "about 5 kilograms, about 20 US dollars, a 10 times zoom, C 6 H 12 O 6",
			"500-1000 people, 2020-2021":                                "500 to 1000 people, twenty twenty to twenty twenty one",
			"3.11.2, 3.12, 1.5, 1,234":                                  "3 point 11 point 2, 3.12, 1.5, 1,234",
			// Telephone numbers.
			"0912 345 678, +84 912 345 678, 555-1234": "0 9 1 2 3 4 5 6 7 8, plus 8 4 9 1 2 3 4 5 6 7 8, 5 5 5 1 2 3 4",
			"(555) 123-4567, call 911, 12 500 people": "5 5 5 1 2 3 4 5 6 7, call 9 1 1, 12 500 people",
			// Roman numerals, formulas, chats.
			"Henry VIII, Chapter IV, World War II, I, V": "Henry the 8th, Chapter 4, World War 2, I, V",
			"H2SO4, CO2, gr8, XXL, MIX":                  "H 2 S O 4, C O 2, great, XXL, MIX",
			"“$5”, (6 kg) '7:30' [[$5]] **$5**":          "“5 dollars”, (6 kilograms) '7 30' [[$5]] 5 dollars",
		},
		"vi": {
			"lúc 7:05, 19h30, 7h, 7h-9h":                 "lúc 7 giờ 5 phút, 19 giờ 30, 7 giờ, 7 giờ đến 9 giờ",
			"ngày 20/11/2024, 20/11, tháng 12/2024":      "ngày 20 tháng 11 năm 2024, ngày 20 tháng 11, tháng 12 năm 2024",
			"50.000đ, 50,000 VND, 50k, 2tr, $5":          "50.000 đồng, 50.000 đồng, 50 nghìn, 2 triệu, 5 đô la",
			"60 km/h, 20°C, 5kg, 1m70, 20.000đ/kg":       "60 ki lô mét trên giờ, 20 độ C, 5 ki lô gam, 1 mét 70, 20.000 đồng một ki lô gam",
			"10-15 người, 1/2, 8/10, thứ 4, thế kỷ XXI":  "10 đến 15 người, 1 phần 2, 8 trên 10, thứ tư, thế kỷ 21",
			"TP.HCM, TP. Huế, Q.1, PGS.TS. Lan":          "Thành phố Hồ Chí Minh, Thành phố Huế, Quận 1, Phó giáo sư Tiến sĩ Lan",
			"quý I năm 2024, học kỳ I, Chương I nói về":  "quý 1 năm 2024, học kỳ 1, Chương 1 nói về",
			"thế kỷ I, tập I, I am":                      "thế kỷ 1, tập 1, I am",
			"phòng 9m2, dịp 8/3, 20.000 đ/kg, 2024/2025": "phòng 9 mét vuông, dịp 8 tháng 3, 20.000 đồng một ki lô gam, 2024 đến 2025",
			"Gọi hotline 1900 545 415, Gọi 1900 1234 để": "Gọi hotline 1 9 0 0 5 4 5 4 1 5, Gọi 1 9 0 0 1 2 3 4 để",
			"0912345678, 3 x 2, 1.234.567, năm 1999":     "0 9 1 2 3 4 5 6 7 8, 3 nhân 2, 1.234.567, năm 1999",
		},
		"hr": {"Đak ide, ỳ, ọ": "Đak ide, ỳ, ọ"},
		"de": {"$5, 7:05, 1999, 5 kg": "$5, 7:05, 1999, 5 kg"},
		"":   {"$5, 7:05, 1999, 5 kg": "$5, 7:05, 1999, 5 kg"},
	} {
		for text, want := range table {
			if got := Text(text, language); got != want {
				t.Errorf("%s: %q is read as\n%q, want\n%q", language, text, got, want)
			}
		}
	}
}

// pieces are those of markup that may occur many times.
var pieces = []string{"[", "<", "*", "`", "<a ", "[a](", "<!--", "&", "- ", "|a", "A. ", "①", "[[", "https://", "_a", "<b>", "\n",
	"> ", "> - ", "[[a]]", "1. ", "- - ", "<a b=", "*a", "1 ", "000 ", "~1 ", "USD ", "1/", "0912 ", "$1", "1-", "aaaa", "1:", "<sub alias='a'>", "==a", "a|b\n-|-\n", "I ", "kg ", "\" ", "( "}

// TestManyMarks checks texts that would take minutes if the time grew with the square of their
// length.
func TestManyMarks(t *testing.T) {
	for _, piece := range pieces {
		Text(strings.Repeat(piece, 20_000/len(piece)), "en")
	}
}

// FuzzText checks that no digit of a text without markup is lost.
func FuzzText(f *testing.F) {
	f.Add("$5, 10 % and 5€ – 20%-30% of $1 million")
	f.Add("1. One\n2) *Two* – 3 <3 4₫ J. R. 5")
	for _, piece := range pieces {
		f.Add("1" + strings.Repeat(piece, 3) + "2")
	}
	for _, piece := range []string{"kg", "$", "\"", "("} {
		f.Add("5 " + piece + " I think") // nothing is left before the "I"
	}
	f.Fuzz(func(t *testing.T, text string) {
		text = strings.ToValidUTF8(text, " ")
		for _, language := range []string{"en-us", "vi"} {
			if Text(text, language) == "" && strings.ContainsFunc(text, unicode.IsLetter) && !strings.ContainsAny(text, "<[&:~`") {
				t.Fatalf("%s: nothing is read of %q", language, text)
			}
			for sign, words := range map[string]string{"%": "% percent", "$": "$ dollar đô", "€": "€ euro ơ"} {
				isSaid := func(word string) bool { return strings.Contains(Text(text, language), word) }
				if strings.Contains(text, sign) && !strings.ContainsAny(text, "<[&:~`") && !slices.ContainsFunc(strings.Fields(words), isSaid) {
					t.Fatalf("%s: %q is lost of %q", language, sign, text)
				}
			}
		}
		got := Text(text, "de")
		if strings.ContainsAny(text, "<[&:~`") {
			return // tags, links and addresses
		}
		for _, r := range text {
			if r < unicode.MaxASCII && unicode.IsDigit(r) && !strings.ContainsRune(got, r) {
				t.Fatalf("%q is lost of %q: %q", r, text, got)
			}
		}
	})
}
