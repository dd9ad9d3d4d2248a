// Package whispertest makes folders of Whisper models in the formats of CTranslate2 and
// Hugging Face Transformers, for tests. Its names and layouts are written independently
// of package whisperimport.
package whispertest

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// Parameter is a tensor of a model.
type Parameter struct {
	// Name is what OpenAI calls it.
	Name string
	// Shape and Values are its content.
	Shape  []int
	Values []float32
}

// Weights are a model, from which folders in both formats can be made.
type Weights struct {
	// Vocabulary is the number of all tokens, Width the size of the embeddings, Heads
	// the number of attention heads.
	Vocabulary, Width, Heads int
	// Layers are the numbers of layers of "encoder" and "decoder".
	Layers map[string]int
	// Tokens are those below the special ones, as vocabularies write them.
	Tokens []string
	// Parameters are the tensors.
	Parameters []Parameter
}

// Find returns the tensor of a name.
func (w Weights) Find(name string) Parameter {
	for _, p := range w.Parameters {
		if p.Name == name {
			return p
		}
	}
	return Parameter{}
}

// The names in Transformers, as its converter of OpenAI's checkpoints has them
// (convert_openai_to_hf.py).
var transformersNames = strings.NewReplacer(
	"encoder.positional_embedding", "encoder.embed_positions.weight",
	"decoder.positional_embedding", "decoder.embed_positions.weight",
	"token_embedding", "embed_tokens",
	"blocks", "layers", "mlp.0", "fc1", "mlp.2", "fc2", "mlp_ln", "final_layer_norm",
	".cross_attn.query", ".encoder_attn.q_proj", ".cross_attn.key", ".encoder_attn.k_proj",
	".cross_attn.value", ".encoder_attn.v_proj", ".cross_attn.out", ".encoder_attn.out_proj",
	".cross_attn_ln", ".encoder_attn_layer_norm",
	".attn.query", ".self_attn.q_proj", ".attn.key", ".self_attn.k_proj",
	".attn.value", ".self_attn.v_proj", ".attn.out", ".self_attn.out_proj", ".attn_ln", ".self_attn_layer_norm",
	"ln_post", "layer_norm", "decoder.ln.", "decoder.layer_norm.")

// encode returns values in a type of safetensors.
func encode(kind string, values []float32) []byte {
	var out []byte
	for _, v := range values {
		bits := math.Float32bits(v)
		switch kind {
		case "F32":
			out = binary.LittleEndian.AppendUint32(out, bits)
		case "BF16":
			out = binary.LittleEndian.AppendUint16(out, uint16(bits>>16))
		case "F16":
			out = binary.LittleEndian.AppendUint16(out, half(v))
		}
	}
	return out
}

// half converts a value that a half can represent.
func half(v float32) uint16 {
	if v == 0 {
		return uint16(math.Float32bits(v) >> 16)
	}
	fraction, exponent := math.Frexp(math.Abs(float64(v)))
	sign := uint16(math.Float32bits(v)>>16) & 0x8000
	if exponent < -13 {
		return sign | uint16(math.Ldexp(fraction, exponent+24))
	}
	return sign | uint16(exponent+14)<<10 | uint16(math.Ldexp(fraction, 11))&0x3ff
}

// Safetensors writes parameters under their names in Transformers.
func Safetensors(kind string, parameters []Parameter) []byte {
	header := map[string]any{"__metadata__": map[string]string{"format": "pt"}}
	var data []byte
	for _, p := range parameters {
		start := len(data)
		data = append(data, encode(kind, p.Values)...)
		header["model."+transformersNames.Replace(p.Name)] = map[string]any{
			"dtype": kind, "shape": p.Shape, "data_offsets": []int{start, len(data)},
		}
	}
	text, _ := json.Marshal(header) // maps of plain values
	return slices.Concat(binary.LittleEndian.AppendUint64(nil, uint64(len(text))), text, data)
}

// Config returns the config.json of Transformers.
func (w Weights) Config() string {
	return fmt.Sprintf(`{"model_type": "whisper", "encoder_attention_heads": %d, "decoder_attention_heads": %d}`, w.Heads, w.Heads)
}

// Tokenizer returns the tokenizer.json of both formats.
func (w Weights) Tokenizer() []byte {
	vocab := map[string]int{}
	for i, token := range w.Tokens {
		vocab[token] = i
	}
	text, _ := json.Marshal(map[string]any{
		"model":        map[string]any{"vocab": vocab},
		"added_tokens": []map[string]any{{"id": len(w.Tokens), "content": "<|endoftext|>"}},
	})
	return text
}

