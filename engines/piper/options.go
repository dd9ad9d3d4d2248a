package piper

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/engines/piper/settings"
	"github.com/lexilingo/modelgateway/engines/piper/voicefile"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// parameters are the parameters of a voice, with the voice's own scales for those
// that the configuration does not set. Package settings has the parameters
// themselves, their defaults and checks.
type parameters struct {
	settings.Parameters
	noiseScale, noiseW, lengthScale float64
}

// readParameters reads and checks the parameters of a voice.
func readParameters(from *structpb.Struct, voice *voicefile.Config) (parameters, error) {
	read, err := settings.Read(from)
	if err != nil {
		return parameters{}, err
	}
	if _, err := speakerOf(voice, read.Speaker); err != nil {
		return parameters{}, err
	}
	return parameters{
		Parameters:  read,
		noiseScale:  valueOr(read.NoiseScale, voice.NoiseScale),
		noiseW:      valueOr(read.NoiseW, voice.NoiseW),
		lengthScale: valueOr(read.LengthScale, voice.LengthScale),
	}, nil
}

func valueOr(value *float64, otherwise float64) float64 {
	if value == nil {
		return otherwise
	}
	return *value
}

// limit returns the largest number of phonemes in one run of a request.
func (p parameters) limit(o options) int {
	slower := max(1, float64(o.length)/p.lengthScale)
	return max(settings.MinPhonemes, int(float64(p.MaxPhonemes)/slower))
}

// options are the options of a request, with the voice's parameters for those that
// it does not set.
type options struct {
	speaker            int64
	noise, length, noW float32
	volume             float64
	silence            time.Duration
}

// The bounds of a request, as the proto states them. The server has checked them
// already.
const (
	slowest, fastest = 0.25, 4
	loudest          = 2
	mostNoise        = 2
	longestSilence   = 10 * time.Second
)

// optionsOf returns the options of a request.
func (p parameters) optionsOf(config *voicefile.Config, req *gatewayv1.SynthesizeRequest) (options, error) {
	o := options{
		noise: float32(p.noiseScale), length: float32(p.lengthScale), noW: float32(p.noiseW), volume: p.Volume,
		silence: time.Duration(p.SentenceSilence * float64(time.Second)),
	}
	speaker := req.GetSpeaker()
	if speaker == "" {
		speaker = p.Speaker
	}
	var err error
	if o.speaker, err = speakerOf(config, speaker); err != nil {
		return o, err
	}
	for _, option := range []struct {
		name        string
		value       *float32
		least, most float32
		use         func(float32)
	}{
		{"speed", req.Speed, slowest, fastest, func(v float32) { o.length /= v }},
		{"volume", req.Volume, 0, loudest, func(v float32) { o.volume = float64(v) }},
		{"noise_scale", req.NoiseScale, 0, mostNoise, func(v float32) { o.noise = v }},
		{"noise_w", req.NoiseW, 0, mostNoise, func(v float32) { o.noW = v }},
	} {
		if option.value == nil {
			continue
		}
		if !(*option.value >= option.least && *option.value <= option.most) { // NaN too
			return o, errs.New(errs.InvalidRequest, "%s must be from %v to %v, not %v",
				option.name, option.least, option.most, *option.value).With("field", option.name)
		}
		option.use(*option.value)
	}
	if silence := req.GetSentenceSilence(); silence != nil {
		o.silence = silence.AsDuration()
		if o.silence < 0 || o.silence > longestSilence {
			return o, errs.New(errs.InvalidRequest, "sentence_silence must be from 0 to %v, not %v", longestSilence, o.silence).
				With("field", "sentence_silence")
		}
	}
	return o, nil
}

// speakerOf returns the number of a speaker with a name or number; empty is the
// voice's default.
func speakerOf(config *voicefile.Config, speaker string) (int64, error) {
	if id, ok := config.Speaker(speaker); ok {
		return id, nil
	}
	return 0, errs.New(errs.InvalidRequest, "the voice has no speaker %.40q; it has %s", speaker, speakerNames(config)).
		With("field", "speaker")
}

// speakerNames lists some of the speakers for an error message.
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
