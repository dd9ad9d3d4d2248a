package tutor_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/lexilingo/modelgateway/engines/tutor"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// phoneTexts are texts as keyboards write them, and what a model sees of them.
func phoneTexts() map[string]string {
	return map[string]string{
		"I’m a student.":                     "I'm a student.",
		"‘Yes’, she said.":                   "'Yes', she said.",
		"“Hello”, „hi“ and «salut»":          `"Hello", "hi" and "salut"`,
		"I don´t and I don`t":                "I don't and I don't",
		"I like\u00a0tea\u202fand cake":      "I like tea and cake",
		"I  like\ttea":                       "I like tea",
		"I like tea… and cake…":              "I like tea, and cake.",
		"I like tea... Do you...?":           "I like tea. Do you?",
		"…and he go":                         "and he go",
		"Great!!! What?! Really??":           "Great! What? Really?",
		"tea — or coffee – or 10–12":         "tea - or coffee - or 10-12",
		"Ｈｅｌｌｏ，　ｗｏｒｌｄ！":                      "Hello, world!",
		"He is good。":                        "He is good.",
		"𝓘 𝓪𝓶 ﬁne":                           "I am fine",
		"\ufeffI li\u200bke\u00ad tea\u200b": "I like tea",
		"Nguye\u0302\u0303n":                 "Nguyễn",
		"one\r\ntwo\u2028three":              "one\ntwo\nthree",
		"① is 1️⃣":                           "1 is 1",
		"I like tea 😀":                       "I like tea",
		"I like tea 😀😀.":                     "I like tea.",
		"I like tea ❤️ and cake":             "I like tea and cake",
		"👍🏽 good 👩‍👩‍👧 day 🇻🇳":               "good day",
		"tea😀cake":                           "tea cake",
		"one 😀\ntwo":                         "one\ntwo",
		"Hello :) you :)) :D.":               "Hello you.",
		"We <3 you ^^":                       "We you",
		"at 10:30, (a=(b)":                   "at 10:30, (a=(b)",
		"1. I go\n- she go\n• he go":         "I go\nshe go\nhe go",
		"5€, 50.000₫, 20 °C, a < b, a@b.com": "5€, 50.000₫, 20 °C, a < b, a@b.com",
		"😀😀":                                 "",
	}
}

func TestPlainGrammar(t *testing.T) {
	for text, want := range phoneTexts() {
		if got := tutor.PlainGrammar(&gatewayv1.GrammarRequest{Text: text}).GetText(); got != want {
			t.Errorf("%q is seen as %q, want %q", text, got, want)
		}
	}
}

func TestPlainRespond(t *testing.T) {
	user := &gatewayv1.ChatMessage{Role: gatewayv1.Role_ROLE_USER, Content: "I’m “Lan” 😀"}
	tutors := &gatewayv1.ChatMessage{Role: gatewayv1.Role_ROLE_ASSISTANT, Content: "It’s 😀"}
	req := &gatewayv1.RespondRequest{Text: "I’m fine… 😀 1. <3", History: []*gatewayv1.ChatMessage{user, tutors}}
	got := tutor.PlainRespond(req)
	if got.GetText() != "I'm fine. 1. <3" || got.GetHistory()[0].GetContent() != `I'm "Lan"` || got.GetHistory()[1].GetContent() != "It’s 😀" {
		t.Errorf("the model sees %v", got)
	}
	if user.GetContent() != "I’m “Lan” 😀" || req.GetText() != "I’m fine… 😀 1. <3" {
		t.Error("the request was changed")
	}
	if got := tutor.PlainRespond(&gatewayv1.RespondRequest{Text: "😀"}).GetText(); got != "😀" {
		t.Errorf("an emoji alone is seen as %q", got)
	}
}

func TestPlainExplain(t *testing.T) {
	got := tutor.PlainExplain(&gatewayv1.ExplainVietnameseRequest{Text: "I’m\u00a0😂 <3", Question: "Nghi\u0303a la\u0300 gi\u0300?"})
	if got.GetText() != "I'm 😂 <3" || got.GetQuestion() != "Nghĩa là gì?" {
		t.Errorf("the model sees %v", got)
	}
}

