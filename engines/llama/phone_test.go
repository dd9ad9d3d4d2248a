package llama

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/lexilingo/modelgateway/engines/tutor"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// TestTextsOfPhones checks that the starter model, which was trained on ASCII
// punctuation, corrects texts as the keyboards of phones write them, and that correct
// ones come back unchanged.
func TestTextsOfPhones(t *testing.T) {
	m := load(t, starter(), nil)
	for text, want := range map[string]string{
		"I’m a student.":                          "",
		"She said “hello” to me.":                 "",
		"I like tea… and coffee.":                 "",
		"I like\u00a0tea.":                        "",
		"I’m fine 👍🏽":                             "",
		"My brother — a doctor — lives in Hanoi.": "",
		"Ｈｅｌｌｏ, my name is Lan.":                  "",
		"\ufeffI like tea.\u200b":                 "",
		"Nguye\u0302\u0303n has a dog.":           "",
		"Do you like tea？":                        "",
		"I like it!!!":                            "",
		"I live in 東京.":                           "",
		"It costs 5€.":                            "",
		"My email is lan@example.com.":            "",
		"She have two book 📚":                     "She has two books 📚",
		"He don’t like fish.":                     "He doesn’t like fish.",
		"I buyed a car 🚗 last week.":              "I bought a car 🚗 last week.",
		"She go to school — every day.":           "She goes to school — every day.",
	} {
		if want == "" {
			want = text
		}
		res, err := m.Grammar(t.Context(), &gatewayv1.GrammarRequest{Text: text})
		if err != nil {
			t.Fatal(err)
		}
		if res.GetCorrectedText() != want || tutor.Apply(text, res.GetEdits()) != want {
			t.Errorf("%q becomes %q with %v, want %q", text, res.GetCorrectedText(), res.GetEdits(), want)
		}
	}
}

// TestReplyToPhones checks that the other tasks get the same words from a phone's
// text as from a plain one.
func TestReplyToPhones(t *testing.T) {
	m := load(t, starter(), nil)
	reply := func(text string) string {
		r, err := m.Respond(t.Context(), &gatewayv1.RespondRequest{Text: text, Sampling: greedy(40)})
		if err != nil {
			t.Fatal(err)
		}
		return r.GetText()
	}
	for phone, plain := range map[string]string{
		"Hello!!! I’m Lan 😀": "Hello! I'm Lan", "I\u00a0like “tea”…": `I like "tea".`,
	} {
		if got, want := reply(phone), reply(plain); got != want {
			t.Errorf("%q is answered with %q, %q with %q", phone, got, plain, want)
		}
	}
	explain := func(text, question string) string {
		r, err := m.ExplainVietnamese(t.Context(), &gatewayv1.ExplainVietnameseRequest{Text: text, Question: question, Sampling: greedy(40)})
		if err != nil {
			t.Fatal(err)
		}
		return r.GetExplanation()
	}
	got, want := explain("It’s\u00a0a cat", "Nghi\u0303a la\u0300 gi\u0300?"), explain("It's a cat", "Nghĩa là gì?")
	if got != want || !strings.ContainsFunc(want, unicode.IsLetter) {
		t.Errorf("explained with %q, want %q", got, want)
	}
}

// TestDecomposedText checks that a model gets the same prompt for each Unicode form
// of a text.
func TestDecomposedText(t *testing.T) {
	m := load(t, starter(), nil)
	const system, user = "Bạn là giáo viên.", "Nguyễn thích cà phê."
	composed, err := m.prompt(task{messages: conversation(norm.NFC.String(system), norm.NFC.String(user))})
	if err != nil {
		t.Fatal(err)
	}
	var text []byte
	for _, token := range composed.Tokens {
		text = append(text, m.weights.Vocab().Piece(token)...)
	}
	if !bytes.Contains(text, norm.NFC.Bytes([]byte(system))) || !bytes.Contains(text, norm.NFC.Bytes([]byte(user))) {
		t.Errorf("the prompt is not in NFC: %+q", text)
	}
	decomposed, err := m.prompt(task{messages: conversation(norm.NFD.String(system), norm.NFD.String(user))})
	if err != nil || !slices.Equal(composed.Tokens, decomposed.Tokens) {
		t.Errorf("%d tokens in NFC, %d in NFD, %v", len(composed.Tokens), len(decomposed.Tokens), err)
	}
	request := task{messages: conversation("", "Hello"), sampling: greedy(20), grammar: `root ::= "xin chào bạn"`}
	request.sampling.Stop = []string{norm.NFD.String("chào")}
	if text, _, err := m.text(t.Context(), request); err != nil || text != "xin " {
		t.Errorf("a stop string in NFD: %q, %v", text, err)
	}
}
