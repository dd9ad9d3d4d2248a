package openai

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/lexilingo/modelgateway/engines/audio"
	"github.com/lexilingo/modelgateway/engines/voiceactivity"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// The limits of what a session says about its audio and its turns.
const (
	minRealtimeRate, maxRealtimeRate = 8_000, 48_000

	maxPaddingMS  = 2_000
	maxSilenceMS  = 10_000
	maxLanguage   = 16
	maxLanguages  = 100
	telephoneRate = 8_000
)

// realtimeSession is how a WebSocket transcribes speech.
type realtimeSession struct {
	id            string
	format        realtimeFormat
	transcription realtimeTranscription
	model         string         // which transcription.Model stands for
	detection     *turnDetection // nil: the client commits its turns
	detectionSet  bool           // by the client
}

// withoutDetection begins the names of OpenAI's models that find no turns: their clients
// commit them, and do not say so.
var withoutDetection = []string{"gpt-realtime-whisper", "gpt-live-transcribe"}

// realtimeFormat is the format of the audio.
type realtimeFormat struct {
	Type string `json:"type"`
	Rate int    `json:"rate,omitempty"` // of PCM, in Hz
}

type realtimeTranscription struct {
	Model    string `json:"model,omitempty"`
	Language string `json:"language,omitempty"`
	// Languages are those that may be spoken; some of OpenAI's models take them.
	Languages []string `json:"languages,omitempty"`
	Prompt    string   `json:"prompt,omitempty"`
}

// language returns the language that is spoken; "" if the model finds it out.
func (t realtimeTranscription) language() string { return oneLanguage(t.Language, t.Languages) }

// turnDetection is how the server finds turns.
type turnDetection struct {
	Type      string  `json:"type"`
	Threshold float64 `json:"threshold"`
	PaddingMS int     `json:"prefix_padding_ms"`
	SilenceMS int     `json:"silence_duration_ms"`
}

func defaultDetection() *turnDetection {
	return &turnDetection{Type: "server_vad", Threshold: 0.5, PaddingMS: 300, SilenceMS: 500}
}

func (d *turnDetection) options() voiceactivity.Options {
	return voiceactivity.Options{Threshold: d.Threshold, Silence: time.Duration(d.SilenceMS) * time.Millisecond}
}

func newRealtimeSession() realtimeSession {
	return realtimeSession{id: newID("sess_"), format: realtimeFormat{"audio/pcm", pcmRate}}
}

// sessionUpdate is what a client changes of a session: a field that is missing stays as
// it is. The API has two forms, of which the older one has other names.
type sessionUpdate struct {
	Type  string `json:"type"`
	Audio struct {
		Input struct {
			Format        json.RawMessage `json:"format"`
			Transcription json.RawMessage `json:"transcription"`
			Detection     json.RawMessage `json:"turn_detection"`
		} `json:"input"`
	} `json:"audio"`
	OldFormat        json.RawMessage `json:"input_audio_format"`
	OldTranscription json.RawMessage `json:"input_audio_transcription"`
	OldDetection     json.RawMessage `json:"turn_detection"`
}

// updated returns the session with a change. modelOf returns the model that a name
// stands for.
func (s realtimeSession) updated(u *sessionUpdate, modelOf func(string) (string, error)) (realtimeSession, error) {
	if u.Type != "" && u.Type != "transcription" {
		return s, invalid("session.type", "sessions of the type %q are not supported; use transcription", u.Type)
	}
	in := u.Audio.Input
	for _, change := range []struct {
		text  json.RawMessage
		apply func(*realtimeSession, json.RawMessage) error
	}{
		{u.OldFormat, (*realtimeSession).setFormat}, {in.Format, (*realtimeSession).setFormat},
		{u.OldDetection, (*realtimeSession).setDetection}, {in.Detection, (*realtimeSession).setDetection},
		{u.OldTranscription, (*realtimeSession).setTranscription}, {in.Transcription, (*realtimeSession).setTranscription},
	} {
		if len(change.text) == 0 {
			continue
		}
		if err := change.apply(&s, change.text); err != nil {
			return s, err
		}
	}
	if !s.detectionSet {
		s.detection = defaultDetection()
		if slices.ContainsFunc(withoutDetection, func(name string) bool { return strings.HasPrefix(s.transcription.Model, name) }) {
			s.detection = nil
		}
	}
	model, err := modelOf(s.transcription.Model)
	s.model = model
	return s, err
}

// oldFormats are the names of the formats in the older form.
var oldFormats = map[string]realtimeFormat{
	"pcm16": {"audio/pcm", pcmRate}, "g711_ulaw": {Type: "audio/pcmu"}, "g711_alaw": {Type: "audio/pcma"},
}

