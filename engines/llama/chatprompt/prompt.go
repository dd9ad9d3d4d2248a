package chatprompt

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// Token is an index into a vocabulary.
type Token = int32

// Special is a token that the tokenizer recognises as a whole in text.
type Special struct {
	Token Token
	Text  string
	// Control is true for tokens that are recognised only if parseSpecial is set.
	Control bool
}

// Tokenizer is a model's vocabulary. It is safe for concurrent use.
type Tokenizer interface {
	// Tokenize converts text to tokens. addSpecial adds the tokens that the model
	// expects around a text; parseSpecial recognises control tokens in the text.
	Tokenize(text string, addSpecial, parseSpecial bool) []Token
	// Specials returns the tokens that Tokenize recognises as a whole.
	Specials() []Special
	// Begin and End return the texts of the tokens around a text, and whether
	// Tokenize adds them.
	Begin() (text string, added bool)
	End() (text string, added bool)
}

// Prompt is the input of a model.
type Prompt struct {
	Tokens []Token
	// InsideThought says that the template has started a thought. It is false
	// unless a thought was requested.
	InsideThought bool
	// Transcript says that the conversation is a transcript, because the model has no
	// template. The answer begins with a space that is not part of it, and Stops end it.
	Transcript bool
	Stops      []string
}

// Prompter creates prompts for one model. It is safe for concurrent use.
type Prompter struct {
	template  *Template
	tokenizer Tokenizer
	specials  []Special // see markup; longest first, the order of llama.cpp's tokenizer
	guard     *guard
	fallback  string
	calls     CallFormat
}

// The formats of prompts for models without a template.
const (
	ChatML     = "ChatML"
	Transcript = "a transcript"
)

// NewPrompter returns a Prompter for a model with the given template. If the template
// is empty, the format is ChatML if the vocabulary has its tokens, else a transcript.
func NewPrompter(source string, tokenizer Tokenizer) (*Prompter, error) {
	begin, _ := tokenizer.Begin()
	end, _ := tokenizer.End()
	fallback := ""
	if strings.TrimSpace(source) == "" {
		source, fallback = transcript, Transcript
		if knows(tokenizer, "<|im_start|>") && knows(tokenizer, "<|im_end|>") {
			source, fallback = chatML, ChatML
		}
	}
	template, err := Compile(source, begin, end)
	if err != nil {
		return nil, err
	}
	specials := markup(source, tokenizer.Specials())
	slices.SortStableFunc(specials, func(a, b Special) int { return len(b.Text) - len(a.Text) })
	return &Prompter{template: template, tokenizer: tokenizer, specials: specials, guard: newGuard(specials), fallback: fallback,
		calls: template.callFormat()}, nil
}

// markup returns the special tokens that have a meaning in a prompt: the control tokens,
// and the user-defined ones that the template uses. Other user-defined tokens, such as
// "<b>" in Gemma's vocabulary, are text that the model was trained on in this form.
func markup(source string, specials []Special) []Special {
	return slices.DeleteFunc(slices.Clone(specials), func(s Special) bool {
		text := strings.TrimSpace(s.Text)
		return !s.Control && text != "<think>" && text != "</think>" && !strings.Contains(source, text)
	})
}

// knows reports whether a text is a special token of a vocabulary.
func knows(tokenizer Tokenizer, text string) bool {
	return slices.ContainsFunc(tokenizer.Specials(), func(s Special) bool { return s.Text == text })
}

// Fallback returns ChatML or Transcript if the model has no template, else "".
func (p *Prompter) Fallback() string { return p.fallback }

// CallFormat returns how the model writes calls of tools.
func (p *Prompter) CallFormat() CallFormat { return p.calls }

