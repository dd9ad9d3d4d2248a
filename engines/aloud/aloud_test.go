package aloud

import (
	"strings"
	"testing"
	"unicode"
)

func TestText(t *testing.T) {
	for text, want := range map[string]string{
		// Plain text stays as it is.
		"Hello, “world”! It’s 5 o’clock…":         "Hello, “world”! It’s 5 o’clock…",
		"1986. A great year.":                     "1986. A great year.",
		"It was Plan B. He left. No. I do.\nDone": "It was Plan B. He left. No. I do.\nDone",
		"5*3*2 = 30, a * b, snake_case, C#, #1":   "5*3*2 = 30, a * b, snake_case, C#, #1",
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
		// HTML and SSML.
		"Hello <b>world</b>, H<sub>2</sub>O &amp; &lt;x&gt; &eacute;":                                                 "Hello world, H2O & <x> é",
		"<p>Hi</p><ul><li>One<li>Two.</ul><h1>Title</h1>End<br>here":                                                  "\n\nHi\n\nOne.\nTwo.\n\nTitle.\n\nEnd\nhere",
		"<table><tr><td>a</td><td>b</td></tr></table>":                                                                "\n\na, b.\n\n",
		`<speak>Hi <break time="1s"/> Lan. <say-as interpret-as="date">1</say-as> <mstts:x a="b">c</mstts:x></speak>`: "Hi, Lan. 1 c",
		"a<!-- no -->b<script>if (a<b) {}</script><style>p{}</style> `<b>`":                                           "a b <b>",
		"Dear <name>, <img src='x' alt=\"a cat\">":                                                                    "Dear name, a cat",
		"a < b, 3<4, x > y and x<y":                                                                                   "a less than b, 3 less than 4, x greater than y and x less than y",
		"I <3 you <3":                                                                                                 "I heart you heart",
		"50,000₫ or ₫50.000 or 5 ₫":                                                                                   "50,000 dong or 50.000 dong or 5 dong",
		"if a < b and c > d, e <f and g":                                                                              "if a less than b and c greater than d, e <f and g",
		// Abbreviations.
		"J. R. R. Tolkien met Mr. and Mrs. Lee on St. Mary Street.": "J R R Tolkien met Mr.\u00a0and Mrs.\u00a0Lee on St.\u00a0Mary Street.",
		"The U.S. Army, e.g. Dr. Lee vs. Prof. Kim, No. 5, p. 12":   "The U S Army, for example Dr.\u00a0Lee versus Professor Kim, Number 5, page 12",
		"I live on Main St. He left at 5 p.m. Lan came on Jan. 5.":  "I live on Main St. He left at 5 p.m. Lan came on January 5.",
		"It was I. The end. See example.com. Lan did.":              "It was I. The end. See example.com. Lan did.",
		// Forms.
		"Ｈｅｌｌｏ　１２３！":                                  "Hello 123!",
		"①Apple ②③ ❸ ⑩ ⓿ 🄰 1️⃣":                       "1 Apple 2 3 3 10 0 A 1",
		"20℃, 5㎏, Ⅳ, ﬁne, 𝓗𝓲, ½ m² ™":                 "20°C, 5kg, IV, fine, Hi, ½ m² ™",
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
		"vi": "Tiến sĩ Lan ở Thành phố Huế, Quận 1: 5 nhỏ hơn 7đ trái tim 9 đồng",
		"de": "TS Lan ở TP Huế, Q 1: 5 < 7đ <3 9₫",
		"":   "TS Lan ở TP Huế, Q 1: 5 < 7đ <3 9₫",
	} {
		if got := Text("TS. Lan ở TP. Huế, Q. 1: 5 < 7đ <3 9₫", language); got != want {
			t.Errorf("%s: %q, want %q", language, got, want)
		}
	}
}

// pieces are those of markup that may occur many times.
var pieces = []string{"[", "<", "*", "`", "<a ", "[a](", "<!--", "&", "- ", "|a", "A. ", "①", "[[", "https://", "_a", "<b>", "\n",
	"> ", "> - ", "[[a]]", "1. ", "- - ", "<a b=", "*a"}

// TestManyMarks checks texts that would take minutes if the time grew with the square of their
// length.
func TestManyMarks(t *testing.T) {
	for _, piece := range pieces {
		Text(strings.Repeat(piece, 20_000/len(piece)), "en")
	}
}

// FuzzText checks that no digit of a text without markup is lost.
func FuzzText(f *testing.F) {
	f.Add("1. One\n2) *Two* – 3 <3 4₫ J. R. 5")
	for _, piece := range pieces {
		f.Add("1" + strings.Repeat(piece, 3) + "2")
	}
	f.Fuzz(func(t *testing.T, text string) {
		text = strings.ToValidUTF8(text, " ")
		got := Text(text, "en-us")
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
