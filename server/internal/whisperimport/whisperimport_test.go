package whisperimport_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/lexilingo/modelgateway/models/modelstest"
	"github.com/lexilingo/modelgateway/server/internal/whisperimport"
	"github.com/lexilingo/modelgateway/server/internal/whisperimport/whispertest"
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
	w := whispertest.Read(t, published)
	sum := sha256.Sum256(published)
	for name, folder := range map[string]fstest.MapFS{
		"safetensors, float16": w.Transformers("F16"),
		"CTranslate2, float16": w.CTranslate2(whispertest.CT2Float16),
	} {
		got := sha256.Sum256(mustConvert(t, folder))
		if got != sum {
			t.Errorf("%s: sha256 %s, want %s", name, hex.EncodeToString(got[:]), hex.EncodeToString(sum[:]))
		}
	}
}

func TestEveryFormatGivesTheSameModel(t *testing.T) {
	t.Parallel()
	w := whispertest.Small(51865)
	want := mustConvert(t, w.Transformers("F32"))
	got := whispertest.Read(t, want)
	if got.Vocabulary != 51865 || got.Width != 4 || got.Heads != 2 || got.Layers["encoder"] != 2 || got.Layers["decoder"] != 1 {
		t.Errorf("%+v", got.Layers)
	}
	if !slices.Equal(got.Tokens, w.Tokens) {
		t.Error("the tokens differ")
	}
	if len(got.Parameters) != len(w.Parameters) {
		t.Errorf("%d tensors, want %d", len(got.Parameters), len(w.Parameters))
	}
	for _, p := range w.Parameters {
		if found := got.Find(p.Name); !slices.Equal(found.Values, p.Values) || !slices.Equal(found.Shape, p.Shape) {
			t.Errorf("%s differs", p.Name)
		}
	}
	parts := w.CTranslate2(whispertest.CT2Float16)
	whole := parts["model.bin"].Data
	delete(parts, "model.bin")
	for i := range 3 {
		parts[fmt.Sprintf("model.bin.part%d", i+1)] = &fstest.MapFile{Data: whole[i*len(whole)/3 : (i+1)*len(whole)/3]}
	}
	for name, folder := range map[string]fstest.MapFS{
		"F16": w.Transformers("F16"), "BF16": w.Transformers("BF16"), "shards": shards(w), "without tokenizer.json": vocabOnly(w),
		"float16": w.CTranslate2(whispertest.CT2Float16), "float32": w.CTranslate2(whispertest.CT2Float32), "int8": w.CTranslate2(whispertest.CT2Int8), "in parts": parts,
	} {
		if !bytes.Equal(mustConvert(t, folder), want) {
			t.Errorf("%s gives another file", name)
		}
	}
}

// shards returns the model in two files, with the output layer beside the embedding
// that it is.
func shards(w whispertest.Weights) fstest.MapFS {
	folder := w.Transformers("F32")
	delete(folder, "model.safetensors")
	half := len(w.Parameters) / 2
	first := slices.Clone(w.Parameters[:half])
	folder["a.safetensors"] = &fstest.MapFile{Data: whispertest.Safetensors("F32", first)}
	folder["b.safetensors"] = &fstest.MapFile{Data: whispertest.Safetensors("F32", w.Parameters[half:])}
	folder["model.safetensors.index.json"] = &fstest.MapFile{Data: []byte(`{"weight_map": {"x": "a.safetensors", "y": "b.safetensors", "z": "a.safetensors"}}`)}
	return folder
}

func vocabOnly(w whispertest.Weights) fstest.MapFS {
	folder := w.Transformers("F32")
	vocab := bytes.SplitN(folder["tokenizer.json"].Data, []byte(`"vocab":`), 2)[1]
	folder["vocab.json"] = &fstest.MapFile{Data: vocab[:bytes.IndexByte(vocab, '}')+1]}
	folder["added_tokens.json"] = &fstest.MapFile{Data: []byte(`{"<|endoftext|>": 50256}`)}
	delete(folder, "tokenizer.json")
	return folder
}

