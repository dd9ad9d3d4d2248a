package compat

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"
)

// unspecified ends the name of every enum's zero value. What comes before it is the
// prefix of all names of the enum.
const unspecified = "UNSPECIFIED"

// enumPrefix returns the prefix of the names of an enum's values.
func enumPrefix(enum protoreflect.EnumDescriptor) string {
	return strings.TrimSuffix(string(enum.Values().ByNumber(0).Name()), unspecified)
}

// messageValues returns the fields of a message by their names: enums as words in
// lower case ("stop"), durations in seconds, bytes as base64. It leaves out
// messages that are not set, and served_by.
func messageValues(m proto.Message) map[string]any { return fieldValues(m.ProtoReflect()) }

func fieldValues(m protoreflect.Message) map[string]any {
	out := map[string]any{}
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		switch {
		case f.Name() == "served_by" || (f.HasPresence() && !m.Has(f)):
		case f.IsList():
			list := m.Get(f).List()
			values := make([]any, list.Len())
			for j := range values {
				values[j] = fieldValue(f, list.Get(j))
			}
			out[string(f.Name())] = values
		default:
			out[string(f.Name())] = fieldValue(f, m.Get(f))
		}
	}
	return out
}

// fieldValue returns one value of a field. The answers have no maps.
func fieldValue(f protoreflect.FieldDescriptor, v protoreflect.Value) any {
	switch f.Kind() {
	case protoreflect.MessageKind:
		if d, ok := v.Message().Interface().(*durationpb.Duration); ok {
			return d.AsDuration().Seconds()
		}
		return fieldValues(v.Message())
	case protoreflect.EnumKind:
		value := f.Enum().Values().ByNumber(v.Enum())
		if value == nil {
			return ""
		}
		word := strings.TrimPrefix(string(value.Name()), enumPrefix(f.Enum()))
		if word == unspecified {
			return ""
		}
		return strings.ToLower(word)
	case protoreflect.BytesKind:
		return base64.StdEncoding.EncodeToString(v.Bytes())
	case protoreflect.FloatKind, protoreflect.DoubleKind:
		return floatValue(v.Float(), f.Kind() == protoreflect.FloatKind)
	case protoreflect.BoolKind:
		return v.Bool()
	case protoreflect.StringKind:
		return v.String()
	case protoreflect.Int32Kind, protoreflect.Int64Kind, protoreflect.Sint32Kind, protoreflect.Sint64Kind,
		protoreflect.Sfixed32Kind, protoreflect.Sfixed64Kind:
		return float64(v.Int())
	default:
		return float64(v.Uint())
	}
}

// floatValue returns a float with the shortest digits that stand for it. It returns
// nil for NaN and infinity, which JSON does not have.
func floatValue(v float64, single bool) any {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	if single {
		if shortest, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', -1, 32), 64); err == nil {
			return shortest
		}
	}
	return v
}

// jsonTexts are the fields with JSON text. Untyped callers may send an object instead.
var jsonTexts = []string{"json_schema", "parameters", "arguments"}

// toJSON is the reverse for parameters: it changes the values that protojson does
// not read to those that it does. Words become names of enum values, seconds become
// durations. It removes parameters that are null.
func toJSON(message protoreflect.MessageDescriptor, params map[string]any) {
	for name, v := range params {
		if v == nil {
			delete(params, name)
			continue
		}
		f := message.Fields().ByTextName(name)
		if f == nil {
			f = message.Fields().ByJSONName(name)
		}
		if f == nil {
			continue // protojson returns the error
		}
		if list, ok := v.([]any); ok && f.IsList() {
			for i := range list {
				list[i] = toJSONValue(f, list[i])
			}
			continue
		}
		params[name] = toJSONValue(f, v)
	}
}

func toJSONValue(f protoreflect.FieldDescriptor, v any) any {
	switch v := v.(type) {
	case map[string]any:
		if f.Kind() == protoreflect.MessageKind {
			toJSON(f.Message(), v)
		} else if text, err := json.Marshal(v); err == nil && slices.Contains(jsonTexts, string(f.Name())) {
			return string(text)
		}
	case string:
		if f.Kind() == protoreflect.EnumKind {
			return enumName(f.Enum(), v)
		}
	case float64:
		if f.Kind() == protoreflect.MessageKind && f.Message().FullName() == (&durationpb.Duration{}).ProtoReflect().Descriptor().FullName() {
			return strconv.FormatFloat(v, 'f', len("123456789"), 64) + "s"
		}
	}
	return v
}

// enumName returns the name of the enum value that a word stands for, or the word
// if there is none.
func enumName(enum protoreflect.EnumDescriptor, word string) string {
	name := enumPrefix(enum) + strings.ToUpper(strings.ReplaceAll(word, "-", "_"))
	if enum.Values().ByName(protoreflect.Name(name)) != nil {
		return name
	}
	return word
}
