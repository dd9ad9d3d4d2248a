package llama

import (
	"encoding/json"
	"flag"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/engines/jsongrammar"
	"github.com/lexilingo/modelgateway/engines/jsongrammar/schematest"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/models/modelstest"
)

var schemaCount = flag.Int("schemas", 60, "number of random schemas in TestAnswersAreValidForSchemas")

const (
	finishStop   = gatewayv1.FinishReason_FINISH_REASON_STOP
	finishLength = gatewayv1.FinishReason_FINISH_REASON_LENGTH
)

func jsonSchema(schema string) *gatewayv1.ResponseFormat {
	return &gatewayv1.ResponseFormat{Type: gatewayv1.ResponseFormatType_RESPONSE_FORMAT_TYPE_JSON_SCHEMA, JsonSchema: schema}
}

// TestAnswersAreValidForSchemas asks the starter for answers with random schemas, as hot
// as a request may. Each answer that was not cut must be valid.
func TestAnswersAreValidForSchemas(t *testing.T) {
	m := load(t, starter(), nil)
	random := rand.New(rand.NewPCG(7, 8))
	var schemas []string
	for len(schemas) < *schemaCount {
		s := schematest.Random(random)
		if _, err := jsongrammar.Schema(s, "x"); err == nil {
			schemas = append(schemas, s)
		}
	}
	var mu sync.Mutex
	whole := 0
	next := make(chan string)
	var workers sync.WaitGroup
	for range 4 {
		workers.Go(func() {
			for s := range next {
				if finished := checkAnswer(t, m, s); finished {
					mu.Lock()
					whole++
					mu.Unlock()
				}
			}
		})
	}
	for _, s := range schemas {
		next <- s
	}
	close(next)
	workers.Wait()
	t.Logf("%d answers, %d of them whole", len(schemas), whole)
	if whole < len(schemas)/2 {
		t.Error("too many answers were cut: the test shows little")
	}
}

// checkAnswer reports whether the answer was whole.
func checkAnswer(t *testing.T, m *model, schema string) bool {
	validate, err := schematest.Validator(schema)
	if err != nil {
		t.Error(err)
		return false
	}
	got, err := chat(t.Context(), m, &gatewayv1.ChatRequest{
		Messages: conversation("", "Give me an example."), ResponseFormat: jsonSchema(schema),
		Sampling: &gatewayv1.SamplingOptions{Temperature: proto.Float32(1.5), TopK: proto.Int32(0), TopP: proto.Float32(1), MaxTokens: proto.Int32(400)},
	})
	if err != nil {
		t.Errorf("%v, with the schema %s", err, schema)
		return false
	}
	if got.finish == finishLength {
		return false
	}
	if err := validate(got.text); err != nil {
		t.Errorf("the answer %s\nis not valid for %s:\n%v", got.text, schema, err)
	}
	return true
}

const personSchema = `{"type":"object","properties":{"name":{"type":"string","maxLength":40},"age":{"type":"integer","minimum":0,"maximum":120},
	"hobbies":{"type":"array","items":{"type":"string","maxLength":20},"maxItems":3}},"required":["name","age","hobbies"]}`

// TestPublishedModelFillsASchema checks that what an instruct model was told is in the
// fields.
func TestPublishedModelFillsASchema(t *testing.T) {
	m := load(t, modelstest.Path(t, "smollm2-135m-instruct"), nil)
	got := mustChat(t, m, &gatewayv1.ChatRequest{
		Messages:       conversation("", "Write JSON about Anna, who is 31 years old and likes chess."),
		ResponseFormat: jsonSchema(personSchema), Sampling: greedy(200),
	})
	var person struct {
		Name string
		Age  int
	}
	if err := json.Unmarshal([]byte(got.text), &person); err != nil || got.finish != finishStop ||
		!strings.Contains(person.Name, "Anna") || person.Age != 31 {
		t.Errorf("%v, %v: %s", err, got.finish, got.text)
	}
}

