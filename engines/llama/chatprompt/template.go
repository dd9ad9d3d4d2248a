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

// Render returns the text of a conversation up to the start of the model's answer. guard,
// if not nil, changes the texts in it that are not the template's.
func (t *Template) Render(c Conversation, guard func(string) string) (text string, err error) {
	text, err = t.render(c, guard, true)
	if err == nil || len(c.Messages) < 2 || c.Messages[0].Role != RoleSystem {
		return text, err
	}
	// Some templates do not support a system message. Its text is then put before
	// the first message of the user, as llama-server does.
	merged := c.Messages[1]
	merged.Content = c.Messages[0].Content + "\n" + merged.Content
	c.Messages = append([]Message{merged}, c.Messages[2:]...)
	if again, secondErr := t.render(c, guard, true); secondErr == nil {
		return again, nil
	}
	return "", err
}

// render renders a conversation. begin says that the model's answer comes next.
func (t *Template) render(c Conversation, guard func(string) string, begin bool) (text string, err error) {
	defer recoverInto(&err)
	v := values{guard: guard}
	data := map[string]jinja.Value{
		"messages":              v.messages(c.Messages),
		"add_generation_prompt": jinja.NewBool(begin),
		"enable_thinking":       jinja.NewBool(c.Thinking),
		"bos_token":             jinja.NewString(t.begin),
		"eos_token":             jinja.NewString(t.end),
	}
	if len(c.Tools) > 0 {
		data["tools"] = v.tools(c.Tools)
	}
	return t.compiled.RenderValues(data)
}

func recoverInto(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("the template panicked: %v", p)
	}
}
