// Package chatprompt converts a conversation to the tokens of a prompt. It renders
// the chat template of the model's file, and ensures that the text of a message is
// never read as the template's markup.
package chatprompt

import (
	"fmt"

	"github.com/ardanlabs/jinja"
)

// chatML is the template for files without one whose vocabulary has its tokens: many
// models since 2023 were trained on it.
const chatML = `{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}`

// transcript is the template for all other files without one. A base model, which was
// only trained to continue text, continues the transcript of a conversation. A line of
// a message cannot begin the next turn.
const transcript = `{% for message in messages %}{{ {'system': '', 'user': 'User: ', 'assistant': 'Assistant: '}[message['role']] + (message['content'] | replace('\nUser:', '\n User:') | replace('\nAssistant:', '\n Assistant:')) + '\n\n' }}{% endfor %}Assistant:`

// transcriptStops end an answer where a base model writes the next turn of a
// transcript.
func transcriptStops() []string {
	return []string{"\n\nUser:", "\nUser:", "\n\nAssistant:", "\nAssistant:"}
}

// The roles of a Message, as templates name them.
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

// Compile compiles a Jinja template. begin and end are the texts of the vocabulary's
// begin and end tokens.
func Compile(source, begin, end string) (t *Template, err error) {
	// Templates are in files from unknown sources, so a panic must be an error.
	defer recoverInto(&err)
	compiled, err := jinja.Compile(source)
	if err != nil {
		return nil, err
	}
	return &Template{compiled: compiled, begin: begin, end: end}, nil
}

// Render returns the text of a conversation up to the start of the model's answer.
func (t *Template) Render(messages []Message, thinking bool) (text string, err error) {
	text, err = t.render(messages, thinking)
	if err == nil || len(messages) < 2 || messages[0].Role != RoleSystem {
		return text, err
	}
	// Some templates do not support a system message. Its text is then put before
	// the first message of the user, as llama-server does.
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
