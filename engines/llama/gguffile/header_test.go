package gguffile

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/engines/llama/gguffile/gguftest"
)

const starter = "../../../models/starter/chat.gguf"

// model returns the metadata of a small model, and values that replace or follow
// it.
func model(more ...gguftest.Value) []gguftest.Value {
	return append([]gguftest.Value{{Key: keyArchitecture, Value: "llama"}, {Key: "llama.block_count", Value: uint32(2)}}, more...)
}

func TestReadStarter(t *testing.T) {
	h, err := Read(starter)
	if err != nil {
		t.Fatal(err)
	}
	if h.Architecture != "qwen3" || h.Number("block_count") < 1 || h.Number("embedding_length") < 1 || h.Vocabulary() < 100 {
		t.Errorf("header %+v", h)
	}
	if h.Tensors == 0 || h.End > h.FileSize || h.End < h.FileSize-64 {
		t.Errorf("%d tensors that end at %d in a file of %d bytes", h.Tensors, h.End, h.FileSize)
	}
	if err := Check(starter); err != nil {
		t.Error(err)
	}
}

func TestChatTemplate(t *testing.T) {
	for _, c := range []struct {
		name     string
		metadata []gguftest.Value
		want     bool
	}{
		{"none", model(), false},
		{"empty", model(gguftest.Value{Key: keyChatTemplate, Value: ""}), false},
		{"a template longer than texts that are kept", model(gguftest.Value{Key: keyChatTemplate, Value: strings.Repeat("{{ x }}", 1000)}), true},
	} {
		h, err := Read(gguftest.Write(t, gguftest.File(c.metadata, nil, 0)))
		if err != nil || h.ChatTemplate != c.want || h.kept() != 1 {
			t.Errorf("%s: %+v, %v", c.name, h, err)
		}
	}
}

func TestReadKeepsScalarsSumsAndLengths(t *testing.T) {
	h, err := Read(gguftest.Write(t, gguftest.File(model(
		gguftest.Value{Key: keyType, Value: "model"},
		gguftest.Value{Key: "llama.attention.head_count_kv", Value: []uint32{1, 2, 4}},
		gguftest.Value{Key: "llama.rope.scaling", Value: uint32(7)},
		gguftest.Value{Key: keyTokens, Value: []string{"a", "b", "c"}},
		gguftest.Value{Key: "llama.context_length", Value: uint32(4096)},
	), nil, 0)))
	if err != nil {
		t.Fatal(err)
	}
	if h.Architecture != "llama" || h.Type != "model" || h.Number("block_count") != 2 || h.Number("context_length") != 4096 ||
		h.Sum("attention.head_count_kv") != 7 || h.Vocabulary() != 3 || h.Number("rope.scaling") != 0 {
		t.Errorf("header %+v", h)
	}
}

