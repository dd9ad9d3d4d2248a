// Package models embeds the starter models in the program and writes them to disk,
// where the engines can map them into memory.
//
// The scripts in starter/ make the starter models (see the model cards there) and
// write their checksums to starter/SHA256SUMS; a test compares the two. At run time
// only that list is hashed, not the models: this keeps the start fast, and pages of
// the program that are not read take no memory. Those that were read to write the
// files are given back (see pages.go).
package models

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// Names of the starter models, as keys of the map that [Extract] returns.
const (
	// Chat is a Qwen3-architecture GGUF for chat and grammar.
	Chat = "chat.gguf"
	// Voice is a voice in the format of Piper. Its JSON description is beside it.
	Voice = "voice.onnx"
	// Pronunciation is a CTC model for pronunciation scoring. Its vocabulary, its
	// pronunciation dictionary and its calibration are beside it.
	Pronunciation = "pronunciation.onnx"
	// Whisper is a speech to text model in whisper.cpp's ggml format.
	Whisper = "whisper.bin"
)

//go:embed starter/SHA256SUMS starter/chat.gguf starter/voice.onnx starter/voice.onnx.json starter/pronunciation.onnx starter/pronunciation.vocab.json starter/pronunciation.lexicon.txt starter/pronunciation.calibration.json starter/whisper.bin
var embedded embed.FS

const (
	starterDir = "starter"
	sumsFile   = "SHA256SUMS"
	// hashDigits is how many digits of the checksum of the list are in the name of
	// the directory: enough to be different for each release.
	hashDigits = 16
)

// Extract writes the starter models to a subdirectory of dir and returns the
// absolute path of each file by its name. The name of the subdirectory depends on
// the content of the files, so each release has its own; those of other releases
// are not removed.
//
// Extract does not write a file that exists with the right size. Files are renamed
// into place, with mode 0644: concurrent calls are safe, also by several processes,
// and a reader never sees an incomplete file.
func Extract(dir string) (map[string]string, error) {
	source, err := fs.Sub(embedded, starterDir)
	if err != nil {
		return nil, fmt.Errorf("starter models: %w", err)
	}
	paths, err := extract(source, dir)
	releasePages()
	if err != nil {
		return nil, fmt.Errorf("extract starter models to %s: %w", dir, err)
	}
	return paths, nil
}

// Checksums returns the SHA-256 of each starter model in lower-case hexadecimal, by
// file name.
func Checksums() (map[string]string, error) {
	list, err := embedded.ReadFile(starterDir + "/" + sumsFile)
	if err != nil {
		return nil, fmt.Errorf("starter models: %w", err)
	}
	return parseSums(list)
}

func extract(source fs.FS, dir string) (map[string]string, error) {
	list, err := fs.ReadFile(source, sumsFile)
	if err != nil {
		return nil, err
	}
	sums, err := parseSums(list)
	if err != nil {
		return nil, err
	}
	hash := sha256.Sum256(list)
	target, err := filepath.Abs(filepath.Join(dir, hex.EncodeToString(hash[:])[:hashDigits]))
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(target, 0o755); err != nil {
		return nil, err
	}
	removeUnfinished(target)
	paths := make(map[string]string, len(sums))
	var files errgroup.Group // at once: on the first start this is most of the time
	for name := range sums {
		path := filepath.Join(target, name)
		paths[name] = path
		files.Go(func() error { return extractFile(source, name, path) })
	}
	return paths, files.Wait()
}

// unfinishedAge is the age after which a temporary file is one that a killed program
// left: programs may extract at the same time.
const unfinishedAge = time.Hour

// removeUnfinished deletes the temporary files that killed programs left in dir.
func removeUnfinished(dir string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		info, err := e.Info()
		if err == nil && filepath.Ext(e.Name()) == temporarySuffix && time.Since(info.ModTime()) > unfinishedAge {
			_ = os.Remove(filepath.Join(dir, e.Name()))
		}
	}
}

// temporarySuffix ends the name of a file that is not complete.
const temporarySuffix = ".tmp"

// extractFile copies a file of source to path, unless path exists with the same
// size.
func extractFile(source fs.FS, name, path string) (err error) {
	in, err := source.Open(name)
	if err != nil {
		return err
	}
	defer in.Close()
	want, err := in.Stat()
	if err != nil {
		return err
	}
	if have, err := os.Stat(path); err == nil && have.Mode().IsRegular() && have.Size() == want.Size() {
		return nil
	}
	out, err := os.CreateTemp(filepath.Dir(path), name+".*"+temporarySuffix)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(out.Name()))
		}
	}()
	_, err = io.Copy(out, in)
	err = errors.Join(err, out.Chmod(0o644), out.Close())
	if err != nil {
		return err
	}
	return os.Rename(out.Name(), path)
}

// parseSums parses the output of sha256sum: lines of "<64 hex digits>  <name>".
func parseSums(list []byte) (map[string]string, error) {
	sums := make(map[string]string)
	lines := bufio.NewScanner(bytes.NewReader(list))
	for lines.Scan() {
		sum, name, found := strings.Cut(lines.Text(), "  ")
		if !found || len(sum) != hex.EncodedLen(sha256.Size) || name == "" || name != filepath.Base(name) {
			return nil, fmt.Errorf("%s: malformed line %q", sumsFile, lines.Text())
		}
		sums[name] = sum
	}
	return sums, lines.Err()
}
