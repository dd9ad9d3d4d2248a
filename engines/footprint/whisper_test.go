package footprint

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/lexilingo/modelgateway/engines/errs"
)

const whisperStarter = "../../models/starter/whisper.bin"

func whisperSource(t *testing.T, path string, streams int, settings map[string]any) Source {
	t.Helper()
	p, err := structpb.NewStruct(settings)
	if err != nil {
		t.Fatal(err)
	}
	return Source{Engine: "whisper", Path: path, Parameters: p, MaxConcurrency: streams}
}

// shaped writes the head of a whisper file of another shape, and as many zeros as
// the published file of that shape has.
func shaped(t *testing.T, width, layers int32, size int64) string {
	t.Helper()
	head, err := os.ReadFile(whisperStarter)
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

func TestWhisperGoesByTheHeader(t *testing.T) {
	one := map[string]any{"block_seconds": 60}
	small := estimate(t, whisperSource(t, whisperStarter, 1, one))
	for name, settings := range map[string]map[string]any{
		"longer blocks":      {"block_seconds": 600},
		"more hypotheses":    {"block_seconds": 60, "beam_size": 8},
		"no flash attention": {"block_seconds": 60, "flash_attn": false},
	} {
		if more := estimate(t, whisperSource(t, whisperStarter, 1, settings)); more <= small {
			t.Errorf("%s need %d, without them %d", name, more, small)
		}
	}
	if less := estimate(t, whisperSource(t, whisperStarter, 1, map[string]any{"block_seconds": 60, "n_max_text_ctx": 1})); less >= small {
		t.Errorf("without context %d, with it %d", less, small)
	}
	two := estimate(t, whisperSource(t, whisperStarter, 2, one))
	state := two - small
	if three := estimate(t, whisperSource(t, whisperStarter, 3, one)); three-two < state-1 || three-two > state+1 {
		t.Errorf("streams take %d and %d", state, three-two)
	}
	base := estimate(t, whisperSource(t, shaped(t, 512, 6, 147_964_211), 1, one))
	if base < 350e6 || base > 480e6 {
		t.Errorf("a model of the shape of base takes %d MB", base/1e6)
	}
}

func TestBadWhisperFilesAreTyped(t *testing.T) {
	whole, err := os.ReadFile(whisperStarter)
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
		"a chat model":      {starter, errs.ModelFileInvalid},
		"cut in the header": {write("cut.bin", whole[:40]), errs.ModelFileInvalid},
		"a folder":          {dir, errs.ModelFileInvalid},
	} {
		if _, err := Estimate(whisperSource(t, c.path, 1, nil)); errs.ReasonOf(err) != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}
