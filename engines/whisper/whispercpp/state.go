package whispercpp

/*
#include <stdlib.h>
#include "shim.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"runtime/cgo"
	"unsafe"

	binding "github.com/ggerganov/whisper.cpp/bindings/go"
)

// ErrAborted is returned by a computation that Abort ended.
var ErrAborted = errors.New("the computation was aborted")

// State is the state of one stream: caches, buffers, the text so far, and the random
// numbers of the decoders. whisper-cli starts with a new one too.
type State struct {
	control
	model  *Model
	c      *C.struct_whisper_state
	broken bool // whisper.cpp has freed c
	// spectrum are the samples whose mel spectrogram the state contains; nil if it
	// contains none.
	spectrum []float32
}

// NewState creates a state. It fails if there is not enough memory.
func (m *Model) NewState() (*State, error) {
	c := C.whisper_init_state(m.c)
	if c == nil {
		return nil, errors.New("whisper.cpp cannot create a state")
	}
	return &State{control: newControl(), model: m, c: c}, nil
}

// Close frees the state.
func (s *State) Close() {
	if !s.broken {
		C.whisper_free_state(s.c)
	}
	s.free()
}

// Options are the options of decoding, as in whisper.cpp.
type Options struct {
	Threads   int
	Language  int // LanguageID
	Translate bool
	// InitialPrompt is the context of the first window.
	InitialPrompt string
	// KeepContext uses the text of the run before as context.
	KeepContext bool
	// OffsetMilliseconds is the position in the samples at which to begin.
	OffsetMilliseconds int
	// TokenTimes fills in the times of tokens.
	TokenTimes bool
	// BeamSize is the number of hypotheses; below 2 the search is greedy.
	BeamSize int
	// BestOf is the number of candidates if the temperature is above 0.
	BestOf int
	// AudioContext is the number of the encoder's positions; 0 is all of them.
	AudioContext int
	// MaxTokens is the largest number of tokens of a window; 0 is whisper.cpp's limit,
	// about 220.
	MaxTokens int
	// MaxTextContext is the largest number of tokens of the text so far that a window
	// gets as context.
	MaxTextContext int
	// Temperature is the first temperature. A window whose decoding fails is decoded
	// again at temperatures higher by TemperatureIncrement, up to 1; 0 turns that off.
	Temperature          float32
	TemperatureIncrement float32
	// EntropyThreshold is the entropy of the last 32 tokens below which decoding fails.
	EntropyThreshold float32
	// LogProbThreshold is the mean log probability of the tokens below which decoding
	// fails, or below which the window is skipped: see NoSpeechThreshold.
	LogProbThreshold float32
	// NoSpeechThreshold is the probability of no speech above which a window with a low
	// log probability is skipped. Below it, decoding of that window fails.
	NoSpeechThreshold float32
	// SuppressNonSpeechTokens suppresses tokens that are not speech, such as "♪".
	SuppressNonSpeechTokens bool
}

// MaxDecoders is whisper.cpp's limit on the number of hypotheses and candidates.
const MaxDecoders = 8

// Token is a token of text or of a time.
type Token struct {
	// Text is the token's bytes, which may be only a part of a character.
	Text string
	// Special reports whether the token is not text but a time or the end.
	Special bool
	// ID is its id in the vocabulary.
	ID int
	// Probability is 0 to 1.
	Probability float32
	// Start and End are in hundredths of a second from the beginning of the
	// samples; -1 if they are not known.
	Start, End int64
}

// Segment is a part of the text.
type Segment struct {
	// Start and End are in hundredths of a second from the beginning of the
	// samples.
	Start, End int64
	// Text is whisper.cpp's text, including spaces around it.
	Text string
	// Tokens include the times at the end of the segment.
	Tokens []Token
	// NoSpeech is the probability that the window contains no speech.
	NoSpeech float32
}

// Events are functions that Run calls between computations. Each may be nil.
type Events struct {
	// Segment is called with each segment when its window is decoded.
	Segment func(Segment)
	// Window is called before a window is encoded, with the progress of the run. If it
	// returns false, the run ends without an error, with the segments so far.
	Window func(percent int) bool
}

// run is the data of the callbacks of one mg_full.
type run struct {
	state   *State
	events  Events
	percent int
}

// Run transcribes samples at 16 kHz. It returns ErrAborted after Abort. If
// DetectLanguage was called with the same slice before, Run uses its spectrogram,
// except with TokenTimes, which needs the samples.
func (s *State) Run(opts Options, samples []float32, events Events) error {
	if len(samples) == 0 {
		return nil
	}
	handle := cgo.NewHandle(&run{state: s, events: events})
	defer handle.Delete()
	params, free := s.params(opts)
	defer free()
	// With a count of 0, whisper.cpp uses the spectrogram of the state.
	count := len(samples)
	if len(s.spectrum) == count && &s.spectrum[0] == &samples[0] && !opts.TokenTimes {
		count = 0
	}
	s.spectrum = nil
	status := C.mg_full(s.model.c, s.c, params, (*C.float)(unsafe.Pointer(&samples[0])), C.int(count),
		s.control.c, C.uintptr_t(handle))
	const stateFreed = -7
	s.broken = s.broken || status == stateFreed
	switch {
	case s.aborted():
		return ErrAborted
	case status != 0:
		return fmt.Errorf("whisper.cpp failed with status %d", status)
	}
	return nil
}

// params converts options to whisper.cpp's type. free frees what they point to. If the
// binding has a setter for a field, params uses it; if not, it sets the field of the C
// struct. There are two exceptions: the setter of language can fail, and that of
// initial_prompt leaks the text.
func (s *State) params(o Options) (params C.struct_whisper_full_params, free func()) {
	strategy := binding.SamplingStrategy(binding.SAMPLING_GREEDY)
	if o.BeamSize > 1 {
		strategy = binding.SAMPLING_BEAM_SEARCH
	}
	b := s.model.bindingContext().Whisper_full_default_params(strategy)
	b.SetThreads(o.Threads)
	b.SetTranslate(o.Translate)
	b.SetNoContext(!o.KeepContext)
	b.SetOffset(o.OffsetMilliseconds)
	b.SetTokenTimestamps(o.TokenTimes)
	b.SetAudioCtx(o.AudioContext)
	b.SetMaxTokensPerSegment(o.MaxTokens)
	b.SetMaxContext(o.MaxTextContext)
	b.SetTemperature(o.Temperature)
	b.SetTemperatureFallback(o.TemperatureIncrement)
	b.SetEntropyThold(o.EntropyThreshold)
	if o.BeamSize > 1 {
		b.SetBeamSize(min(o.BeamSize, MaxDecoders))
	}
	params = *(*C.struct_whisper_full_params)(unsafe.Pointer(&b))
	params.language = C.whisper_lang_str(C.int(o.Language))
	params.greedy.best_of = C.int(min(max(1, o.BestOf), MaxDecoders))
	params.logprob_thold = C.float(o.LogProbThreshold)
	params.no_speech_thold = C.float(o.NoSpeechThreshold)
	params.suppress_nst = C.bool(o.SuppressNonSpeechTokens)
	if o.InitialPrompt == "" {
		return params, func() {}
	}
	prompt := C.CString(o.InitialPrompt)
	params.initial_prompt = prompt
	return params, func() { C.free(unsafe.Pointer(prompt)) }
}

//export goProgress
func goProgress(percent C.int, handle C.uintptr_t) {
	cgo.Handle(handle).Value().(*run).percent = int(percent)
}

//export goWindow
func goWindow(handle C.uintptr_t) C.int {
	r := cgo.Handle(handle).Value().(*run)
	if r.events.Window == nil || r.events.Window(r.percent) {
		return 1
	}
	return 0
}

//export goSegment
func goSegment(count C.int, handle C.uintptr_t) {
	r := cgo.Handle(handle).Value().(*run)
	if r.events.Segment == nil {
		return
	}
	all := int(C.whisper_full_n_segments_from_state(r.state.c))
	for i := max(0, all-int(count)); i < all; i++ {
		r.events.Segment(r.state.segment(C.int(i)))
	}
}

func (s *State) segment(i C.int) Segment {
	segment := Segment{
		Start:    int64(C.whisper_full_get_segment_t0_from_state(s.c, i)),
		End:      int64(C.whisper_full_get_segment_t1_from_state(s.c, i)),
		Text:     C.GoString(C.whisper_full_get_segment_text_from_state(s.c, i)),
		NoSpeech: float32(C.whisper_full_get_segment_no_speech_prob_from_state(s.c, i)),
		Tokens:   make([]Token, C.whisper_full_n_tokens_from_state(s.c, i)),
	}
	end := int(s.model.bindingContext().Whisper_token_eot())
	for j := range segment.Tokens {
		data := C.whisper_full_get_token_data_from_state(s.c, i, C.int(j))
		segment.Tokens[j] = Token{
			Text:        s.model.bindingContext().Whisper_token_to_str(binding.Token(data.id)),
			Special:     int(data.id) >= end,
			ID:          int(data.id),
			Probability: float32(data.p),
			Start:       int64(data.t0),
			End:         int64(data.t1),
		}
	}
	return segment
}

// DetectLanguage returns the most likely language of the first 30 s of samples and its
// probability. audioContext is as in Options. It returns ErrAborted after Abort.
func (s *State) DetectLanguage(samples []float32, threads, audioContext int) (id int, probability float32, err error) {
	probabilities := make([]float32, binding.Whisper_lang_max_id()+1)
	if len(samples) == 0 {
		return 0, 0, errors.New("no audio to detect the language of")
	}
	s.spectrum = nil
	found := C.mg_detect_language(s.model.c, s.c, (*C.float)(unsafe.Pointer(&samples[0])), C.int(len(samples)),
		C.int(threads), C.int(audioContext), (*C.float)(unsafe.Pointer(&probabilities[0])), s.control.c)
	switch {
	case s.aborted():
		return 0, 0, ErrAborted
	case found < 0:
		return 0, 0, fmt.Errorf("whisper.cpp failed with status %d", found)
	}
	s.spectrum = samples
	id, probability = mostLikely(probabilities[:s.model.Languages()])
	return id, probability, nil
}

// mostLikely returns the most likely of the model's languages, and its share of their
// total probability. whisper.cpp also counts languages of larger vocabularies, whose
// ids are other tokens in this model.
func mostLikely(probabilities []float32) (id int, probability float32) {
	var sum float32
	for i, p := range probabilities {
		sum += p
		if p > probabilities[id] {
			id = i
		}
	}
	if sum <= 0 {
		return 0, 0
	}
	return id, probabilities[id] / sum
}
