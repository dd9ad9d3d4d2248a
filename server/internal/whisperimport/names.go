package whisperimport

import (
	"strconv"
)

// name is what a tensor is called in each format.
type name struct {
	openai string
	// ct2 is the variable of CTranslate2. The tensor is part index of parts equal
	// parts of its rows: CTranslate2 puts query, key and value into one matrix.
	ct2          string
	index, parts int64
	huggingFace  string
	// shape has a letter for each dimension: d is the width of the model, f four
	// times that, v the number of tokens, t and a the length of text and audio, m
	// the number of mel bands, 3 itself.
	shape string
}

// The tensors, in the order of OpenAI's checkpoints. In the names of a layer, the
// beginning up to its number is left out.
var (
	decoderStart = []name{
		{"decoder.positional_embedding", "decoder/position_encodings/encodings", 0, 1, "decoder.embed_positions.weight", "td"},
		{"encoder.positional_embedding", "encoder/position_encodings/encodings", 0, 1, "encoder.embed_positions.weight", "ad"},
		{"decoder.token_embedding.weight", "decoder/embeddings/weight", 0, 1, "decoder.embed_tokens.weight", "vd"},
	}
	layer = []name{
		{"mlp_ln.weight", "ffn/layer_norm/gamma", 0, 1, "final_layer_norm.weight", "d"},
		{"mlp_ln.bias", "ffn/layer_norm/beta", 0, 1, "final_layer_norm.bias", "d"},
		{"mlp.0.weight", "ffn/linear_0/weight", 0, 1, "fc1.weight", "fd"},
		{"mlp.0.bias", "ffn/linear_0/bias", 0, 1, "fc1.bias", "f"},
		{"mlp.2.weight", "ffn/linear_1/weight", 0, 1, "fc2.weight", "df"},
		{"mlp.2.bias", "ffn/linear_1/bias", 0, 1, "fc2.bias", "d"},
		{"attn_ln.weight", "self_attention/layer_norm/gamma", 0, 1, "self_attn_layer_norm.weight", "d"},
		{"attn_ln.bias", "self_attention/layer_norm/beta", 0, 1, "self_attn_layer_norm.bias", "d"},
		{"attn.query.weight", "self_attention/linear_0/weight", 0, 3, "self_attn.q_proj.weight", "dd"},
		{"attn.query.bias", "self_attention/linear_0/bias", 0, 3, "self_attn.q_proj.bias", "d"},
		{"attn.key.weight", "self_attention/linear_0/weight", 1, 3, "self_attn.k_proj.weight", "dd"},
		{"attn.value.weight", "self_attention/linear_0/weight", 2, 3, "self_attn.v_proj.weight", "dd"},
		{"attn.value.bias", "self_attention/linear_0/bias", 2, 3, "self_attn.v_proj.bias", "d"},
		{"attn.out.weight", "self_attention/linear_1/weight", 0, 1, "self_attn.out_proj.weight", "dd"},
		{"attn.out.bias", "self_attention/linear_1/bias", 0, 1, "self_attn.out_proj.bias", "d"},
	}
	crossAttention = []name{
		{"cross_attn_ln.weight", "attention/layer_norm/gamma", 0, 1, "encoder_attn_layer_norm.weight", "d"},
		{"cross_attn_ln.bias", "attention/layer_norm/beta", 0, 1, "encoder_attn_layer_norm.bias", "d"},
		{"cross_attn.query.weight", "attention/linear_0/weight", 0, 1, "encoder_attn.q_proj.weight", "dd"},
		{"cross_attn.query.bias", "attention/linear_0/bias", 0, 1, "encoder_attn.q_proj.bias", "d"},
		{"cross_attn.key.weight", "attention/linear_1/weight", 0, 2, "encoder_attn.k_proj.weight", "dd"},
		{"cross_attn.value.weight", "attention/linear_1/weight", 1, 2, "encoder_attn.v_proj.weight", "dd"},
		{"cross_attn.value.bias", "attention/linear_1/bias", 1, 2, "encoder_attn.v_proj.bias", "d"},
		{"cross_attn.out.weight", "attention/linear_2/weight", 0, 1, "encoder_attn.out_proj.weight", "dd"},
		{"cross_attn.out.bias", "attention/linear_2/bias", 0, 1, "encoder_attn.out_proj.bias", "d"},
	}
	decoderEnd = []name{
		{"decoder.ln.weight", "decoder/layer_norm/gamma", 0, 1, "decoder.layer_norm.weight", "d"},
		{"decoder.ln.bias", "decoder/layer_norm/beta", 0, 1, "decoder.layer_norm.bias", "d"},
	}
	encoderStart = []name{
		{"encoder.conv1.weight", "encoder/conv1/weight", 0, 1, "encoder.conv1.weight", "dm3"},
		{"encoder.conv1.bias", "encoder/conv1/bias", 0, 1, "encoder.conv1.bias", "d"},
		{"encoder.conv2.weight", "encoder/conv2/weight", 0, 1, "encoder.conv2.weight", "dd3"},
		{"encoder.conv2.bias", "encoder/conv2/bias", 0, 1, "encoder.conv2.bias", "d"},
	}
	encoderEnd = []name{
		{"encoder.ln_post.weight", "encoder/layer_norm/gamma", 0, 1, "encoder.layer_norm.weight", "d"},
		{"encoder.ln_post.bias", "encoder/layer_norm/beta", 0, 1, "encoder.layer_norm.bias", "d"},
	}
)

// Biases of keys, which Whisper does not have: zero or absent in its copies.
var (
	keyBias      = name{"attn.key.bias", "self_attention/linear_0/bias", 1, 3, "self_attn.k_proj.bias", "d"}
	crossKeyBias = name{"cross_attn.key.bias", "attention/linear_1/bias", 0, 2, "encoder_attn.k_proj.bias", "d"}
)

// in returns the name of a tensor in a layer of "encoder" or "decoder".
func (n name) in(side string, number int) name {
	at := strconv.Itoa(number)
	n.openai = side + ".blocks." + at + "." + n.openai
	n.ct2 = side + "/layer_" + at + "/" + n.ct2
	n.huggingFace = side + ".layers." + at + "." + n.huggingFace
	return n
}

// allNames returns the tensors of a model.
func allNames(encoderLayers, decoderLayers int) []name {
	names := append([]name(nil), decoderStart...)
	for i := range decoderLayers {
		for _, n := range layer {
			names = append(names, n.in("decoder", i))
		}
		for _, n := range crossAttention {
			names = append(names, n.in("decoder", i))
		}
	}
	names = append(append(names, decoderEnd...), encoderStart...)
	for i := range encoderLayers {
		for _, n := range layer {
			names = append(names, n.in("encoder", i))
		}
	}
	return append(names, encoderEnd...)
}

// keyBiases returns the biases that must be zero or absent.
func keyBiases(encoderLayers, decoderLayers int) []name {
	var names []name
	for i := range decoderLayers {
		names = append(names, keyBias.in("decoder", i), crossKeyBias.in("decoder", i))
	}
	for i := range encoderLayers {
		names = append(names, keyBias.in("encoder", i))
	}
	return names
}
