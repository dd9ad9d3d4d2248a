package tutor_test

import (
	"strings"
	"testing"
)

// TestImplausibleCorrections has answers of the starter model to texts with
// characters that it does not know, and others of the kind.
func TestImplausibleCorrections(t *testing.T) {
	for name, c := range map[string]struct{ text, corrected string }{
		"Vietnamese letters":   {"I’m a student.", "I'mện Fad a student."},
		"Vietnamese words":     {"She said “hello” to me.", "She said CHCH Bạnllo question everyday topicsGiảiấit to me."},
		"another script":       {"I like tea.", "I like 茶."},
		"new words":            {"I like tea。", "I like teaching an umbrella"},
		"repeated text":        {"I like tea... and coffee.", "I like tea.. Wif I like tea.. and coffee."},
		"error type":           {"I am happy 😊", "I am happy EXTRAWORD"},
		"error type with line": {"I am happy", "I am happy WORD_ORDER"},
		"prompt":               {"I am happy", "Fix the mistakes and change nothing else."},
		"markup":               {"I am happy", "I am happy <b>"},
		"control characters":   {"I am happy", "I am happy \u0001"},
		"no letters":           {"I am happy", "... !"},
		"explosion":            {"I is ok", "I am ok I am ok I am ok I am ok I am ok I am ok"},
		"most is lost":         {"I go to the market with my mother and buy apples", "I apples"},
		"number changed":       {"I paid 50.000₫ for it.", "I paid 50.0000₫ for it."},
		"number lost":          {"He work at 7:30 am.", "He works in am."},
		"symbol lost":          {"I paid 50.000₫ for it.", "I paid 50.000 for it."},
		"address":              {"My email is lan@example.com.", "My email is lanning Namexample.com."},
		"web address":          {"See https://example.com now", "See https: example now"},
		"half of a pair":       {"He don’t like “tea”…", `He doesn't like atea"...`},
		"the prompt's example": {"This is correct.", "She has two books."},
		"the example, longer":  {"i am go to market with my mom", "She has two books."},
		"the example, shorter": {"Yes.", "She has two books."},
		"the example in part":  {"my dog are cute", "She has two dogs."},
		"the example within":   {"I get up at six every day. This is correct. Then my mother makes breakfast for us.", "I get up at six every day. She has two books. Then my mother makes breakfast for us."},
		"another sentence":     {"see you again", "Goodbye"},
		"half a sentence":      {"It’s raining, so I’ll stay at home.", "She will stay at home."},
		"the end is lost":      {"You can say that again.", "You can say "},
		"the beginning lost":   {"Whoever wins, we lose.", "We lose."},
		"the quoted part only": {"“How are you?” she asked.", "How are you?"},
		"one word of all":      {"lol that's so funny", "sadny"},
		"no words of English":  {"Two and two make four.", "Two and two micety."},
		"chat language":        {"haha ok, see u tmr", "hao oken the su tm"},
		"the words shuffled":   {"My little brother often plays football with his friends", "friends plays his football brother My with often little"},
	} {
		t.Run(name, func(t *testing.T) {
			res := parse(t, c.text, modelAnswer(t, c.corrected, testNote{"a", "b", "SPELLING", "x"}))
			if res.GetCorrectedText() != c.text || len(res.GetEdits()) > 0 || res.GetScore() != 100 {
				t.Errorf("got %q with %v", res.GetCorrectedText(), res.GetEdits())
			}
		})
	}
}

// TestPlausibleCorrections has corrections that change much, as teachers write them.
func TestPlausibleCorrections(t *testing.T) {
	for text, corrected := range map[string]string{
		"I very like you house because it have many flower":               "I really like your house because it has many flowers.",
		"How to call this in English?":                                    "What is this called in English?",
		"Please open the light, it is dark.":                              "Please turn on the light, it is dark.",
		"I want to say that I very happy because today is birthday of me": "I want to say that I am very happy because today is my birthday.",
		"Last sunday i go ha noi with my familly":                         "Last Sunday I went to Hà Nội with my family.",
		"i wanna go cafe":         "I want to go to a café.",
		"i have 2 book":           "I have two books.",
		"I like ăn phở":           "I like eating pho.",
		"U r my best frend 4ever": "You are my best friend forever.",
		"In my opinion, i think that study english is very importance for the student": "In my opinion, studying English is very important for students.",
		"He go. She go. They goes to school.":                                          "He goes. She goes. They go to school.",
		"TV IS GOOD, I WATCHES IT":                                                     "TV IS GOOD, I WATCH IT",
		"I study at uni in HCM city":                                                   "I study at university in HCM City.",
		"I think so. What do you think?":                                               "I think so. What do you think?",
		"So the school try learning the students a bit in every subject.":              "So the school tries teaching the students a bit of every subject.",
		"Why you are so sad?":                                                          "Why are you so sad?",
		"I don't know where is the bus stop.":                                          "I don't know where the bus stop is.",
		"Please close the TV.":                                                         "Please turn off the TV.",
		"make homework":                                                                "do homework",
	} {
		if res := parse(t, text, modelAnswer(t, corrected)); res.GetCorrectedText() != corrected {
			t.Errorf("%q: got %q, want %q", text, res.GetCorrectedText(), corrected)
		}
	}
}

// TestWordsOfOtherLanguagesAreKept has corrections of which a part only is one.
func TestWordsOfOtherLanguagesAreKept(t *testing.T) {
	for _, c := range []struct{ text, corrected, want string }{
		{"My mother cook phở bò very well.", "My mother cooks phở very well.", "My mother cooks phở bò very well."},
		{"I had bún chả for lunch.", "I had brun a chả for lunch.", "I had bún chả for lunch."},
		{"On Tết, my family usually go to the chùa.", "My family usually goes to the chùa.", "On Tết, my family usually goes to the chùa."},
		{"I very like phở", "I really like pho", "I really like pho"},
		{"I like ăn phở", "I like eating phở", "I like eating phở"},
	} {
		if res := parse(t, c.text, modelAnswer(t, c.corrected)); res.GetCorrectedText() != c.want {
			t.Errorf("%q → %q: got %q, want %q", c.text, c.corrected, res.GetCorrectedText(), c.want)
		}
	}
}

// TestRepeatedWordsAreLeftOut has an answer that says a part of the text twice.
func TestRepeatedWordsAreLeftOut(t *testing.T) {
	res := parse(t, "Happy birthday 🎂 I hope you has a great day!", modelAnswer(t, "Happy birthday I hope you I hope you have a great day!"))
	if want := "Happy birthday 🎂 I hope you have a great day!"; res.GetCorrectedText() != want {
		t.Errorf("got %q, want %q", res.GetCorrectedText(), want)
	}
}

// TestLongTextsAreCompared checks a text of the maximum length in which every word is
// wrong: the time must not grow with its square.
func TestLongTextsAreCompared(t *testing.T) {
	text, corrected := strings.Repeat("gos ", 2000), strings.Repeat("go ", 2000)
	if res := parse(t, text, modelAnswer(t, corrected)); len(res.GetEdits()) > 0 {
		t.Errorf("%d edits", len(res.GetEdits()))
	}
}
