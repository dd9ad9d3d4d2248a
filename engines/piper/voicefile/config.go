// Package voicefile reads the description of a Piper voice: the JSON file beside its
// ONNX file (src/piper/config.py of piper1-gpl). The file is not trusted: every value
// is checked.
package voicefile

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/text/language"

	"github.com/lexilingo/modelgateway/engines/errs"
)

// Kinds of phonemes.
const (
	// Espeak voices are trained on phonemes of espeak-ng.
	Espeak = "espeak"
	// Text voices are trained on the characters of the text.
	Text = "text"
)

// Special symbols of the phoneme map.
const (
	Begin = "^"
	End   = "$"
	Pad   = "_"
)

// Config is a voice's description.
type Config struct {
	// PhonemeType is Espeak or Text.
	PhonemeType string
	// EspeakVoice is espeak-ng's name of the language, such as "en-us".
	EspeakVoice string
	// Language is the tag of the language, such as "en-US"; empty if it is not known.
	Language string
	// SampleRate is in hertz.
	SampleRate int
	// HopLength is the number of samples in one unit of a phoneme's duration.
	HopLength int
	// Symbols is the number of phoneme ids of the model.
	Symbols int
	// IDs maps a phoneme to its ids: at least one, each less than Symbols.
	IDs map[string][]int64
	// VowelClusters are phonemes of several symbols, the longest first.
	VowelClusters [][]string
	// Speakers is the number of speakers, at least 1.
	Speakers int
	// SpeakerIDs maps names of speakers to their numbers, each less than Speakers.
	SpeakerIDs map[string]int64
	// DefaultSpeaker is less than Speakers.
	DefaultSpeaker int64
	// NoiseScale, LengthScale and NoiseW are the voice's default scales.
	NoiseScale, LengthScale, NoiseW float64
}

// document is the JSON file. Pointers are required keys.
type document struct {
	Audio *struct {
		SampleRate *int `json:"sample_rate"`
	} `json:"audio"`
	Espeak *struct {
		Voice *string `json:"voice"`
	} `json:"espeak"`
	Language struct {
		Code string `json:"code"`
	} `json:"language"`
	Inference struct {
		NoiseScale  float64 `json:"noise_scale"`
		LengthScale float64 `json:"length_scale"`
		NoiseW      float64 `json:"noise_w"`
	} `json:"inference"`
	PhonemeType      string             `json:"phoneme_type"`
	NumSymbols       *int               `json:"num_symbols"`
	NumSpeakers      *int               `json:"num_speakers"`
	PhonemeIDMap     map[string][]int64 `json:"phoneme_id_map"`
	SpeakerIDMap     map[string]int64   `json:"speaker_id_map"`
	DefaultSpeakerID int64              `json:"default_speaker_id"`
	HopLength        int                `json:"hop_length"`
	VowelClusters    [][]string         `json:"vowel_clusters"`
}

// Limits of the values in a description, far beyond those of published voices.
const (
	maxConfigBytes = 16 << 20
	maxSymbols     = 1 << 16
	maxSpeakers    = 1 << 16
	maxSampleRate  = 192_000
	minSampleRate  = 4_000
	maxHopLength   = 1 << 16
	maxIDs         = 64 // of one phoneme
)

// Read reads a description from a file. name is the voice's name for messages. It
// returns MODEL_FILE_MISSING and MODEL_FILE_INVALID errors.
func Read(path, name string) (*Config, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, errs.New(errs.ModelFileMissing,
			"the voice %s has no description: put the file %s.json into the same folder", name, name).WithCause(err)
	}
	if err != nil {
		return nil, invalid(name, "the file cannot be read; check its permissions").WithCause(err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxConfigBytes+1))
	if err != nil {
		return nil, invalid(name, "the file cannot be read").WithCause(err)
	}
	if len(data) > maxConfigBytes {
		return nil, invalid(name, "the file is larger than %d MiB", maxConfigBytes>>20)
	}
	return Parse(data, name)
}

