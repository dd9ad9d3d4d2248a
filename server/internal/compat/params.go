package compat

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// The functions *Params change the parameters of a task from the names and places
// that the Python gateway had to those of the typed request.

// rename renames parameters from the Python gateway's names to ours. It leaves a
// parameter alone if our name is given too.
func rename(params map[string]any, names map[string]string) {
	for theirs, ours := range names {
		v, ok := params[theirs]
		if _, taken := params[ours]; ok && !taken {
			params[ours] = v
			delete(params, theirs)
		}
	}
}

// moveInto moves the parameters that are fields of a message inside the request
// into that message.
func moveInto(params map[string]any, message string, fields protoreflect.FieldDescriptors) {
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

// samplingParams moves the sampling options, which untyped callers give beside the
// text.
func samplingParams(params map[string]any) {
	moveInto(params, "sampling", (&gatewayv1.SamplingOptions{}).ProtoReflect().Descriptor().Fields())
}

// formatParams moves the parameters that describe the format of audio.
func formatParams(params map[string]any) {
	if encoding, ok := params["format"].(string); ok {
		params["format"] = map[string]any{"encoding": encoding}
	}
	rename(params, map[string]string{"sample_rate": "sample_rate_hertz", "channels": "channel_count"})
	moveInto(params, "format", (&gatewayv1.AudioFormat{}).ProtoReflect().Descriptor().Fields())
}

// chatParams makes a conversation of system_prompt, of history or messages, and of
// text.
func chatParams(params map[string]any) {
	samplingParams(params)
	rename(params, map[string]string{"history": "messages"})
	earlier, ok := params["messages"].([]any)
	if _, given := params["messages"]; given && !ok {
		return // protojson returns the error
	}
	var messages []any
	if system, ok := params["system_prompt"]; ok && system != "" {
		messages = append(messages, map[string]any{"role": "system", "content": system})
	}
	messages = append(messages, earlier...)
	if text, ok := params["text"]; ok {
		messages = append(messages, map[string]any{"role": "user", "content": text})
	}
	delete(params, "text")
	delete(params, "system_prompt")
	params["messages"] = messages
	renameModelRole(messages)
}

// renameModelRole renames the role "model", which callers of Gemini use.
func renameModelRole(turns []any) {
	for _, turn := range turns {
		if m, ok := turn.(map[string]any); ok && m["role"] == "model" {
			m["role"] = "assistant"
		}
	}
}

// grammarParams accepts the code of the explanations' language.
func grammarParams(params map[string]any) {
	samplingParams(params)
	rename(params, map[string]string{"language": "explanation_language"})
	switch params["explanation_language"] {
	case "en":
		params["explanation_language"] = "english"
	case "vi":
		params["explanation_language"] = "vietnamese"
	}
}

// respondParams adds the context and the known errors to the learner's text, as the
// Python gateway did.
func respondParams(params map[string]any) {
	samplingParams(params)
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
		renameModelRole(history)
	}
}

// explainParams adds the known errors and the learner's level to the question.
func explainParams(params map[string]any) {
	samplingParams(params)
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

// knownErrors removes the parameter errors, a list as the task grammar returns it,
// and returns it as text, one error a line.
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

// recognizeParams moves everything except the audio into the config.
func recognizeParams(params map[string]any) {
	formatParams(params)
	rename(params, map[string]string{"prompt": "initial_prompt"})
	moveInto(params, "config", (&gatewayv1.TranscriptionConfig{}).ProtoReflect().Descriptor().Fields())
}

// synthesizeParams accepts the Python gateway's names of the speaker.
func synthesizeParams(params map[string]any) {
	rename(params, map[string]string{"voice": "speaker", "speaker_id": "speaker"})
	if id, ok := params["speaker"].(float64); ok {
		params["speaker"] = fmt.Sprint(id)
	}
}

const formatWAV = "wav"

// takeFormat removes the parameter format, which is the format of synthesized
// speech.
func takeFormat(params *structpb.Struct) (format string, rest *structpb.Struct, err error) {
	rest = &structpb.Struct{Fields: maps.Clone(params.GetFields())}
	v := rest.GetFields()["format"].AsInterface()
	delete(rest.Fields, "format")
	if v == nil {
		return formatWAV, rest, nil
	}
	if format, ok := v.(string); ok && slices.Contains([]string{formatWAV, "pcm"}, format) {
		return format, rest, nil
	}
	return "", nil, errs.New(errs.InvalidRequest, "params.format is %s: speech is wav or pcm", errs.Shorten(fmt.Sprint(v))).With("fields", "format")
}