// TestCheckTensors checks that a file must be as long as its table of tensors
// says, and that a table cannot state absurd sizes.
func TestCheckTensors(t *testing.T) {
	two := func(kind uint32) []gguftest.Tensor {
		return []gguftest.Tensor{
			{Name: "token_embd.weight", Sizes: []uint64{64, 10}, Kind: 8},              // 10 rows of 2 blocks of 34 bytes
			{Name: "output.weight", Sizes: []uint64{256, 2}, Kind: kind, Offset: 1024}, // F32: 2,048 bytes
		}
	}
	one := func(tensor gguftest.Tensor) []gguftest.Tensor { return []gguftest.Tensor{tensor} }
	for name, c := range map[string]struct {
		metadata []gguftest.Value
		tensors  []gguftest.Tensor
		weights  int
		says     string // empty: the file is valid
	}{
		"complete":              {model(), two(0), 1024 + 2048, ""},
		"a byte short":          {model(), two(0), 1024 + 2048 - 1, "fetch it again"},
		"blocks":                {model(), two(12), 1024 + 2*144, ""},
		"a byte of a block":     {model(), two(12), 1024 + 2*144 - 1, "fetch it again"},
		"a type of the future":  {model(), two(1000), 1024, ""},
		"a removed type":        {model(), two(4), 1024, ""},
		"no tensors":            {model(), nil, 0, "no weights"},
		"other alignment":       {model(gguftest.Value{Key: keyAlignment, Value: uint32(4096)}), two(0), 4096 + 1024 + 2048, ""},
		"aligned beyond":        {model(gguftest.Value{Key: keyAlignment, Value: uint32(4096)}), two(0), 1024 + 2048, "fetch it again"},
		"aligned to 0":          {model(gguftest.Value{Key: keyAlignment, Value: uint32(0)}), two(0), 4096, "aligned to 0 bytes"},
		"no dimensions":         {model(), one(gguftest.Tensor{Name: "a"}), 64, "0 dimensions"},
		"five dimensions":       {model(), one(gguftest.Tensor{Name: "a", Sizes: make([]uint64, 5)}), 64, "5 dimensions"},
		"empty":                 {model(), one(gguftest.Tensor{Name: "a", Sizes: []uint64{0, 8}}), 64, ""},
		"huge":                  {model(), one(gguftest.Tensor{Name: "a", Sizes: []uint64{1 << 40, 1 << 40, 1 << 40}}), 64, "more bytes"},
		"huge rows":             {model(), one(gguftest.Tensor{Name: "a", Sizes: []uint64{1 << 63}}), 64, "more bytes"},
		"huge offset":           {model(), one(gguftest.Tensor{Name: "a", Sizes: []uint64{1}, Offset: 1 << 63}), 64, "at the offset"},
		"a long name":           {model(), one(gguftest.Tensor{Name: strings.Repeat("a", 300), Sizes: []uint64{1}}), 64, "300 bytes long"},
		"no architecture":       {nil, two(0), 4096, "does not name its architecture"},
		"an adapter":            {model(gguftest.Value{Key: keyType, Value: "adapter"}), two(0), 4096, `"adapter"`},
		"an image part":         {model(gguftest.Value{Key: keyArchitecture, Value: "clip"}), two(0), 4096, "image part"},
		"a model of embeddings": {model(gguftest.Value{Key: "llama.attention.causal", Value: false}), two(0), 4096, "does not write"},
		"a causal model":        {model(gguftest.Value{Key: "llama.attention.causal", Value: true}), two(0), 4096, ""},
	} {
		t.Run(name, func(t *testing.T) {
			err := Check(gguftest.Write(t, gguftest.File(c.metadata, c.tensors, c.weights)))
			switch {
			case c.says == "" && err != nil:
				t.Error(err)
			case c.says != "" && (errs.ReasonOf(err) != errs.ModelFileInvalid || !strings.Contains(err.Error(), c.says)):
				t.Errorf("got %v, want MODEL_FILE_INVALID that says %q", err, c.says)
			}
		})
	}
}

// TestHostileHeaderCostsNoMemory reads a header with large texts and long keys
// that nothing needs. They must not be kept in memory.
func TestHostileHeaderCostsNoMemory(t *testing.T) {
	const texts, size = 100, 512 << 10
	metadata := []gguftest.Value{{Key: keyArchitecture, Value: "llama"}}
	long := string(make([]byte, size))
	for i := range texts {
		metadata = append(metadata,
			gguftest.Value{Key: fmt.Sprintf("llama.note_%d", i), Value: long},
			gguftest.Value{Key: fmt.Sprint(i) + long[:maxKeyBytes-8], Value: true})
	}
	data := gguftest.File(metadata, nil, 0)
	path := gguftest.Write(t, data)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	h, err := Read(path)
	runtime.ReadMemStats(&after)
	if err != nil || h.Architecture != "llama" || h.kept() != 0 {
		t.Errorf("header %+v, %v", h, err)
	}
	if took := after.TotalAlloc - before.TotalAlloc; took > 2*readBuffer {
		t.Errorf("a header of %d bytes took %d bytes", len(data), took)
	}
}

// FuzzRead checks that a header is refused or within its limits, whatever the
// file contains.
func FuzzRead(f *testing.F) {
	whole, err := os.ReadFile(starter)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole[:4096])
	f.Add(gguftest.File(model(), []gguftest.Tensor{{Name: "a", Sizes: []uint64{32, 2}, Kind: 8}}, 68))
	f.Fuzz(func(t *testing.T, data []byte) {
		h, err := Read(gguftest.Write(t, data))
		if err == nil && (h.End < 0 || h.kept() > maxKept) {
			t.Errorf("header %+v", h)
		}
	})
}
