package whisper

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/lexilingo/modelgateway/engines/enginetest"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// TestConformance runs the conformance suite with the real worker program.
func TestConformance(t *testing.T) {
	program := filepath.Join(t.TempDir(), "engine-whisper")
	out, err := exec.Command("go", "build", "-o", program, "github.com/lexilingo/modelgateway/cmd/engine-whisper").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	path, err := filepath.Abs(starter())
	if err != nil {
		t.Fatal(err)
	}
	clip := speechSamples(t)
	// The block is longer than the slow sample, because the suite sends all of it
	// before it reads an answer.
	parameters, err := structpb.NewStruct(map[string]any{"block_seconds": 900})
	if err != nil {
		t.Fatal(err)
	}
	config := enginetest.Config{
		Command: []string{program},
		Env:     []string{"MG_GGML_BACKENDS=" + os.Getenv("MG_GGML_BACKENDS")},
		Load: &enginev1.LoadRequest{
			ModelName: "starter", Path: path, Device: "auto", ThreadCount: 1, MaxConcurrency: 2, Parameters: parameters,
		},
		Samples: []enginetest.Sample{
			{Name: "a clip", Messages: call(&gatewayv1.TranscriptionConfig{}, wav(clip[:48000], 16000, 1)), Check: hasText},
			{Name: "a stream", Messages: call(&gatewayv1.TranscriptionConfig{InterimResults: true, WordTimestamps: true},
				wav(clip[:48000], 16000, 1)), Check: hasText},
		},
		// Ten minutes of speech with a beam of eight.
		Slow: enginetest.Sample{Messages: call(&gatewayv1.TranscriptionConfig{BeamSize: 8, Format: rawFormat()}, pcm(longSpeech(t, 600)))},
	}
	for _, f := range badFiles(t) {
		if f.name != "missing" {
			config.BadFiles = append(config.BadFiles, enginetest.BadFile{Name: f.name, Path: f.path, Reason: f.reason})
		}
	}
	enginetest.Run(t, config)
}

// call returns the messages of a transcription.
func call(cfg *gatewayv1.TranscriptionConfig, data []byte) []*enginev1.RunRequest {
	messages := []*enginev1.RunRequest{{Payload: &enginev1.RunRequest_Transcribe{Transcribe: cfg}}}
	const piece = 1 << 18
	for len(data) > 0 {
		n := min(piece, len(data))
		messages = append(messages, &enginev1.RunRequest{Payload: &enginev1.RunRequest_Audio{Audio: data[:n]}})
		data = data[n:]
	}
	return messages
}

func hasText(t *testing.T, answer []*enginev1.RunResponse) {
	if final := answer[len(answer)-1].GetTranscribe().GetFinal(); final.GetText() == "" || final.GetLanguage() != "en" {
		t.Errorf("the transcript is %v", final)
	}
}
