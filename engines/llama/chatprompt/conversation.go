package chatprompt

import (
	"encoding/json"
	"strings"
	"sync"

	"github.com/ardanlabs/jinja"
)

// The roles of a Message, as templates name them.
const (
	RoleSystem    = "system"
	RoleUser      = "user"
	RoleAssistant = "assistant"
	RoleTool      = "tool"
)

// Conversation is what a prompt is made of.
type Conversation struct {
	Messages []Message
	// Tools are those that the model may call.
	Tools []Tool
	// Thinking lets the model think before it answers.
	Thinking bool
}

// Message is one turn of a conversation.
type Message struct {
	Role    string
	Content string
	// Reasoning is what the model thought before the content.
	Reasoning string
	// Calls are the model's calls of tools, after the content.
	Calls []Call
	// CallID and Tool say which call of which tool the content answers.
	CallID, Tool string
}

// Call is a call of a tool. Arguments is a JSON object.
type Call struct{ ID, Name, Arguments string }

// Tool is a function that the model may call. Parameters is a JSON Schema.
type Tool struct{ Name, Description, Parameters string }

// values converts a conversation to values of a template. They have the order and the
// form in which Hugging Face's library gives them to templates.
type values struct {
	guard func(string) string // may be nil
}

func (v values) text(s string) jinja.Value {
	if v.guard != nil {
		s = v.guard(s)
	}
	return jinja.NewString(s)
}

// pair is a member of a dictionary.
type pair struct {
	name  string
	value jinja.Value
}

func dict(pairs ...pair) jinja.Value {
	d := jinja.NewDict()
	for _, p := range pairs {
		d.AsDict().Set(p.name, p.value)
	}
	return d
}

func (v values) messages(messages []Message) jinja.Value {
	items := make([]jinja.Value, len(messages))
	for i, m := range messages {
		pairs := []pair{{"role", jinja.NewString(m.Role)}, {"content", v.text(m.Content)}}
		if m.Reasoning != "" {
			pairs = append(pairs, pair{"reasoning_content", v.text(m.Reasoning)})
		}
		if len(m.Calls) > 0 {
			pairs = append(pairs, pair{"tool_calls", v.calls(m.Calls)})
		}
		if m.Role == RoleTool {
			pairs = append(pairs, pair{"tool_call_id", v.text(m.CallID)}, pair{"name", v.text(m.Tool)})
		}
		items[i] = dict(pairs...)
	}
	return jinja.NewList(items)
}

func (v values) calls(calls []Call) jinja.Value {
	items := make([]jinja.Value, len(calls))
	for i, c := range calls {
		items[i] = dict(
			pair{"id", v.text(c.ID)},
			pair{"type", jinja.NewString("function")},
			pair{"function", dict(pair{"name", v.text(c.Name)}, pair{"arguments", v.json(c.Arguments)})},
		)
	}
	return jinja.NewList(items)
}

func (v values) tools(tools []Tool) jinja.Value {
	items := make([]jinja.Value, len(tools))
	for i, t := range tools {
		items[i] = dict(pair{"type", jinja.NewString("function")}, pair{"function", v.tool(t)})
	}
	return jinja.NewList(items)
}

func (v values) tool(t Tool) jinja.Value {
	return dict(pair{"name", v.text(t.Name)}, pair{"description", v.text(t.Description)}, pair{"parameters", v.json(t.Parameters)})
}

// encode returns JSON in the form in which templates write it.
func (v values) encode(object string) string { return toJSON(v.json(object)) }

// describe returns the JSON of a tool.
func (v values) describe(t Tool) string { return toJSON(v.tool(t)) }

var jsonTemplate = sync.OnceValues(func() (*jinja.Template, error) { return jinja.Compile("{{ value | tojson }}") })

func toJSON(value jinja.Value) string {
	t, err := jsonTemplate()
	if err != nil {
		return "{}"
	}
	text, err := t.RenderValues(map[string]jinja.Value{"value": value})
	if err != nil {
		return "{}"
	}
	return text
}

// json converts a JSON object. A text that is not JSON gives an empty one.
func (v values) json(text string) jinja.Value {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if out, ok := v.next(d); ok && out.IsDict() {
		return out
	}
	return jinja.NewDict()
}

// next converts the next value, in the order of the text.
func (v values) next(d *json.Decoder) (out jinja.Value, ok bool) {
	t, err := d.Token()
	if err != nil {
		return out, false
	}
	switch t := t.(type) {
	case string:
		return v.text(t), true
	case json.Delim:
		if t == '[' {
			return v.list(d)
		}
		return v.object(d)
	default:
		return jinja.FromGoValue(t), true
	}
}

func (v values) list(d *json.Decoder) (jinja.Value, bool) {
	var items []jinja.Value
	for d.More() {
		item, ok := v.next(d)
		if !ok {
			return item, false
		}
		items = append(items, item)
	}
	_, err := d.Token()
	return jinja.NewList(items), err == nil
}

func (v values) object(d *json.Decoder) (jinja.Value, bool) {
	out := jinja.NewDict()
	for d.More() {
		name, err := d.Token()
		text, ok := name.(string)
		if err != nil || !ok {
			return out, false
		}
		value, ok := v.next(d)
		if !ok {
			return out, false
		}
		out.AsDict().Set(v.text(text).AsString(), value)
	}
	_, err := d.Token()
	return out, err == nil
}
