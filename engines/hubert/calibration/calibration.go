// Package calibration converts what a model measures of a reading to scores on the
// scale of people's ratings. The formulas belong to a model: they are in a file
// beside it, and were fitted to ratings of readings that the model heard. It is
// pure Go. docs/pronunciation.md has the file's format.
package calibration

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/lexilingo/modelgateway/engines/errs"
)

// Names of features. Each is 0 to 1 unless something else is said.
const (
	// Gop is the goodness of pronunciation of a unit in nats, 0 or less.
	Gop = "gop"
	// Rating is the model's own rating, any number; higher is better: of a unit, or
	// of the fluency.
	Rating = "rating"
	// Mean is the mean of the units of a word, or of the words of a text.
	Mean = "mean"
	// Worst is the least of them.
	Worst = "worst"
	// Extra is the share of additional symbols among those of a word.
	Extra = "extra"
	// Pace is the fluency by pauses and rate, as computed without a calibration.
	Pace = "pace"
	// Accuracy is the score of a text.
	Accuracy = "accuracy"
	// Fluency is the score of a text.
	Fluency = "fluency"
	// Completeness is the score of a text.
	Completeness = "completeness"
	// Lowest is the least of these three scores.
	Lowest = "lowest"
)

// Features are the values of features by name.
type Features map[string]float64

// Formula is a score: 100 / (1 + e^-(Bias + Σ weight · feature)).
type Formula struct {
	Bias    float64            `json:"bias"`
	Weights map[string]float64 `json:"weights"`
}

// Score returns the score of features, 0 to 100. Features without a weight do not
// count.
func (f *Formula) Score(features Features) float64 {
	sum := f.Bias
	for _, name := range slices.Sorted(maps.Keys(f.Weights)) { // in order: the same sum each time
		sum += f.Weights[name] * features[name]
	}
	return 100 / (1 + math.Exp(-sum))
}

// Calibration has the formulas of a model. A score without a formula is computed as
// for a model without a calibration.
type Calibration struct {
	Unit     *Formula `json:"unit"`
	Word     *Formula `json:"word"`
	Accuracy *Formula `json:"accuracy"`
	Fluency  *Formula `json:"fluency"`
	Overall  *Formula `json:"overall"`
}

// known returns the features of each formula.
func known() map[string][]string {
	return map[string][]string{
		"unit":     {Gop, Rating},
		"word":     {Mean, Worst, Extra},
		"accuracy": {Mean, Worst},
		"fluency":  {Pace, Rating},
		"overall":  {Accuracy, Fluency, Completeness, Lowest},
	}
}

func (c Calibration) formulas() map[string]*Formula {
	return map[string]*Formula{"unit": c.Unit, "word": c.Word, "accuracy": c.Accuracy, "fluency": c.Fluency, "overall": c.Overall}
}

// maxBytes is far more than a calibration has.
const maxBytes = 1 << 20

// Read reads a calibration from a file. rated says that the model has ratings. An
// unusable file is MODEL_FILE_INVALID. An empty path is a calibration without
// formulas.
func Read(path string, rated bool) (Calibration, error) {
	var c Calibration
	if path == "" {
		return c, nil
	}
	name := filepath.Base(path)
	invalid := func(cause error, format string, args ...any) error {
		return errs.New(errs.ModelFileInvalid, "the calibration %s cannot be used: %s", name, fmt.Sprintf(format, args...)).
			With("path", name).WithCause(cause)
	}
	data, err := readFile(path)
	if err != nil {
		return c, invalid(err, "it cannot be read as a file of at most %d bytes; check it and its permissions", maxBytes)
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&c); err != nil {
		return c, invalid(err, "it is not the expected JSON (%v); docs/pronunciation.md describes the file", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return c, invalid(err, "there is something after the JSON object; remove it")
	}
	if err := c.check(rated); err != nil {
		return c, invalid(err, "%v", err)
	}
	return c, nil
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path) //nolint:gosec // the path is the configuration's
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxBytes {
		return nil, &fs.PathError{Op: "read", Path: path, Err: errors.New("not a regular file of a usable size")}
	}
	return io.ReadAll(io.LimitReader(f, maxBytes))
}

// check checks the names of features, and that the model has what they need.
func (c Calibration) check(rated bool) error {
	features := known()
	for name, f := range c.formulas() {
		if f == nil {
			continue
		}
		for feature := range f.Weights {
			if !slices.Contains(features[name], feature) {
				return fmt.Errorf("the formula %q has the unknown feature %q; it can have %s", name, feature, strings.Join(features[name], ", "))
			}
			if feature == Rating && !rated {
				return fmt.Errorf(`the formula %q has the feature "rating", but the model has no output "ratings"`, name)
			}
		}
	}
	return nil
}
