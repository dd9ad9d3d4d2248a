package api

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// rename gives parameters that the original's methods called otherwise the
// names of ours.
func rename(params map[string]any, names map[string]string) {
	for theirs, ours := range names {
		v, ok := params[theirs]
		if _, taken := params[ours]; ok && !taken {
			params[ours] = v
			delete(params, theirs)
		}
	}
}

// lift moves parameters that belong into a message of the request there.
func lift(params map[string]any, message string, fields protoreflect.FieldDescriptors) {
	inner, _ := params[message].(map[string]any)
	if inner == nil {
		inner = map[string]any{}
	}
	for i := range fields.Len() {
		name := string(fields.Get(i).Name())
		if v, ok := params[name]; ok && name != message {
			inner[name] = v
			delete(params, name)
		}
	}
	if len(inner) > 0 {
		params[message] = inner
	}
}

// liftSampling moves the options of sampling, which loose callers give beside
// the text.
func liftSampling(params map[string]any) {
	lift(params, "sampling", (&gatewayv1.SamplingOptions{}).ProtoReflect().Descriptor().Fields())
}

// liftFormat moves what tells the format of audio.
func liftFormat(params map[string]any) {
	if encoding, ok := params["format"].(string); ok {
		params["format"] = map[string]any{"encoding": encoding}
	}
	rename(params, map[string]string{"sample_rate": "sample_rate_hertz", "channels": "channel_count"})
	lift(params, "format", (&gatewayv1.AudioFormat{}).ProtoReflect().Descriptor().Fields())
}

// chatMessages makes a conversation of system_prompt, history or messages, and
// text.
func chatMessages(params map[string]any) {
	liftSampling(params)
	rename(params, map[string]string{"history": "messages"})
	said, ok := params["messages"].([]any)
	if _, given := params["messages"]; given && !ok {
		return // protojson complains
	}
	var messages []any
	if system, ok := params["system_prompt"]; ok && system != "" {
		messages = append(messages, map[string]any{"role": "system", "content": system})
	}
	messages = append(messages, said...)
	if text, ok := params["text"]; ok {
		messages = append(messages, map[string]any{"role": "user", "content": text})
	}
	delete(params, "text")
	delete(params, "system_prompt")
	params["messages"] = messages
	asAssistant(messages)
}

// asAssistant renames the role that Gemini's callers call the model.
func asAssistant(turns []any) {
	for _, turn := range turns {
		if m, ok := turn.(map[string]any); ok && m["role"] == "model" {
			m["role"] = "assistant"
		}
	}
}

// arrangeGrammar takes the language of the explanations by its code too.
func arrangeGrammar(params map[string]any) {
	liftSampling(params)
	rename(params, map[string]string{"language": "explanation_language"})
	switch params["explanation_language"] {
	case "en":
		params["explanation_language"] = "english"
	case "vi":
		params["explanation_language"] = "vietnamese"
	}
}

// arrangeRespond adds context and known errors to the learner's text, where the
// original had them.
func arrangeRespond(params map[string]any) {
	liftSampling(params)
	rename(params, map[string]string{"user_input": "text", "learner_level": "level"})
	text, ok := params["text"].(string)
	if !ok {
		return
	}
	if context, ok := params["context"].(string); ok {
		text += "\n\nContext: " + context
		delete(params, "context")
	}
	if known := knownErrors(params); known != "" {
		text += "\n\nErrors found in the learner's text:\n" + known
	}
	params["text"] = text
	if history, ok := params["history"].([]any); ok {
		asAssistant(history)
	}
}

// arrangeExplain asks about known errors, for the learner's level.
func arrangeExplain(params map[string]any) {
	liftSampling(params)
	rename(params, map[string]string{"english_text": "text", "learner_level": "level"})
	var question []string
	if asked, ok := params["question"].(string); ok {
		question = append(question, asked)
	}
	if known := knownErrors(params); known != "" {
		question = append(question, "Explain these errors:\n"+known)
	}
	if level, ok := params["level"].(string); ok {
		question = append(question, "The learner's level is "+level+".")
		delete(params, "level")
	}
	if len(question) > 0 {
		params["question"] = strings.Join(question, "\n")
	}
}

