// Package settings has the parameters of a model of engine-whisper: defaults, checks
// and the memory estimate that depends on them. It is pure Go, so that the server can
// estimate memory without the engine's library. The engine checks the parameters when
// it loads a model.
//
// To add a parameter, see "A new parameter of an engine" in ARCHITECTURE.md. The files
// are parameters.go and memory.go here, options.go and whispercpp/state.go of
// engines/whisper, and the table in docs/speech-to-text.md.
package settings

import (
	"cmp"
	"path/filepath"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/lexilingo/modelgateway/engines"
)

// Parameters are the parameters of a model in the configuration. Those that are
// passed to whisper.cpp have the names of its struct fields, in whisper_full_params,
// whisper_context_params (flash_attn) and, after "vad_", whisper_vad_params. Their
// defaults are whisper-cli's. There are two exceptions: the default of beam_size is 1,
// and audio_ctx is a word.
type Parameters struct {
	// BeamSize is the number of hypotheses if the request sets none; 0 and 1 are
	// greedy decoding, more than MaxDecoders count as MaxDecoders.
	BeamSize int `json:"beam_size"`
	// BestOf is the number of candidates at temperatures above 0.
	BestOf int `json:"best_of"`
	// Temperature is the first temperature. A window whose decoding fails is decoded
	// again at temperatures higher by TemperatureIncrement, up to 1. If
	// TemperatureIncrement is 0, it is not decoded again.
	Temperature          float64 `json:"temperature"`
	TemperatureIncrement float64 `json:"temperature_inc"`
	// Decoding of a window fails if the entropy of its last 32 tokens is below
	// EntropyThreshold, or if its log probability is below LogProbThreshold and its
	// probability of no speech below NoSpeechThreshold. A window is skipped if its
	// probability of no speech is above NoSpeechThreshold and its log probability below
	// LogProbThreshold.
	EntropyThreshold  float64 `json:"entropy_thold"`
	LogProbThreshold  float64 `json:"logprob_thold"`
	NoSpeechThreshold float64 `json:"no_speech_thold"`
	// MaxTextContext is the largest number of tokens of the previous text that the
	// next window gets.
	MaxTextContext int `json:"n_max_text_ctx"`
	// SuppressNonSpeechTokens suppresses tokens that are not speech, such as "(music)"
	// and "♪".
	SuppressNonSpeechTokens bool `json:"suppress_nst"`
	// FlashAttention computes attention in one step, which needs less memory.
	FlashAttention bool `json:"flash_attn"`
	// AudioContext is AudioContextFull, or AudioContextShort to encode only the
	// audio of a clip below 30 s: faster, but not what the model was trained on.
	// AudioContextAuto is short for live streams and full for recordings.
	AudioContext string `json:"audio_ctx"`

	// VADModel is the path of a Silero model in ggml's format, relative to the
	// model's folder. Empty turns voice activity detection off.
	VADModel string `json:"vad_model"`
	// VADThreshold is the probability above which audio counts as speech.
	VADThreshold float64 `json:"vad_threshold"`
	// Shorter speech is dropped, and shorter silence counts as speech.
	VADMinSpeechMS  int `json:"vad_min_speech_duration_ms"`
	VADMinSilenceMS int `json:"vad_min_silence_duration_ms"`
	// VADMaxSpeech is the length in seconds after which speech is split; 0 is no limit.
	VADMaxSpeech float64 `json:"vad_max_speech_duration_s"`
	// VADSpeechPadMS is the length of audio that is added before and after speech.
	VADSpeechPadMS int `json:"vad_speech_pad_ms"`
	// VADSamplesOverlap is the length in seconds of audio after each stretch of speech
	// but the last that is transcribed with it.
	VADSamplesOverlap float64 `json:"vad_samples_overlap"`
	// SilenceThreshold is the largest sample, 0 to 1, of audio that counts as
	// silent without asking the model; 0 asks the model about all audio.
	SilenceThreshold float64 `json:"silence_threshold"`
	// MaxDisagreement is the largest share of words that may differ if the same audio is
	// transcribed a second time with a short silence before it. If more do, the model has
	// not understood the audio, and its text is left out. 1 transcribes only once.
	MaxDisagreement float64 `json:"max_disagreement"`

	// BlockSeconds is the length of audio that is transcribed in one run, exactly
	// as whisper-cli would; longer audio is divided into blocks.
	BlockSeconds int `json:"block_seconds"`
	// StepMS is the length of new speech between passes, in milliseconds, at least.
	StepMS int `json:"interim_step_ms"`
	// TrimSeconds is the length of audio that interim results are computed from
	// before finished segments are cut off.
	TrimSeconds int `json:"interim_trim_seconds"`
}

