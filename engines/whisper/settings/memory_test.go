package settings

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/engines/footprint"
)

const (
	starter     = "../../../models/starter/whisper.bin"
	chatStarter = "../../../models/starter/chat.gguf"
)

func estimate(t *testing.T, m footprint.Model) int64 {
	t.Helper()
	n, err := EstimateMemory(m)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func whisper(t *testing.T, path string, requests int, parameters map[string]any) footprint.Model {
	t.Helper()
	p, err := structpb.NewStruct(parameters)
	if err != nil {
		t.Fatal(err)
	}
	return footprint.Model{Path: path, Parameters: p, MaxConcurrency: requests}
}

// shaped writes a whisper file with the header of another shape and the size of
// the published file of that shape.
func shaped(t *testing.T, width, layers int32, size int64) string {
	t.Helper()
	head, err := os.ReadFile(starter)
	if err != nil {
		t.Fatal(err)
	}
	head = slices.Clone(head)
	for at, value := range map[int]int32{12: width, 16: width / 64, 20: layers, 28: width, 32: width / 64, 36: layers, 44: 1} {
		binary.LittleEndian.PutUint32(head[at:], uint32(value)) //nolint:gosec // small
	}
	path := filepath.Join(t.TempDir(), "shaped.bin")
	if err := os.WriteFile(path, head, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, size); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestEstimateDependsOnTheHeader(t *testing.T) {
	one := map[string]any{"block_seconds": 60}
	small := estimate(t, whisper(t, starter, 1, one))
	for name, parameters := range map[string]map[string]any{
		"longer blocks":      {"block_seconds": 600},
		"more hypotheses":    {"block_seconds": 60, "beam_size": 8},
		"no flash attention": {"block_seconds": 60, "flash_attn": false},
	} {
		if more := estimate(t, whisper(t, starter, 1, parameters)); more <= small {
			t.Errorf("%s need %d, without them %d", name, more, small)
		}
	}
	if less := estimate(t, whisper(t, starter, 1, map[string]any{"block_seconds": 60, "n_max_text_ctx": 1})); less >= small {
		t.Errorf("without context %d, with it %d", less, small)
	}
	two := estimate(t, whisper(t, starter, 2, one))
	state := two - small
	if three := estimate(t, whisper(t, starter, 3, one)); three-two < state-1 || three-two > state+1 {
		t.Errorf("requests take %d and %d", state, three-two)
	}
	base := estimate(t, whisper(t, shaped(t, 512, 6, 147_964_211), 1, one))
	if base < 350e6 || base > 480e6 {
		t.Errorf("a model of the shape of base takes %d MB", base/1e6)
	}
}

func TestErrorsOfFilesHaveReasons(t *testing.T) {
	whole, err := os.ReadFile(starter)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for name, c := range map[string]struct {
		path string
		want errs.Reason
	}{
		"missing":           {filepath.Join(dir, "none.bin"), errs.ModelFileMissing},
		"empty":             {write("empty.bin", nil), errs.ModelFileInvalid},
		"a chat model":      {chatStarter, errs.ModelFileInvalid},
		"cut in the header": {write("cut.bin", whole[:40]), errs.ModelFileInvalid},
		"a folder":          {dir, errs.ModelFileInvalid},
	} {
		if _, err := EstimateMemory(whisper(t, c.path, 1, nil)); errs.ReasonOf(err) != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}
