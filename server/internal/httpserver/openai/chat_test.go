package openai_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/servertest"
)

const (
	completions = "/openai/v1/chat/completions"
	userSays    = `"messages":[{"role":"user","content":"Hello"}]`
)

// says is a message that makes the model behave as fault says.
func says(fault string) string {
	text, _ := json.Marshal("fault: " + fault) // a string
	return `"messages":[{"role":"user","content":` + string(text) + `}]`
}

type completion struct {
	ID, Object, Model string
	Created           int64
	Choices           []struct {
		Index   int
		Message struct{ Role, Content string }
		Delta   struct {
			Role    string
			Content *string
		}
		FinishReason *string `json:"finish_reason"`
	}
	Usage *struct {
		PromptTokens     int `json:"prompt_tokens"`
		CompletionTokens int `json:"completion_tokens"`
		TotalTokens      int `json:"total_tokens"`
	}
	Error *failure
}

type failure struct{ Message, Type, Param, Code string }

func parse[T any](t *testing.T, text string) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v: %.300s", err, text)
	}
	return v
}

func TestChatCompletion(t *testing.T) {
	r := start(t, servertest.FaultModels)
	want, err := r.Chat.Chat(t.Context(), &gatewayv1.ChatRequest{Messages: servertest.UserMessage("Hello")})
	if err != nil {
		t.Fatal(err)
	}
	for _, body := range []string{
		`{` + userSays + `}`,
		`{"model":"qwen",` + userSays + `,"user":"me","metadata":{"a":"b"},"store":true,"nobody_knows":[1]}`,
		`{"model":"chat","messages":[{"role":"developer","content":"Be kind."},{"role":"user","content":[{"type":"text","text":"Hello"}]}]}`,
		`{"model":"qwen",` + userSays + `,"stop":null,"seed":-1,"top_p":0,"max_tokens":100000000,"reasoning_effort":"none","response_format":{"type":"text"},"n":1}`,
		`{"model":"qwen",` + userSays + `,"stop":["a","","b"],"max_completion_tokens":90}`,
	} {
		for _, path := range []string{completions, "/v1/chat/completions"} {
			resp, text := r.Post(t, path, body, "Authorization", "Bearer anything")
			got := parse[completion](t, text)
			if resp.StatusCode != http.StatusOK || got.Object != "chat.completion" || !strings.HasPrefix(got.ID, "chatcmpl-") || got.Created == 0 || len(got.Choices) != 1 {
				t.Fatalf("%s: %d %s", body, resp.StatusCode, text)
			}
			c := got.Choices[0]
			if c.Message.Role != "assistant" || c.Message.Content != want.GetMessage().GetContent() || c.FinishReason == nil || *c.FinishReason != "stop" {
				t.Errorf("%s: %s", body, text)
			}
			if u := got.Usage; u == nil || u.CompletionTokens != int(want.GetUsage().GetCompletionTokenCount()) || u.TotalTokens != u.PromptTokens+u.CompletionTokens {
				t.Errorf("%s: %s", body, text)
			}
			if resp.Header.Get("X-Request-Id") == "" || resp.Header.Get("X-Modelgateway-Model") != "qwen" {
				t.Errorf("%v", resp.Header)
			}
		}
	}
}

// chunksOf returns the chunks of a stream, and its last line.
func chunksOf(t *testing.T, text string) (chunks []completion, last string) {
	t.Helper()
	for _, event := range strings.Split(strings.TrimSuffix(text, "\n\n"), "\n\n") {
		if strings.HasPrefix(event, ": ") {
			continue
		}
		data, ok := strings.CutPrefix(event, "data: ")
		if !ok {
			t.Fatalf("not an event: %q", event)
		}
		if last = data; data != "[DONE]" {
			chunks = append(chunks, parse[completion](t, data))
		}
	}
	return chunks, last
}

func TestChatCompletionStream(t *testing.T) {
	r := start(t, servertest.FaultModels)
	resp, text := r.Post(t, completions, `{"model":"qwen","stream":true,`+userSays+`}`)
	chunks, last := chunksOf(t, text)
	if resp.Header.Get("Content-Type") != "text/event-stream" || last != "[DONE]" || len(chunks) < 4 || strings.Contains(text, `"usage"`) {
		t.Fatalf("%v %s", resp.Header, text)
	}
	if resp.Trailer.Get("X-Modelgateway-Model") != "qwen" {
		t.Errorf("trailers %v", resp.Trailer)
	}
	first, end := chunks[0].Choices[0], chunks[len(chunks)-1].Choices[0]
	if first.Delta.Role != "assistant" || first.Delta.Content == nil || *first.Delta.Content != "" || first.FinishReason != nil {
		t.Errorf("the first chunk: %+v", first)
	}
	if end.Delta.Content != nil || end.FinishReason == nil || *end.FinishReason != "stop" {
		t.Errorf("the last chunk: %+v", end)
	}
	said := ""
	for _, c := range chunks {
		if c.ID != chunks[0].ID || c.Created != chunks[0].Created || c.Object != "chat.completion.chunk" {
			t.Errorf("%+v", c)
		}
		if content := c.Choices[0].Delta.Content; content != nil {
			said += *content
		}
	}
	whole, err := r.Chat.Chat(t.Context(), &gatewayv1.ChatRequest{Messages: servertest.UserMessage("Hello")})
	if err != nil || said != whole.GetMessage().GetContent() {
		t.Errorf("%q, want %q (%v)", said, whole.GetMessage().GetContent(), err)
	}

	_, text = r.Post(t, completions, `{"model":"qwen","stream":true,"stream_options":{"include_usage":true},`+userSays+`}`)
	chunks, _ = chunksOf(t, text)
	if u := chunks[len(chunks)-1]; len(u.Choices) != 0 || u.Usage == nil || u.Usage.CompletionTokens == 0 || strings.Count(text, `"usage":null`) != len(chunks)-1 {
		t.Errorf("with usage: %s", text)
	}
}

