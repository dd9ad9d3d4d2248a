package api

import (
	"encoding/base64"
	"math"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"
)

// unspecified ends the name of every enum's zero value; what is before it begins
// the names of the others.
const unspecified = "UNSPECIFIED"

// enumPrefix is what the names of an enum's values have before the plain word.
func enumPrefix(enum protoreflect.EnumDescriptor) string {
	return strings.TrimSuffix(string(enum.Values().ByNumber(0).Name()), unspecified)
}

// plainMessage turns a typed answer into plain values, by the names of its
// fields: enums are words in lower case ("stop"), durations are seconds, bytes
// are base64. Messages that are unset are left out, and so is who served.
func plainMessage(m proto.Message) map[string]any { return plainFields(m.ProtoReflect()) }

func plainFields(m protoreflect.Message) map[string]any {
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
				values[j] = plainValue(f, list.Get(j))
			}
			out[string(f.Name())] = values
		default:
			out[string(f.Name())] = plainValue(f, m.Get(f))
		}
	}
	return out
}

// plainValue turns one value plain. The answers have no maps.
func plainValue(f protoreflect.FieldDescriptor, v protoreflect.Value) any {
	switch f.Kind() {
	case protoreflect.MessageKind:
		if d, ok := v.Message().Interface().(*durationpb.Duration); ok {
			return d.AsDuration().Seconds()
		}
		return plainFields(v.Message())
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
		return plainFloat(v.Float(), f.Kind() == protoreflect.FloatKind)
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

// plainFloat gives a float the digits that it was written with; JSON has no word
// for what is no number.
func plainFloat(v float64, single bool) any {
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

// fit does the reverse to parameters, as far as protojson does not read plain
// values itself: words become names of enums, seconds become durations. What is
// null counts as not given.
func fit(message protoreflect.MessageDescriptor, params map[string]any) {
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
			continue // protojson complains
		}
		if list, ok := v.([]any); ok && f.IsList() {
			for i := range list {
				list[i] = fitValue(f, list[i])
			}
			continue
		}
		params[name] = fitValue(f, v)
	}
}

func fitValue(f protoreflect.FieldDescriptor, v any) any {
	switch v := v.(type) {
	case map[string]any:
		if f.Kind() == protoreflect.MessageKind {
			fit(f.Message(), v)
		}
	case string:
		if f.Kind() == protoreflect.EnumKind {
			return fitWord(f.Enum(), v)
		}
	case float64:
		if f.Kind() == protoreflect.MessageKind && f.Message().FullName() == (&durationpb.Duration{}).ProtoReflect().Descriptor().FullName() {
			return strconv.FormatFloat(v, 'f', len("123456789"), 64) + "s"
		}
	}
	return v
}

// fitWord finds the enum value that a word means; the word itself if there is
// none.
func fitWord(enum protoreflect.EnumDescriptor, word string) string {
	name := enumPrefix(enum) + strings.ToUpper(strings.ReplaceAll(word, "-", "_"))
	if enum.Values().ByName(protoreflect.Name(name)) != nil {
		return name
	}
	return word
}

// seconds is a length of speech in seconds.
func seconds(samples, rate int) float64 {
	return (time.Duration(samples) * time.Second / time.Duration(rate)).Seconds()
}
