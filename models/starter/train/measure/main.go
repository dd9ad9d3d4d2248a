// Command measure prints what the engine hubert measures of readings, from a model's
// outputs that train_pronunciation.py has written. The calibration is fitted to it.
//
// Usage: go run ./models/starter/train/measure -vocabulary FILE -lexicon FILE -outputs FOLDER > measured.jsonl
//
// The folder has readings.jsonl, with {"text": …, "frames": …} on each line, and
// outputs.f32: for each frame of these readings, one after another, the logits and
// the ratings as 32-bit floats.
package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/lexilingo/modelgateway/engines/hubert/scoring"
	"github.com/lexilingo/modelgateway/engines/hubert/textnorm"
	"github.com/lexilingo/modelgateway/engines/hubert/vocab"
)

const frameSeconds = 0.02

type reading struct {
	Text   string `json:"text"`
	Frames int    `json:"frames"`
}

func main() {
	vocabulary := flag.String("vocabulary", "", "the model's vocab.json")
	lexicon := flag.String("lexicon", "", "the model's lexicon.txt")
	outputs := flag.String("outputs", "", "folder with readings.jsonl and outputs.f32")
	symbols := flag.Int("symbols", 40, "number of the model's symbols")
	flag.Parse()
	if err := run(*vocabulary, *lexicon, *outputs, *symbols); err != nil {
		fmt.Fprintln(os.Stderr, "measure:", err)
		os.Exit(1)
	}
}

func run(vocabulary, lexicon, outputs string, symbols int) error {
	v, err := vocab.Read(vocabulary, "", symbols)
	if err != nil {
		return err
	}
	if err := v.ReadLexicon(lexicon); err != nil {
		return err
	}
	lines, err := os.Open(filepath.Join(outputs, "readings.jsonl")) //nolint:gosec // a maintainer's
	if err != nil {
		return err
	}
	defer lines.Close()
	data, err := os.Open(filepath.Join(outputs, "outputs.f32")) //nolint:gosec // a maintainer's
	if err != nil {
		return err
	}
	defer data.Close()
	numbers, out := bufio.NewReaderSize(data, 1<<20), json.NewEncoder(os.Stdout)
	for scanner := bufio.NewScanner(lines); scanner.Scan(); {
		var r reading
		if err := json.Unmarshal(scanner.Bytes(), &r); err != nil {
			return err
		}
		o, err := read(numbers, r.Frames, symbols)
		if err != nil {
			return err
		}
		result, err := scoring.Score(context.Background(), scoring.Model{
			Blank: v.Blank, Boundary: v.Boundary, Masked: v.Masked, Phonemes: true, FrameSeconds: frameSeconds,
		}, scoring.Options{Scale: 2}, words(v, r.Text), o)
		if err != nil {
			return fmt.Errorf("%q: %w", r.Text, err)
		}
		if err := out.Encode(result); err != nil {
			return err
		}
	}
	return nil
}

// read reads the outputs of a number of frames.
func read(from io.Reader, frames, symbols int) (scoring.Outputs, error) {
	o := scoring.Outputs{Symbols: symbols}
	row := make([]float32, 2*symbols+1)
	for range frames {
		if err := binary.Read(from, binary.LittleEndian, row); err != nil {
			return o, err
		}
		o.Logits, o.Ratings = append(o.Logits, row[:symbols]...), append(o.Ratings, row[symbols:]...)
	}
	return o, nil
}

// words returns the words of a text with the pronunciations of the dictionary.
func words(v *vocab.Vocabulary, text string) []scoring.Word {
	var out []scoring.Word
	for _, w := range textnorm.Words(text) {
		word := scoring.Word{Text: w.Text, Pause: w.Pause}
		for _, parts := range w.Readings {
			if len(parts) == 1 {
				word.Readings = append(word.Readings, v.Spell(parts[0])...)
			}
		}
		out = append(out, word)
	}
	return out
}
