package errs

import "strings"

// PlainProtoError returns the message of an error of protojson without the
// prefix and the position that it writes: both speak of a text that the caller
// may never have seen, in words that are no person's. It is empty for nil.
func PlainProtoError(err error) string {
	if err == nil {
		return ""
	}
	// protobuf-go varies the space on purpose, so that nobody compares the text.
	msg := strings.TrimPrefix(strings.ReplaceAll(err.Error(), "\u00a0", " "), "proto: ")
	msg = strings.TrimPrefix(msg, "syntax error ")
	if before, after, ok := strings.Cut(msg, "): "); ok && strings.HasPrefix(before, "(line ") {
		msg = after
	}
	return msg
}
