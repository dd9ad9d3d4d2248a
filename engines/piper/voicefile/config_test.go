package voicefile

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/lexilingo/modelgateway/engines/errs"
)

func starter(t testing.TB) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "..", "models", "starter", "voice.onnx.json"))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestDefaults checks that the defaults are those of piper1-gpl.
func TestDefaults(t *testing.T) {
	config, err := Parse([]byte("\ufeff"+`{"audio": {"sample_rate": 16000}, "espeak": {"voice": "vi"}, "num_symbols": 3, "num_speakers": 1,
		"phoneme_id_map": {"_": [0], "^": [1], "$": [2]}, "vowel_clusters": [["a", "b"], ["a"], ["a", "b", "c"]], "unknown": {}}`), "vi.onnx")
	if err != nil {
		t.Fatal(err)
	}
	if config.PhonemeType != Espeak || config.NoiseScale != 0.667 || config.LengthScale != 1 || config.NoiseW != 0.8 ||
		config.HopLength != 256 || config.DefaultSpeaker != 0 || config.LargestID() != 2 {
		t.Errorf("the defaults are %+v", config)
	}
	if c := config.VowelClusters; len(c) != 2 || len(c[0]) != 3 {
		t.Errorf("the clusters are %v", c)
	}
}

func TestStarter(t *testing.T) {
	config, err := Parse(starter(t), "voice.onnx")
	if err != nil {
		t.Fatal(err)
	}
	if len(config.IDs) != 154 || config.Symbols != 256 || config.EspeakVoice != "en-us" || config.LargestID() != 153 {
		t.Errorf("%d phonemes of %d, largest id %d, language %s",
			len(config.IDs), config.Symbols, config.LargestID(), config.EspeakVoice)
	}
}

// FuzzParse checks that a description is either refused with a reason or valid.
func FuzzParse(f *testing.F) {
	f.Add(starter(f))
	f.Add([]byte(`{"audio": {"sample_rate": 22050}}`))
	f.Add([]byte("null"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse(data, "voice.onnx")
		if err != nil {
			if errs.ReasonOf(err) != errs.ModelFileInvalid {
				t.Errorf("%q: %v", data, err)
			}
			return
		}
		if c.SampleRate < 1 || c.HopLength < 1 || c.Speakers < 1 || c.DefaultSpeaker >= int64(c.Speakers) || c.LargestID() >= int64(c.Symbols) ||
			len(c.IDs[Begin]) == 0 || len(c.IDs[End]) == 0 || len(c.IDs[Pad]) == 0 {
			t.Errorf("%q gives %+v", data, c)
		}
		if _, err := json.Marshal(c); err != nil {
			t.Errorf("%q gives numbers that JSON cannot represent: %v", data, err)
		}
	})
}
