package whisper

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/lexilingo/modelgateway/engines"
	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/engines/whisper/modelfile"
)

// badFile is a file that must not load.
type badFile struct {
	name   string
	path   string
	reason errs.Reason
	text   string // part of the error's message
}

// Offsets of the numbers in the header.
const (
	atVocabulary  = 4
	atAudioState  = 12
	atAudioLayers = 20
	atTextState   = 28
	atTextLayers  = 36
	atMels        = 40
	atFileType    = 44
	atFilterMels  = 48
)

// badFiles returns damaged variants of a valid model file.
func badFiles(t *testing.T) []badFile {
	t.Helper()
	good, err := os.ReadFile(starter())
	if err != nil {
		t.Fatal(err)
	}
	header, err := modelfile.Read(starter())
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
	with := func(name string, at int, value int32) string {
		data := bytes.Clone(good)
		binary.LittleEndian.PutUint32(data[at:], uint32(value))
		return write(name, data)
	}
	replace := func(name, from, to string) string {
		if len(from) != len(to) || !bytes.Contains(good, []byte(from)) {
			t.Fatalf("cannot replace %q by %q", from, to)
		}
		return write(name, bytes.Replace(good, []byte(from), []byte(to), 1))
	}
	garbled := bytes.Clone(good)
	for i := 4; i < 4096; i++ {
		garbled[i] ^= 0x5a
	}
	loop := filepath.Join(dir, "loop.bin")
	if err := os.Symlink(loop, loop); err != nil {
		t.Fatal(err)
	}
	weights := int(header.WeightsAt)
	firstToken := int(48 + 8 + 80*201*4 + 4)
	invalid := errs.ModelFileInvalid
	return []badFile{
		{"missing", filepath.Join(dir, "none.bin"), errs.ModelFileMissing, "does not exist"},
		{"empty", write("empty.bin", nil), invalid, "empty"},
		{"three bytes", write("three.bin", good[:3]), invalid, "ends after 3 bytes"},
		{"another kind of file", write("text.bin", []byte("This is not a model.")), invalid, "not a ggml file"},
		{"a folder", dir, invalid, "folder"},
		{"unreadable", loop, invalid, "check its permissions"},
		{"cut in the header", write("head.bin", good[:30]), invalid, "ends after 30 bytes"},
		{"cut in the filters", write("filters.bin", good[:1000]), invalid, "ends after"},
		{"cut in the vocabulary", write("vocabulary.bin", good[:200_000]), invalid, "ends after"},
		{"no weights", write("tests.bin", good[:weights]), invalid, "no weights"},
		{"cut in a tensor's head", write("tensor.bin", good[:weights+5]), invalid, "ends after"},
		{"cut in a tensor", write("cut.bin", good[:len(good)-1000]), invalid, "ends after"},
		{"a tensor short", write("short.bin", good[:len(good)-lastTensor(t, good)]), invalid, "only"},
		{"data after the end", write("more.bin", append(bytes.Clone(good), good[weights:weights+64]...)), invalid, "twice"},
		{"huge vocabulary", with("n_vocab.bin", atVocabulary, 1<<30), invalid, "vocabulary"},
		{"vocabulary below zero", with("negative.bin", atVocabulary, -1<<31), invalid, "vocabulary"},
		{"huge mels", with("mels.bin", atMels, 1<<30), invalid, "mel bands"},
		{"mels below zero", with("mels2.bin", atMels, -80), invalid, "mel bands"},
		{"other filters", with("filter.bin", atFilterMels, 1<<30), invalid, "mel filters"},
		{"huge width", with("width.bin", atAudioState, 1<<30), invalid, "width"},
		{"another text width", with("state.bin", atTextState, 128), invalid, "text width"},
		{"huge layers", with("layers.bin", atAudioLayers, 1<<30), invalid, "layers"},
		{"a layer more", with("layer.bin", atTextLayers, 4), invalid, "tensors"},
		{"unknown type", with("type.bin", atFileType, 99), invalid, "file type"},
		{"another type", with("type2.bin", atFileType, 1), invalid, "type"},
		{"a huge token", with("token.bin", firstToken, 1<<30), invalid, "token"},
		{"a token below zero", with("token2.bin", firstToken, -1), invalid, "token"},
		{"an unknown tensor", replace("name.bin", "decoder.ln.weight", "decoder.nl.weight"), invalid, "decoder.nl.weight"},
		{"a tensor's shape", with("shape.bin", weights+12, 5), invalid, "shape"},
		{"garbled", write("garbled.bin", garbled), invalid, ""},
	}
}