// Parse decodes and checks a description.
func Parse(data []byte, name string) (*Config, error) {
	d := document{PhonemeType: Espeak, HopLength: 256}
	d.Inference.NoiseScale, d.Inference.LengthScale, d.Inference.NoiseW = 0.667, 1, 0.8
	err := json.Unmarshal(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")), &d)
	var wrong *json.UnmarshalTypeError
	switch {
	case errors.As(err, &wrong):
		return nil, invalid(name, "%s has the wrong JSON type %s", clip(wrong.Field), wrong.Value).WithCause(err)
	case err != nil:
		return nil, invalid(name, "it is not JSON; fetch it again").WithCause(err)
	}
	if problem := d.check(); problem != "" {
		return nil, invalid(name, "%s", problem)
	}
	return d.config(), nil
}

func invalid(name, format string, args ...any) *errs.Error {
	return errs.New(errs.ModelFileInvalid, "the voice's description %s.json cannot be used: %s", name, fmt.Sprintf(format, args...))
}

// check returns the first problem; "" if there is none.
func (d *document) check() string {
	if d.PhonemeType != Espeak && d.PhonemeType != Text {
		return fmt.Sprintf("phoneme_type %q is not supported; it must be %s or %s", clip(d.PhonemeType), Espeak, Text)
	}
	switch {
	case d.Audio == nil || d.Audio.SampleRate == nil:
		return "audio.sample_rate is missing"
	case d.NumSymbols == nil:
		return "num_symbols is missing"
	case d.NumSpeakers == nil:
		return "num_speakers is missing"
	case len(d.PhonemeIDMap) == 0:
		return "phoneme_id_map is missing or empty"
	case d.PhonemeType == Espeak && (d.Espeak == nil || d.Espeak.Voice == nil || *d.Espeak.Voice == ""):
		return "espeak.voice is missing"
	}
	for _, number := range []struct {
		name        string
		value       int
		least, most int
	}{
		{"audio.sample_rate", *d.Audio.SampleRate, minSampleRate, maxSampleRate},
		{"num_symbols", *d.NumSymbols, 1, maxSymbols},
		{"num_speakers", *d.NumSpeakers, 0, maxSpeakers}, // 0 in some voices of one speaker
		{"hop_length", d.HopLength, 1, maxHopLength},
	} {
		if number.value < number.least || number.value > number.most {
			return fmt.Sprintf("%s is %d; it must be from %d to %d", number.name, number.value, number.least, number.most)
		}
	}
	for name, scale := range map[string]float64{
		"noise_scale": d.Inference.NoiseScale, "length_scale": d.Inference.LengthScale, "noise_w": d.Inference.NoiseW,
	} {
		if scale < 0 || scale > 100 || name == "length_scale" && scale < 0.01 {
			return fmt.Sprintf("inference.%s is %v, which is out of range", name, scale)
		}
	}
	if problem := d.checkIDs(); problem != "" {
		return problem
	}
	return d.checkSpeakers()
}

func (d *document) checkIDs() string {
	for _, symbol := range []string{Begin, End, Pad} {
		if len(d.PhonemeIDMap[symbol]) == 0 {
			return fmt.Sprintf("phoneme_id_map has no ids for %q", symbol)
		}
	}
	for _, phoneme := range slices.Sorted(maps.Keys(d.PhonemeIDMap)) {
		ids := d.PhonemeIDMap[phoneme]
		if len(ids) > maxIDs {
			return fmt.Sprintf("phoneme_id_map has %d ids for %q", len(ids), clip(phoneme))
		}
		for _, id := range ids {
			if id < 0 || id >= int64(*d.NumSymbols) {
				return fmt.Sprintf("phoneme_id_map has the id %d for %q; num_symbols is %d", id, clip(phoneme), *d.NumSymbols)
			}
		}
	}
	return ""
}

func (d *document) checkSpeakers() string {
	speakers := int64(max(1, *d.NumSpeakers))
	for _, name := range slices.Sorted(maps.Keys(d.SpeakerIDMap)) {
		if id := d.SpeakerIDMap[name]; id < 0 || id >= speakers {
			return fmt.Sprintf("speaker_id_map has the number %d for %q; num_speakers is %d", id, clip(name), *d.NumSpeakers)
		}
	}
	if d.DefaultSpeakerID < 0 || d.DefaultSpeakerID >= speakers {
		return fmt.Sprintf("default_speaker_id is %d; num_speakers is %d", d.DefaultSpeakerID, *d.NumSpeakers)
	}
	return ""
}

func (d *document) config() *Config {
	c := &Config{
		PhonemeType: d.PhonemeType, SampleRate: *d.Audio.SampleRate, HopLength: d.HopLength,
		Symbols: *d.NumSymbols, IDs: d.PhonemeIDMap, VowelClusters: d.VowelClusters,
		Speakers: max(1, *d.NumSpeakers), SpeakerIDs: d.SpeakerIDMap, DefaultSpeaker: d.DefaultSpeakerID,
		NoiseScale: d.Inference.NoiseScale, LengthScale: d.Inference.LengthScale, NoiseW: d.Inference.NoiseW,
	}
	if d.Espeak != nil && d.Espeak.Voice != nil {
		c.EspeakVoice = *d.Espeak.Voice
	}
	c.Language = tagOf(cmp.Or(d.Language.Code, c.EspeakVoice))
	c.VowelClusters = slices.DeleteFunc(c.VowelClusters, func(cluster []string) bool { return len(cluster) < 2 })
	slices.SortStableFunc(c.VowelClusters, func(a, b []string) int { return len(b) - len(a) })
	return c
}

// tagOf returns the tag of a language that a description or espeak-ng names, such as
// "en_US" or "en-us"; empty if there is none.
func tagOf(name string) string {
	tag, err := language.Parse(name)
	if err != nil || tag == language.Und {
		return ""
	}
	return tag.String()
}

// Speaker returns the number of a speaker with a name or number; empty is the default
// one. It reports false if the voice has no such speaker.
func (c *Config) Speaker(name string) (int64, bool) {
	if name == "" {
		return c.DefaultSpeaker, true
	}
	if id, ok := c.SpeakerIDs[name]; ok {
		return id, true
	}
	id, err := strconv.ParseInt(name, 10, 64)
	return id, err == nil && id >= 0 && id < int64(c.Speakers)
}

// SpeakerNames returns the names of the speakers, by number: one for each. A speaker
// without a name has its number.
func (c *Config) SpeakerNames() []string {
	names := make([]string, c.Speakers)
	for name, id := range c.SpeakerIDs {
		if names[id] == "" || name < names[id] {
			names[id] = name
		}
	}
	for i := range names {
		if names[i] == "" {
			names[i] = strconv.Itoa(i)
		}
	}
	return names
}

// LargestID returns the largest id in IDs.
func (c *Config) LargestID() int64 {
	var largest int64
	for _, ids := range c.IDs {
		for _, id := range ids {
			largest = max(largest, id)
		}
	}
	return largest
}

// clip returns at most 40 characters of s, for messages.
func clip(s string) string {
	s = strings.ToValidUTF8(s, "?")
	if runes := []rune(s); len(runes) > 40 {
		return string(runes[:40]) + "…"
	}
	return s
}
