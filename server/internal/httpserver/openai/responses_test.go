package openai_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/servertest"
)

const responses = "/openai/v1/responses"

// failing is the input of a response that makes the model behave as fault says.
func failing(fault string) string {
	text, _ := json.Marshal("fault: " + fault) // a string
	return `"input":` + string(text)
}

type responseAnswer struct {
	ID, Object, Status, Model string
	Output                    []struct {
		ID, Type, Status, Role string
		Content                []struct{ Type, Text string }
	}
	Usage *struct {
		Input  int `json:"input_tokens"`
		Output int `json:"output_tokens"`
		Total  int `json:"total_tokens"`
	}
	Incomplete *struct{ Reason string } `json:"incomplete_details"`
	Metadata   map[string]string
	Store      *bool
	Error      *failure
}

func TestResponse(t *testing.T) {
	r := start(t, servertest.FaultModels)
	want, err := r.Chat.Chat(t.Context(), &gatewayv1.ChatRequest{Messages: servertest.UserMessage("Hello")})
	if err != nil {
		t.Fatal(err)
	}
	for _, body := range []string{
		`{"input":"Hello"}`,
		`{"model":"chat","input":[{"role":"developer","content":"Be kind."},{"role":"user","content":[{"type":"input_text","text":"Hello"}]}],"metadata":{"a":"b"}}`,
		`{"model":"qwen","instructions":"Be kind.","input":"Hello","store":true,"user":"me","include":["reasoning.encrypted_content"],"text":{"format":{"type":"text"},"verbosity":"low"},"max_output_tokens":100000000,"reasoning":{"effort":"none"},"previous_response_id":null,"truncation":"auto","nobody_knows":[1]}`,
	} {
		for _, path := range []string{responses, "/v1/responses"} {
			resp, text := r.Post(t, path, body, "Authorization", "Bearer anything")
			got := parse[responseAnswer](t, text)
			if resp.StatusCode != http.StatusOK || got.Object != "response" || got.Status != "completed" || !strings.HasPrefix(got.ID, "resp_") || len(got.Output) != 1 || got.Store == nil || *got.Store {
				t.Fatalf("%s: %d %s", body, resp.StatusCode, text)
			}
			m := got.Output[0]
			if m.Type != "message" || m.Role != "assistant" || m.Status != "completed" || len(m.Content) != 1 || m.Content[0].Type != "output_text" || m.Content[0].Text != want.GetMessage().GetContent() {
				t.Errorf("%s: %s", body, text)
			}
			if u := got.Usage; u == nil || u.Output != int(want.GetUsage().GetCompletionTokenCount()) || u.Total != u.Input+u.Output {
				t.Errorf("%s: %s", body, text)
			}
			if strings.Contains(body, "metadata") != (got.Metadata["a"] == "b") || resp.Header.Get("X-Request-Id") == "" || resp.Header.Get("X-Modelgateway-Model") != "qwen" {
				t.Errorf("%v %s", resp.Header, text)
			}
		}
	}
}

type responseEvent struct {
	Type     string
	Sequence *int `json:"sequence_number"`
	Response *responseAnswer
	Delta    string
	Text     string
	Error    *failure
	Code     string
}

// responseEvents returns the events of a stream, and checks their names and numbers.
func responseEvents(t *testing.T, text string) (events []responseEvent) {
	t.Helper()
	for _, event := range strings.Split(strings.TrimSuffix(text, "\n\n"), "\n\n") {
		if strings.HasPrefix(event, ": ") {
			continue
		}
		name, data, ok := strings.Cut(event, "\ndata: ")
		if !ok {
			t.Fatalf("not an event: %q", event)
		}
		e := parse[responseEvent](t, data)
		if "event: "+e.Type != name || e.Sequence == nil || *e.Sequence != len(events) {
			t.Fatalf("the event %d: %s", len(events), event)
		}
		events = append(events, e)
	}
	return events
}

func TestResponseStream(t *testing.T) {
	r := start(t, servertest.FaultModels)
	resp, text := r.Post(t, responses, `{"model":"qwen","stream":true,"input":"Hello"}`)
	events := responseEvents(t, text)
	if resp.Header.Get("Content-Type") != "text/event-stream" || resp.Trailer.Get("X-Modelgateway-Model") != "qwen" {
		t.Errorf("%v %v", resp.Header, resp.Trailer)
	}
	said, kinds := "", []string{}
	for _, e := range events {
		if e.Type == "response.output_text.delta" {
			if said += e.Delta; len(said) > len(e.Delta) {
				continue
			}
		}
		kinds = append(kinds, e.Type)
	}
	last := events[len(events)-1]
	if got, want := strings.Join(kinds, " "), "response.created response.in_progress response.output_item.added response.content_part.added response.output_text.delta response.output_text.done response.content_part.done response.output_item.done response.completed"; got != want {
		t.Errorf("the events are %s", got)
	}
	if first := events[0].Response; first.Status != "in_progress" || first.ID != last.Response.ID || len(first.Output) != 0 {
		t.Errorf("begins with %+v", first)
	}
	if last.Response.Usage == nil || last.Response.Status != "completed" || last.Response.Output[0].Content[0].Text != said || said == "" {
		t.Errorf("%q, and the response is %+v", said, last.Response)
	}
}

