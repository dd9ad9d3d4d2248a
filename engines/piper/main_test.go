package piper

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/lexilingo/modelgateway/engines"
	"github.com/lexilingo/modelgateway/engines/piper/phonemiser"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// engine is used by all tests: espeak-ng is opened once in a process.
var engine = New()

// TestMain runs the phonemiser's child if the program was started as one.
func TestMain(m *testing.M) {
	if phonemiser.IsChild() {
		os.Exit(phonemiser.Serve())
	}
	os.Exit(m.Run())
}

// starter returns the path of the starter voice.
func starter() string {
	return filepath.Join("..", "..", "models", "starter", "voice.onnx")
}

func loadVoice(t *testing.T, path string, settings map[string]any) *model {
	t.Helper()
	p, err := structpb.NewStruct(settings)
	if err != nil {
		t.Fatal(err)
	}
	m, err := engine.Load(t.Context(), engines.LoadOptions{
		ModelName: "voice", Path: path, Device: "cpu", Threads: 2, MaxConcurrency: 2, Parameters: p, Work: &engines.WorkCounter{},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m.(*model)
}

// changedVoice copies the starter voice and changes its description.
func changedVoice(t *testing.T, change func(config map[string]any)) string {
	t.Helper()
	data, err := os.ReadFile(starter() + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var config map[string]any
	if err := json.Unmarshal(data, &config); err != nil {
		t.Fatal(err)
	}
	change(config)
	if data, err = json.Marshal(config); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "voice.onnx")
	graph, err := os.ReadFile(starter())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, graph, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+".json", data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func espeakVoice(name string) func(map[string]any) {
	return func(config map[string]any) { config["espeak"] = map[string]any{"voice": name} }
}

// say runs a request and returns its messages.
func say(ctx context.Context, m *model, req *gatewayv1.SynthesizeRequest) (out []*gatewayv1.SynthesizeResponse, err error) {
	err = m.Synthesize(ctx, req, func(r *gatewayv1.SynthesizeResponse) error {
		out = append(out, r)
		return nil
	})
	return out, err
}

func text(s string) *gatewayv1.SynthesizeRequest {
	return &gatewayv1.SynthesizeRequest{Input: &gatewayv1.SynthesizeRequest_Text{Text: s}}
}

// reference is a running testdata/reference.py.
type reference struct {
	t  *testing.T
	mu sync.Mutex
	in *json.Encoder
	// out has a line for each request.
	out *bufio.Reader
}

func startReference(t *testing.T, voice string, arguments ...string) *reference {
	t.Helper()
	python := os.Getenv("MG_PYTHON")
	if python == "" {
		t.Fatal("MG_PYTHON is not set to a Python with piper-tts: run the tests with make test")
	}
	cmd := exec.Command(python, append([]string{filepath.Join("testdata", "reference.py"), voice}, arguments...)...)
	// Python has its own libraries and must not load those of LD_LIBRARY_PATH.
	cmd.Env = append(os.Environ(), "LD_LIBRARY_PATH=")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_, _ = io.Copy(io.Discard, out)
		if err := cmd.Wait(); err != nil {
			t.Errorf("reference.py: %v", err)
		}
	})
	return &reference{t: t, in: json.NewEncoder(in), out: bufio.NewReader(out)}
}

// ask sends a request and decodes the answer.
func (r *reference) ask(request, answer any) {
	r.t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.in.Encode(request); err != nil {
		r.t.Fatal(err)
	}
	line, err := r.out.ReadBytes('\n')
	if err != nil {
		r.t.Fatalf("reference.py does not answer: %v", err)
	}
	if err := json.Unmarshal(line, answer); err != nil {
		r.t.Fatalf("reference.py answers %.200q: %v", line, err)
	}
}
