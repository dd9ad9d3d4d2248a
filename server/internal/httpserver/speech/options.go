package speech

import (
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"github.com/grpc-ecosystem/grpc-gateway/v2/utilities"
	"google.golang.org/protobuf/proto"

	"github.com/lexilingo/modelgateway/engines/errs"
)

// transcriptionField returns the field of a TranscriptionConfig that an option
// sets, or "".
func transcriptionField(option string) string {
	switch option {
	case "language", "translate", "initial_prompt", "word_timestamps", "beam_size", "interim_results":
		return option
	}
	return audioField(option)
}

// pronunciationField returns the field of a PronunciationRequest that an option
// sets, or "".
func pronunciationField(option string) string {
	if option == "reference_text" {
		return option
	}
	return audioField(option)
}

// audioField returns the field of any request with audio that an option sets, or
// "".
func audioField(option string) string {
	switch option {
	case "model":
		return option
	case "encoding", "sample_rate_hertz", "channel_count":
		return "format." + option
	case "local_only", "no_fallback", "priority":
		return "routing." + option
	}
	return ""
}

// fillOptions writes options into the fields of a message; field returns the
// field of an option.
func fillOptions(msg proto.Message, options url.Values, field func(option string) string) error {
	values := url.Values{}
	for name, given := range options {
		path := field(name)
		if path == "" {
			return errs.New(errs.InvalidRequest, "unknown option %q", name)
		}
		for _, v := range given {
			if !utf8.ValidString(v) {
				return errs.New(errs.InvalidRequest, "the option %s is not UTF-8", name)
			}
			values.Add(path, enumValue(name, v))
		}
	}
	if err := runtime.PopulateQueryParameters(msg, values, utilities.NewDoubleArray(nil)); err != nil {
		return errs.New(errs.InvalidRequest, "invalid option: %s", errs.PlainMessageError(err, msg.ProtoReflect().Descriptor())).WithCause(err)
	}
	return nil
}

// enumValue lets clients write enum values as "high" and "pcm_s16le".
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
