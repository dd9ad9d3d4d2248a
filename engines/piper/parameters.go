package piper

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/lexilingo/modelgateway/engines"
	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/engines/piper/voicefile"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// parameters are a voice's settings in the configuration: what applies where a
// request does not say.
type parameters struct {
	// Speaker is a name or a number; empty is the voice's own.
	Speaker string `json:"speaker"`
	// NoiseScale, NoiseW and LengthScale are the voice's own by default.
	NoiseScale  float64 `json:"noise_scale"`
	NoiseW      float64 `json:"noise_w"`
	LengthScale float64 `json:"length_scale"`
	// SentenceSilence is in seconds.
	SentenceSilence float64 `json:"sentence_silence"`
	// Volume is a factor on the samples.
	Volume float64 `json:"volume"`
	// MaxPhonemes is the most phonemes of one run, at the voice's own speed or
	// faster; fewer when it speaks slower. It bounds the memory of a run, how long
	// a cancel waits, and when the gateway hears of progress.
	MaxPhonemes int `json:"max_phonemes"`
}

// readParameters checks the settings of a voice.
func readParameters(from *structpb.Struct, config *voicefile.Config) (parameters, error) {
	p := parameters{
		NoiseScale: config.NoiseScale, NoiseW: config.NoiseW, LengthScale: config.LengthScale,
		SentenceSilence: 0.2, Volume: 1, MaxPhonemes: defaultMaxPhonemes,
	}
	if err := engines.DecodeParameters(from, &p); err != nil {
		return p, err
	}
	if err := cmp.Or(
		engines.CheckRange("noise_scale", p.NoiseScale, 0, 100),
		engines.CheckRange("noise_w", p.NoiseW, 0, 100),
		engines.CheckRange("length_scale", p.LengthScale, 0.01, 100),
		engines.CheckRange("sentence_silence", p.SentenceSilence, 0, 10),
		engines.CheckRange("volume", p.Volume, 0, 2),
		engines.CheckRange("max_phonemes", p.MaxPhonemes, fewestPhonemes, 10_000),
	); err != nil {
		return p, err
	}
	if _, err := speakerOf(config, p.Speaker); err != nil {
		return p, err
	}
	return p, nil
}

const (
	// defaultMaxPhonemes are about 10 s of speech, two long lines of text. A
	// medium voice takes up to 1.9 MB for each.
	defaultMaxPhonemes = 150
	// fewestPhonemes are what a run may have however slow it speaks.
	fewestPhonemes = 20
)

// limit returns the most phonemes of one run of a request.
func (p parameters) limit(s settings) int {
	slower := max(1, float64(s.length)/p.LengthScale)
	return max(fewestPhonemes, int(float64(p.MaxPhonemes)/slower))
}

// settings are a request's, with the voice's where it does not say.
type settings struct {
	speaker            int64
	noise, length, noW float32
	volume             float64
	silence            time.Duration
}

// bounds of a request, as the proto states them; the gateway has checked them.
const (
	slowest, fastest = 0.25, 4
	loudest          = 2
	mostNoise        = 2
	longestSilence   = 10 * time.Second
)

// settings puts a request's options over the voice's.
func (p parameters) settings(config *voicefile.Config, req *gatewayv1.SynthesizeRequest) (settings, error) {
	s := settings{
		noise: float32(p.NoiseScale), length: float32(p.LengthScale), noW: float32(p.NoiseW), volume: p.Volume,
		silence: time.Duration(p.SentenceSilence * float64(time.Second)),
	}
	speaker := req.GetSpeaker()
	if speaker == "" {
		speaker = p.Speaker
	}
	var err error
	if s.speaker, err = speakerOf(config, speaker); err != nil {
		return s, err
	}
	for _, option := range []struct {
		name        string
		value       *float32
		least, most float32
		use         func(float32)
	}{
		{"speed", req.Speed, slowest, fastest, func(v float32) { s.length /= v }},
		{"volume", req.Volume, 0, loudest, func(v float32) { s.volume = float64(v) }},
		{"noise_scale", req.NoiseScale, 0, mostNoise, func(v float32) { s.noise = v }},
		{"noise_w", req.NoiseW, 0, mostNoise, func(v float32) { s.noW = v }},
	} {
		if option.value == nil {
			continue
		}
		if !(*option.value >= option.least && *option.value <= option.most) { // NaN too
			return s, errs.New(errs.InvalidRequest, "%s must be from %v to %v, not %v",
				option.name, option.least, option.most, *option.value).With("field", option.name)
		}
		option.use(*option.value)
	}
	if silence := req.GetSentenceSilence(); silence != nil {
		s.silence = silence.AsDuration()
		if s.silence < 0 || s.silence > longestSilence {
			return s, errs.New(errs.InvalidRequest, "sentence_silence must be from 0 to %v, not %v", longestSilence, s.silence).
				With("field", "sentence_silence")
		}
	}
	return s, nil
}

// speakerOf finds a speaker by name or number; empty is the voice's default.
func speakerOf(config *voicefile.Config, speaker string) (int64, error) {
	if speaker == "" {
		return config.DefaultSpeaker, nil
	}
	if id, ok := config.SpeakerIDs[speaker]; ok {
		return id, nil
	}
	if id, err := strconv.ParseInt(speaker, 10, 64); err == nil && id >= 0 && id < int64(config.Speakers) {
		return id, nil
	}
	return 0, errs.New(errs.InvalidRequest, "the voice has no speaker %.40q; it has %s", speaker, speakerNames(config)).
		With("field", "speaker")
}

// speakerNames lists some of the speakers.
func speakerNames(config *voicefile.Config) string {
	const most = 10
	names := slices.Sorted(maps.Keys(config.SpeakerIDs))
	if len(names) == 0 && config.Speakers == 1 {
		return "one, number 0"
	}
	if len(names) == 0 {
		return fmt.Sprintf("the numbers 0 to %d", config.Speakers-1)
	}
	if len(names) > most {
		return fmt.Sprintf("%s and %d more, and the numbers 0 to %d",
			strings.Join(names[:most], ", "), len(names)-most, config.Speakers-1)
	}
	return strings.Join(names, ", ")
}
