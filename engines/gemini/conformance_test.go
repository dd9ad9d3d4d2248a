package gemini_test

import (
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/lexilingo/modelgateway/engines"
	"github.com/lexilingo/modelgateway/engines/enginetest"
	"github.com/lexilingo/modelgateway/engines/gemini"
	"github.com/lexilingo/modelgateway/engines/gemini/geminitest"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// baseURL is an environment variable. If it is set, the test program runs as a
// worker of the engine, which is what the conformance suite starts.
const baseURL = "GEMINI_TEST_BASE_URL"

func TestMain(m *testing.M) {
	if url := os.Getenv(baseURL); url != "" {
		engines.Serve(gemini.New(gemini.Options{APIKey: geminitest.Key, BaseURL: url, Timeout: time.Hour}))
	}
	// A library of Google starts this goroutine in init.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("go.opencensus.io/stats/view.(*worker).start"))
}

func TestConformance(t *testing.T) {
	server := geminitest.New(t)
	endless := geminitest.Text("word ")
	endless.Chunks[0].Candidates[0].FinishReason = ""
	for range 12 {
		endless.Chunks = append(endless.Chunks, endless.Chunks[0])
	}
	endless.Pause = time.Second
	server.Handle(func(r geminitest.Request) geminitest.Answer {
		if r.LastText() == "slow" {
			return endless
		}
		return geminitest.Auto(r)
	})
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	tone := geminitest.WAV(16000, geminitest.Tone(16000, 1))
	sample := func(messages ...*enginev1.RunRequest) enginetest.Sample { return enginetest.Sample{Messages: messages} }
	enginetest.Run(t, enginetest.Config{
		Command: []string{program},
		Env:     []string{baseURL + "=" + server.URL},
		Remote:  true,
		Load:    &enginev1.LoadRequest{ModelName: "gemini", Device: "auto", MaxConcurrency: 4},
		Slow:    sample(&enginev1.RunRequest{Payload: &enginev1.RunRequest_Chat{Chat: say("slow")}}),
		Samples: []enginetest.Sample{
			sample(&enginev1.RunRequest{Payload: &enginev1.RunRequest_Chat{Chat: say("hello")}}),
			sample(&enginev1.RunRequest{Payload: &enginev1.RunRequest_Grammar{Grammar: &gatewayv1.GrammarRequest{Text: "She goes."}}}),
			sample(&enginev1.RunRequest{Payload: &enginev1.RunRequest_Respond{Respond: &gatewayv1.RespondRequest{Text: "Hi"}}}),
			sample(&enginev1.RunRequest{Payload: &enginev1.RunRequest_ExplainVietnamese{ExplainVietnamese: &gatewayv1.ExplainVietnameseRequest{Text: "look up"}}}),
			sample(
				&enginev1.RunRequest{Payload: &enginev1.RunRequest_Transcribe{Transcribe: &gatewayv1.TranscriptionConfig{}}},
				&enginev1.RunRequest{Payload: &enginev1.RunRequest_Audio{Audio: tone}},
			),
			sample(&enginev1.RunRequest{Payload: &enginev1.RunRequest_Synthesize{Synthesize: text("Hello.")}}),
			sample(&enginev1.RunRequest{Payload: &enginev1.RunRequest_Pronunciation{Pronunciation: &gatewayv1.PronunciationRequest{
				Audio: tone, ReferenceText: "Hello world",
			}}}),
		},
	})
}
