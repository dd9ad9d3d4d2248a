package whisperimport_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/lexilingo/modelgateway/models/modelstest"
	"github.com/lexilingo/modelgateway/server/internal/whisperimport"
)

func convert(t *testing.T, folder fs.FS) ([]byte, error) {
	t.Helper()
	var out bytes.Buffer
	var done, total int64
	err := whisperimport.Convert(t.Context(), folder, &out, func(d, all int64) { done, total = d, all })
	if err == nil && (done != total || done != int64(out.Len())) {
		t.Errorf("%d bytes of %d were reported, %d written", done, total, out.Len())
	}
	return out.Bytes(), err
}

func mustConvert(t *testing.T, folder fs.FS) []byte {
	t.Helper()
	out, err := convert(t, folder)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// The published file is taken apart, written in both formats, and converted: the
// result must be the published file. (What CTranslate2's own program wrote is
// converted whenever scripts/models.sh fetches it, and compared with the checksum.)
func TestPublishedWeightsComeBackByteForByte(t *testing.T) {
	t.Parallel()
	published, err := os.ReadFile(modelstest.Path(t, "whisper-tiny.en"))
	if err != nil {
		t.Fatal(err)
	}
	w := readGGML(t, published)
	sum := sha256.Sum256(published)
	for name, folder := range map[string]fstest.MapFS{
		"safetensors, float16": w.transformers("F16"),
		"CTranslate2, float16": w.ctranslate2(ct2Float16),
	} {
		got := sha256.Sum256(mustConvert(t, folder))
		if got != sum {
			t.Errorf("%s: sha256 %s, want %s", name, hex.EncodeToString(got[:]), hex.EncodeToString(sum[:]))
		}
	}
}

// small is a model of two layers with random values: multiples of 1/64 below 2,
// which every type can hold.
func small(vocabulary int) weights {
	random := rand.New(rand.NewPCG(1, 2))
	w := weights{vocabulary: vocabulary, width: 4, heads: 2, layers: map[string]int{"encoder": 2, "decoder": 1}}
	letters := []rune{'a', 'b', 'Ġ', 'Ā', 'z', '!', 'é', '0', 'q', 'ł'}
	for i := range 50256 {
		var token []rune
		for n := i; len(token) == 0 || n > 0; n /= 10 {
			token = append(token, letters[n%10])
		}
		w.tokens = append(w.tokens, string(token)+"x"+strings.Repeat("y", len(token)))
	}
	add := func(name string, shape ...int) {
		n := 1
		for _, d := range shape {
			n *= d
		}
		p := parameter{name: name, shape: shape}
		for range n {
			p.values = append(p.values, float32(random.IntN(255)-127)/64)
		}
		w.parameters = append(w.parameters, p)
	}
	add("decoder.positional_embedding", 448, 4)
	add("encoder.positional_embedding", 1500, 4)
	add("decoder.token_embedding.weight", vocabulary, 4)
	block := func(prefix string, attentions ...string) {
		for _, norm := range append([]string{"mlp_ln"}, lnOf(attentions)...) {
			add(prefix+norm+".weight", 4)
			add(prefix+norm+".bias", 4)
		}
		add(prefix+"mlp.0.weight", 16, 4)
		add(prefix+"mlp.0.bias", 16)
		add(prefix+"mlp.2.weight", 4, 16)
		add(prefix+"mlp.2.bias", 4)
		for _, attention := range attentions {
			for _, matrix := range []string{"query", "key", "value", "out"} {
				add(prefix+attention+"."+matrix+".weight", 4, 4)
				if matrix != "key" {
					add(prefix+attention+"."+matrix+".bias", 4)
				}
			}
		}
	}
	block("decoder.blocks.0.", "attn", "cross_attn")
	add("decoder.ln.weight", 4)
	add("decoder.ln.bias", 4)
	add("encoder.conv1.weight", 4, 80, 3)
	add("encoder.conv1.bias", 4)
	add("encoder.conv2.weight", 4, 4, 3)
	add("encoder.conv2.bias", 4)
	block("encoder.blocks.0.", "attn")
	block("encoder.blocks.1.", "attn")
	add("encoder.ln_post.weight", 4)
	add("encoder.ln_post.bias", 4)
	return w
}

func lnOf(attentions []string) []string {
	var norms []string
	for _, a := range attentions {
		norms = append(norms, a+"_ln")
	}
	return norms
}

func TestEveryFormatGivesTheSameModel(t *testing.T) {
	t.Parallel()
	w := small(51865)
	want := mustConvert(t, w.transformers("F32"))
	got := readGGML(t, want)
	if got.vocabulary != 51865 || got.width != 4 || got.heads != 2 || got.layers["encoder"] != 2 || got.layers["decoder"] != 1 {
		t.Errorf("%+v", got.layers)
	}
	if !slices.Equal(got.tokens, w.tokens) {
		t.Error("the tokens differ")
	}
	if len(got.parameters) != len(w.parameters) {
		t.Errorf("%d tensors, want %d", len(got.parameters), len(w.parameters))
	}
	for _, p := range w.parameters {
		if found := got.find(p.name); !slices.Equal(found.values, p.values) || !slices.Equal(found.shape, p.shape) {
			t.Errorf("%s differs", p.name)
		}
	}
	parts := w.ctranslate2(ct2Float16)
	whole := parts["model.bin"].Data
	delete(parts, "model.bin")
	for i := range 3 {
		parts[fmt.Sprintf("model.bin.part%d", i+1)] = &fstest.MapFile{Data: whole[i*len(whole)/3 : (i+1)*len(whole)/3]}
	}
	for name, folder := range map[string]fstest.MapFS{
		"F16": w.transformers("F16"), "BF16": w.transformers("BF16"), "shards": shards(w), "without tokenizer.json": vocabOnly(w),
		"float16": w.ctranslate2(ct2Float16), "float32": w.ctranslate2(ct2Float32), "int8": w.ctranslate2(ct2Int8), "in parts": parts,
	} {
		if !bytes.Equal(mustConvert(t, folder), want) {
			t.Errorf("%s gives another file", name)
		}
	}
}

// shards returns the model in two files, with the output layer beside the embedding
// that it is.
func shards(w weights) fstest.MapFS {
	folder := w.transformers("F32")
	delete(folder, "model.safetensors")
	half := len(w.parameters) / 2
	first := slices.Clone(w.parameters[:half])
	folder["a.safetensors"] = &fstest.MapFile{Data: safetensorsFile("F32", first)}
	folder["b.safetensors"] = &fstest.MapFile{Data: safetensorsFile("F32", w.parameters[half:])}
	folder["model.safetensors.index.json"] = &fstest.MapFile{Data: []byte(`{"weight_map": {"x": "a.safetensors", "y": "b.safetensors", "z": "a.safetensors"}}`)}
	return folder
}

func vocabOnly(w weights) fstest.MapFS {
	folder := w.transformers("F32")
	vocab := bytes.SplitN(folder["tokenizer.json"].Data, []byte(`"vocab":`), 2)[1]
	folder["vocab.json"] = &fstest.MapFile{Data: vocab[:bytes.IndexByte(vocab, '}')+1]}
	folder["added_tokens.json"] = &fstest.MapFile{Data: []byte(`{"<|endoftext|>": 50256}`)}
	delete(folder, "tokenizer.json")
	return folder
}

func TestFoldersThatCannotBeConverted(t *testing.T) {
	t.Parallel()
	w := small(51864)
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	with := func(folder fstest.MapFS, name, text string) fstest.MapFS { folder[name] = file(text); return folder }
	without := func(folder fstest.MapFS, name string) fstest.MapFS { delete(folder, name); return folder }
	edited := func(edit func(p *parameter) bool) weights {
		changed := w
		changed.parameters = nil
		for _, p := range w.parameters {
			if edit(&p) {
				changed.parameters = append(changed.parameters, p)
			}
		}
		return changed
	}
	missing := edited(func(p *parameter) bool { return p.name != "encoder.blocks.1.mlp.2.bias" })
	biased := edited(func(*parameter) bool { return true })
	biased.parameters = append(biased.parameters, parameter{"encoder.blocks.0.attn.key.bias", []int{4}, []float32{0, 1, 0, 0}})
	narrow := edited(func(p *parameter) bool {
		if p.name == "decoder.ln.bias" {
			p.shape, p.values = []int{3}, p.values[:3]
		}
		return true
	})
	untied := edited(func(*parameter) bool { return true })
	output := w.find("decoder.token_embedding.weight")
	output.name, output.values = "proj_out.weight", slices.Repeat([]float32{1}, len(output.values))
	untied.parameters = append(untied.parameters, output)
	damaged := w.ctranslate2(ct2Float16)["model.bin"].Data
	for name, test := range map[string]struct {
		folder fs.FS
		want   string
	}{
		"empty":               {fstest.MapFS{}, "neither model.bin"},
		"pickle":              {fstest.MapFS{"pytorch_model.bin": file("x")}, "can run code"},
		"adapter":             {fstest.MapFS{"adapter_model.safetensors": file("x")}, "LoRA"},
		"ggml already":        {fstest.MapFS{"ggml-base.bin": file("x")}, "needs no conversion"},
		"another file":        {fstest.MapFS{"model.bin": file("GGUF, or so")}, "not a model of CTranslate2"},
		"another model":       {fstest.MapFS{"model.bin": file("\x06\x00\x00\x00\x10\x00TransformerSpec\x00")}, "TransformerSpec"},
		"empty model.bin":     {fstest.MapFS{"model.bin": file("")}, "incomplete"},
		"joined wrongly":      {fstest.MapFS{"model.bin": {Data: slices.Concat(damaged, damaged)}}, "too many"},
		"no tokens":           {without(w.ctranslate2(ct2Float16), "tokenizer.json"), "neither tokenizer.json nor vocab.json"},
		"few tokens":          {with(w.ctranslate2(ct2Float16), "tokenizer.json", `{"model": {"vocab": {"a": 0}}}`), "no token 1"},
		"tokens are a list":   {with(w.ctranslate2(ct2Float16), "tokenizer.json", `[1]`), "not what it should be"},
		"no config":           {without(w.transformers("F16"), "config.json"), "no config.json"},
		"another type":        {with(w.transformers("F16"), "config.json", `{"model_type": "llama"}`), `"llama"`},
		"no heads":            {with(w.transformers("F16"), "config.json", `{"model_type": "whisper"}`), "attention heads"},
		"odd heads":           {with(w.transformers("F16"), "config.json", `{"model_type": "whisper", "encoder_attention_heads": 3, "decoder_attention_heads": 2}`), "do not divide"},
		"tensor missing":      {missing.transformers("F16"), "encoder.layers.1.fc2.bias"},
		"key bias":            {biased.transformers("F16"), "not zero"},
		"wrong shape":         {narrow.transformers("F16"), "decoder.ln.bias has the shape [3]"},
		"own output layer":    {untied.transformers("F16"), "differs"},
		"more tokens":         {small(51900).transformers("F16"), "51900 tokens"},
		"huge header":         {with(w.transformers("F16"), "model.safetensors", "\xff\xff\xff\xff\xff\xff\xff\x7f{}"), "header"},
		"short safetensors":   {with(w.transformers("F16"), "model.safetensors", "abc"), "only 3 bytes"},
		"no JSON":             {with(w.transformers("F16"), "model.safetensors", "\x02\x00\x00\x00\x00\x00\x00\x00[]"), "header is not valid"},
		"outside the file":    {with(w.transformers("F16"), "model.safetensors", "\x38\x00\x00\x00\x00\x00\x00\x00"+`{"a":{"dtype":"F16","shape":[2],"data_offsets":[90,94]}}`), "outside the file"},
		"index leads outside": {with(without(w.transformers("F16"), "model.safetensors"), "model.safetensors.index.json", `{"weight_map": {"a": "../x.safetensors"}}`), "own folder"},
	} {
		_, err := convert(t, test.folder)
		var format *whisperimport.FormatError
		if !errors.As(err, &format) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
}

// A file that ends anywhere is an error, never a panic or a smaller model.
func TestTruncatedFiles(t *testing.T) {
	t.Parallel()
	w := small(51864)
	for name, folder := range map[string]fstest.MapFS{"model.bin": w.ctranslate2(ct2Float16), "model.safetensors": w.transformers("F16")} {
		whole := folder[name].Data
		for n := 0; n < len(whole); n += 1 + len(whole)/300 {
			folder[name] = &fstest.MapFile{Data: whole[:n]}
			if _, err := convert(t, folder); err == nil {
				t.Errorf("%s: %d of %d bytes were accepted", name, n, len(whole))
			}
		}
	}
}

func TestConversionCanBeCancelled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	var out bytes.Buffer
	err := whisperimport.Convert(ctx, small(51864).transformers("F32"), &out, func(int64, int64) { cancel() })
	if !errors.Is(err, context.Canceled) || out.Len() > 1<<20 {
		t.Errorf("%v after %d bytes", err, out.Len())
	}
}

func FuzzConvert(f *testing.F) {
	w := small(51864)
	tokenizer := w.tokenizer()
	f.Add(w.ct2(ct2Float16)[:2000], true)
	f.Add(safetensorsFile("F16", w.parameters[5:9]), false)
	f.Fuzz(func(t *testing.T, data []byte, ct2 bool) {
		folder := fstest.MapFS{"config.json": {Data: []byte(w.config())}, "tokenizer.json": {Data: tokenizer}}
		folder["model.safetensors"] = &fstest.MapFile{Data: data}
		if ct2 {
			folder["model.bin"] = &fstest.MapFile{Data: data}
		}
		_, _ = convert(t, folder)
	})
}
