package server

import (
	"bytes"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/auth"
)

// voiceModels has models of every kind that speak: one of an engine of the user's own, a
// voice of piper, one without files, and the cloud.
var voiceModels = strings.Replace(faultModels, "models:\n", `gemini: {api_key: none}
models:
  voice: {engine: piper, path: "starter:voice.onnx"}
  lost: {engine: piper, path: MODEL.none}
  gemini: {engine: gemini}
`, 1) + "  synthesize: {primary: qwen, fallbacks: [lost, voice, gemini]}\n"

// idsOf returns the ids of voices, of each model of the cloud only the first two.
func idsOf(voices []*gatewayv1.Voice) []string {
	var ids []string
	for _, v := range voices {
		if cloud := strings.HasPrefix(v.GetId(), "gemini/"); !cloud || len(ids) < 4 {
			ids = append(ids, v.GetId())
		}
	}
	return ids
}

// TestListVoices checks that a caller gets the voices that it may use, in the order in
// which they are tried, over every protocol, and that no model is loaded for that.
func TestListVoices(t *testing.T) {
	infer := []auth.Role{auth.Infer}
	g := startGuarded(t, voiceModels, &auth.Key{Name: "all", Roles: infer, Cloud: true}, &auth.Key{Name: "local", Roles: infer},
		&auth.Key{Name: "model", Roles: infer, Models: []string{"voice"}}, &auth.Key{Name: "task", Roles: infer, Tasks: []string{"chat"}},
		&auth.Key{Name: "observer", Roles: []auth.Role{auth.Observe}})
	for name, want := range map[string][]string{
		"all": {"qwen", "voice", "gemini/Kore", "gemini/Achernar"}, "local": {"qwen", "voice"}, "model": {"voice"}, "task": nil,
	} {
		listed, err := g.chat.ListVoices(g.as(t, name), &gatewayv1.ListVoicesRequest{})
		if got := idsOf(listed.GetVoices()); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q, %v, want %q", name, got, err, want)
		}
		for _, path := range []string{"/v1/audio/voices", "/openai/v1/audio/voices"} {
			over := &gatewayv1.ListVoicesResponse{}
			if err := protojson.Unmarshal([]byte(g.getAs(t, name, path)), over); err != nil || !slices.Equal(idsOf(over.GetVoices()), want) {
				t.Errorf("%s at %s: %q, %v, want %q", name, path, idsOf(over.GetVoices()), err, want)
			}
		}
	}
	voices, err := g.chat.ListVoices(g.as(t, "all"), &gatewayv1.ListVoicesRequest{})
	if err != nil {
		t.Fatal(err)
	}
	v := voices.GetVoices()[1]
	if v.GetModel() != "voice" || v.GetName() != "voice" || v.GetLanguage() != "en-US" || v.GetSampleRateHertz() != 22050 || v.GetSpeaker() != "" {
		t.Errorf("the starter voice is %v", v)
	}
	if cloud := voices.GetVoices()[2]; cloud.GetModel() != "gemini" || cloud.GetSpeaker() != "Kore" || cloud.GetSampleRateHertz() != 24000 || cloud.GetWordTimes() {
		t.Errorf("Gemini's voice is %v", cloud)
	}
	models, err := g.admin.ListModels(g.as(t, "observer"), &gatewayv1.ListModelsRequest{})
	for _, m := range models.GetModels() {
		if m.GetState() != gatewayv1.ModelState_MODEL_STATE_UNLOADED {
			t.Errorf("%s is %s", m.GetName(), m.GetState())
		}
	}
	if err != nil || len(models.GetModels()) == 0 {
		t.Errorf("%v, %v", models, err)
	}
}

// Voices are read again after an error, which is logged once, and not after they were read.
func TestVoicesAreReadAgain(t *testing.T) {
	var log bytes.Buffer
	reads, failure := 0, errors.New("too many open files")
	voices := unchanged(slog.New(slog.NewTextHandler(&log, nil)), func() string { return "same files" }, func() ([]*gatewayv1.Voice, error) {
		if reads++; reads < 3 {
			return nil, failure
		}
		return []*gatewayv1.Voice{{Name: "voice"}}, nil
	})
	for call := range 5 {
		got, err := voices()
		if failed := call < 2; failed != errors.Is(err, failure) || failed == (len(got) == 1) {
			t.Errorf("call %d: %v, %v", call, got, err)
		}
	}
	if n := strings.Count(log.String(), failure.Error()); reads != 3 || n != 1 {
		t.Errorf("%d reads, want 3; the error is logged %d times, want once:\n%s", reads, n, log.String())
	}
}
