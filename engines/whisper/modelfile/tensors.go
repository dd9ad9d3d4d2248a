package modelfile

import "fmt"

// kind is a type of numbers in ggml's files: a block of numbers is stored in stored
// bytes.
type kind struct {
	id              int32
	numbers, stored int64
}

var (
	float32s = kind{0, 1, 4}
	float16s = kind{1, 1, 2}
)

// kindOf returns the type of the matrices of a file with this ftype.
func kindOf(ftype int32) (kind, bool) {
	switch ftype {
	case 0:
		return float32s, true
	case 1:
		return float16s, true
	case 2: // q4_0
		return kind{2, 32, 18}, true
	case 3: // q4_1
		return kind{3, 32, 20}, true
	case 7: // q8_0
		return kind{8, 32, 34}, true
	case 8: // q5_0
		return kind{6, 32, 22}, true
	case 9: // q5_1
		return kind{7, 32, 24}, true
	case 10: // q2_K
		return kind{10, 256, 84}, true
	case 11: // q3_K
		return kind{11, 256, 110}, true
	case 12: // q4_K
		return kind{12, 256, 144}, true
	case 13: // q5_K
		return kind{13, 256, 176}, true
	case 14: // q6_K
		return kind{14, 256, 210}, true
	default:
		return kind{}, false
	}
}

// tensor is the shape and type of a tensor. sizes begins with the dimension that
// changes fastest.
type tensor struct {
	sizes [3]int64
	kind  kind
}

func (t tensor) numbers() int64 { return t.sizes[0] * t.sizes[1] * t.sizes[2] }

func (t tensor) bytes() int64 { return t.numbers() / t.kind.numbers * t.kind.stored }

type tensors map[string]tensor

// add adds a tensor. Missing sizes are 1.
func (ts tensors) add(name string, k kind, sizes ...int64) {
	t := tensor{sizes: [3]int64{1, 1, 1}, kind: k}
	copy(t.sizes[:], sizes)
	ts[name] = t
}

func (ts tensors) norm(name string, width int64) {
	ts.add(name+".weight", float32s, width)
	ts.add(name+".bias", float32s, width)
}

func (ts tensors) attention(name string, k kind, width int64) {
	for _, part := range []string{"query", "key", "value", "out"} {
		ts.add(name+"."+part+".weight", k, width, width)
		if part != "key" {
			ts.add(name+"."+part+".bias", float32s, width)
		}
	}
}

func (ts tensors) block(name string, k kind, width int64, crossed bool) {
	ts.norm(name+".attn_ln", width)
	ts.attention(name+".attn", k, width)
	if crossed {
		ts.norm(name+".cross_attn_ln", width)
		ts.attention(name+".cross_attn", k, width)
	}
	ts.norm(name+".mlp_ln", width)
	ts.add(name+".mlp.0.weight", k, width, 4*width)
	ts.add(name+".mlp.0.bias", float32s, 4*width)
	ts.add(name+".mlp.2.weight", k, 4*width, width)
	ts.add(name+".mlp.2.bias", float32s, width)
}

// tensors returns the tensors that a file with this header must contain.
func (h Header) tensors() tensors {
	ts := tensors{}
	width := int64(h.Width)
	matrices, _ := kindOf(h.FileType)
	convolutions := float16s
	if matrices == float32s {
		convolutions = float32s
	}
	ts.add("encoder.positional_embedding", float32s, width, audioContext)
	ts.add("encoder.conv1.weight", convolutions, 3, int64(h.Mels), width)
	ts.add("encoder.conv1.bias", float32s, 1, width)
	ts.add("encoder.conv2.weight", convolutions, 3, width, width)
	ts.add("encoder.conv2.bias", float32s, 1, width)
	ts.norm("encoder.ln_post", width)
	for i := range h.EncoderLayers {
		ts.block(fmt.Sprintf("encoder.blocks.%d", i), matrices, width, false)
	}
	ts.add("decoder.positional_embedding", float32s, width, textContext)
	ts.add("decoder.token_embedding.weight", matrices, width, int64(h.Vocabulary))
	ts.norm("decoder.ln", width)
	for i := range h.DecoderLayers {
		ts.block(fmt.Sprintf("decoder.blocks.%d", i), matrices, width, true)
	}
	return ts
}

// read checks the rest of the file: it must contain each of the tensors once, and no
// others.
func (ts tensors) read(r *reader) {
	seen := map[string]bool{}
	for r.err == nil && r.offset < r.size {
		name, found := r.tensor()
		want, known := ts[name]
		switch {
		case r.err != nil:
		case !known:
			r.fail("it has an unknown tensor %q", name)
		case seen[name]:
			r.fail("it has the tensor %q twice", name)
		case found.sizes != want.sizes:
			r.fail("its tensor %q has the shape %v instead of %v", name, found.sizes, want.sizes)
		case found.kind.id != want.kind.id:
			r.fail("its tensor %q has the type %d instead of %d", name, found.kind.id, want.kind.id)
		default:
			seen[name] = true
			r.skip(want.bytes())
		}
	}
	switch {
	case r.err != nil:
	case len(seen) == 0:
		r.fail("it has no weights, like the for-tests files of whisper.cpp; fetch the complete model")
	case len(seen) < len(ts):
		r.fail("it has only %d of %d tensors and is incomplete; fetch it again", len(seen), len(ts))
	}
}

// tensor reads the header of a tensor.
func (r *reader) tensor() (name string, found tensor) {
	dimensions, length := r.int32(), r.int32()
	found = tensor{sizes: [3]int64{1, 1, 1}, kind: kind{id: r.int32()}}
	if r.err == nil && (dimensions < 0 || int(dimensions) > len(found.sizes) || length < 1 || length > maxNameBytes) {
		r.fail("it has a tensor with %d dimensions and a name of %d bytes; it is damaged, fetch it again", dimensions, length)
	}
	if r.err != nil {
		return "", found
	}
	for i := range dimensions {
		found.sizes[i] = int64(r.int32())
	}
	return string(r.bytes(int64(length))), found
}
