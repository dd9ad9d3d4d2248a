package textnorm

import (
	"strings"
	"testing"
	"unicode"
)

// said joins the first readings of a text.
func said(text string) string {
	var out []string
	for _, w := range Words(text) {
		if len(w.Readings) == 0 {
			out = append(out, "<"+w.Text+">")
			continue
		}
		out = append(out, w.Readings[0]...)
	}
	return strings.Join(out, " ")
}

func TestFirstReading(t *testing.T) {
	for text, want := range map[string]string{
		"Hello, world!":                "hello world",
		"I have 25 cats.":              "i have twenty five cats",
		"Don’t say ‘never’.":           "don't say never",
		"the dogs' bowls":              "the dogs' bowls",
		"'Tis true, she said \"no\".":  "'tis true she said no",
		"Mr. Smith and Dr. Lee":        "mister smith and doctor lee",
		"St. Paul lives on Main St.":   "saint paul lives on main street",
		"cats, dogs, etc.":             "cats dogs et cetera",
		"e.g. tea":                     "for example tea",
		"i.e. coffee":                  "that is coffee",
		"salt & pepper":                "salt and pepper",
		"R&D":                          "r and d",
		"50% off":                      "fifty percent off",
		"$5":                           "five dollars",
		"$1":                           "one dollar",
		"$3.50":                        "three dollars fifty cents",
		"£1.01":                        "one pound one penny",
		"$0.99":                        "ninety nine cents",
		"$5 million":                   "five million dollars",
		"$2.5 million deal":            "two point five million dollars deal",
		"€1,200":                       "one thousand two hundred euros",
		"1st 2nd 3rd 4th 12th 20th":    "first second third fourth twelfth twentieth",
		"21st 100th":                   "twenty first one hundredth",
		"3.14":                         "three point one four",
		"0.5":                          "zero point five",
		".5":                           "point five",
		"-5 degrees":                   "minus five degrees",
		"in 1905 and 1999":             "in nineteen oh five and nineteen ninety nine",
		"2000, 2005, 2024":             "two thousand two thousand five twenty twenty four",
		"the 1990s":                    "the nineteen nineties",
		"the 90s":                      "the nineties",
		"1,234,567":                    "one million two hundred thirty four thousand five hundred sixty seven",
		"at 7:30":                      "at seven thirty",
		"at 7:00":                      "at seven o'clock",
		"10:05 a.m.":                   "ten oh five a m",
		"7pm":                          "seven p m",
		"19:00":                        "nineteen hundred",
		"5kg and 10 km":                "five kilograms and ten kilometers",
		"1 kg":                         "one kilogram",
		"60 km/h":                      "sixty kilometers per hour",
		"20°C":                         "twenty degrees celsius",
		"1/2":                          "one half",
		"3/4":                          "three quarters",
		"2/3":                          "two thirds",
		"007":                          "zero zero seven",
		"No. 5":                        "number five",
		"No. I do not.":                "no i do not",
		"#7":                           "number seven",
		"well-known":                   "well known",
		"twenty-five":                  "twenty five",
		"U.S. troops":                  "u s troops",
		"and/or":                       "and or",
		"lexilingo.com":                "lexilingo dot com",
		"me@site.org":                  "me at site dot org",
		"on Mon. morning":              "on monday morning",
		"the sun. We sat. Then":        "the sun we sat then",
		"on Sun.":                      "on sun",
		"Acme Inc. sells":              "acme incorporated sells",
		"B2B":                          "b two b",
		"café Nguyễn":                  "café nguyễn",
		"東京":                           "東京",
		"wait… what?!":                 "wait what",
		"— 🙂 ...":                      "",
		"":                             "",
		"12345678901234567890":         "one two three four five six seven eight nine zero one two three four five six seven eight nine zero",
		"He is 6 ft tall.":             "he is six feet tall",
		"Dr. No":                       "doctor no",
		"(hello)":                      "hello",
		"rock 'n' roll":                "rock 'n roll",
		"It's 100% — truly — \"fine\"": "it's one hundred percent truly fine",
	} {
		if got := said(text); got != want {
			t.Errorf("%q is said as %q, want %q", text, got, want)
		}
	}
}