// knownErrors writes the parameter errors, a list as the grammar task answers
// it, line by line, and takes it out.
func knownErrors(params map[string]any) string {
	list, ok := params["errors"].([]any)
	if !ok {
		return ""
	}
	delete(params, "errors")
	var lines []string
	for _, item := range list {
		if e, ok := item.(map[string]any); ok {
			lines = append(lines, fmt.Sprintf("- %q should be %q", fmt.Sprint(e["span"]), fmt.Sprint(e["correction"])))
		}
	}
	return strings.Join(lines, "\n")
}

// arrangeTranscribe moves everything but the audio into the config.
func arrangeTranscribe(params map[string]any) {
	liftFormat(params)
	rename(params, map[string]string{"prompt": "initial_prompt"})
	lift(params, "config", (&gatewayv1.TranscriptionConfig{}).ProtoReflect().Descriptor().Fields())
}

// arrangeSynthesize takes the original's name of the speaker.
func arrangeSynthesize(params map[string]any) {
	rename(params, map[string]string{"voice": "speaker", "speaker_id": "speaker"})
	if id, ok := params["speaker"].(float64); ok {
		params["speaker"] = fmt.Sprint(id)
	}
}

// audioField is the one field of bytes that requests have.
const audioField = "audio"

// takeAudio takes the audio out of the parameters of a request that has some. It
// is bytes as base64, never the name of a file: the server opens no files for
// its callers.
func takeAudio(req proto.Message, params map[string]any) ([]byte, error) {
	if req.ProtoReflect().Descriptor().Fields().ByName(audioField) == nil {
		return nil, nil
	}
	for _, name := range []string{"path", "file", "file_path", "filename", "audio_path", "audio_file", "url", "audio_url"} {
		if _, ok := params[name]; ok {
			return nil, noPath("params." + name + " is not taken")
		}
	}
	v, ok := params[audioField]
	if !ok {
		return nil, errs.New(errs.InvalidRequest, "params.audio is missing: the bytes of the audio, as base64").With("fields", "audio")
	}
	delete(params, audioField)
	text, ok := v.(string)
	if !ok {
		return nil, errs.New(errs.InvalidRequest, "params.audio must be a string: the bytes of the audio, as base64").With("fields", "audio")
	}
	if header, data, found := strings.Cut(text, ";base64,"); found && strings.HasPrefix(header, "data:") {
		text = data
	}
	audio, err := decodeBase64(text)
	if err != nil || looksLikePath(text) {
		return nil, noPath("params.audio is not base64")
	}
	return audio, nil
}

func noPath(what string) error {
	return errs.New(errs.InvalidRequest, "%s: the server opens no files and fetches no addresses for its callers; "+
		"read the file yourself and send its bytes as base64 in params.audio (the Python client does so with bytes and with paths)", what).
		With("fields", "audio")
}

// looksLikePath tells an absolute path from audio: both may be base64, but no
// sound is so short.
func looksLikePath(text string) bool { return strings.HasPrefix(text, "/") && len(text) < 256 }

// decodeBase64 takes both alphabets, with padding or without, as protojson does.
func decodeBase64(text string) ([]byte, error) {
	encoding := base64.StdEncoding
	if strings.ContainsAny(text, "-_") {
		encoding = base64.URLEncoding
	}
	if text = strings.TrimRight(text, "\r\n"); !strings.HasSuffix(text, "=") {
		encoding = encoding.WithPadding(base64.NoPadding)
	}
	return encoding.DecodeString(text)
}

func setAudio(req proto.Message, audio []byte) {
	m := req.ProtoReflect()
	m.Set(m.Descriptor().Fields().ByName(audioField), protoreflect.ValueOfBytes(audio))
}

// speechFormat takes the parameter format out: the format of the answer.
func speechFormat(params map[string]any) (string, error) {
	known := []string{"wav", "pcm"}
	v, ok := params["format"]
	delete(params, "format")
	if !ok || v == nil {
		return known[0], nil
	}
	if format, ok := v.(string); ok && slices.Contains(known, format) {
		return format, nil
	}
	return "", errs.New(errs.InvalidRequest, "params.format is %v: speech comes as wav or pcm", v).With("fields", "format")
}
