package modelstest

import (
	"errors"
	"os"

	"google.golang.org/protobuf/encoding/protowire"
)

// Fields of onnx.proto.
const (
	graphOfModel  protowire.Number = 7
	outputOfGraph protowire.Number = 12
	typeOfOutput  protowire.Number = 2
)

// ErrNoDurations is returned for a voice that does not output durations.
var ErrNoDurations = errors.New("the voice does not output the durations of its phonemes")

// WithoutDurations writes a copy of a Piper voice that does not output the durations of
// its phonemes, as most published voices, with its configuration. The sound is the
// same.
func WithoutDurations(voice, to string) error {
	return changeDurations(voice, to, func([]byte) ([]byte, bool) { return nil, false })
}

// PatchedDurations writes a copy of a Piper voice that states the output of the
// durations as piper-tts's patch_voice_with_alignment does: without its type.
func PatchedDurations(voice, to string) error {
	return changeDurations(voice, to, func(output []byte) ([]byte, bool) {
		patched, err := fields(output, func(number protowire.Number, value []byte) ([]byte, bool) { return value, number != typeOfOutput })
		return patched, err == nil
	})
}

// changeDurations writes a copy of a voice with another second output.
func changeDurations(voice, to string, change func(output []byte) ([]byte, bool)) error {
	file, err := os.ReadFile(voice) //nolint:gosec // a model
	if err != nil {
		return err
	}
	config, err := os.ReadFile(voice + ".json") //nolint:gosec // as above
	if err != nil {
		return err
	}
	outputs := 0
	model, err := fields(file, func(number protowire.Number, value []byte) ([]byte, bool) {
		if number != graphOfModel {
			return value, true
		}
		graph, err := fields(value, func(number protowire.Number, value []byte) ([]byte, bool) {
			if number == outputOfGraph {
				if outputs++; outputs == 2 {
					return change(value)
				}
			}
			return value, true
		})
		return graph, err == nil
	})
	if err != nil {
		return err
	}
	if outputs < 2 {
		return ErrNoDurations
	}
	if err := os.WriteFile(to+".json", config, 0o600); err != nil {
		return err
	}
	return os.WriteFile(to, model, 0o600)
}

// fields returns a message whose submessages, strings and bytes were changed or dropped
// by keep.
func fields(message []byte, keep func(protowire.Number, []byte) ([]byte, bool)) ([]byte, error) {
	var out []byte
	for len(message) > 0 {
		number, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return nil, protowire.ParseError(n)
		}
		length := protowire.ConsumeFieldValue(number, kind, message[n:])
		if length < 0 {
			return nil, protowire.ParseError(length)
		}
		field := message[:n+length]
		message = message[n+length:]
		if kind != protowire.BytesType {
			out = append(out, field...)
			continue
		}
		value, _ := protowire.ConsumeBytes(field[n:])
		if value, ok := keep(number, value); ok {
			out = protowire.AppendBytes(protowire.AppendTag(out, number, kind), value)
		}
	}
	return out, nil
}