// Transformers returns a folder of Transformers.
func (w Weights) Transformers(kind string) fstest.MapFS {
	return fstest.MapFS{
		"config.json":       {Data: []byte(w.Config())},
		"tokenizer.json":    {Data: w.Tokenizer()},
		"model.safetensors": {Data: Safetensors(kind, w.Parameters)},
	}
}

// ct2Writer writes a model.bin.
type ct2Writer struct {
	bytes.Buffer
	kind byte
	n    uint32
}

func (c *ct2Writer) ints(size int, values ...int) {
	for _, v := range values {
		c.Write(binary.LittleEndian.AppendUint32(nil, uint32(v))[:size])
	}
}

func (c *ct2Writer) text(s string) {
	c.ints(2, len(s)+1)
	c.WriteString(s + "\x00")
}

// Numbers of the types of CTranslate2.
const (
	CT2Float32 = 0
	CT2Int8    = 1
	CT2Float16 = 4
)

func (c *ct2Writer) variable(name string, kind byte, data []byte, shape ...int) {
	c.text(name)
	c.ints(1, len(shape))
	c.ints(4, shape...)
	c.ints(1, int(kind))
	c.ints(4, len(data))
	c.Write(data)
	c.n++
}

// put writes parameters one after the other as one variable.
func (c *ct2Writer) put(name string, parts ...Parameter) {
	var values []float32
	shape := slices.Clone(parts[0].Shape)
	shape[0] = 0
	for _, p := range parts {
		values = append(values, p.Values...)
		shape[0] += p.Shape[0]
	}
	switch {
	case c.kind == CT2Float32:
		c.variable(name, c.kind, encode("F32", values), shape...)
	case c.kind == CT2Int8 && len(shape) == 2 && strings.Contains(name, "linear"):
		quantized, scales := quantize(values, shape[0])
		c.variable(name, c.kind, quantized, shape...)
		c.variable(name+"_scale", CT2Float32, encode("F32", scales), shape[0])
	default:
		c.variable(name, CT2Float16, encode("F16", values), shape...)
	}
}

// quantize makes int8s of values that are multiples of 1/64 below 2.
func quantize(values []float32, rows int) (quantized []byte, scales []float32) {
	for _, v := range values {
		quantized = append(quantized, byte(int8(v*64)))
	}
	return quantized, slices.Repeat([]float32{64}, rows)
}

// CT2 returns the model.bin of CTranslate2.
func (w Weights) CT2(kind byte) []byte {
	c := &ct2Writer{kind: kind}
	zeros := Parameter{Shape: []int{w.Width}, Values: make([]float32, w.Width)}
	copied := func(ct2, openai string) { c.put(ct2, w.Find(openai)) }
	norm := func(ct2, openai string) {
		copied(ct2+"/gamma", openai+".weight")
		copied(ct2+"/beta", openai+".bias")
	}
	linear := func(ct2, openai string) {
		copied(ct2+"/weight", openai+".weight")
		copied(ct2+"/bias", openai+".bias")
	}
	for _, side := range []string{"encoder", "decoder"} {
		c.variable(side+"/num_heads", CT2Int8, []byte{byte(w.Heads)})
		copied(side+"/position_encodings/encodings", side+".positional_embedding")
		for i := range w.Layers[side] {
			layer, block := fmt.Sprintf("%s/layer_%d", side, i), fmt.Sprintf("%s.blocks.%d", side, i)
			norm(layer+"/ffn/layer_norm", block+".mlp_ln")
			linear(layer+"/ffn/linear_0", block+".mlp.0")
			linear(layer+"/ffn/linear_1", block+".mlp.2")
			norm(layer+"/self_attention/layer_norm", block+".attn_ln")
			at := block + ".attn."
			c.put(layer+"/self_attention/linear_0/weight", w.Find(at+"query.weight"), w.Find(at+"key.weight"), w.Find(at+"value.weight"))
			c.put(layer+"/self_attention/linear_0/bias", w.Find(at+"query.bias"), zeros, w.Find(at+"value.bias"))
			linear(layer+"/self_attention/linear_1", block+".attn.out")
			if side == "encoder" {
				continue
			}
			norm(layer+"/attention/layer_norm", block+".cross_attn_ln")
			at = block + ".cross_attn."
			linear(layer+"/attention/linear_0", block+".cross_attn.query")
			c.put(layer+"/attention/linear_1/weight", w.Find(at+"key.weight"), w.Find(at+"value.weight"))
			c.put(layer+"/attention/linear_1/bias", zeros, w.Find(at+"value.bias"))
			linear(layer+"/attention/linear_2", block+".cross_attn.out")
		}
	}
	copied("decoder/embeddings/weight", "decoder.token_embedding.weight")
	norm("decoder/layer_norm", "decoder.ln")
	norm("encoder/layer_norm", "encoder.ln_post")
	linear("encoder/conv1", "encoder.conv1")
	linear("encoder/conv2", "encoder.conv2")
	head := &ct2Writer{}
	head.ints(4, 6)
	head.text("WhisperSpec")
	head.ints(4, 3, int(c.n))
	c.ints(4, 1) // an alias
	c.text("decoder/projection/weight")
	c.text("decoder/embeddings/weight")
	return slices.Concat(head.Bytes(), c.Bytes())
}