// An answer that was cut is incomplete.
func TestResponseIsIncomplete(t *testing.T) {
	r := start(t, servertest.FaultModels)
	resp, text := r.Post(t, responses, `{"max_output_tokens":1,"input":"Hello"}`)
	got := parse[responseAnswer](t, text)
	if resp.StatusCode != http.StatusOK || got.Status != "incomplete" || got.Incomplete == nil || got.Incomplete.Reason != "max_output_tokens" || got.Output[0].Status != "incomplete" {
		t.Errorf("%d %s", resp.StatusCode, text)
	}
}

func TestResponseErrors(t *testing.T) {
	r := start(t, servertest.FaultModels)
	for name, c := range map[string]struct {
		body, param, want string
	}{
		"previous":     {`"input":"a","previous_response_id":"resp_1"`, "previous_response_id", "send the whole conversation"},
		"conversation": {`"input":"a","conversation":"conv_1"`, "conversation", "send the whole conversation"},
		"background":   {`"input":"a","background":true`, "background", "leave it out"},
		"prompt":       {`"input":"a","prompt":{"id":"p"}`, "prompt", "instructions"},
		"no input":     {`"input":null`, "input", "empty"},
		"empty":        {`"input":" "`, "input", "empty"},
		"number":       {`"input":5`, "input", "number"},
		"tool":         {`"input":"a","tools":[{"type":"web_search"}]`, "tools", `"web_search"`},
		"choice":       {`"input":"a","tool_choice":{"type":"file_search"}`, "tool_choice", `"file_search"`},
		"not allowed":  {`"input":"a","tools":[{"type":"function","name":"f"}],"tool_choice":{"type":"allowed_tools","mode":"auto","tools":[{"type":"function","name":"g"}]}`, "tool_choice", `"g"`},
		"image":        {`"input":[{"role":"user","content":[{"type":"input_image","image_url":"x"}]}]`, "content", `"input_image"`},
		"item":         {`"input":[{"type":"computer_call"}]`, "input", `"computer_call"`},
		"reference":    {`"input":[{"type":"item_reference","id":"msg_1"}]`, "input", "send the item itself"},
		"role":         {`"input":[{"role":"tool","content":"a"}]`, "input", `"tool"`},
		"no call":      {`"input":[{"type":"function_call_output","call_id":"c","output":"a"}]`, "input", "the item function_call before it"},
		"format":       {`"input":"a","text":{"format":{"type":"xml"}}`, "format", `"xml"`},
		"schema":       {`"input":"a","text":{"format":{"type":"json_schema","name":"n","schema":{"not":{}}}}`, "schema", `text.format.schema cannot be used: the keyword "not"`},
		"limit":        {`"input":"a","max_output_tokens":0`, "max_output_tokens", "max_output_tokens"},
	} {
		for _, stream := range []string{"", `"stream":true,`} {
			resp, text := r.Post(t, responses, "{"+stream+c.body+"}")
			got := parse[responseAnswer](t, text).Error
			if resp.StatusCode != http.StatusBadRequest || got == nil || got.Param != c.param || !strings.Contains(got.Message, c.want) || resp.Header.Get("X-Should-Retry") != "false" {
				t.Errorf("%s: %d %s", name, resp.StatusCode, text)
			}
		}
	}
	if resp, text := r.Post(t, responses, `{"model":"gpt-9","input":"a"}`); resp.StatusCode != http.StatusNotFound || !strings.Contains(text, "model_not_found") {
		t.Errorf("%d %s", resp.StatusCode, text)
	}
	for _, path := range []string{responses, "/v1/responses"} {
		if resp, text := r.Get(t, path+"/resp_1"); resp.StatusCode != http.StatusNotFound || !strings.HasPrefix(text, `{"error":{`) || !strings.Contains(text, "keeps no responses") {
			t.Errorf("%s: %d %s", path, resp.StatusCode, text)
		}
	}
}

// A stream that fails before its first piece is an error as any other. Later it ends with
// a response that has failed, and with an event that official clients raise.
func TestResponseStreamFails(t *testing.T) {
	r := start(t, servertest.FaultModels)
	r.Post(t, responses, `{"input":"Hello"}`) // loads the model: a stream that tells of a load has begun
	resp, text := r.Post(t, responses, `{"stream":true,`+failing(`{"fault":"error","error_reason":"QUEUE_FULL","error_text":"busy"}`)+`}`)
	if resp.StatusCode != http.StatusTooManyRequests || !strings.HasPrefix(text, `{"error":{`) {
		t.Errorf("%d %s", resp.StatusCode, text)
	}
	_, text = r.Post(t, responses, `{"stream":true,`+failing(`{"fault":"error","error_reason":"QUEUE_FULL","error_text":"busy","fault_after_tokens":3}`)+`}`)
	events := responseEvents(t, text)
	if len(events) < 2 {
		t.Fatalf("%s", text)
	}
	over, last := events[len(events)-2], events[len(events)-1]
	if over.Type != "response.failed" || over.Response.Status != "failed" || over.Response.Error == nil || over.Response.Error.Code != "rate_limit_exceeded" || over.Response.Output[0].Status != "incomplete" {
		t.Errorf("%s", text)
	}
	if last.Type != "error" || last.Error == nil || last.Error.Code != "queue_full" || last.Code != "queue_full" {
		t.Errorf("%s", text)
	}
}
