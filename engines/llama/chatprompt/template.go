// Package chatprompt turns a conversation into the tokens of a prompt: it renders
// the chat template that a model's file carries, and makes sure that what people
// wrote is never read as the template's own markup.
package chatprompt

import (
	"fmt"
	"strings"

	"github.com/ardanlabs/jinja"
)

// chatML is the template of models that carry none; most instruct models since
// 2023 read it.
const chatML = `{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}`

// Roles of a Message, as templates know them.
const (
	RoleSystem    = "system"
	RoleUser      = "user"
	RoleAssistant = "assistant"
)

// Message is one turn of a conversation.
type Message struct {
	Role    string
	Content string
}

// Template is a chat template. It is safe for concurrent use.
type Template struct {
	compiled   *jinja.Template
	begin, end string
}

// Compile reads a Jinja template; an empty one stands for ChatML. begin and end
// are the texts of the vocabulary's begin and end tokens.
func Compile(source, begin, end string) (t *Template, err error) {
	if strings.TrimSpace(source) == "" {
		source = chatML
	}
	// Templates come with files from anywhere.
	defer recoverInto(&err)
	compiled, err := jinja.Compile(source)
	if err != nil {
		return nil, err
	}
	return &Template{compiled: compiled, begin: begin, end: end}, nil
}

// Render writes the conversation out, up to where the model's turn begins.
func (t *Template) Render(messages []Message, thinking bool) (text string, err error) {
	text, err = t.render(messages, thinking)
	if err == nil || len(messages) < 2 || messages[0].Role != RoleSystem {
		return text, err
	}
	// Some templates know no system turn; the same words then open the first
	// turn of the user, as llama-server does it.
	merged := append([]Message{{
		Role:    messages[1].Role,
		Content: messages[0].Content + "\n" + messages[1].Content,
	}}, messages[2:]...)
	if again, secondErr := t.render(merged, thinking); secondErr == nil {
		return again, nil
	}
	return "", err
}

func (t *Template) render(messages []Message, thinking bool) (text string, err error) {
	defer recoverInto(&err)
	turns := make([]any, len(messages))
	for i, m := range messages {
		turns[i] = map[string]any{"role": m.Role, "content": m.Content}
	}
	return t.compiled.Render(map[string]any{
		"messages":              turns,
		"add_generation_prompt": true,
		"enable_thinking":       thinking,
		"bos_token":             t.begin,
		"eos_token":             t.end,
	})
}

func recoverInto(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("the template panicked: %v", p)
	}
}