func TestFoldersThatCannotBeConverted(t *testing.T) {
	t.Parallel()
	w := whispertest.Small(51864)
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	with := func(folder fstest.MapFS, name, text string) fstest.MapFS { folder[name] = file(text); return folder }
	without := func(folder fstest.MapFS, name string) fstest.MapFS { delete(folder, name); return folder }
	edited := func(edit func(p *whispertest.Parameter) bool) whispertest.Weights {
		changed := w
		changed.Parameters = nil
		for _, p := range w.Parameters {
			if edit(&p) {
				changed.Parameters = append(changed.Parameters, p)
			}
		}
		return changed
	}
	missing := edited(func(p *whispertest.Parameter) bool { return p.Name != "encoder.blocks.1.mlp.2.bias" })
	biased := edited(func(*whispertest.Parameter) bool { return true })
	biased.Parameters = append(biased.Parameters, whispertest.Parameter{Name: "encoder.blocks.0.attn.key.bias", Shape: []int{4}, Values: []float32{0, 1, 0, 0}})
	narrow := edited(func(p *whispertest.Parameter) bool {
		if p.Name == "decoder.ln.bias" {
			p.Shape, p.Values = []int{3}, p.Values[:3]
		}
		return true
	})
	untied := edited(func(*whispertest.Parameter) bool { return true })
	output := w.Find("decoder.token_embedding.weight")
	output.Name, output.Values = "proj_out.weight", slices.Repeat([]float32{1}, len(output.Values))
	untied.Parameters = append(untied.Parameters, output)
	damaged := w.CTranslate2(whispertest.CT2Float16)["model.bin"].Data
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
		"no tokens":           {without(w.CTranslate2(whispertest.CT2Float16), "tokenizer.json"), "neither tokenizer.json nor vocab.json"},
		"few tokens":          {with(w.CTranslate2(whispertest.CT2Float16), "tokenizer.json", `{"model": {"vocab": {"a": 0}}}`), "no token 1"},
		"tokens are a list":   {with(w.CTranslate2(whispertest.CT2Float16), "tokenizer.json", `[1]`), "not what it should be"},
		"no config":           {without(w.Transformers("F16"), "config.json"), "no config.json"},
		"another type":        {with(w.Transformers("F16"), "config.json", `{"model_type": "llama"}`), `"llama"`},
		"no heads":            {with(w.Transformers("F16"), "config.json", `{"model_type": "whisper"}`), "attention heads"},
		"odd heads":           {with(w.Transformers("F16"), "config.json", `{"model_type": "whisper", "encoder_attention_heads": 3, "decoder_attention_heads": 2}`), "do not divide"},
		"tensor missing":      {missing.Transformers("F16"), "encoder.layers.1.fc2.bias"},
		"key bias":            {biased.Transformers("F16"), "not zero"},
		"wrong shape":         {narrow.Transformers("F16"), "decoder.ln.bias has the shape [3]"},
		"own output layer":    {untied.Transformers("F16"), "differs"},
		"more tokens":         {whispertest.Small(51900).Transformers("F16"), "51900 tokens"},
		"huge header":         {with(w.Transformers("F16"), "model.safetensors", "\xff\xff\xff\xff\xff\xff\xff\x7f{}"), "header"},
		"short safetensors":   {with(w.Transformers("F16"), "model.safetensors", "abc"), "only 3 bytes"},
		"no JSON":             {with(w.Transformers("F16"), "model.safetensors", "\x02\x00\x00\x00\x00\x00\x00\x00[]"), "header is not valid"},
		"outside the file":    {with(w.Transformers("F16"), "model.safetensors", "\x38\x00\x00\x00\x00\x00\x00\x00"+`{"a":{"dtype":"F16","shape":[2],"data_offsets":[90,94]}}`), "outside the file"},
		"index leads outside": {with(without(w.Transformers("F16"), "model.safetensors"), "model.safetensors.index.json", `{"weight_map": {"a": "../x.safetensors"}}`), "own folder"},
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
	w := whispertest.Small(51864)
	for name, folder := range map[string]fstest.MapFS{"model.bin": w.CTranslate2(whispertest.CT2Float16), "model.safetensors": w.Transformers("F16")} {
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
	err := whisperimport.Convert(ctx, whispertest.Small(51864).Transformers("F32"), &out, func(int64, int64) { cancel() })
	if !errors.Is(err, context.Canceled) || out.Len() > 1<<20 {
		t.Errorf("%v after %d bytes", err, out.Len())
	}
}

func FuzzConvert(f *testing.F) {
	w := whispertest.Small(51864)
	tokenizer := w.Tokenizer()
	f.Add(w.CT2(whispertest.CT2Float16)[:2000], true)
	f.Add(whispertest.Safetensors("F16", w.Parameters[5:9]), false)
	f.Fuzz(func(t *testing.T, data []byte, ct2 bool) {
		folder := fstest.MapFS{"config.json": {Data: []byte(w.Config())}, "tokenizer.json": {Data: tokenizer}}
		folder["model.safetensors"] = &fstest.MapFile{Data: data}
		if ct2 {
			folder["model.bin"] = &fstest.MapFile{Data: data}
		}
		_, _ = convert(t, folder)
	})
}
