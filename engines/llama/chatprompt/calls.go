package chatprompt

import (
	"strings"
)

// CallFormat is how a model writes calls of tools: Prefix, the name, Middle, the
// arguments; then for each further call Between, its name, Middle, its arguments; and
// Suffix.
type CallFormat struct {
	Prefix, Middle, Between, Suffix string
	// IDs says that Between and Suffix contain CallID, where the model writes the ID of
	// the call: 9 letters and digits.
	IDs bool
	// native says that the template shows tools and calls. Otherwise they are described
	// in the text of messages.
	native bool
}

// CallID stands for an ID in a CallFormat.
const CallID = "mgcall001"

// taggedCalls is the format for models whose template has no tools: that of Hermes and
// Qwen, which many models have seen.
var taggedCalls = CallFormat{
	Prefix:  "<tool_call>\n{\"name\": \"",
	Middle:  "\", \"arguments\": ",
	Between: "}\n</tool_call>\n<tool_call>\n{\"name\": \"",
	Suffix:  "}\n</tool_call>",
}

// Trigger returns the text that begins a call wherever it is in an answer; empty if a
// call can only be the whole answer.
func (f CallFormat) Trigger() string {
	mark, _, _ := strings.Cut(f.Prefix, "{")
	return strings.Trim(mark, " \r\n")
}

// The names in the conversation that shows the format.
const (
	sampleContent = "mgcontent"
	sampleName    = "mgname"
	sampleKey     = "mgkey"
)

// callFormat finds out how a template writes calls, by rendering some.
func (t *Template) callFormat() CallFormat {
	if f, ok := t.nativeFormat(); ok {
		return f
	}
	return taggedCalls
}

func (t *Template) nativeFormat() (CallFormat, bool) {
	tools := []Tool{{Name: sampleName, Description: "x", Parameters: `{"type": "object", "properties": {}}`}}
	show := func(tools []Tool, content string, ids ...string) string {
		answer := Message{Role: RoleAssistant, Content: content}
		for i, id := range ids {
			name := sampleName + string(rune('a'+i))
			answer.Calls = append(answer.Calls, Call{ID: id, Name: name, Arguments: `{"` + sampleKey + `": "` + name + `"}`})
		}
		text, err := t.render(Conversation{Messages: []Message{{Role: RoleUser, Content: "Hi"}, answer}, Tools: tools}, nil, false)
		if err != nil {
			return ""
		}
		return text
	}
	plain := show(tools, sampleContent)
	if plain == show(nil, sampleContent) || plain == "" {
		return CallFormat{}, false // it does not show tools
	}
	// All of these have the beginning of an answer in common, and its end.
	header, tail, found := strings.Cut(plain, sampleContent)
	header = strings.TrimRight(header, " ") // some templates begin only text with a space
	one := show(tools, "", CallID)
	if !found || !strings.HasPrefix(one, header) {
		return CallFormat{}, false
	}
	one = strings.TrimPrefix(one, header)
	f := CallFormat{native: true}
	var ok bool
	if f.Prefix, one, ok = strings.Cut(one, sampleName+"a"); !ok {
		return CallFormat{}, false
	}
	if f.Middle, one, ok = cutArguments(one, "a"); !ok {
		return CallFormat{}, false
	}
	f.Suffix = withoutTail(one, tail)
	f.IDs = strings.Contains(f.Suffix, CallID)
	if _, two, ok := cutArguments(strings.TrimPrefix(show(tools, "", CallID, CallID), header), "a"); ok {
		f.Between, _, _ = strings.Cut(two, sampleName+"b")
	}
	// An ID before the name would need another order.
	return f, !strings.Contains(f.Prefix+f.Middle, CallID)
}

// cutArguments cuts a text around the sample arguments of a call, as JSON with or without
// space.
func cutArguments(text, call string) (before, after string, found bool) {
	for _, space := range []string{" ", ""} {
		arguments := `{"` + sampleKey + `":` + space + `"` + sampleName + call + `"}`
		if before, after, found = strings.Cut(text, arguments); found {
			return before, after, true
		}
	}
	return "", "", false
}

// withoutTail removes what follows every answer, such as the end of a turn.
func withoutTail(text, tail string) string {
	if tail != "" && strings.HasSuffix(text, tail) {
		return strings.TrimSuffix(text, tail)
	}
	// The template ends an answer with calls in another way: with the first special
	// token, or the end of the line.
	if at := strings.IndexAny(text, "<\n"); at >= 0 && tail != "" {
		return text[:at]
	}
	return text
}

// described returns a conversation for a template without tools: the tools are in the
// system message, calls in the text of the model, and answers of tools are messages of
// the user.
func (f CallFormat) described(c Conversation) Conversation {
	if f.native {
		return c
	}
	var out []Message
	for _, m := range c.Messages {
		switch {
		case m.Role == RoleTool:
			m = Message{Role: RoleUser, Content: "<tool_response>\n" + m.Content + "\n</tool_response>"}
			if last := len(out) - 1; last >= 0 && strings.HasPrefix(out[last].Content, "<tool_response>") {
				out[last].Content += "\n" + m.Content // templates want the roles to alternate
				continue
			}
		case len(m.Calls) > 0:
			m.Content = strings.TrimLeft(m.Content+"\n"+f.write(m.Calls), "\n")
			m.Calls = nil
		}
		out = append(out, m)
	}
	if len(c.Tools) > 0 {
		text := f.instructions(c.Tools)
		if len(out) > 0 && out[0].Role == RoleSystem {
			out[0].Content += "\n\n" + text
		} else {
			out = append([]Message{{Role: RoleSystem, Content: text}}, out...)
		}
	}
	return Conversation{Messages: out, Thinking: c.Thinking}
}

// write returns calls as the model writes them.
func (f CallFormat) write(calls []Call) string {
	var b strings.Builder
	for i, c := range calls {
		if i == 0 {
			b.WriteString(f.Prefix)
		} else {
			b.WriteString(f.Between)
		}
		b.WriteString(c.Name + f.Middle + values{}.encode(c.Arguments))
	}
	return b.String() + f.Suffix
}

// instructions describes tools in the words of Hermes's and Qwen's templates.
func (f CallFormat) instructions(tools []Tool) string {
	var b strings.Builder
	b.WriteString("# Tools\n\nYou may call one or more functions to assist with the user query.\n\n" +
		"You are provided with function signatures within <tools></tools> XML tags:\n<tools>\n")
	for _, t := range tools {
		b.WriteString(`{"type": "function", "function": ` + values{}.describe(t) + "}\n")
	}
	b.WriteString("</tools>\n\nFor each function call, return a json object with function name and arguments within " +
		"<tool_call></tool_call> XML tags:\n<tool_call>\n{\"name\": <function-name>, \"arguments\": <args-json-object>}\n</tool_call>")
	return b.String()
}