// A stream that fails before its first piece is an error as any other; later, its last
// event is the error.
func TestChatStreamFails(t *testing.T) {
	r := start(t, servertest.FaultModels)
	r.Post(t, completions, `{`+userSays+`}`) // loads the model: a stream that tells of a load has begun
	early := `{"stream":true,` + says(`{"fault":"error","error_reason":"QUEUE_FULL","error_retry_ms":1500}`) + `}`
	resp, text := r.Post(t, completions, early)
	if got := parse[completion](t, text); resp.StatusCode != http.StatusTooManyRequests || got.Error == nil || got.Error.Type != "rate_limit_error" {
		t.Errorf("%d %s", resp.StatusCode, text)
	}
	late := `{"stream":true,` + says(`{"fault":"error","error_reason":"INTERNAL","fault_after_tokens":3}`) + `}`
	resp, text = r.Post(t, completions, late)
	chunks, last := chunksOf(t, text)
	if resp.StatusCode != http.StatusOK || last == "[DONE]" || chunks[len(chunks)-1].Error == nil || chunks[len(chunks)-1].Error.Type != "server_error" {
		t.Errorf("%d %s", resp.StatusCode, text)
	}
}

// A client that waits for a load learns how far it is.
func TestChatStreamTellsOfTheLoad(t *testing.T) {
	r := start(t, strings.Replace(servertest.FaultModels, "queue: 512}", "queue: 512, parameters: {load_ms: 4000}}", 1))
	_, text := r.Post(t, completions, `{"stream":true,`+userSays+`}`)
	if !strings.HasPrefix(text, ": loading ") || !strings.HasSuffix(text, "data: [DONE]\n\n") {
		t.Errorf("%.200s", text)
	}
}

func TestErrorsAreOpenAIs(t *testing.T) {
	r := start(t, servertest.SpeechModels)
	retry := says(`{"fault":"error","error_reason":"MEMORY_BUSY","error_retry_ms":1500}`)
	for name, c := range map[string]struct {
		path, body          string
		status              int
		kind, code, param   string
		retryAfter, retryMS string
	}{
		"model":      {completions, `{"model":"gpt-9",` + userSays + `}`, 404, "invalid_request_error", "model_not_found", "model", "", ""},
		"other task": {completions, `{"model":"whisper-1",` + userSays + `}`, 404, "invalid_request_error", "model_not_found", "model", "", ""},
		"busy":       {completions, `{` + retry + `}`, 429, "rate_limit_error", "memory_busy", "", "2", "1500"},
		"internal":   {completions, `{` + says(`{"fault":"error"}`) + `}`, 500, "server_error", "internal", "", "", ""},
		"field":      {completions, `{"temperature":3,` + userSays + `}`, 400, "invalid_request_error", "invalid_request", "temperature", "", ""},
		"type":       {completions, `{"temperature":"hot",` + userSays + `}`, 400, "invalid_request_error", "invalid_request", "temperature", "", ""},
		"no JSON":    {completions, `{"temperature`, 400, "invalid_request_error", "invalid_request", "", "", ""},
		"no message": {completions, `{}`, 400, "invalid_request_error", "invalid_request", "messages", "", ""},
		"role":       {completions, `{"messages":[{"role":"wizard","content":"a"}]}`, 400, "invalid_request_error", "invalid_request", "messages", "", ""},
		"image":      {completions, `{"messages":[{"role":"user","content":[{"type":"image_url"}]}]}`, 400, "invalid_request_error", "invalid_request", "content", "", ""},
		"logit bias": {completions, `{"logit_bias":{"1":2},` + userSays + `}`, 400, "invalid_request_error", "invalid_request", "logit_bias", "", ""},
		"audio":      {completions, `{"modalities":["text","audio"],` + userSays + `}`, 400, "invalid_request_error", "invalid_request", "modalities", "", ""},
		"path":       {"/openai/v1/embeddings", `{}`, 404, "invalid_request_error", "invalid_request", "", "", ""},
		"too wide":   {completions, `{"nobody_knows":[` + strings.Repeat("1,", 30_000) + `1]}`, 400, "invalid_request_error", "invalid_request", "", "", ""},
		"too large":  {completions, `{"nobody_knows":"` + strings.Repeat("a", 5<<20) + `"}`, 413, "invalid_request_error", "invalid_request", "", "", ""},
	} {
		resp, text := r.Post(t, c.path, c.body)
		got := parse[completion](t, text).Error
		if got == nil || resp.StatusCode != c.status || got.Type != c.kind || got.Code != c.code || got.Param != c.param || got.Message == "" {
			t.Errorf("%s: %d %s", name, resp.StatusCode, text)
		}
		if resp.Header.Get("Retry-After") != c.retryAfter || resp.Header.Get("Retry-After-Ms") != c.retryMS ||
			resp.Header.Get("X-Should-Retry") != strconv.FormatBool(c.retryMS != "") || !strings.HasPrefix(resp.Header.Get("X-Request-Id"), "req_") {
			t.Errorf("%s: %v", name, resp.Header)
		}
	}
	if resp, text := r.Get(t, "/v1/chat/completions"); resp.StatusCode != http.StatusMethodNotAllowed || parse[completion](t, text).Error == nil {
		t.Errorf("GET: %d %s", resp.StatusCode, text)
	}
}