func TestOtherReadings(t *testing.T) {
	for text, others := range map[string][]string{
		"2024":       {"two thousand twenty four", "two thousand and twenty four", "two zero two four"},
		"101":        {"one hundred and one", "one oh one"},
		"1500":       {"one thousand five hundred"},
		"USA":        {"usa", "u s a"},
		"ice-free":   {"icefree"},
		"$3.50":      {"three dollars and fifty cents", "three fifty"},
		"5:00":       {"five"},
		"5G":         {"five g", "five grams"},
		"5g":         {"five grams", "five g"},
		"5m":         {"five meters", "five metres", "five million"},
		"24/7":       {"twenty four seven", "twenty four sevenths", "twenty four slash seven"},
		"8/10":       {"eight tenths", "eight out of ten", "eight over ten", "the eighth of october", "august tenth"},
		"10-15":      {"ten to fifteen", "ten fifteen", "ten minus fifteen", "from ten to fifteen"},
		"10–15%":     {"ten to fifteen percent"},
		"3-0":        {"three nil", "three zero", "three to nothing"},
		"50,000₫":    {"fifty thousand dong"},
		"50.000đ":    {"fifty thousand dong"},
		"5$":         {"five dollars"},
		"$5-10":      {"five to ten dollars"},
		"7:15":       {"seven fifteen", "quarter past seven", "a quarter past seven"},
		"7:45":       {"quarter to eight"},
		"15:30":      {"three thirty", "half past three"},
		"12:00":      {"twelve o'clock", "noon", "midnight"},
		"0:00":       {"midnight"},
		"24:00":      {"midnight"},
		"1905":       {"nineteen oh five", "nineteen hundred and five"},
		"2005":       {"two thousand and five", "twenty oh five"},
		"20/11/2024": {"november twentieth two thousand and twenty four", "twenty eleven twenty twenty four"},
		"2024-11-20": {"the twentieth of november twenty twenty four"},
		"2½":         {"two and a half"},
		"1.5":        {"one point five", "one and a half"},
		"3,5":        {"three point five", "three comma five"},
		"100":        {"a hundred", "one hundred"},
		"MP3":        {"m p three"},
		"VIII":       {"the eighth", "eight", "v i i i"},
		"#7":         {"number seven", "hashtag seven"},
		"５Ｇ":         {"five g"},
		"20m²":       {"twenty square meters"},
		"①":          {"one"},
		"Ⅳ":          {"four", "the fourth"},
		"20°C":       {"twenty degrees celsius", "twenty degrees"},
	} {
		words := Words(text)
		if len(words) != 1 || words[0].Text != text {
			t.Errorf("%q is split into %v", text, words)
			continue
		}
		for _, want := range others {
			found := false
			for _, r := range words[0].Readings {
				found = found || strings.Join(r, " ") == want
			}
			if !found {
				t.Errorf("%q has no reading %q: %v", text, want, words[0].Readings)
			}
		}
	}
}

// TestNoWrongReadings checks that mistakes of learners are no readings.
func TestNoWrongReadings(t *testing.T) {
	for text, wrong := range map[string]string{
		"$5": "five dollar", "5kg": "five kilogram", "50,000₫": "fifty thousand", "5€": "five", "1990s": "nineteen ninety seconds",
		"$5/hour": "five dollar per hour", "20℃": "twenty", "1m70": "one seventy", "H₂O": "h o", "C#": "c", "99¢": "ninety nine", "-$5": "five dollars",
		"US$5": "five dollar", "USD 20": "twenty", "3,5kg": "three point five kilogram", "12th-century": "twelve century",
	} {
		for _, r := range Words(text)[0].Readings {
			if strings.Join(r, " ") == wrong {
				t.Errorf("%q may be read as %q", text, wrong)
			}
		}
	}
}

func TestTextAndPause(t *testing.T) {
	words := Words("“Hi,” said Mr. Lee; I owe $5. She sat. No.")
	var texts []string
	for _, w := range words {
		text := w.Text
		if w.Pause {
			text += "/"
		}
		texts = append(texts, text)
	}
	if got := strings.Join(texts, " "); got != "Hi/ said Mr./ Lee/ I owe $5/ She sat/ No/" {
		t.Errorf("the words are %q", got)
	}
	for text, want := range map[string]string{
		"10\u202f000 USD 5": "10\u00a0000|USD\u00a05", "7 - 2 = 5": "7|2|=|5", "(No.5) ｆｕｌｌ": "No.5|ｆｕｌｌ", "A+, C#. 18+": "A+|C#|18+",
	} {
		var texts []string
		for _, w := range Words(text) {
			texts = append(texts, w.Text)
		}
		if got := strings.Join(texts, "|"); got != want {
			t.Errorf("%q has the words %q, want %q", text, got, want)
		}
	}
}

// TestLongPath checks an address that would take minutes if each part of its path copied
// those before it.
func TestLongPath(t *testing.T) {
	for _, piece := range []string{"/b", "/b-c", "-b", ".b", "/", "/1", "1-", "@a"} {
		Words("www.a.com/a" + strings.Repeat(piece, 20_000/len(piece)))
	}
}

// FuzzWords checks that for any text the readings are words of letters and
// apostrophes, and that every word has its text.
func FuzzWords(f *testing.F) {
	for _, text := range []string{"$1.00", "1/0", "99:99", "'", "-", "1,2,3", "٣", "5€", "a.b.c.", "--5", "$$5", "$", "0x1F", "1e9", "½", "''90s", "#", "%%", "@a", "#a1", "a.b@c.vn/1-x_y", "1-a-2b", "No.5a", "C+", "5'10", "MCMXC", "1 000", "USD 5/x", "٣²", "+1~2", "<b>&#49;</b>", "a\xff"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, w := range Words(text) {
			if w.Text == "" {
				t.Errorf("%q has an empty word", text)
			}
			for _, r := range w.Readings {
				for _, part := range r {
					ok := part != "" && !strings.ContainsFunc(part, func(c rune) bool {
						return !unicode.IsLetter(c) && !unicode.IsMark(c) && c != '\'' || isASCIIDigit(c)
					})
					if !ok {
						t.Errorf("%q in %q is read as %q", w.Text, text, r)
					}
				}
			}
		}
	})
}