// Prompt returns the tokens of a conversation. An error is the template's refusal.
//
// If no message contains the text of a special token, see markup, the whole text is
// tokenized together, as llama-server does, which gives the same tokens. Otherwise the
// messages are marked, so that their text can be distinguished from the template's
// special tokens.
func (p *Prompter) Prompt(c Conversation) (Prompt, error) {
	mark, err := newMark()
	if err != nil {
		return Prompt{}, err
	}
	c.Messages = slices.Clone(c.Messages)
	for i, m := range c.Messages {
		if m.Role == RoleAssistant {
			c.Messages[i].Content = withoutThoughts(m.Content)
		}
	}
	text, err := p.template.Render(p.calls.described(c), func(s string) string { return p.guard.apply(s, mark) })
	if err != nil {
		return Prompt{}, err
	}
	// The tokenizer adds these tokens, and so may the template.
	if begin, added := p.tokenizer.Begin(); added {
		text = strings.TrimPrefix(text, begin)
	}
	if end, added := p.tokenizer.End(); added {
		text = strings.TrimSuffix(text, end)
	}
	out := Prompt{}
	if p.fallback == Transcript {
		out.Transcript, out.Stops = true, transcriptStops()
	}
	if opened := strings.TrimRight(text, " \r\n"); strings.HasSuffix(opened, "<think>") {
		out.InsideThought = c.Thinking
		if !c.Thinking {
			// The template always starts a thought. An empty thought makes such a
			// model answer at once.
			text = opened + "\n\n</think>\n\n"
		}
	}
	if strings.Contains(text, mark) {
		out.Tokens = p.tokenizeMarked(text, mark)
	} else {
		out.Tokens = p.tokenizer.Tokenize(text, true, true)
	}
	return out, nil
}

// newMark returns a text that no message can contain, because it is random.
func newMark() (string, error) {
	var nonce [16]byte
	if _, err := rand.Read(nonce[:]); err != nil {
		return "", fmt.Errorf("random bytes: %w", err)
	}
	// Private-use characters keep templates from trimming it.
	return "\uE000" + hex.EncodeToString(nonce[:]) + "\uE001", nil
}

// withoutThoughts removes the thoughts from an earlier answer of a model.
func withoutThoughts(content string) string {
	if at := strings.LastIndex(content, "</think>"); at >= 0 {
		return strings.TrimLeft(content[at+len("</think>"):], "\r\n")
	}
	if strings.HasPrefix(strings.TrimLeft(content, " \r\n"), "<think>") {
		return "" // there is no answer after the thought
	}
	return content
}

// tokenizeMarked tokenizes text in which marks divide the special tokens that are
// not the template's.
func (p *Prompter) tokenizeMarked(text, mark string) []Token {
	before, after := p.around()
	tokens := before
	for _, f := range p.split(text) {
		if f.special {
			tokens = append(tokens, f.token)
			continue
		}
		tokens = append(tokens, p.tokenizeRun(f.text, mark)...)
	}
	return append(tokens, after...)
}

// around returns the tokens that the model expects before and after a text.
func (p *Prompter) around() (before, after []Token) {
	tokens := p.tokenizer.Tokenize("", true, false)
	if _, added := p.tokenizer.Begin(); added && len(tokens) > 0 {
		before, tokens = tokens[:1:1], tokens[1:]
	}
	return before, tokens
}

// tokenizeRun tokenizes text between special tokens, without the marks. The
// tokenizer does not recognise control tokens here, but it always recognises
// user-defined ones: text that contains one is tokenized in the parts between the
// marks.
func (p *Prompter) tokenizeRun(text, mark string) []Token {
	plain := strings.ReplaceAll(text, mark, "")
	for _, s := range p.specials {
		if s.Control || !strings.Contains(plain, s.Text) {
			continue
		}
		var tokens []Token
		for part := range strings.SplitSeq(text, mark) {
			if part != "" {
				tokens = append(tokens, p.tokenizer.Tokenize(part, false, false)...)
			}
		}
		return tokens
	}
	return p.tokenizer.Tokenize(plain, false, false)
}

// fragment is a special token, or text without any.
type fragment struct {
	text    string
	token   Token
	special bool
}

// split divides text at its special tokens, longer ones first.
func (p *Prompter) split(text string) []fragment {
	fragments := []fragment{{text: text}}
	for _, s := range p.specials {
		if !strings.Contains(text, s.Text) {
			continue
		}
		var next []fragment
		for _, f := range fragments {
			if f.special {
				next = append(next, f)
				continue
			}
			rest := f.text
			for {
				head, tail, found := strings.Cut(rest, s.Text)
				if head != "" {
					next = append(next, fragment{text: head})
				}
				if !found {
					break
				}
				next = append(next, fragment{token: s.Token, special: true})
				rest = tail
			}
		}
		fragments = next
	}
	return fragments
}
