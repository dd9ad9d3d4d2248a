package hubert

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/lexilingo/modelgateway/engines"
	"github.com/lexilingo/modelgateway/engines/audio"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// starter is the path of the starter model.
const starter = "../../models/starter/pronunciation.onnx"

// published returns the symbols of the published vocabulary, in its order.
func published() []string {
	return append([]string{"<pad>", "<s>", "</s>", "<unk>", "|"}, strings.Split("ETAONIHSRDLUMWCFGYPBVK'XJQZ", "")...)
}

// arpabet returns a vocabulary of phonemes with the same number of symbols.
func arpabet() []string {
	return append([]string{"<pad>", "<s>", "</s>", "<unk>"},
		strings.Fields("AA AE AH AO AW AY B CH D DH EH ER EY F G HH IH IY K L M N P R S T V Z")...)
}

// folder returns a folder with a model of testdata, which recognises tones.
func folder(t testing.TB, onnxFile string, symbols []string) string {
	t.Helper()
	dir := t.TempDir()
	copyFile(t, filepath.Join("testdata", onnxFile), filepath.Join(dir, "model.onnx"))
	writeVocabulary(t, filepath.Join(dir, "vocab.json"), symbols)
	return dir
}

func copyFile(t testing.TB, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, to, data)
}

func writeFile(t testing.TB, path string, data []byte) string {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func writeVocabulary(t testing.TB, path string, symbols []string) {
	t.Helper()
	ids := map[string]int{}
	for i, s := range symbols {
		ids[s] = i
	}
	data, err := json.Marshal(ids)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, path, data)
}

func tryLoad(t testing.TB, path string, settings map[string]any) (*model, error) {
	t.Helper()
	parameters, err := structpb.NewStruct(settings)
	if err != nil {
		t.Fatal(err)
	}
	m, err := New().Load(t.Context(), engines.LoadOptions{
		ModelName: "test", Path: path, Device: "cpu", Threads: 2, MaxConcurrency: 2, Parameters: parameters, Work: &engines.WorkCounter{},
	})
	if err != nil {
		return nil, err
	}
	return m.(*model), nil
}

func load(t testing.TB, path string, settings map[string]any) *model {
	t.Helper()
	m, err := tryLoad(t, path, settings)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m
}

// whistle returns the audio of a text for tones.onnx: for each letter 60 ms of its
// tone and 40 ms of silence; "_" is 0.1 s of silence. The tone of a phoneme is that
// of the letter with the same number.
func whistle(text string) []float32 {
	const toneSamples, gapSamples, pauseSamples = 960, 640, 1600
	var samples []float32
	for _, r := range strings.ToUpper(text) {
		if r == '_' {
			samples = append(samples, make([]float32, pauseSamples)...)
			continue
		}
		letter := string(r)
		if r == ' ' {
			letter = "|"
		}
		for i, symbol := range published() {
			if symbol != letter {
				continue
			}
			hertz := float64(400 + 200*(i-4))
			for n := range toneSamples {
				samples = append(samples, float32(0.3*math.Sin(2*math.Pi*hertz*float64(n)/audio.SampleRate)))
			}
			samples = append(samples, make([]float32, gapSamples)...)
		}
	}
	return samples
}

func pcm(samples []float32) []byte {
	data := make([]byte, 0, 2*len(samples))
	for _, s := range samples {
		data = binary.LittleEndian.AppendUint16(data, uint16(int16(s*math.MaxInt16)))
	}
	return data
}

func request(text string, samples []float32) *gatewayv1.PronunciationRequest {
	return &gatewayv1.PronunciationRequest{
		ReferenceText: text, Audio: pcm(samples),
		Format: &gatewayv1.AudioFormat{Encoding: gatewayv1.AudioEncoding_AUDIO_ENCODING_PCM_S16LE, SampleRateHertz: audio.SampleRate},
	}
}

func ask(t *testing.T, m *model, text, said string) *gatewayv1.PronunciationResponse {
	t.Helper()
	resp, err := m.Pronunciation(t.Context(), request(text, whistle(said)))
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

// summary returns the words of an answer with a sign for their errors: "-" is an
// omission, "+" an insertion, "!" a mispronunciation, "~" not judged.
func summary(resp *gatewayv1.PronunciationResponse) string {
	var out []string
	for _, w := range resp.GetWords() {
		sign := []string{"~", "", "!", "-", "+"}[w.GetErrorType()]
		out = append(out, sign+w.GetText())
	}
	return strings.Join(out, " ")
}

func seconds(d interface{ AsDuration() time.Duration }) float64 { return d.AsDuration().Seconds() }
