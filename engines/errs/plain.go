package errs

import "strings"

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
