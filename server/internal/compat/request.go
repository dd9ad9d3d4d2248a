package compat

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

const (
	// taskParam is the parameter in which the Python gateway's callers name the task.
	taskParam = "task"
	// audioField is the only field of bytes that requests have.
	audioField = "audio"
	// configField holds the model and the routing of requests with audio.
	configField = "config"
)

// fill fills a typed request from a call's parameters, which bear the names of its
// fields. params renames and moves parameters with other names. A parameter that no
// field takes is an error. The result is validated.
func (s *Service) fill(req proto.Message, call untypedCall, params func(map[string]any)) error {
	values := call.params.AsMap()
	maps.DeleteFunc(values, func(name string, v any) bool { return v == nil || name == taskParam })
	audio, err := takeAudio(req, values)
	if err != nil {
		return err
	}
	if model, ok := values["model"].(string); ok && call.model != "" && call.model != model {
		return errs.New(errs.InvalidRequest, "params.model names another model than model_name, which is %q: leave params.model out", call.model)
	}
	if _, ok := values["routing"]; ok {
		return errs.New(errs.InvalidRequest, "routing is a field beside params, not a parameter")
	}
	if call.model != "" {
		values["model"] = call.model
	}
	params(values)
	toJSON(req.ProtoReflect().Descriptor(), values)
	text, err := json.Marshal(values)
	if err != nil {
		return errs.New(errs.InvalidRequest, "the parameters cannot be read: %s", err)
	}
	if err := protojson.Unmarshal(text, req); err != nil {
		return errs.New(errs.InvalidRequest, "parameters of the task %q: %s", call.task.Name, errs.PlainMessageError(err, req.ProtoReflect().Descriptor()))
	}
	if audio != nil {
		setField(req.ProtoReflect(), audioField, protoreflect.ValueOfBytes(audio))
	}
	if call.routing != nil {
		setRouting(req.ProtoReflect(), call.routing)
	}
	return s.validator.Check(req)
}

// setRouting sets the routing of a request, which is in its config if it has one.
func setRouting(req protoreflect.Message, routing *gatewayv1.Routing) {
	if config := req.Descriptor().Fields().ByName(configField); config != nil {
		req = req.Mutable(config).Message()
	}
	setField(req, "routing", protoreflect.ValueOfMessage(routing.ProtoReflect()))
}

func setField(m protoreflect.Message, name protoreflect.Name, value protoreflect.Value) {
	m.Set(m.Descriptor().Fields().ByName(name), value)
}

// takeAudio removes the audio from the parameters of a request that has a field for
// it. Audio is bytes as base64. It is never the name of a file: the server opens no
// files for its callers.
func takeAudio(req proto.Message, params map[string]any) ([]byte, error) {
	if req.ProtoReflect().Descriptor().Fields().ByName(audioField) == nil {
		return nil, nil
	}
	for _, name := range []string{"path", "file", "file_path", "filename", "audio_path", "audio_file", "url", "audio_url"} {
		if _, ok := params[name]; ok {
			return nil, notAFile("params." + name + " is not supported")
		}
	}
	v, ok := params[audioField]
	if !ok {
		return nil, errs.New(errs.InvalidRequest, "params.audio is missing: send the bytes of the audio as base64").With("fields", audioField)
	}
	delete(params, audioField)
	text, ok := v.(string)
	if !ok {
		return nil, errs.New(errs.InvalidRequest, "params.audio must be a string: the bytes of the audio as base64").With("fields", audioField)
	}
	if header, data, found := strings.Cut(text, ";base64,"); found && strings.HasPrefix(header, "data:") {
		text = data
	}
	audio, err := decodeBase64(text)
	if err != nil || isPath(text) {
		return nil, notAFile("params.audio is not base64")
	}
	return audio, nil
}

func notAFile(what string) error {
	return errs.New(errs.InvalidRequest, "%s: the server opens no files and fetches no addresses for its callers; "+
		"read the file yourself and send its bytes as base64 in params.audio (the Python client takes bytes and paths, and does this)", what).
		With("fields", audioField)
}

// isPath reports whether text is an absolute path rather than audio: both may be
// valid base64, but no audio is so short.
func isPath(text string) bool { return strings.HasPrefix(text, "/") && len(text) < 256 }

// decodeBase64 accepts both alphabets, with padding or without, as protojson does.
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