// The list of models has both forms in one document.
func TestModels(t *testing.T) {
	r := start(t, servertest.FaultModels)
	type list struct {
		Object string
		Data   []struct {
			ID, Object string
			Created    int64
			OwnedBy    string `json:"owned_by"`
		}
	}
	var both []list
	for _, path := range []string{"/openai/v1/models", "/v1/models"} {
		_, text := r.Get(t, path)
		both = append(both, parse[list](t, text))
		got := both[len(both)-1]
		if got.Object != "list" || len(got.Data) != 4 || got.Data[0].ID != "qwen" || got.Data[0].Object != "model" || got.Data[0].Created == 0 || got.Data[0].OwnedBy != "fault" {
			t.Errorf("%s: %s", path, text)
		}
	}
	_, text := r.Get(t, "/v1/models")
	native := &gatewayv1.ListModelsResponse{}
	if err := protojson.Unmarshal([]byte(text), native); err != nil || len(native.GetModels()) != 4 || native.GetModels()[0].GetName() != "qwen" {
		t.Errorf("a strict reader: %v, %v", err, native)
	}
	for _, path := range []string{"/openai/v1/models/qwen", "/v1/models/qwen"} {
		_, text := r.Get(t, path)
		if got := parse[struct{ ID, Object string }](t, text); got.ID != "qwen" || got.Object != "model" {
			t.Errorf("%s: %s", path, text)
		}
	}
	one := &gatewayv1.GetModelResponse{}
	if _, text := r.Get(t, "/v1/models/qwen"); protojson.Unmarshal([]byte(text), one) != nil || one.GetModel().GetName() != "qwen" {
		t.Errorf("a strict reader: %s", text)
	}
	if resp, text := r.Get(t, "/v1/models/qwen:plan"); resp.StatusCode != http.StatusOK || !strings.Contains(text, "outcome") {
		t.Errorf("%d %s", resp.StatusCode, text)
	}
	if resp, text := r.Get(t, "/openai/v1/models/nobody"); resp.StatusCode != http.StatusNotFound || !strings.Contains(text, "model_not_found") {
		t.Errorf("%d %s", resp.StatusCode, text)
	}
	if got := r.Model(t, "qwen"); got.GetLoadCount() != 0 {
		t.Errorf("the list loaded %s", got.GetName())
	}
}

// Names of other services can be aliases of models and tasks.
func TestAliases(t *testing.T) {
	r := start(t, servertest.FaultModels+"aliases: {gpt-4o: qwen, gpt-4o-mini: chat}\n")
	for _, name := range []string{"gpt-4o", "gpt-4o-mini"} {
		resp, text := r.Post(t, completions, fmt.Sprintf(`{"model":%q,%s}`, name, userSays))
		if got := parse[completion](t, text); resp.StatusCode != http.StatusOK || got.Model != name || resp.Header.Get("X-Modelgateway-Model") != "qwen" {
			t.Errorf("%s: %d %s", name, resp.StatusCode, text)
		}
		if resp, text := r.Get(t, "/openai/v1/models/"+name); resp.StatusCode != http.StatusOK || !strings.Contains(text, name) {
			t.Errorf("%s: %d %s", name, resp.StatusCode, text)
		}
	}
}

// Over HTTP/2, a time limit of one event does not end the stream before the next one.
func TestEventsMayBeFarApart(t *testing.T) {
	r := start(t, servertest.FaultModels+"limits: {slow_reader_timeout: 200ms}\n")
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	client := http.Client{Transport: &http.Transport{Protocols: &protocols}}
	defer client.CloseIdleConnections()
	body := `{"stream":true,` + says(`{"token_count":3,"token_interval_us":700000}`) + `}`
	resp, err := client.Post(r.URL+completions, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.ProtoMajor != 2 || !strings.HasSuffix(string(text), "data: [DONE]\n\n") {
		t.Errorf("%v %s", err, text)
	}
}
