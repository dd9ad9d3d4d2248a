package e2e

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// A schema and a tool give the same form of answer over REST, as a stream and by the name
// of the task. What cannot be enforced is refused before the model is loaded.
func TestStructuredChat(t *testing.T) {
	s := start(t, "")
	status, _, text := post(t, s.http+"/v1/chat", `{"messages":[{"role":"ROLE_USER","content":"Hi"}],
		"response_format":{"type":"RESPONSE_FORMAT_TYPE_JSON_SCHEMA","json_schema":"{\"items\":{\"uniqueItems\":true}}"}}`)
	if status != http.StatusBadRequest || !strings.Contains(text, `"uniqueItems\" at #/items/uniqueItems`) ||
		!strings.Contains(strings.ReplaceAll(text, " ", ""), `"pointer":"#/items/uniqueItems"`) {
		t.Errorf("%d %s", status, text)
	}
	if state := s.model(t, "qwen").GetState(); state != gatewayv1.ModelState_MODEL_STATE_UNLOADED {
		t.Errorf("the model is %v after a request that was refused", state)
	}

	const schema = `{"type":"object","properties":{"level":{"enum":["A1","B2"]},"score":{"type":"integer","minimum":1,"maximum":5}},"required":["level","score"]}`
	quoted, err := json.Marshal(schema)
	if err != nil {
		t.Fatal(err)
	}
	checkLevel := func(what, text string) {
		t.Helper()
		var answer struct {
			Level string
			Score int
		}
		if err := json.Unmarshal([]byte(text), &answer); err != nil || answer.Level != "A1" && answer.Level != "B2" || answer.Score < 1 || answer.Score > 5 {
			t.Errorf("%s: %v: %s", what, err, text)
		}
	}
	body := `{"messages":[{"role":"ROLE_USER","content":"Rate: I goes."}],"n":2,"logprobs":true,"top_logprobs":1,
		"response_format":{"type":"RESPONSE_FORMAT_TYPE_JSON_SCHEMA","json_schema":` + string(quoted) + `}}`
	_, _, text = post(t, s.http+"/v1/chat", body)
	type reply struct {
		Message  struct{ Content string }
		Logprobs []struct{ Top []struct{ Logprob float64 } }
	}
	got := decode[struct {
		reply
		Alternatives []reply
	}](t, text)
	if len(got.Alternatives) != 1 || len(got.Logprobs) == 0 || len(got.Logprobs[0].Top) != 1 {
		t.Fatalf("want two answers with logprobs: %s", text)
	}
	checkLevel("the first", got.Message.Content)
	checkLevel("the second", got.Alternatives[0].Message.Content)

	_, _, text = post(t, s.http+"/v1/tasks/chat", `{"params":{"text":"Rate: I goes.","response_format":{"type":"json_schema","json_schema":`+schema+`}}}`)
	checkLevel("by the task", decode[struct{ Data struct{ Text string } }](t, text).Data.Text)

	_, _, text = post(t, s.http+"/v1/chat:stream", `{"messages":[{"role":"ROLE_USER","content":"Hi"}],"parallel_tool_calls":false,
		"tools":[{"name":"rate","parameters":`+string(quoted)+`}],"tool_choice":{"mode":"TOOL_CHOICE_MODE_REQUIRED"}}`)
	name, arguments := "", ""
	for line := range strings.Lines(text) {
		for _, d := range decode[struct {
			Result struct {
				Calls []struct {
					Name      string
					Arguments string `json:"arguments_delta"`
				} `json:"tool_call_deltas"`
			}
		}](t, line).Result.Calls {
			name, arguments = name+d.Name, arguments+d.Arguments
		}
	}
	if name != "rate" || !strings.Contains(text, "FINISH_REASON_TOOL_CALLS") {
		t.Errorf("called %q: %s", name, text)
	}
	checkLevel("the call", arguments)
}