// CTranslate2 returns a folder of CTranslate2.
func (w Weights) CTranslate2(kind byte) fstest.MapFS {
	return fstest.MapFS{"model.bin": {Data: w.CT2(kind)}, "tokenizer.json": {Data: w.Tokenizer()}}
}

// Read reads a file of whisper.cpp.
func Read(t testing.TB, file []byte) Weights {
	t.Helper()
	take := func(n int) []byte {
		if n > len(file) {
			t.Fatal("the file is too short")
		}
		taken := file[:n]
		file = file[n:]
		return taken
	}
	integer := func() int { return int(int32(binary.LittleEndian.Uint32(take(4)))) }
	if magic := integer(); magic != 0x67676d6c {
		t.Fatalf("magic number %x", magic)
	}
	w := Weights{Layers: map[string]int{}}
	w.Vocabulary = integer()
	integer() // audio context
	w.Width, w.Heads = integer(), integer()
	w.Layers["encoder"] = integer()
	integer() // text context
	integer() // width
	integer() // heads
	w.Layers["decoder"] = integer()
	integer() // mel bands
	integer() // type
	rows := integer()
	take(4 * rows * integer())
	alphabet := alphabet()
	for n := integer(); n > 0; n-- {
		var token strings.Builder
		for _, b := range take(integer()) {
			token.WriteRune(alphabet[b])
		}
		w.Tokens = append(w.Tokens, token.String())
	}
	w.Tokens = w.Tokens[:len(w.Tokens)-1] // the end of text is added by the folders
	for len(file) > 0 {
		rank, length, kind := integer(), integer(), integer()
		p := Parameter{}
		n := 1
		for range rank {
			d := integer()
			n *= d
			p.Shape = append([]int{d}, p.Shape...)
		}
		p.Name = string(take(length))
		if strings.HasPrefix(p.Name, "encoder.conv") && strings.HasSuffix(p.Name, ".bias") {
			p.Shape = p.Shape[:1]
		}
		for range n {
			if kind == 0 {
				p.Values = append(p.Values, math.Float32frombits(uint32(integer())))
				continue
			}
			p.Values = append(p.Values, fromHalf(binary.LittleEndian.Uint16(take(2))))
		}
		w.Parameters = append(w.Parameters, p)
	}
	return w
}

func fromHalf(h uint16) float32 {
	sign, exponent, fraction := 1-2*float64(h>>15), int(h>>10)&0x1f, float64(h&0x3ff)
	if exponent == 0 {
		return float32(sign * math.Ldexp(fraction, -24))
	}
	return float32(sign * math.Ldexp(1024+fraction, exponent-25))
}

// alphabet returns the character for each byte, as GPT-2's encoder defines it.
func alphabet() (characters [256]rune) {
	next := rune(256)
	for b := range characters {
		characters[b] = rune(b)
		if b <= ' ' || b >= 0x7f && b <= 0xa0 || b == 0xad {
			characters[b] = next
			next++
		}
	}
	return characters
}

// Small is a model of two layers with random values: multiples of 1/64 below 2,
// which every type can hold.
func Small(vocabulary int) Weights {
	random := rand.New(rand.NewPCG(1, 2))
	w := Weights{Vocabulary: vocabulary, Width: 4, Heads: 2, Layers: map[string]int{"encoder": 2, "decoder": 1}}
	letters := []rune{'a', 'b', 'Ġ', 'Ā', 'z', '!', 'é', '0', 'q', 'ł'}
	for i := range 50256 {
		var token []rune
		for n := i; len(token) == 0 || n > 0; n /= 10 {
			token = append(token, letters[n%10])
		}
		w.Tokens = append(w.Tokens, string(token)+"x"+strings.Repeat("y", len(token)))
	}
	add := func(name string, shape ...int) {
		n := 1
		for _, d := range shape {
			n *= d
		}
		p := Parameter{Name: name, Shape: shape}
		for range n {
			p.Values = append(p.Values, float32(random.IntN(255)-127)/64)
		}
		w.Parameters = append(w.Parameters, p)
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
