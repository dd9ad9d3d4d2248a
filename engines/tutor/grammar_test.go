package tutor_test

import (
	"encoding/json"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/engines/tutor"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

type testNote struct {
	Wrong       string `json:"wrong"`
	Right       string `json:"right"`
	Type        string `json:"type"`
	Explanation string `json:"explanation"`
}

func modelAnswer(t interface{ Fatal(...any) }, corrected string, notes ...testNote) string {
	if notes == nil {
		notes = []testNote{}
	}
	b, err := json.Marshal(map[string]any{"corrected": corrected, "notes": notes})
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func parse(t *testing.T, text, answer string) *gatewayv1.GrammarResponse {
	t.Helper()
	res, err := tutor.ParseGrammar(&gatewayv1.GrammarRequest{Text: text}, answer)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// describeEdits formats each edit as a line `[start,end,"original","replacement"]
// TYPE`.
func describeEdits(edits []*gatewayv1.GrammarEdit) string {
	var parts []string
	for _, e := range edits {
		b, _ := json.Marshal([]any{e.GetStartOffset(), e.GetEndOffset(), e.GetOriginal(), e.GetReplacement()})
		parts = append(parts, string(b)+" "+strings.TrimPrefix(e.GetErrorType().String(), "GRAMMAR_ERROR_TYPE_"))
	}
	return strings.Join(parts, "\n")
}

func TestEdits(t *testing.T) {
	for name, c := range map[string]struct {
		text, corrected, want string
		score                 float32
	}{
		"correct":           {"I am fine.", "I am fine.", "", 100},
		"agreement":         {"She have a cat.", "She has a cat.", `[4,8,"have","has"] AGREEMENT`, 75},
		"third person":      {"He go home.", "He goes home.", `[3,5,"go","goes"] AGREEMENT`, 100 * 2 / 3.},
		"tense":             {"Yesterday I go home.", "Yesterday I went home.", `[12,14,"go","went"] VERB_TENSE`, 75},
		"regular tense":     {"I work yesterday.", "I worked yesterday.", `[2,6,"work","worked"] VERB_TENSE`, 100 * 2 / 3.},
		"plural":            {"two book", "two books", `[4,8,"book","books"] NOUN_NUMBER`, 50},
		"irregular plural":  {"three childs", "three children", `[6,12,"childs","children"] NOUN_NUMBER`, 50},
		"missing article":   {"I have cat.", "I have a cat.", `[7,7,"","a "] ARTICLE`, 100 * 2 / 3.},
		"wrong article":     {"a apple", "an apple", `[0,1,"a","an"] ARTICLE`, 50},
		"preposition":       {"I listen music.", "I listen to music.", `[9,9,"","to "] PREPOSITION`, 100 * 2 / 3.},
		"extra preposition": {"discuss about it", "discuss it", `[8,14,"about ",""] PREPOSITION`, 100 * 2 / 3.},
		"word order":        {"I like very much tea.", "I like tea very much.", `[7,20,"very much tea","tea very much"] WORD_ORDER`, 40},
		"spelling":          {"my freind", "my friend", `[3,9,"freind","friend"] SPELLING`, 50},
		"word choice":       {"make homework", "do homework", `[0,4,"make","do"] WORD_CHOICE`, 50},
		"case and stop":     {"i am ok", "I am ok.", "[0,1,\"i\",\"I\"] PUNCTUATION\n[7,7,\"\",\".\"] PUNCTUATION", 100 * 2 / 3.},
		"two in a row":      {"She go school", "She goes to school", "[4,6,\"go\",\"goes\"] AGREEMENT\n[7,7,\"\",\"to \"] PREPOSITION", 100 / 3.},
		"missing at end":    {"I like it very", "I like it very much", `[14,14,""," much"] MISSING_WORD`, 75},
		"emoji":             {"👩‍👩‍👧 she have 🎉", "👩‍👩‍👧 she has 🎉", `[10,14,"have","has"] AGREEMENT`, 50},
		"vietnamese names":  {"Chị Ngữ have hoa đào", "Chị Ngữ has hoa đào", `[8,12,"have","has"] AGREEMENT`, 80},
		"own quotes kept":   {"It’s “good” weather", `It's "good" weather`, "", 100},
		"space kept":        {"  I is ok \n", "I am ok", `[4,6,"is","am"] AGREEMENT`, 100 * 2 / 3.},
	} {
		t.Run(name, func(t *testing.T) {
			res := parse(t, c.text, modelAnswer(t, c.corrected))
			if got := describeEdits(res.GetEdits()); got != c.want {
				t.Errorf("edits\n%s\nwant\n%s", got, c.want)
			}
			if diff := res.GetScore() - c.score; diff > 0.01 || diff < -0.01 {
				t.Errorf("score %v, want %v", res.GetScore(), c.score)
			}
		})
	}
}

func TestDecomposedTextIsKept(t *testing.T) {
	text := "Nguye\u0302\u0303n have a do\u0302\u0300ng" // NFD, as macOS and some phones send it
	res := parse(t, text, modelAnswer(t, "Nguyễn has a đồng"))
	if want := "Nguye\u0302\u0303n has a đồng"; res.GetCorrectedText() != want {
		t.Errorf("corrected %q, want %q", res.GetCorrectedText(), want)
	}
	if e := res.GetEdits()[0]; e.GetStartOffset() != 9 || e.GetOriginal() != "have" {
		t.Errorf("first edit %v", e)
	}
}

func TestNotesAreMatchedByTheirWords(t *testing.T) {
	res := parse(t, "Last week she have two book and a dog.", modelAnswer(t, "Last week she had two books and the dog.",
		testNote{"dogs", "cats", "SPELLING", "about words that are not in the text"},
		testNote{"two book", "two books", "NOUN_NUMBER", "plural after two"},
		testNote{"she have", "she had", "VERB_TENSE", "last week is past"},
	))
	want := []struct {
		kind gatewayv1.GrammarErrorType
		why  string
	}{
		{gatewayv1.GrammarErrorType_GRAMMAR_ERROR_TYPE_VERB_TENSE, "last week is past"},
		{gatewayv1.GrammarErrorType_GRAMMAR_ERROR_TYPE_NOUN_NUMBER, "plural after two"},
		{gatewayv1.GrammarErrorType_GRAMMAR_ERROR_TYPE_ARTICLE, ""},
	}
	if len(res.GetEdits()) != len(want) {
		t.Fatalf("edits: %s", describeEdits(res.GetEdits()))
	}
	for i, w := range want {
		if e := res.GetEdits()[i]; e.GetErrorType() != w.kind || e.GetExplanation() != w.why {
			t.Errorf("edit %d is %v %q, want %v %q", i, e.GetErrorType(), e.GetExplanation(), w.kind, w.why)
		}
	}
}

func TestEqualEditsGetTheNoteWithTheirContext(t *testing.T) {
	res := parse(t, "I have cat and I see dog", modelAnswer(t, "I have a cat and I see a dog",
		testNote{"see dog", "see a dog", "ARTICLE", "dog"}, testNote{"have cat", "have a cat", "ARTICLE", "cat"}))
	if e := res.GetEdits(); len(e) != 2 || e[0].GetExplanation() != "cat" || e[1].GetExplanation() != "dog" {
		t.Errorf("edits %v", e)
	}
}

func TestBadAnswers(t *testing.T) {
	whole := modelAnswer(t, "I am fine.", testNote{"is", "am", "AGREEMENT", "why"})
	for i := range len(whole) {
		if _, err := tutor.ParseGrammar(&gatewayv1.GrammarRequest{Text: "I is fine."}, whole[:i]); errs.ReasonOf(err) != errs.InvalidRequest {
			t.Fatalf("cut at %d: %v", i, err)
		}
	}
	for name, answer := range map[string]string{
		"words":      "I am fine.",
		"array":      "[1,2]",
		"wrong type": `{"corrected":5,"notes":[]}`,
		"blank":      `{"corrected":" \n","notes":[]}`,
		"missing":    `{"notes":[]}`,
	} {
		if _, err := tutor.ParseGrammar(&gatewayv1.GrammarRequest{Text: "I is fine."}, answer); errs.ReasonOf(err) != errs.Internal {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestBlankTextNeedsNoModel(t *testing.T) {
	res := parse(t, " \n ", "")
	if res.GetCorrectedText() != " \n " || res.GetScore() != 100 || len(res.GetEdits()) != 0 {
		t.Errorf("%v", res)
	}
}

// wordsOf generates texts that share many words, like a text and its correction.
func wordsOf() *rapid.Generator[string] {
	vocabulary := []string{"I", "go", "goes", "to", "a", "an", "the", "school", "School", "ngữ", "ngu\u031b\u0303", "đào",
		"🎉", "👩‍👩‍👧", ".", ",", "’", "'", "it's", "it’s", " ", "  ", "\n", "\u00a0", "\u0301", "中文", "x\u200d"}
	return rapid.Custom(func(t *rapid.T) string {
		parts := rapid.SliceOfN(rapid.SampledFrom(vocabulary), 0, 30).Draw(t, "parts")
		return strings.Join(parts, rapid.SampledFrom([]string{" ", ""}).Draw(t, "joint"))
	})
}

// checkResponse checks what the API guarantees about every edit.
func checkResponse(t *rapid.T, text string, res *gatewayv1.GrammarResponse) {
	if got := tutor.Apply(text, res.GetEdits()); got != res.GetCorrectedText() {
		t.Fatalf("edits give %q, corrected text is %q", got, res.GetCorrectedText())
	}
	runes := []rune(text)
	at := int32(0)
	for _, e := range res.GetEdits() {
		if e.GetStartOffset() < at || e.GetEndOffset() < e.GetStartOffset() || int(e.GetEndOffset()) > len(runes) {
			t.Fatalf("edit out of order or range: %v", e)
		}
		if got := string(runes[e.GetStartOffset():e.GetEndOffset()]); got != e.GetOriginal() {
			t.Fatalf("edit says %q, the text has %q", e.GetOriginal(), got)
		}
		if e.GetOriginal() == e.GetReplacement() {
			t.Fatalf("edit changes nothing: %v", e)
		}
		at = e.GetEndOffset()
	}
	if s := res.GetScore(); s < 0 || s > 100 {
		t.Fatalf("score %v", s)
	}
}

func TestEditsGiveTheCorrectedText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text, corrected := wordsOf().Draw(t, "text"), wordsOf().Draw(t, "corrected")
		if rapid.Bool().Draw(t, "any") {
			text, corrected = rapid.String().Draw(t, "any text"), rapid.String().Draw(t, "any corrected")
		}
		res, err := tutor.ParseGrammar(&gatewayv1.GrammarRequest{Text: text}, modelAnswer(t, corrected,
			testNote{Wrong: text, Right: corrected, Type: "SPELLING", Explanation: "x"}))
		if err != nil {
			if strings.TrimSpace(corrected) == "" {
				return
			}
			t.Fatal(err)
		}
		checkResponse(t, text, res)
		if strings.TrimSpace(text) == strings.TrimSpace(corrected) && len(res.GetEdits()) > 0 {
			t.Fatalf("edits of an equal text: %v", res.GetEdits())
		}
	})
}

func FuzzParseGrammar(f *testing.F) {
	f.Add("I is ok", `{"corrected":"I am ok","notes":[{"wrong":"is","right":"am","type":"AGREEMENT","explanation":"x"}]}`)
	f.Add("\xff", `{"corrected":"\ud800"}`)
	f.Fuzz(func(t *testing.T, text, answer string) {
		text = strings.ToValidUTF8(text, "\ufffd")
		res, err := tutor.ParseGrammar(&gatewayv1.GrammarRequest{Text: text}, answer)
		if err == nil && tutor.Apply(text, res.GetEdits()) != res.GetCorrectedText() {
			t.Fatal("edits do not give the corrected text")
		}
	})
}
