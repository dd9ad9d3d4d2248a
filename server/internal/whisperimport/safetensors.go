package whisperimport

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// safetensors are the weights of Hugging Face Transformers, in one file or several.
type safetensors struct {
	config  hfConfig
	files   []*file
	tensors map[string]tensor
}

// hfConfig is the part of config.json that matters here.
type hfConfig struct {
	ModelType    string `json:"model_type"`
	EncoderHeads int    `json:"encoder_attention_heads"`
	DecoderHeads int    `json:"decoder_attention_heads"`
}

var safetensorsKinds = map[string]kind{"F32": float32s, "F16": float16s, "BF16": bfloat16s}

const (
	maxHeader = 32 << 20 // bytes
	maxShards = 100
)

// openSafetensors returns nil if the folder has no such weights.
func openSafetensors(folder fs.FS) (source, error) {
	names, err := shardNames(folder)
	if names == nil || err != nil {
		return nil, err
	}
	s := &safetensors{tensors: map[string]tensor{}}
	if err := s.open(folder, names); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func (s *safetensors) close() error {
	var errs []error
	for _, f := range s.files {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}

// shardNames returns the names of the files with weights.
func shardNames(folder fs.FS) ([]string, error) {
	const single, list = "model.safetensors", "model.safetensors.index.json"
	if _, err := fs.Stat(folder, single); err == nil {
		return []string{single}, nil
	}
	var index struct {
		Files map[string]string `json:"weight_map"`
	}
	if err := readJSON(folder, list, &index); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		return nil, err
	}
	var names []string
	for _, name := range index.Files {
		if slices.Contains(names, name) {
			continue
		}
		if name != path.Base(name) || !fs.ValidPath(name) || len(names) >= maxShards {
			return nil, formatError("%s names the file %.100q; it may name at most %d files of its own folder", list, name, maxShards)
		}
		names = append(names, name)
	}
	if names == nil {
		return nil, formatError("%s names no files", list)
	}
	slices.Sort(names)
	return names, nil
}

func (s *safetensors) open(folder fs.FS, names []string) error {
	if err := readJSON(folder, "config.json", &s.config); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return &FormatError{Message: "the folder has no config.json", Advice: "Fetch it from where the weights came from."}
		}
		return err
	}
	if s.config.ModelType != "whisper" {
		return formatError("config.json says that this is a model of type %.100q: only Whisper models can be imported", s.config.ModelType)
	}
	for _, name := range names {
		f := &file{}
		if err := f.add(folder, name); err != nil {
			return err
		}
		s.files = append(s.files, f)
		if err := s.readHeader(f, name); err != nil {
			return err
		}
	}
	return s.checkTied()
}

// entry is a tensor in the header of a file.
type entry struct {
	Kind    string   `json:"dtype"`
	Shape   []int64  `json:"shape"`
	Offsets [2]int64 `json:"data_offsets"`
}

func (s *safetensors) readHeader(f *file, name string) error {
	damaged := func(format string, args ...any) error {
		return &FormatError{Message: name + ": " + fmt.Sprintf(format, args...), Advice: "The file is damaged or incomplete: fetch it again."}
	}
	var length [8]byte
	if n, _ := f.ReadAt(length[:], 0); n < len(length) {
		return damaged("the file has only %d bytes", f.size)
	}
	size := int64(binary.LittleEndian.Uint64(length[:])) //nolint:gosec // checked below
	if size < 0 || size > maxHeader || size > f.size-8 {
		return damaged("its header would have %d bytes", size)
	}
	text := make([]byte, size)
	if n, err := f.ReadAt(text, 8); n < len(text) {
		return err
	}
	var header map[string]json.RawMessage
	if err := json.Unmarshal(text, &header); err != nil || len(header) > maxTensors {
		return damaged("its header is not valid")
	}
	for key, raw := range header {
		if key == "__metadata__" {
			continue
		}
		var e entry
		if err := json.Unmarshal(raw, &e); err != nil {
			return damaged("the entry of %.100q is not valid", key)
		}
		k, known := safetensorsKinds[e.Kind]
		if !known {
			k = kind{e.Kind, 0} // an error only if the tensor is needed
		}
		start, end := e.Offsets[0], e.Offsets[1]
		values := count(e.Shape)
		fits := start >= 0 && start <= end && end <= f.size-8-size
		if !fits || len(e.Shape) > maxRank || known && (values < 0 || values*k.bytes != end-start) {
			return damaged("%.100q has a wrong size or lies outside the file", key)
		}
		s.tensors[strings.TrimPrefix(key, "model.")] = tensor{file: f, offset: 8 + size + start, kind: k, shape: e.Shape}
	}
	return nil
}

func (s *safetensors) layers(side string) int {
	for n := range maxLayers {
		if _, ok := s.tensors[fmt.Sprintf("%s.layers.%d.fc1.weight", side, n)]; !ok {
			return n
		}
	}
	return maxLayers
}

func (s *safetensors) heads(side string) (int, error) {
	if side == "encoder" {
		return s.config.EncoderHeads, nil
	}
	return s.config.DecoderHeads, nil
}

func (s *safetensors) tensor(n name) (tensor, error) {
	t, ok := s.tensors[n.huggingFace]
	if !ok {
		return t, formatError("the safetensors have no %s", n.huggingFace)
	}
	if t.kind.bytes == 0 {
		return t, formatError("%s has values of type %.20s; F32, F16 and BF16 can be converted", n.huggingFace, t.kind.name)
	}
	return t, nil
}

// checkTied handles the output layer. Whisper uses the embedding of the tokens for
// it, and a file may have either or both.
func (s *safetensors) checkTied() error {
	const embedding, output = "decoder.embed_tokens.weight", "proj_out.weight"
	out, ok := s.tensors[output]
	if !ok {
		return nil
	}
	in, ok := s.tensors[embedding]
	if !ok {
		s.tensors[embedding] = out
		return nil
	}
	equal, err := equalBytes(in, out)
	if err != nil {
		return err
	}
	if !equal {
		return formatError("%s differs from %s: whisper.cpp uses one matrix for both, so this model cannot be converted", output, embedding)
	}
	return nil
}
