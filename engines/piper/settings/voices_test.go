package settings

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/engines/footprint"
	"github.com/lexilingo/modelgateway/models/modelstest"
)

// starter is the starter voice, which gives word times.
const starter = "../../../models/starter/voice.onnx"

// testVoice copies a voice of the engine's tests, with a description that is changed.
func testVoice(t *testing.T, graph string, change ...string) string {
	t.Helper()
	model, err := os.ReadFile(filepath.Join("..", "testdata", graph))
	if err != nil {
		t.Fatal(err)
	}
	description, err := os.ReadFile("../../../models/starter/voice.onnx.json")
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(change); i += 2 {
		if !bytes.Contains(description, []byte(change[i])) {
			t.Fatalf("the description has no %s", change[i])
		}
		description = bytes.Replace(description, []byte(change[i]), []byte(change[i+1]), 1)
	}
	path := filepath.Join(t.TempDir(), "en_US-test.onnx")
	for file, data := range map[string][]byte{path: model, path + ".json": description} {
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

func TestVoices(t *testing.T) {
	voices, err := Voices(footprint.Model{Path: testVoice(t, starter)})
	if err != nil || len(voices) != 1 {
		t.Fatalf("%v, %v", voices, err)
	}
	v := voices[0]
	if v.GetName() != "en_US-test" || v.GetSpeaker() != "" || v.GetLanguage() != "en-US" || v.GetSampleRateHertz() != 22050 || !v.GetWordTimes() {
		t.Errorf("%v", v)
	}
	voices, err = Voices(footprint.Model{Path: testVoice(t, "few.onnx", `"voice": "en-us"`, `"voice": "vi"`, `"code": "en_US"`, `"code": ""`)})
	if err != nil || voices[0].GetLanguage() != "vi" || voices[0].GetWordTimes() {
		t.Errorf("%v, %v", voices, err)
	}
	for name, c := range map[string]struct {
		change func(voice, to string) error
		times  bool
	}{
		"patched.onnx": {modelstest.PatchedDurations, true}, "without.onnx": {modelstest.WithoutDurations, false},
	} {
		path := filepath.Join(t.TempDir(), name)
		if err := c.change(starter, path); err != nil {
			t.Fatal(err)
		}
		if voices, err := Voices(footprint.Model{Path: path}); err != nil || voices[0].GetWordTimes() != c.times {
			t.Errorf("%s: %v, %v", name, voices, err)
		}
	}
}

func TestVoicesOfSeveralSpeakers(t *testing.T) {
	path := testVoice(t, "echo.onnx", `"num_speakers": 1`, `"num_speakers": 3`, `"code": "en_US"`, `"code": "en_GB"`,
		`"speaker_id_map": {}`, `"speaker_id_map": {"p2": 2, "p0": 0}`)
	model := footprint.Model{Path: path, Parameters: &structpb.Struct{Fields: map[string]*structpb.Value{"speaker": structpb.NewStringValue("p2")}}}
	voices, err := Voices(model)
	if err != nil {
		t.Fatal(err)
	}
	var speakers []string
	for _, v := range voices {
		speakers = append(speakers, v.GetSpeaker())
		if v.GetLanguage() != "en-GB" || v.GetName() != "en_US-test, "+v.GetSpeaker() {
			t.Errorf("%v", v)
		}
	}
	if len(speakers) != 3 || speakers[0] != "p2" || speakers[1] != "p0" || speakers[2] != "1" {
		t.Errorf("the speakers are %q", speakers)
	}
}

func TestNoVoices(t *testing.T) {
	broken := testVoice(t, "echo.onnx")
	if err := os.WriteFile(broken, []byte("none"), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]errs.Reason{
		filepath.Join(t.TempDir(), "none.onnx"): errs.ModelFileMissing,
		broken:                                  errs.ModelFileInvalid,
		testVoice(t, "echo.onnx", `"espeak": {`, `"espeak": 1{`): errs.ModelFileInvalid,
	} {
		if voices, err := Voices(footprint.Model{Path: path}); errs.ReasonOf(err) != want {
			t.Errorf("%v, %v; want %v", voices, err, want)
		}
	}
}
