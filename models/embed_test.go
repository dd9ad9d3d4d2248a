package models

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func extractTo(t *testing.T, dir string) map[string]string {
	t.Helper()
	paths, err := Extract(dir)
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

func checksum(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// The training scripts write the list of checksums. This test fails if a model was
// replaced without them, or is embedded but not listed.
func TestChecksumsMatchEmbeddedFiles(t *testing.T) {
	sums, err := Checksums()
	if err != nil {
		t.Fatal(err)
	}
	entries, err := fs.ReadDir(embedded, starterDir)
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	for _, entry := range entries {
		if entry.Name() != sumsFile {
			files = append(files, entry.Name())
		}
	}
	if listed := slices.Sorted(maps.Keys(sums)); !slices.Equal(listed, files) {
		t.Errorf("%s lists %v, embedded are %v", sumsFile, listed, files)
	}
	for name, path := range extractTo(t, t.TempDir()) {
		if got := checksum(t, path); got != sums[name] {
			t.Errorf("%s: sha256 %s, but %s lists %s: run the script that makes the model", name, got, sumsFile, sums[name])
		}
	}
}

func TestExtractWritesReadableFilesSideBySide(t *testing.T) {
	dir := t.TempDir()
	paths := extractTo(t, dir)
	path, ok := paths[Chat]
	if !ok {
		t.Fatalf("no %q among %v", Chat, paths)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode() != 0o644 {
		t.Errorf("mode %v, want 0644", info.Mode())
	}
	if !filepath.IsAbs(path) || filepath.Dir(filepath.Dir(path)) != dir {
		t.Errorf("%s is not in a directory below %s", path, dir)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != len(paths) {
		t.Errorf("%d files for %d models: temporary files were left behind: %v", len(entries), len(paths), entries)
	}
}

func TestExtractKeepsFilesOfTheRightSize(t *testing.T) {
	dir := t.TempDir()
	path := extractTo(t, dir)[Chat]
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	extractTo(t, dir)
	after, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if !os.SameFile(before, after) || !before.ModTime().Equal(after.ModTime()) {
		t.Error("the second call wrote the file again")
	}
}

func TestExtractReplacesTruncatedFile(t *testing.T) {
	dir := t.TempDir()
	path := extractTo(t, dir)[Chat]
	want := checksum(t, path)
	if err := os.Truncate(path, 100); err != nil {
		t.Fatal(err)
	}
	extractTo(t, dir)
	if got := checksum(t, path); got != want {
		t.Errorf("sha256 %s after repair, want %s", got, want)
	}
}

func TestExtractRemovesWhatAKilledProgramLeft(t *testing.T) {
	dir := t.TempDir()
	target := filepath.Dir(extractTo(t, dir)[Chat])
	left, present := filepath.Join(target, Chat+".123.tmp"), filepath.Join(target, Chat+".456.tmp")
	for _, path := range []string{left, present} {
		if err := os.WriteFile(path, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	old := time.Now().Add(-2 * unfinishedAge)
	if err := os.Chtimes(left, old, old); err != nil {
		t.Fatal(err)
	}
	extractTo(t, dir)
	if _, err := os.Stat(left); !os.IsNotExist(err) {
		t.Errorf("the old file: %v", err)
	}
	if _, err := os.Stat(present); err != nil {
		t.Errorf("the file that a program may be writing: %v", err)
	}
}

func TestExtractConcurrently(t *testing.T) {
	dir := t.TempDir()
	sums, err := Checksums()
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			paths, err := Extract(dir)
			if err != nil {
				t.Error(err)
				return
			}
			data, err := os.ReadFile(paths[Chat])
			if sum := sha256.Sum256(data); err != nil || hex.EncodeToString(sum[:]) != sums[Chat] {
				t.Errorf("an incomplete file was visible (%d bytes, %v)", len(data), err)
			}
		})
	}
	group.Wait()
}

func TestExtractNamesTheDirectoryThatFails(t *testing.T) {
	blocked := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(blocked, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Extract(blocked); err == nil || !strings.Contains(err.Error(), blocked) {
		t.Errorf("error %v does not name %s", err, blocked)
	}
}

func TestParseSums(t *testing.T) {
	sum := strings.Repeat("0a", sha256.Size)
	for _, line := range []string{"chat.gguf", sum + " chat.gguf", "0a  chat.gguf", sum + "  ", sum + "  ../chat.gguf"} {
		if sums, err := parseSums([]byte(line + "\n")); err == nil {
			t.Errorf("%q was read as %v", line, sums)
		}
	}
	sums, err := parseSums([]byte(sum + "  a.onnx\n" + sum + "  a.onnx.json\n"))
	if err != nil || len(sums) != 2 || sums["a.onnx.json"] != sum {
		t.Errorf("got %v, %v", sums, err)
	}
}

// The metadata that the chat engine relies on.
func TestChatModelMetadata(t *testing.T) {
	data, err := os.ReadFile(extractTo(t, t.TempDir())[Chat])
	if err != nil {
		t.Fatal(err)
	}
	if architecture := ggufText(t, data, "general.architecture"); architecture != "qwen3" {
		t.Errorf("architecture %q, want qwen3", architecture)
	}
	if context := ggufNumber(t, data, "qwen3.context_length"); context < 4096 {
		t.Errorf("context of %d tokens, want 4096 or more", context)
	}
	if tokenizer := ggufText(t, data, "tokenizer.ggml.model"); tokenizer != "gpt2" {
		t.Errorf("tokenizer %q, want gpt2", tokenizer)
	}
	if template := ggufText(t, data, "tokenizer.chat_template"); !strings.Contains(template, "enable_thinking") {
		t.Errorf("chat template without enable_thinking: %.80q", template)
	}
	tokens := ggufTexts(t, data, "tokenizer.ggml.tokens")
	if end := tokens[ggufNumber(t, data, "tokenizer.ggml.eos_token_id")]; end != "<|im_end|>" {
		t.Errorf("end token %q, want <|im_end|>", end)
	}
	for _, token := range []string{"<|endoftext|>", "<|im_start|>", "<think>", "</think>"} {
		if !slices.Contains(tokens, token) {
			t.Errorf("no token %s", token)
		}
	}
}

// The numbers of the types of values in a GGUF file.
const (
	ggufUint32 = 4
	ggufString = 8
	ggufArray  = 9
)

// ggufValue returns the bytes of a value of the metadata, which follow its key and
// its type. The file is one of ours, so a search for the key is enough.
func ggufValue(t *testing.T, data []byte, key string, kind uint32) []byte {
	t.Helper()
	_, after, ok := bytes.Cut(data, append(binary.LittleEndian.AppendUint64(nil, uint64(len(key))), key...))
	if !ok || binary.LittleEndian.Uint32(after) != kind {
		t.Fatalf("there is no %s of type %d", key, kind)
	}
	return after[4:]
}

func ggufNumber(t *testing.T, data []byte, key string) uint32 {
	t.Helper()
	return binary.LittleEndian.Uint32(ggufValue(t, data, key, ggufUint32))
}

func ggufText(t *testing.T, data []byte, key string) string {
	t.Helper()
	text, _ := cutText(ggufValue(t, data, key, ggufString))
	return text
}

func ggufTexts(t *testing.T, data []byte, key string) []string {
	t.Helper()
	value := ggufValue(t, data, key, ggufArray)
	if kind := binary.LittleEndian.Uint32(value); kind != ggufString {
		t.Fatalf("%s is an array of type %d", key, kind)
	}
	texts, rest := make([]string, binary.LittleEndian.Uint64(value[4:])), value[12:]
	for i := range texts {
		texts[i], rest = cutText(rest)
	}
	return texts
}

// cutText cuts a text off that follows its length.
func cutText(data []byte) (text string, rest []byte) {
	n := binary.LittleEndian.Uint64(data)
	return string(data[8 : 8+n]), data[8+n:]
}

// TestStartersAreEmbedded checks that what applies to starters is about starters.
func TestStartersAreEmbedded(t *testing.T) {
	starters, err := Starters()
	if err != nil {
		t.Fatal(err)
	}
	sums, err := Checksums()
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range starters {
		if _, ok := sums[name]; !ok {
			t.Errorf("there is no starter %s", name)
		}
		if s.Warning == "" || strings.Contains(s.Warning, "\n") {
			t.Errorf("the warning of %s is %q", name, s.Warning)
		}
	}
}