// TestPlainTextIsNoCorrection checks that a model that repeats what it sees changes
// nothing.
func TestPlainTextIsNoCorrection(t *testing.T) {
	for text, plain := range phoneTexts() {
		if plain == "" {
			plain = "anything"
		}
		if res := parse(t, text, modelAnswer(t, plain)); res.GetCorrectedText() != text || len(res.GetEdits()) > 0 || res.GetScore() != 100 {
			t.Errorf("%q becomes %q", text, res.GetCorrectedText())
		}
	}
	pieces := rapid.SampledFrom([]string{"I", "she", "’m", "“", "”", "…", "...", "!!", "?!", "\u00a0", " ", "\n", "，", "。", "Ｈｅ", "½", "ﬁ",
		"e\u0302\u0301", "\u0301", "\u200b", "\ufeff", "\r\n", "東京", "ệ", "'", "\""})
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOfN(pieces, 1, 20).Draw(t, "pieces"), rapid.SampledFrom([]string{"", " "}).Draw(t, "joint"))
		plain := tutor.PlainGrammar(&gatewayv1.GrammarRequest{Text: text}).GetText()
		res, err := tutor.ParseGrammar(&gatewayv1.GrammarRequest{Text: text}, modelAnswer(t, plain))
		if err == nil && res.GetCorrectedText() != text {
			t.Fatalf("%q, which is seen as %q, becomes %q", text, plain, res.GetCorrectedText())
		}
		if err != nil && strings.TrimSpace(plain) != "" {
			t.Fatal(err)
		}
	})
}

// TestEditsOfPhoneTexts checks that edits have the offsets of the text, and that what
// they do not concern stays as it is.
func TestEditsOfPhoneTexts(t *testing.T) {
	for name, c := range map[string]struct{ text, corrected, want, edits string }{
		"apostrophe":       {"He don’t like it.", "He doesn't like it.", "He doesn’t like it.", `[3,8,"don’t","doesn’t"] AGREEMENT`},
		"quotation marks":  {"“She have tea”, he said.", `"She has tea", he said.`, "“She has tea”, he said.", `[5,9,"have","has"] AGREEMENT`},
		"ellipsis":         {"She have tea… and cake…", "She has tea, and cake.", "She has tea… and cake…", `[4,8,"have","has"] AGREEMENT`},
		"three dots":       {"She have tea... ok", "She has tea... ok", "She has tea... ok", `[4,8,"have","has"] AGREEMENT`},
		"emoji at the end": {"😀 she have tea 😀", "she has tea.", "😀 she has tea. 😀", "[6,10,\"have\",\"has\"] AGREEMENT\n[14,14,\"\",\".\"] PUNCTUATION"},
		"emoji in between": {"tea ❤️ she have it", "tea she has it", "tea ❤️ she has it", `[11,15,"have","has"] AGREEMENT`},
		"emoji for a word": {"I ❤️ you and she have tea", "I love you and she has tea", "I ❤️ you and she has tea", `[17,21,"have","has"] AGREEMENT`},
		"hard space":       {"She\u00a0have\u202ftea", "She has tea", "She\u00a0has\u202ftea", `[4,8,"have","has"] AGREEMENT`},
		"full width":       {"Ｓｈｅ　ｈａｖｅ　ｔｅａ。", "She has tea.", "Ｓｈｅ　has　ｔｅａ。", `[4,8,"ｈａｖｅ","has"] AGREEMENT`},
		"zero width":       {"\ufeffShe ha\u200bve tea", "She has tea", "\ufeffShe has tea", `[5,10,"ha` + "\u200b" + `ve","has"] AGREEMENT`},
		"list":             {"1. She have tea\n2. I is ok", "She has tea\nI am ok", "1. She has tea\n2. I am ok", "[7,11,\"have\",\"has\"] AGREEMENT\n[21,23,\"is\",\"am\"] AGREEMENT"},
		"joined lines":     {"hello\nshe have tea", "hello, she has tea", "hello\nshe has tea", `[10,14,"have","has"] AGREEMENT`},
	} {
		t.Run(name, func(t *testing.T) {
			res := parse(t, c.text, modelAnswer(t, c.corrected))
			if got := describeEdits(res.GetEdits()); res.GetCorrectedText() != c.want || got != c.edits {
				t.Errorf("got %q with\n%s\nwant %q with\n%s", res.GetCorrectedText(), got, c.want, c.edits)
			}
			if got := tutor.Apply(c.text, res.GetEdits()); got != c.want {
				t.Errorf("the edits make %q", got)
			}
		})
	}
}
