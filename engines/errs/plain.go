package errs

import (
	"regexp"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// PlainProtoError returns the message of an error of package protojson without
// its "proto:" prefix and its position: the position refers to a JSON text that
// the caller may never have seen. It shortens what the message repeats of that text.
// It returns "" for nil.
func PlainProtoError(err error) string {
	if err == nil {
		return ""
	}
	// protobuf-go uses a random kind of space, so that programs do not compare the text.
	msg := strings.TrimPrefix(strings.ReplaceAll(err.Error(), "\u00a0", " "), "proto: ")
	msg = strings.TrimPrefix(msg, "syntax error ")
	if before, after, ok := strings.Cut(msg, "): "); ok && strings.HasPrefix(before, "(line ") {
		msg = after
	}
	words := strings.Split(shortenQuotes(msg), " ") // such as a number of a million digits
	for i := range words {
		words[i] = Shorten(words[i])
	}
	return strings.Join(words, " ")
}

// enumField finds the field in an error about the value of an enum: of protojson, or
// of grpc-gateway's query parameters.
var enumField = regexp.MustCompile(`invalid value for enum field (\w+): |parsing field "(\w+)": .* is not a valid value$`)

// PlainMessageError is PlainProtoError for the JSON of a message. It names the valid
// values of an enum.
func PlainMessageError(err error, message protoreflect.MessageDescriptor) string {
	text := PlainProtoError(err)
	found := enumField.FindStringSubmatch(text)
	if found == nil {
		return text
	}
	if enum := enumOf(message, protoreflect.Name(found[1]+found[2]), 0); enum != nil {
		text += "; use " + EnumValues(enum)
	}
	return text
}

// enumOf returns the enum of the first field of that name in a message and in those
// that it contains, or nil.
func enumOf(message protoreflect.MessageDescriptor, name protoreflect.Name, depth int) protoreflect.EnumDescriptor {
	fields := message.Fields()
	for i := range fields.Len() {
		if f := fields.Get(i); f.Enum() != nil && (f.Name() == name || f.JSONName() == string(name)) {
			return f.Enum()
		}
	}
	for i := range fields.Len() {
		if m := fields.Get(i).Message(); m != nil && depth < 4 { // no request is deeper
			if enum := enumOf(m, name, depth+1); enum != nil {
				return enum
			}
		}
	}
	return nil
}

// EnumValues lists the names of an enum's values, without the one that means that
// none was set.
func EnumValues(enum protoreflect.EnumDescriptor) string {
	var names []string
	for i := range enum.Values().Len() {
		if v := enum.Values().Get(i); v.Number() != 0 {
			names = append(names, string(v.Name()))
		}
	}
	return strings.Join(names, ", ")
}