func (s *realtimeSession) setFormat(text json.RawMessage) error {
	f := realtimeFormat{"audio/pcm", pcmRate}
	if text[0] == '"' {
		var name string
		if err := json.Unmarshal(text, &name); err != nil {
			return err
		}
		old, ok := oldFormats[name]
		if !ok {
			old.Type = name
		}
		f = old
	} else if err := unmarshal("format", text, &f); err != nil {
		return err
	}
	switch f.Type {
	case "audio/pcm":
		if f.Rate < minRealtimeRate || f.Rate > maxRealtimeRate {
			return invalid("session.audio.input.format", "a sample rate of %d Hz is not supported; use %d to %d", f.Rate, minRealtimeRate, maxRealtimeRate)
		}
	case "audio/pcmu", "audio/pcma":
		f.Rate = 0
	default:
		return invalid("session.audio.input.format", "the format %q is not supported; use audio/pcm, audio/pcmu or audio/pcma", f.Type)
	}
	s.format = f
	return nil
}

func (s *realtimeSession) setDetection(text json.RawMessage) error {
	const field = "session.audio.input.turn_detection"
	s.detectionSet = true
	if isNull(text) {
		s.detection = nil
		return nil
	}
	d := s.detection
	if d == nil {
		d = defaultDetection()
	}
	changed := *d
	if err := unmarshal("turn_detection", text, &changed); err != nil {
		return err
	}
	switch {
	case changed.Type != "server_vad":
		return invalid(field, "turn_detection of the type %q is not supported; use server_vad, or null and commit each turn yourself", changed.Type)
	case !(changed.Threshold >= 0 && changed.Threshold <= 1):
		return invalid(field, "the threshold must be from 0 to 1")
	case changed.PaddingMS < 0 || changed.PaddingMS > maxPaddingMS:
		return invalid(field, "prefix_padding_ms must be from 0 to %d", maxPaddingMS)
	case changed.SilenceMS < 0 || changed.SilenceMS > maxSilenceMS:
		return invalid(field, "silence_duration_ms must be from 0 to %d", maxSilenceMS)
	}
	s.detection = &changed
	return nil
}

func (s *realtimeSession) setTranscription(text json.RawMessage) error {
	changed := s.transcription
	changed.Languages = slices.Clone(changed.Languages) // what is parsed is written into it
	if isNull(text) {
		changed = realtimeTranscription{}
	} else if err := unmarshal("transcription", text, &changed); err != nil {
		return err
	}
	codes := append([]string{changed.Language}, changed.Languages...)
	if len(codes) > maxLanguages || slices.ContainsFunc(codes, func(code string) bool { return len([]rune(code)) > maxLanguage }) {
		return invalid("session.audio.input.transcription.language", "the language must be a code such as en")
	}
	changed.Prompt = promptEnd(changed.Prompt) // it is kept as long as the socket
	s.transcription = changed
	return nil
}

// rate is the sample rate of the audio in Hz.
func (f realtimeFormat) rate() int {
	if f.Rate == 0 {
		return telephoneRate
	}
	return f.Rate
}

// samples returns audio as samples of 16 bits.
func (f realtimeFormat) samples(data []byte) []byte {
	if f.Type == "audio/pcm" {
		return data
	}
	return audio.ExpandG711(data, f.Type == "audio/pcma")
}

// config is how a turn is transcribed.
func (s *realtimeSession) config() *gatewayv1.TranscriptionConfig {
	return &gatewayv1.TranscriptionConfig{
		Format:   &gatewayv1.AudioFormat{Encoding: gatewayv1.AudioEncoding_AUDIO_ENCODING_PCM_S16LE, SampleRateHertz: int32(s.format.rate())}, //nolint:gosec // in range
		Language: s.transcription.language(), InitialPrompt: s.transcription.Prompt,
		InterimResults: true, Model: s.model,
	}
}

// view is the session as its client sees it.
func (s *realtimeSession) view(old bool) map[string]any {
	v := map[string]any{"id": s.id, "object": "realtime.transcription_session", "type": "transcription", "include": nil}
	if old {
		name := ""
		for n, f := range oldFormats {
			if f.Type == s.format.Type {
				name = n
			}
		}
		v["input_audio_format"], v["input_audio_transcription"], v["turn_detection"] = name, s.transcription, s.detection
		return v
	}
	v["audio"] = map[string]any{"input": map[string]any{
		"format": s.format, "noise_reduction": nil, "transcription": s.transcription, "turn_detection": s.detection,
	}}
	return v
}
