package whisper

import (
	"cmp"
	"path/filepath"

	"github.com/lexilingo/modelgateway/engines"
	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/engines/whisper/speech"
	"github.com/lexilingo/modelgateway/engines/whisper/whispercpp"
)

// parameters are a model's settings in the configuration. Names and defaults of
// what concerns decoding are whisper-cli's.
type parameters struct {
	// BeamSize is the number of hypotheses where a request names none; 0 and 1
	// are greedy, more than whispercpp.MaxDecoders count as so many.
	BeamSize int `json:"beam_size"`
	// BestOf is the number of candidates where the temperature is above 0.
	BestOf int `json:"best_of"`
	// Temperature is the first one; what fails there is tried again hotter, by
	// TemperatureInc, up to 1. 0 of the latter: not again.
	Temperature    float64 `json:"temperature"`
	TemperatureInc float64 `json:"temperature_inc"`
	// A decoding fails below these; a window is silent above NoSpeechThold.
	EntropyThold  float64 `json:"entropy_thold"`
	LogprobThold  float64 `json:"logprob_thold"`
	NoSpeechThold float64 `json:"no_speech_thold"`
	// MaxTextContext is how many tokens of the text so far the next window is
	// told at most.
	MaxTextContext int `json:"n_max_text_ctx"`
	// SuppressNST suppresses tokens that are no speech, as "(music)" and "♪".
	SuppressNST bool `json:"suppress_nst"`
	// FlashAttention computes attention in one step, with less memory.
	FlashAttention bool `json:"flash_attn"`
	// AudioContext is "full", or "short" to encode only as much of a clip below
	// 30 s as it has audio: faster, and not what the model was trained on.
	AudioContext string `json:"audio_ctx"`

	// VADModel is a Silero model in ggml's format; relative to the model's folder.
	VADModel          string  `json:"vad_model"`
	VADThreshold      float64 `json:"vad_threshold"`
	VADMinSpeechMS    int     `json:"vad_min_speech_duration_ms"`
	VADMinSilenceMS   int     `json:"vad_min_silence_duration_ms"`
	VADMaxSpeech      float64 `json:"vad_max_speech_duration_s"` // 0: no limit
	VADSpeechPadMS    int     `json:"vad_speech_pad_ms"`
	VADSamplesOverlap float64 `json:"vad_samples_overlap"` // seconds
	// SilenceThreshold is how loud, 0 to 1, the loudest sample of digital silence
	// may be; 0 turns the gate off.
	SilenceThreshold float64 `json:"silence_threshold"`

	// BlockSeconds is how much audio is transcribed in one go, exactly as
	// whisper-cli would; longer audio goes on in another block.
	BlockSeconds int `json:"block_seconds"`
	// StepMS is how much new audio an interim result waits for, in milliseconds.
	StepMS int `json:"interim_step_ms"`
	// TrimSeconds is how much audio interim results look back on before finished
	// segments are cut off.
	TrimSeconds int `json:"interim_trim_seconds"`
}

func defaults() parameters {
	return parameters{
		BeamSize: 1, BestOf: 5, TemperatureInc: 0.2,
		EntropyThold: 2.4, LogprobThold: -1, NoSpeechThold: 0.6,
		MaxTextContext: 16384, FlashAttention: true, AudioContext: audioContextFull,
		VADThreshold: 0.5, VADMinSpeechMS: 250, VADMinSilenceMS: 100, VADSpeechPadMS: 30, VADSamplesOverlap: 0.1,
		SilenceThreshold: 0.0003,
		BlockSeconds:     300, StepMS: 1000, TrimSeconds: 15,
	}
}

const (
	audioContextFull  = "full"
	audioContextShort = "short"
)

// maxBeamSize is the API's.
const maxBeamSize = 16

