package openai

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/lexilingo/modelgateway/engines"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/httpserver/reply"
	"github.com/lexilingo/modelgateway/server/internal/httpserver/speech"
)

// pcmRate is the sample rate of "pcm", in Hz: its clients assume it.
const pcmRate = 24_000

// The limits of the speed in the typed API; OpenAI's are the same.
const minSpeed, maxSpeed = 0.25, 4

// speechRequest is the body of audio/speech.
type speechRequest struct {
	Input          string    `json:"input"`
	Model          string    `json:"model"`
	Voice          voiceName `json:"voice"`
	Speed          *float32  `json:"speed"`
	ResponseFormat string    `json:"response_format"`
	StreamFormat   string    `json:"stream_format"`
}

// voiceName is a name, or an object with an id.
type voiceName string

// UnmarshalJSON implements json.Unmarshaler.
func (v *voiceName) UnmarshalJSON(text []byte) error {
	if len(text) > 0 && text[0] == '{' {
		var object struct {
			ID string `json:"id"`
		}
		err := json.Unmarshal(text, &object)
		*v = voiceName(object.ID)
		return err
	}
	return json.Unmarshal(text, (*string)(v))
}

// voices are the names of OpenAI's voices. Unless they are aliases, they stand for the
// model's own voice.
var voices = []string{"alloy", "ash", "ballad", "cedar", "coral", "echo", "fable", "marin", "nova", "onyx", "sage", "shimmer", "verse"}

// formats are the encodings and the media types of response_format.
var formats = map[string]struct {
	encoding gatewayv1.AudioEncoding
	media    string
}{
	"mp3":  {gatewayv1.AudioEncoding_AUDIO_ENCODING_MP3, "audio/mpeg"},
	"opus": {gatewayv1.AudioEncoding_AUDIO_ENCODING_OGG_OPUS, "audio/ogg"},
	"flac": {gatewayv1.AudioEncoding_AUDIO_ENCODING_FLAC, "audio/flac"},
	"wav":  {gatewayv1.AudioEncoding_AUDIO_ENCODING_WAV, "audio/wav"},
	"pcm":  {gatewayv1.AudioEncoding_AUDIO_ENCODING_PCM_S16LE, "audio/pcm"},
}

// Speech serves POST of audio/speech.
func (h *Handlers) Speech(w http.ResponseWriter, r *http.Request) {
	req := &speechRequest{}
	if err := decode(r.Body, req); err != nil {
		reply.OpenAIError(w, err)
		return
	}
	typed, media, err := h.synthesis(req)
	switch {
	case err != nil:
		reply.OpenAIError(w, err)
	case req.StreamFormat == "sse":
		h.streamSpeech(w, r, typed)
	default:
		reply.SetRequestID(w.Header())
		if err := h.opts.Speech.Speak(w, r, typed, media); err != nil {
			reply.OpenAIError(w, err)
		}
	}
}

// synthesis translates a request, and returns the media type of its answer.
func (h *Handlers) synthesis(req *speechRequest) (*gatewayv1.SynthesizeRequest, string, error) {
	name := req.ResponseFormat
	if name == "" {
		name = "mp3"
	}
	format, ok := formats[name]
	switch {
	case !ok:
		return nil, "", invalid("response_format", "the response_format %q is not supported; use mp3, opus, flac, wav or pcm", name)
	case !slices.Contains([]string{"", "audio", "sse"}, req.StreamFormat):
		return nil, "", invalid("stream_format", "the stream_format %q is not supported; use audio or sse", req.StreamFormat)
	case strings.TrimSpace(req.Input) == "":
		return nil, "", invalid("input", "input is empty: it must be the text to speak")
	}
	model, err := h.resolve(req.Model, enginev1.Task_TASK_SYNTHESIZE)
	if err != nil {
		return nil, "", err
	}
	typed := &gatewayv1.SynthesizeRequest{
		Input: &gatewayv1.SynthesizeRequest_Text{Text: req.Input}, Model: model,
		Output: &gatewayv1.SpeechOutput{Encoding: format.encoding},
	}
	h.setVoice(typed, string(req.Voice))
	if name == "pcm" {
		typed.Output.SampleRateHertz = pcmRate
	}
	if req.Speed != nil {
		speed := min(max(*req.Speed, minSpeed), maxSpeed)
		typed.Speed = &speed
	}
	return typed, format.media, nil
}

// Voices serves the list of the voices, as the native API does. Open WebUI and others ask
// for it, though OpenAI does not have it.
func (h *Handlers) Voices(w http.ResponseWriter, r *http.Request) {
	ctx, err := h.opts.API.CallContext(r, gatewayv1.ModelGatewayService_ListVoices_FullMethodName)
	if err != nil {
		reply.OpenAIError(w, err)
		return
	}
	voices, err := h.client.ListVoices(ctx, &gatewayv1.ListVoicesRequest{})
	if err != nil {
		reply.OpenAIError(w, err)
		return
	}
	text, err := protojson.MarshalOptions{UseProtoNames: true, EmitDefaultValues: true}.Marshal(voices)
	if err != nil {
		reply.OpenAIError(w, err)
		return
	}
	answer(w, json.RawMessage(text))
}

// setVoice sets the model or the speaker that a voice stands for: that of its id in the
// list of voices, or a name.
func (h *Handlers) setVoice(req *gatewayv1.SynthesizeRequest, voice string) {
	target := voice
	if alias, ok := h.opts.Aliases[voice]; ok {
		target = alias
	}
	models := h.opts.Tasks[engines.TaskName(enginev1.Task_TASK_SYNTHESIZE)]
	model, speaker, _ := strings.Cut(target, "/")
	switch {
	case slices.Contains(models, target):
		req.Model = target
	case slices.Contains(models, model):
		req.Model, req.Speaker = model, speaker
	case target == voice && !slices.Contains(voices, voice):
		req.Speaker = voice
	}
}

// audioEvent is an event of speech that is streamed.
type audioEvent struct {
	Type  string       `json:"type"`
	Audio string       `json:"audio,omitempty"`
	Usage *speechUsage `json:"usage,omitempty"`
}

// speechUsage is there because clients expect it: voices have no tokens.
type speechUsage struct {
	InputTokens  int `json:"input_tokens"`
	OutputTokens int `json:"output_tokens"`
	TotalTokens  int `json:"total_tokens"`
}

// streamSpeech answers with events that have pieces of the audio.
func (h *Handlers) streamSpeech(w http.ResponseWriter, r *http.Request, typed *gatewayv1.SynthesizeRequest) {
	ctx, err := h.opts.API.CallContext(r, gatewayv1.ModelGatewayService_Synthesize_FullMethodName)
	if err != nil {
		reply.OpenAIError(w, err)
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	out := h.newEvents(w)
	defer out.close()
	stream, err := h.client.Synthesize(ctx, typed)
	for err == nil {
		var piece *gatewayv1.SynthesizeResponse
		if piece, err = stream.Recv(); err != nil {
			break
		}
		if piece.GetServedBy() != nil {
			speech.SetServedBy(w.Header(), piece.GetServedBy())
		}
		if len(piece.GetAudio()) > 0 {
			if out.send(audioEvent{Type: "speech.audio.delta", Audio: base64.StdEncoding.EncodeToString(piece.GetAudio())}) != nil {
				return // the client is gone, or reads too slowly
			}
		}
	}
	if !errors.Is(err, io.EOF) {
		out.fail(err)
		return
	}
	_ = out.send(audioEvent{Type: "speech.audio.done", Usage: &speechUsage{}}) // fails only if the client is gone
}
