package httpserver

import (
	"net/url"
	"strings"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"github.com/grpc-ecosystem/grpc-gateway/v2/utilities"
	"google.golang.org/protobuf/proto"

	"github.com/lexilingo/modelgateway/engines/errs"
)

// transcriptionOption maps an option's name to the field of a
// TranscriptionConfig; empty for none.
func transcriptionOption(name string) string {
	switch name {
	case "language", "translate", "initial_prompt", "word_timestamps", "beam_size", "interim_results":
		return name
	}
	return audioOption(name)
}

// pronunciationOption maps an option's name to the field of a
// PronunciationRequest; empty for none.
func pronunciationOption(name string) string {
	if name == "reference_text" {
		return name
	}
	return audioOption(name)
}

// audioOption maps the options that everything with audio has.
func audioOption(name string) string {
	switch name {
	case "model":
		return name
	case "encoding", "sample_rate_hertz", "channel_count":
		return "format." + name
	case "local_only", "no_fallback", "priority":
		return "routing." + name
	}
	return ""
}

// fillOptions writes options into a message; field names theirs.
func fillOptions(msg proto.Message, options url.Values, field func(string) string) error {
	values := url.Values{}
	for name, given := range options {
		path := field(name)
		if path == "" {
			return errs.New(errs.InvalidRequest, "there is no option %q", name)
		}
		for _, v := range given {
			values.Add(path, enumValue(name, v))
		}
	}
	if err := runtime.PopulateQueryParameters(msg, values, utilities.NewDoubleArray(nil)); err != nil {
		return errs.New(errs.InvalidRequest, "an option is wrong: %s", errs.PlainProtoError(err)).WithCause(err)
	}
	return nil
}

// enumValue lets people write enums as "high" and "pcm_s16le".
func enumValue(option, value string) string {
	prefix := map[string]string{"priority": "PRIORITY_", "encoding": "AUDIO_ENCODING_"}[option]
	if prefix == "" {
		return value
	}
	value = strings.ToUpper(value)
	if strings.HasPrefix(value, prefix) {
		return value
	}
	return prefix + value
}