// lastTensor returns the size of the last tensor and its header: the bias of a norm.
func lastTensor(t *testing.T, data []byte) int {
	t.Helper()
	at := bytes.LastIndex(data, []byte("decoder.ln.bias"))
	if at < 0 {
		t.Fatal("the last tensor is not decoder.ln.bias")
	}
	return len(data) - (at - 16)
}

func tryLoad(t *testing.T, path, device string, parameters map[string]any) error {
	t.Helper()
	read, err := structpb.NewStruct(parameters)
	if err != nil {
		t.Fatal(err)
	}
	m, err := sharedEngine.Load(t.Context(), engines.LoadOptions{
		Path: path, Device: device, Threads: 1, MaxConcurrency: 1, Parameters: read,
	})
	if err == nil {
		return m.Close()
	}
	return err
}

func TestBadFiles(t *testing.T) {
	for _, f := range badFiles(t) {
		err := tryLoad(t, f.path, "cpu", nil)
		if errs.ReasonOf(err) != f.reason || !strings.Contains(err.Error(), f.text) || !namesFile(err, f.path) {
			t.Errorf("%s: got %v\nwant %v with %q and the name of the file without its folder", f.name, err, errs.ReasonName(f.reason), f.text)
		}
		if f.name == "no weights" || f.name == "garbled" {
			if err := tryLoad(t, starter(), "cpu", map[string]any{"vad_model": f.path}); errs.ReasonOf(err) != errs.ModelFileInvalid {
				t.Errorf("%s as a voice activity model: %v", f.name, err)
			}
		}
	}
}

func TestLoadCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	m, err := sharedEngine.Load(ctx, engines.LoadOptions{Path: starter(), Device: "cpu", Threads: 1, MaxConcurrency: 1})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, %v; want context.Canceled", m, err)
	}
}

func TestLoadReportsProgress(t *testing.T) {
	var last float64
	m, err := sharedEngine.Load(t.Context(), engines.LoadOptions{
		Path: starter(), Device: "cpu", Threads: 1, MaxConcurrency: 1,
		Report: func(fraction float64) { last = fraction },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = m.Close() }()
	if last != 1 {
		t.Errorf("the last progress is %v", last)
	}
	if d := m.Description(); !strings.Contains(d, "English") || !strings.Contains(d, "4+3 layers of width 192") {
		t.Errorf("the description is %q", d)
	}
}

// TestLoadRefusesParameters tests what only a load can check. TestReadRefuses in package
// settings tests the ranges.
func TestLoadRefusesParameters(t *testing.T) {
	for name, c := range map[string]struct {
		parameters map[string]any
		device     string
		reason     errs.Reason
		text       string
	}{
		"unknown parameter": {map[string]any{"beam_sizes": 1}, "cpu", errs.InvalidRequest, `"beam_size"`},
		"missing VAD model": {map[string]any{"vad_model": "none.bin"}, "cpu", errs.ModelFileMissing, "none.bin"},
		"another VAD file":  {map[string]any{"vad_model": "whisper.bin"}, "cpu", errs.ModelFileInvalid, "voice activity"},
		"absent device":     {nil, "npu", errs.EngineUnavailable, "use cpu"},
	} {
		err := tryLoad(t, starter(), c.device, c.parameters)
		if errs.ReasonOf(err) != c.reason || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: got %v, want %v with %s", name, err, errs.ReasonName(c.reason), c.text)
		}
	}
}

// namesFile reports whether an error has the name of a file, and not its folder, which
// is no business of callers.
func namesFile(err error, path string) bool {
	folder, name := filepath.Split(path)
	return strings.Contains(err.Error(), name) && !strings.Contains(err.Error(), folder)
}
