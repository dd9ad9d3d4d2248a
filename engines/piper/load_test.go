package piper

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/lexilingo/modelgateway/engines"
	"github.com/lexilingo/modelgateway/engines/errs"
)

// description returns the starter voice's description after change.
func description(t *testing.T, change func(config map[string]any)) []byte {
	t.Helper()
	data, err := os.ReadFile(starter() + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var config map[string]any
	if err := json.Unmarshal(data, &config); err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(config)
	}
	if data, err = json.Marshal(config); err != nil {
		t.Fatal(err)
	}
	return data
}

// writeVoice writes a voice to a new folder and returns its path.
func writeVoice(t *testing.T, graph string, config []byte) string {
	t.Helper()
	data, err := os.ReadFile(graph)
	if err != nil {
		t.Fatal(err)
	}
	return writeFiles(t, data, config)
}

func writeFiles(t *testing.T, graph, config []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "voice.onnx")
	if err := os.WriteFile(path, graph, 0o600); err != nil {
		t.Fatal(err)
	}
	if config != nil {
		if err := os.WriteFile(path+".json", config, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

// testVoice returns the path of a voice of testdata/make_voices.py.
func testVoice(t *testing.T, name string, change func(config map[string]any)) string {
	t.Helper()
	return writeVoice(t, filepath.Join("testdata", name+".onnx"), description(t, change))
}

// badFile is a voice that cannot be loaded.
type badFile struct {
	name, path string
	reason     errs.Reason
	text       string // part of the error's message
}

// badFiles creates voices that cannot be loaded.
func badFiles(t *testing.T) []badFile {
	t.Helper()
	good, err := os.ReadFile(starter())
	if err != nil {
		t.Fatal(err)
	}
	invalid := errs.ModelFileInvalid
	whole := description(t, nil)
	two := filepath.Dir(writeFiles(t, good, whole))
	if err := os.WriteFile(filepath.Join(two, "other.onnx"), good, 0o600); err != nil {
		t.Fatal(err)
	}
	bad := []badFile{
		{"no description", writeFiles(t, good, nil), errs.ModelFileMissing, "voice.onnx.json"},
		{"empty folder", t.TempDir(), errs.ModelFileMissing, "no voice"},
		{"folder of two", two, invalid, "2 voices"},
		{"empty graph", writeFiles(t, nil, whole), invalid, "empty"},
		{"half a graph", writeFiles(t, good[:len(good)/2], whole), invalid, "voice.onnx"},
		{"HTML", writeFiles(t, []byte("<html>Not found</html>"), whole), invalid, "voice.onnx"},
		{"another graph", testVoice(t, "other", nil), invalid, `no input "input"`},
		{"stereo", testVoice(t, "stereo", nil), invalid, "one speaker"},
		{"integers", testVoice(t, "integer", nil), invalid, "not float32"},
		{"too few ids", testVoice(t, "few", nil), invalid, "does not fit its description"},
	}
	for name, c := range map[string]struct {
		config []byte
		text   string
	}{
		"description empty":   {[]byte{}, "not JSON"},
		"description garbage": {[]byte("{\"audio\": \xff\xfe"), "not JSON"},
		"description a list":  {[]byte("[1, 2]"), "JSON type array"},
		"description null":    {[]byte("null"), "audio.sample_rate"},
		"description deep":    {[]byte(strings.Repeat("[", 1<<20)), "not JSON"},
	} {
		bad = append(bad, badFile{name, writeFiles(t, good, c.config), invalid, c.text})
	}
	for name, c := range badDescriptions() {
		bad = append(bad, badFile{name, writeFiles(t, good, description(t, c.change)), invalid, c.text})
	}
	return bad
}

type badDescription struct {
	change func(map[string]any)
	text   string // part of the error's message
}

// badDescriptions returns changes that make a valid description invalid.
func badDescriptions() map[string]badDescription {
	set := func(key string, value any) func(map[string]any) {
		return func(c map[string]any) { c[key] = value }
	}
	without := func(key string) func(map[string]any) { return func(c map[string]any) { delete(c, key) } }
	ids := func(key string, value any) func(map[string]any) {
		return func(c map[string]any) {
			m := maps.Clone(c["phoneme_id_map"].(map[string]any))
			m[key] = value
			c["phoneme_id_map"] = m
		}
	}
	return map[string]badDescription{
		"phoneme type":        {set("phoneme_type", "pinyin"), "pinyin"},
		"phoneme type number": {set("phoneme_type", 7), "phoneme_type"},
		"no rate":             {without("audio"), "audio.sample_rate"},
		"rate a text":         {set("audio", map[string]any{"sample_rate": "22050"}), "sample_rate"},
		"rate zero":           {set("audio", map[string]any{"sample_rate": 0}), "sample_rate"},
		"rate absurd":         {set("audio", map[string]any{"sample_rate": 2000000000}), "sample_rate"},
		"rate beyond an int":  {set("audio", map[string]any{"sample_rate": 1e30}), "sample_rate"},
		"no symbols":          {without("num_symbols"), "num_symbols"},
		"a billion symbols":   {set("num_symbols", 1e9), "num_symbols"},
		"negative symbols":    {set("num_symbols", -5), "num_symbols"},
		"a billion speakers":  {set("num_speakers", 1e9), "num_speakers"},
		"no speakers":         {without("num_speakers"), "num_speakers"},
		"no speaker input":    {set("num_speakers", 5), "5 speakers"},
		"default speaker":     {set("default_speaker_id", 3), "default_speaker_id"},
		"speaker map":         {set("speaker_id_map", map[string]any{"ann": -1}), "ann"},
		"no ids":              {without("phoneme_id_map"), "phoneme_id_map"},
		"ids a list":          {set("phoneme_id_map", []any{1}), "phoneme_id_map"},
		"negative id":         {ids("a", []any{-1}), "-1"},
		"huge id":             {ids("a", []any{1 << 40}), "num_symbols"},
		"id a text":           {ids("a", []any{"x"}), "phoneme_id_map"},
		"id a number":         {ids("a", 14), "phoneme_id_map"},
		"no pad":              {ids("_", []any{}), `"_"`},
		"many ids":            {ids("a", make([]int, 1000)), "1000 ids"},
		"no language":         {without("espeak"), "espeak.voice"},
		"unknown language":    {set("espeak", map[string]any{"voice": "tlh-klingon"}), "tlh-klingon"},
		"language a path":     {set("espeak", map[string]any{"voice": "../../../../etc/passwd"}), "espeak-ng"},
		"noise scale":         {set("inference", map[string]any{"noise_scale": -1}), "noise_scale"},
		"length scale":        {set("inference", map[string]any{"length_scale": 0}), "length_scale"},
		"hop length":          {set("hop_length", -256), "hop_length"},
	}
}

func tryLoad(t *testing.T, path string, settings map[string]any) error {
	t.Helper()
	p, err := structpb.NewStruct(settings)
	if err != nil {
		t.Fatal(err)
	}
	m, err := engine.Load(t.Context(), engines.LoadOptions{Path: path, Device: "auto", Threads: 1, Parameters: p})
	if err == nil {
		_ = m.Close()
	}
	return err
}

func TestBadFiles(t *testing.T) {
	for _, f := range badFiles(t) {
		t.Run(f.name, func(t *testing.T) {
			err := tryLoad(t, f.path, nil)
			if errs.ReasonOf(err) != f.reason {
				t.Fatal(err)
			}
			message := errs.From(err).Message()
			if !strings.Contains(message, f.text) || strings.Contains(message, os.TempDir()) || len(message) > 600 {
				t.Errorf("the message lacks %q, contains a path, or is too long: %s", f.text, message)
			}
		})
	}
}

func TestFolderOfOneVoice(t *testing.T) {
	if err := tryLoad(t, filepath.Dir(testVoice(t, "echo", speakers)), nil); err != nil {
		t.Error(err)
	}
}

func TestBadParameters(t *testing.T) {
	path := testVoice(t, "echo", speakers)
	for key, value := range map[string]any{
		"noise_scale": -1, "noise_w": 1000, "length_scale": 0, "sentence_silence": 11, "volume": 3,
		"max_phonemes": 5, "speaker": "nobody", "volumee": 1, "noise": "loud",
	} {
		err := tryLoad(t, path, map[string]any{key: value})
		if errs.ReasonOf(err) != errs.InvalidRequest || !strings.Contains(err.Error(), key) {
			t.Errorf("%s: %v: %v", key, value, err)
		}
	}
}

// speakers adds 20 speakers to a voice.
func speakers(config map[string]any) {
	config["num_speakers"] = 20
	names := map[string]any{}
	for i := range 15 {
		names["speaker"+string(rune('a'+i))] = i
	}
	config["speaker_id_map"] = names
	config["default_speaker_id"] = 2
}

// TestCloseEndsThePhonemiser checks that neither a model that is closed nor one that
// does not load leaves a process, running or not reaped.
func TestCloseEndsThePhonemiser(t *testing.T) {
	m := loadVoice(t, starter(), nil)
	mustSay(t, m, text("One."))
	if len(childrenOf(t)) == 0 {
		t.Fatal("the phonemiser has no process")
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if left := childrenOf(t); len(left) > 0 {
		t.Errorf("the processes %v are left after Close", left)
	}
	path := changedVoice(t, func(map[string]any) {})
	if err := os.WriteFile(path, []byte("no graph"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := engine.Load(t.Context(), engines.LoadOptions{Path: path, Device: "cpu", Threads: 1, Work: &engines.WorkCounter{}}); err == nil {
		t.Error("a file without a graph was loaded")
	}
	if left := childrenOf(t); len(left) > 0 {
		t.Errorf("the processes %v are left after a load that failed", left)
	}
}

// childrenOf returns the children of this process, zombies included.
func childrenOf(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("/proc/self/task/*/children")
	if err != nil {
		t.Fatal(err)
	}
	var pids []string
	for _, file := range files {
		if text, err := os.ReadFile(file); err == nil { // else the thread has ended
			pids = append(pids, strings.Fields(string(text))...)
		}
	}
	return pids
}