// The values of audio_ctx.
const (
	AudioContextAuto  = "auto"
	AudioContextFull  = "full"
	AudioContextShort = "short"
)

const (
	// WindowSeconds is the length of audio that whisper's encoder takes.
	WindowSeconds = 30
	// MaxDecoders is the largest number of hypotheses and candidates that
	// whisper.cpp keeps.
	MaxDecoders = 8
	// maxBeamSize is the largest beam size in the API.
	maxBeamSize = 16
	// trimMargin is the part of a window that interim results leave for audio that
	// arrives while they are computed.
	trimMargin = 5
)

// Defaults returns the parameters of a model that sets none.
func Defaults() Parameters {
	return Parameters{
		BeamSize: 1, BestOf: 5, TemperatureIncrement: 0.2,
		EntropyThreshold: 2.4, LogProbThreshold: -1, NoSpeechThreshold: 0.6,
		MaxTextContext: 16384, FlashAttention: true, AudioContext: AudioContextAuto,
		VADThreshold: 0.5, VADMinSpeechMS: 250, VADMinSilenceMS: 100, VADSpeechPadMS: 30, VADSamplesOverlap: 0.1,
		SilenceThreshold: 0.0003, MaxDisagreement: 1,
		BlockSeconds: 300, StepMS: 500, TrimSeconds: 8,
	}
}

// Read reads and checks the parameters of a model. A parameter that is unknown or
// out of range is INVALID_REQUEST.
func Read(from *structpb.Struct) (Parameters, error) {
	p := Defaults()
	if err := engines.DecodeParameters(from, &p); err != nil {
		return p, err
	}
	return p, cmp.Or(
		engines.CheckRange("beam_size", p.BeamSize, 0, maxBeamSize),
		engines.CheckRange("best_of", p.BestOf, 1, MaxDecoders),
		engines.CheckRange("temperature", p.Temperature, 0, 1),
		engines.CheckRange("temperature_inc", p.TemperatureIncrement, 0, 1),
		engines.CheckRange("entropy_thold", p.EntropyThreshold, -100, 100),
		engines.CheckRange("logprob_thold", p.LogProbThreshold, -100, 100),
		engines.CheckRange("no_speech_thold", p.NoSpeechThreshold, 0, 1),
		engines.CheckRange("n_max_text_ctx", p.MaxTextContext, 0, 1<<20),
		engines.CheckRange("vad_threshold", p.VADThreshold, 0, 1),
		engines.CheckRange("vad_min_speech_duration_ms", p.VADMinSpeechMS, 0, 60_000),
		engines.CheckRange("vad_min_silence_duration_ms", p.VADMinSilenceMS, 0, 60_000),
		engines.CheckRange("vad_max_speech_duration_s", p.VADMaxSpeech, 0, 3600),
		engines.CheckRange("vad_speech_pad_ms", p.VADSpeechPadMS, 0, 10_000),
		engines.CheckRange("vad_samples_overlap", p.VADSamplesOverlap, 0, 10),
		engines.CheckRange("silence_threshold", p.SilenceThreshold, 0, 1),
		engines.CheckRange("max_disagreement", p.MaxDisagreement, 0, 1),
		engines.CheckRange("block_seconds", p.BlockSeconds, 60, 24*3600),
		engines.CheckRange("interim_step_ms", p.StepMS, 100, 30_000),
		engines.CheckRange("interim_trim_seconds", p.TrimSeconds, 2, WindowSeconds-trimMargin),
		engines.CheckOneOf("audio_ctx", p.AudioContext, AudioContextAuto, AudioContextFull, AudioContextShort),
	)
}

// VADPath returns the path of the voice activity model for a model file at the
// given path; empty if none is set.
func (p Parameters) VADPath(model string) string {
	if p.VADModel == "" || filepath.IsAbs(p.VADModel) {
		return p.VADModel
	}
	return filepath.Join(filepath.Dir(model), p.VADModel)
}
