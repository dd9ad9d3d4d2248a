package cli

import (
	"bytes"
	"testing"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

var grammarAnswer = &gatewayv1.GrammarResponse{
	CorrectedText: "Chị ấy has a cat.",
	Edits: []*gatewayv1.GrammarEdit{
		{StartOffset: 7, EndOffset: 11, Original: "have", Replacement: "has", ErrorType: gatewayv1.GrammarErrorType_GRAMMAR_ERROR_TYPE_AGREEMENT, Explanation: "ngôi thứ ba"},
		{StartOffset: 12, EndOffset: 12, Replacement: "a "},
		{StartOffset: 15, EndOffset: 20, Original: " very"},
	},
	Score: 60,
}

const grammarText = "Chị ấy have cat very."

func TestGrammarWithColours(t *testing.T) {
	var out bytes.Buffer
	if err := writeGrammar(&console{out: &out, outTTY: true}, grammarText, grammarAnswer); err != nil {
		t.Fatal(err)
	}
	want := "Chị ấy \x1b[31;9mhave\x1b[0m\x1b[32mhas\x1b[0m \x1b[32ma \x1b[0mcat\x1b[31;9m very\x1b[0m.\n"
	if got, _, _ := bytes.Cut(out.Bytes(), []byte("  7-11")); string(got) != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestGrammarWithoutColours(t *testing.T) {
	var out bytes.Buffer
	if err := writeGrammar(&console{out: &out}, grammarText, grammarAnswer); err != nil {
		t.Fatal(err)
	}
	want := `Chị ấy has a cat.
  7-11  "have" → "has"  [agreement]  ngôi thứ ba
  12-12  add "a "
  15-20  remove " very"
score 60
`
	if out.String() != want {
		t.Errorf("%s\nwant\n%s", out.String(), want)
	}
}

func TestTerminalOutputHasNoControlCharacters(t *testing.T) {
	hostile := &gatewayv1.StreamChatResponse{Delta: "\x1b]0;owned\a\x1b[2Jone\r\n\ttwo\u009b1m\x7f ế"}
	for tty, want := range map[bool]string{true: "]0;owned[2Jone\n\ttwo1m ế", false: hostile.GetDelta()} {
		var out bytes.Buffer
		if err := (chatCommand{}).show(hostile, &globals{}, &console{out: &out, outTTY: tty}); err != nil {
			t.Fatal(err)
		}
		if out.String() != want {
			t.Errorf("terminal %t: %q, want %q", tty, out.String(), want)
		}
	}
	var out bytes.Buffer
	answer := &gatewayv1.GrammarResponse{Edits: []*gatewayv1.GrammarEdit{{Replacement: "\x1b[2J", Explanation: "\x1b[3J"}}}
	if err := writeGrammar(&console{out: &out, outTTY: true}, "x", answer); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"\x1b[2J", "\x1b[3J"} {
		if bytes.Contains(out.Bytes(), []byte(bad)) {
			t.Errorf("%q is in %q", bad, out.String())
		}
	}
}
