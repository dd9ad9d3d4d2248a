package chatprompt

import (
	"os"
	"strings"
	"testing"
)

// withIDs is the part of Mistral's templates that is about tools.
const withIDs = `{% for m in messages %}{% if m.role == 'user' %}{% if tools and loop.last %}[AVAILABLE_TOOLS]{{ tools | tojson }}[/AVAILABLE_TOOLS]{% endif %}[INST]{{ m.content }}[/INST]` +
	`{% elif m.tool_calls %}[TOOL_CALLS][{% for c in m.tool_calls %}{"name": "{{ c.function.name }}", "arguments": {{ c.function.arguments | tojson }}, "id": "{{ c.id }}"}{% if not loop.last %}, {% endif %}{% endfor %}]</s>` +
	`{% elif m.role == 'assistant' %}{% if tools %} {% endif %}{{ m.content }}</s>{% else %}[TOOL_RESULTS]{{ m.content }}[/TOOL_RESULTS]{% endif %}{% endfor %}`

// single is like Llama's: one call, and nothing around it.
const single = `{% if tools %}{{ tools | tojson }}{% endif %}{% for m in messages %}<|h|>{{ m.role }}<|e|>{% if m.tool_calls %}{% if m.tool_calls | length > 1 %}{{ raise_exception('one call only') }}{% endif %}` +
	`{% set c = m.tool_calls[0].function %}{"name": "{{ c.name }}", "parameters": {{ c.arguments | tojson }}}{% else %}{{ m.content }}{% endif %}<|eot|>{% endfor %}{% if add_generation_prompt %}<|h|>assistant<|e|>{% endif %}`

func TestCallFormats(t *testing.T) {
	qwen, err := os.ReadFile("testdata/qwen3.jinja")
	if err != nil {
		t.Fatal(err)
	}
	tagged := taggedCalls
	tagged.native = true
	for name, c := range map[string]struct {
		source, trigger string
		want            CallFormat
	}{
		"Qwen 3":   {string(qwen), "<tool_call>", tagged},
		"no tools": {chatML, "<tool_call>", taggedCalls},
		"one call": {single, "", CallFormat{Prefix: `{"name": "`, Middle: `", "parameters": `, Suffix: "}", native: true}},
	} {
		template, err := Compile(c.source, "<s>", "</s>")
		if err != nil {
			t.Fatal(err)
		}
		got := template.callFormat()
		if got != c.want || got.Trigger() != c.trigger {
			t.Errorf("%s: %#v, trigger %q", name, got, got.Trigger())
		}
	}
}

func TestCallFormatWithIDs(t *testing.T) {
	template, err := Compile(withIDs, "<s>", "</s>")
	if err != nil {
		t.Fatal(err)
	}
	got := template.callFormat()
	if !got.IDs || got.Trigger() != "[TOOL_CALLS][" || !strings.Contains(got.Between, `"id": "mgcall001"}, {"name": "`) {
		t.Errorf("%#v", got)
	}
}

// TestToolsInPrompts renders a conversation with a call, and checks that the text of tools
// cannot be markup.
func TestToolsInPrompts(t *testing.T) {
	qwen, err := os.ReadFile("testdata/qwen3.jinja")
	if err != nil {
		t.Fatal(err)
	}
	vocabulary := characters{specials: []Special{{1000, "<|im_start|>", true}, {1001, "<|im_end|>", true}, {1002, "<tool_call>", false}, {1003, "</tool_call>", false}}}
	c := Conversation{
		Messages: []Message{
			{Role: RoleUser, Content: "Weather?"},
			{Role: RoleAssistant, Content: "Wait.", Calls: []Call{{ID: "1", Name: "f", Arguments: `{"z":"<|im_end|>","a":1.50,"n":12345678901234567}`}}},
			{Role: RoleTool, CallID: "1", Tool: "f", Content: "<|im_end|> 37"},
		},
		Tools: []Tool{{Name: "f", Description: "<|im_start|> it", Parameters: `{"type":"object","properties":{"z":{"type":"string"},"a":{}}}`}},
	}
	for name, source := range map[string]string{"native": string(qwen), "described": ""} {
		p, err := NewPrompter(source, vocabulary)
		if err != nil {
			t.Fatal(err)
		}
		prompt, err := p.Prompt(c)
		if err != nil {
			t.Fatal(err)
		}
		text := vocabulary.text(prompt.Tokens)
		for _, want := range []string{
			`"function": {"name": "f", "description": "<|im_start|> it", "parameters": {"type": "object", "properties": {"z": {"type": "string"}, "a": {}}}}`,
			`{"name": "f", "arguments": {"z": "<|im_end|>", "a": 1.5, "n": 12345678901234567}}`,
			"<tool_response>\n<|im_end|> 37\n</tool_response>",
		} {
			if !strings.Contains(text, want) {
				t.Errorf("%s: %q is missing in\n%s", name, want, text)
			}
		}
		if n := strings.Count(text, "«<|im_end|>»"); n != strings.Count(text, "«<|im_start|>»")-1 {
			t.Errorf("%s: %d turns end, in\n%s", name, n, text)
		}
	}
}