// readParameters checks the settings of a model.
func readParameters(opts engines.LoadOptions) (parameters, error) {
	p := defaults()
	if err := engines.DecodeParameters(opts.Parameters, &p); err != nil {
		return p, err
	}
	if err := cmp.Or(
		engines.CheckRange("beam_size", p.BeamSize, 0, maxBeamSize),
		engines.CheckRange("best_of", p.BestOf, 1, whispercpp.MaxDecoders),
		engines.CheckRange("temperature", p.Temperature, 0, 1),
		engines.CheckRange("temperature_inc", p.TemperatureInc, 0, 1),
		engines.CheckRange("entropy_thold", p.EntropyThold, -100, 100),
		engines.CheckRange("logprob_thold", p.LogprobThold, -100, 100),
		engines.CheckRange("no_speech_thold", p.NoSpeechThold, 0, 1),
		engines.CheckRange("n_max_text_ctx", p.MaxTextContext, 0, 1<<20),
		engines.CheckRange("vad_threshold", p.VADThreshold, 0, 1),
		engines.CheckRange("vad_min_speech_duration_ms", p.VADMinSpeechMS, 0, 60_000),
		engines.CheckRange("vad_min_silence_duration_ms", p.VADMinSilenceMS, 0, 60_000),
		engines.CheckRange("vad_max_speech_duration_s", p.VADMaxSpeech, 0, 3600),
		engines.CheckRange("vad_speech_pad_ms", p.VADSpeechPadMS, 0, 10_000),
		engines.CheckRange("vad_samples_overlap", p.VADSamplesOverlap, 0, 10),
		engines.CheckRange("silence_threshold", p.SilenceThreshold, 0, 1),
		engines.CheckRange("block_seconds", p.BlockSeconds, 60, 24*3600),
		engines.CheckRange("interim_step_ms", p.StepMS, 100, 30_000),
		engines.CheckRange("interim_trim_seconds", p.TrimSeconds, 2, windowSeconds-5),
	); err != nil {
		return p, err
	}
	if p.AudioContext != audioContextFull && p.AudioContext != audioContextShort {
		return p, errs.New(errs.InvalidRequest, `parameter "audio_ctx" must be %q or %q, not %q`,
			audioContextFull, audioContextShort, p.AudioContext).With("parameter", "audio_ctx")
	}
	if p.VADModel != "" && !filepath.IsAbs(p.VADModel) {
		p.VADModel = filepath.Join(filepath.Dir(opts.Path), p.VADModel)
	}
	return p, nil
}

// options are whisper.cpp's, without what a request says.
func (p parameters) options(threads int) whispercpp.Options {
	return whispercpp.Options{
		Threads:                threads,
		BeamSize:               p.BeamSize,
		BestOf:                 p.BestOf,
		MaxTextContext:         p.MaxTextContext,
		Temperature:            float32(p.Temperature),
		TemperatureIncrement:   float32(p.TemperatureInc),
		EntropyThreshold:       float32(p.EntropyThold),
		LogProbThreshold:       float32(p.LogprobThold),
		NoSpeechThreshold:      float32(p.NoSpeechThold),
		SuppressNonSpeechToken: p.SuppressNST,
		SuppressBlank:          true,
	}
}

func (p parameters) vad() whispercpp.VADOptions {
	return whispercpp.VADOptions{
		Threshold:  float32(p.VADThreshold),
		MinSpeech:  p.VADMinSpeechMS,
		MinSilence: p.VADMinSilenceMS,
		MaxSpeech:  float32(p.VADMaxSpeech),
		Pad:        p.VADSpeechPadMS,
	}
}

// reserve is the audio before a block's end, in frames, in which speech may have
// begun that is too short yet to be found, with as much again before it.
func (p parameters) reserve() int {
	return 2 * (p.VADMinSpeechMS + p.VADMinSilenceMS + p.VADSpeechPadMS) / int(frame.Milliseconds())
}

const (
	// framesPerSecond of the encoder's positions.
	framesPerSecond = 50
	// contextMargin is what a shortened context has beyond the audio's end: cut
	// closer, models repeat themselves.
	contextMargin = 128
	// contextUnit is what contexts are rounded up to, for the matrix kernels.
	contextUnit = 64
)

// audioContext returns the encoder's positions for a number of samples; 0 is all.
func (p parameters) audioContext(samples int) int {
	needed := samples*framesPerSecond/speech.Rate + contextMargin
	needed = (needed + contextUnit - 1) / contextUnit * contextUnit
	if p.AudioContext == audioContextFull || needed >= windowSeconds*framesPerSecond {
		return 0
	}
	return needed
}
