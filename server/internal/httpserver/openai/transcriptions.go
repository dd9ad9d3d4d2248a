package openai

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/lexilingo/modelgateway/engines/errs"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/httpserver/bodies"
	"github.com/lexilingo/modelgateway/server/internal/httpserver/reply"
	"github.com/lexilingo/modelgateway/server/internal/httpserver/speech"
	"github.com/lexilingo/modelgateway/server/internal/transcripts"
)

const (
	// formBytes is how much of a recording is kept until the fields after it are known:
	// clients send the fields of a form in any order, and a file of up to 25 MB.
	formBytes = 32 << 20
	// maxPromptRunes is the longest text before the speech; of a longer one the end is
	// used, as in OpenAI's API.
	maxPromptRunes = 2000
)

// AudioBody is the policy of the bodies of Transcriptions and Translations.
func AudioBody() bodies.Policy { return bodies.AudioStream(formBytes) }

// transcription is a request for a transcript.
type transcription struct {
	cfg    *gatewayv1.TranscriptionConfig
	format string
	stream bool
}

// Transcriptions serves POST of audio/transcriptions.
func (h *Handlers) Transcriptions(w http.ResponseWriter, r *http.Request) { h.transcribe(w, r, false) }

// Translations serves POST of audio/translations: transcripts in English.
func (h *Handlers) Translations(w http.ResponseWriter, r *http.Request) { h.transcribe(w, r, true) }

func (h *Handlers) transcribe(w http.ResponseWriter, r *http.Request, translate bool) {
	if !strings.HasPrefix(strings.ToLower(r.Header.Get("Content-Type")), "multipart/form-data") {
		reply.OpenAIError(w, errs.New(errs.InvalidRequest, "the body must be multipart/form-data with the recording as file"))
		return
	}
	up, err := speech.OpenUpload(r, formBytes)
	if err != nil {
		reply.OpenAIError(w, err)
		return
	}
	t, err := h.transcription(up.Options, translate)
	if err != nil {
		reply.OpenAIError(w, err)
		return
	}
	stop := func() { bodies.StopReading(w) }
	if t.stream {
		h.streamTranscript(w, r, t, up, stop)
		return
	}
	ctx, err := h.opts.API.CallContext(r, gatewayv1.ModelGatewayService_Transcribe_FullMethodName)
	if err != nil {
		reply.OpenAIError(w, err)
		return
	}
	resp, err := h.opts.Speech.TranscribeAudio(ctx, t.cfg, up.Audio, stop)
	if err != nil {
		reply.OpenAIError(w, err)
		return
	}
	reply.SetRequestID(w.Header())
	speech.SetServedBy(w.Header(), resp.GetServedBy())
	t.write(w, resp.GetTranscript())
}

// write answers with a transcript in the format of the request.
func (t *transcription) write(w http.ResponseWriter, transcript *gatewayv1.Transcript) {
	switch t.format {
	case "text":
		speech.WriteText(w, "text/plain", transcripts.Text(transcript))
	case "srt":
		speech.WriteText(w, "text/plain", transcripts.SRT(transcript))
	case "vtt":
		speech.WriteText(w, "text/plain", transcripts.VTT(transcript))
	case "verbose_json":
		answer(w, transcripts.VerboseOf(transcript, t.cfg.GetTranslate()))
	default:
		answer(w, struct {
			Text  string            `json:"text"`
			Usage transcripts.Usage `json:"usage"`
		}{transcript.GetText(), transcripts.UsageOf(transcript)})
	}
}

// promptEnd returns a copy of the end of a prompt, which is what a model may get.
func promptEnd(prompt string) string {
	runes := []rune(prompt)
	return string(runes[max(0, len(runes)-maxPromptRunes):])
}

// transcription translates the fields of a form. Fields that it does not know are
// ignored.
func (h *Handlers) transcription(fields url.Values, translate bool) (*transcription, error) {
	model, err := h.resolve(fields.Get("model"), enginev1.Task_TASK_TRANSCRIBE)
	if err != nil {
		return nil, err
	}
	language := oneLanguage(fields.Get("language"), slices.Concat(fields["languages[]"], fields["languages"]))
	t := &transcription{format: fields.Get("response_format"), stream: fields.Get("stream") == "true", cfg: &gatewayv1.TranscriptionConfig{
		Model: strings.ToValidUTF8(model, "\uFFFD"), Language: strings.ToValidUTF8(language, "\uFFFD"), Translate: translate,
		InitialPrompt: promptEnd(strings.ToValidUTF8(fields.Get("prompt"), "")),
	}}
	formats := []string{"json", "text", "srt", "verbose_json", "vtt"}
	if t.format != "" && !slices.Contains(formats, t.format) {
		return nil, invalid("response_format", "the response_format %q is not supported; use %s", t.format, strings.Join(formats, ", "))
	}
	for _, name := range []string{"timestamp_granularities[]", "timestamp_granularities"} {
		t.cfg.WordTimestamps = t.cfg.GetWordTimestamps() || slices.Contains(fields[name], "word")
	}
	t.cfg.WordTimestamps = t.cfg.GetWordTimestamps() && t.format == "verbose_json"
	return t, nil
}

// oneLanguage returns the language of a request, which some clients send as a list; "" if
// it is not known.
func oneLanguage(language string, list []string) string {
	if language == "" && len(list) == 1 {
		return list[0]
	}
	return language
}

// textEvent is an event of a transcript that is streamed.
type textEvent struct {
	Type  string             `json:"type"`
	Delta string             `json:"delta,omitempty"`
	Text  *string            `json:"text,omitempty"`
	Usage *transcripts.Usage `json:"usage,omitempty"`
}

// streamTranscript answers with the text as it is recognised. Clients join the deltas,
// so only text that is final is sent.
func (h *Handlers) streamTranscript(w http.ResponseWriter, r *http.Request, t *transcription, up *speech.Upload, stop func()) {
	ctx, err := h.opts.API.CallContext(r, gatewayv1.ModelGatewayService_StreamTranscribe_FullMethodName)
	if err != nil {
		reply.OpenAIError(w, err)
		return
	}
	out := h.newEvents(w)
	defer out.close()
	var told deltas
	err = h.opts.Speech.StreamTranscribeAudio(ctx, t.cfg, up.Audio, stop, func(event *gatewayv1.StreamTranscribeResponse) error {
		final := event.GetEvent().GetFinal()
		if text := told.add(event.GetEvent()); text != "" {
			if err := out.send(textEvent{Type: "transcript.text.delta", Delta: text}); err != nil {
				return err
			}
		}
		if final == nil {
			return nil
		}
		speech.SetServedBy(w.Header(), event.GetServedBy())
		usage, whole := transcripts.UsageOf(final), final.GetText()
		return out.send(textEvent{Type: "transcript.text.done", Text: &whole, Usage: &usage})
	})
	if err != nil {
		out.fail(err)
	}
}

// deltas finds out what each event of a transcription adds to the text that will not
// change any more.
type deltas struct {
	final string // of the segments
	told  string
}

func (d *deltas) add(e *gatewayv1.TranscriptionEvent) string {
	whole := ""
	switch {
	case e.GetSegment() != nil:
		d.final = join(d.final, e.GetSegment().GetText())
		whole = d.final
	case e.GetInterim() != nil:
		whole = join(d.final, e.GetInterim().GetCommittedText())
	default:
		whole = e.GetFinal().GetText()
	}
	added, ok := strings.CutPrefix(whole, d.told)
	if !ok { // a segment has less than was told before it
		return ""
	}
	d.told = whole
	return added
}

// join returns two texts with what stands between them.
func join(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + transcripts.Space(b) + b
}