func TestJSONObject(t *testing.T) {
	m := load(t, starter(), nil)
	got := mustChat(t, m, &gatewayv1.ChatRequest{
		Messages: conversation("", "Hello"), Sampling: &gatewayv1.SamplingOptions{MaxTokens: proto.Int32(1500), Seed: proto.Uint32(4)},
		ResponseFormat: &gatewayv1.ResponseFormat{Type: gatewayv1.ResponseFormatType_RESPONSE_FORMAT_TYPE_JSON_OBJECT},
	})
	var object map[string]any
	if err := json.Unmarshal([]byte(got.text), &object); got.finish == finishStop && err != nil || !strings.HasPrefix(got.text, "{") {
		t.Errorf("%v: %q", err, got.text)
	}
}

func TestSchemaThatCannotBeEnforced(t *testing.T) {
	m := load(t, starter(), nil)
	_, err := chat(t.Context(), m, &gatewayv1.ChatRequest{Messages: conversation("", "Hello"), ResponseFormat: jsonSchema(`{"not":{}}`)})
	if errs.ReasonOf(err) != errs.InvalidRequest || !strings.Contains(err.Error(), `"not" at #/not`) {
		t.Error(err)
	}
}

// TestLogprobs compares the probabilities with the greedy choice, and their sum with 1.
func TestLogprobs(t *testing.T) {
	m := load(t, starter(), nil)
	var text strings.Builder
	var probs []*gatewayv1.TokenLogprob
	err := m.Chat(t.Context(), &gatewayv1.ChatRequest{
		Messages: conversation("You are a tutor.", "Hello"), Sampling: greedy(12), Logprobs: true, TopLogprobs: 20,
	}, func(r *gatewayv1.StreamChatResponse) error {
		text.WriteString(r.GetDelta())
		probs = append(probs, r.GetLogprobs()...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var joined []byte
	for i, p := range probs {
		joined = append(joined, p.GetToken().GetTextBytes()...)
		if len(p.GetTop()) != 20 || !proto.Equal(p.GetToken(), p.GetTop()[0]) {
			t.Errorf("token %d: the greedy choice %v is not the most likely one of %v", i, p.GetToken(), p.GetTop())
		}
		sum, last := 0.0, float32(0)
		for _, top := range p.GetTop() {
			sum += math.Exp(float64(top.GetLogprob()))
			if top.GetLogprob() > last {
				t.Errorf("token %d: %v is not in order", i, p.GetTop())
			}
			last = top.GetLogprob()
		}
		if sum > 1.0001 || sum < 0.2 {
			t.Errorf("token %d: the probabilities add up to %v", i, sum)
		}
	}
	if len(probs) == 0 || string(joined) != text.String() {
		t.Errorf("the tokens are %q, the text is %q", joined, text.String())
	}
}

// TestSeveralAnswers checks that answers differ, that each has an end, and that they
// share the prompt.
func TestSeveralAnswers(t *testing.T) {
	m := load(t, starter(), nil)
	texts := make([]strings.Builder, 4)
	ends := make([]int, 4)
	var last *gatewayv1.Usage
	err := m.Chat(t.Context(), &gatewayv1.ChatRequest{
		Messages: conversation("You are a tutor. "+strings.Repeat("Be kind. ", 40), "Tell me a story."), N: 4,
		Sampling: &gatewayv1.SamplingOptions{Temperature: proto.Float32(1.2), MaxTokens: proto.Int32(30), Seed: proto.Uint32(5)},
	}, func(r *gatewayv1.StreamChatResponse) error {
		if last != nil {
			t.Errorf("%v comes after the usage", r)
		}
		texts[r.GetAnswerIndex()].WriteString(r.GetDelta())
		if r.GetFinishReason() != 0 {
			ends[r.GetAnswerIndex()]++
		}
		last = r.GetUsage()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for i := range texts {
		seen[texts[i].String()] = true
		if ends[i] != 1 || texts[i].Len() == 0 {
			t.Errorf("answer %d: %d ends, %q", i, ends[i], texts[i].String())
		}
	}
	if len(seen) < 3 || last.GetCompletionTokenCount() < 20 {
		t.Errorf("%d different answers, usage %v", len(seen), last)
	}
}
