// Package width bounds how many values a message of a caller has, before they are
// built: a value of two bytes takes a hundred times as much memory.
package width

import (
	"bytes"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// maxValues is how many values and names a message may have.
const maxValues = 20_000

// errTooWide is the error of a message with more values. Its text continues a
// sentence about the message.
var errTooWide = fmt.Errorf("it has more than %d values and names; send fewer, or a list of numbers as base64", maxValues)

// CheckJSON returns errTooWide if a JSON text has more than maxValues values and names. It
// does not check the syntax.
func CheckJSON(text []byte) error {
	count := 0
	for len(text) > 0 {
		switch text[0] {
		case '"':
			text = text[stringLength(text):]
			continue
		case ',', ':', '[', '{': // what begins a value, or ends a name
			if count++; count > maxValues {
				return errTooWide
			}
		}
		text = text[1:]
	}
	return nil
}

// stringLength returns the length of the string with which a text begins.
func stringLength(text []byte) int {
	end := 1
	for {
		i := bytes.IndexByte(text[end:], '"')
		if i < 0 {
			return len(text)
		}
		backslashes := 0
		for text[end+i-1-backslashes] == '\\' {
			backslashes++ // ends at the quote before the string at the latest
		}
		end += i + 1
		if backslashes%2 == 0 {
			return end
		}
	}
}

// CheckWire returns errTooWide if a message in protobuf's wire format has more than maxValues
// messages and elements of lists and maps. It does not check the format.
func CheckWire(data []byte, message protoreflect.MessageDescriptor) error {
	count := 0
	if !countWire(data, message, &count) {
		return errTooWide
	}
	return nil
}

// countWire reports whether count stays within maxValues.
func countWire(data []byte, message protoreflect.MessageDescriptor, count *int) bool {
	for len(data) > 0 {
		number, kind, n := protowire.ConsumeTag(data)
		if n < 0 {
			return true
		}
		data = data[n:]
		if n = protowire.ConsumeFieldValue(number, kind, data); n < 0 {
			return true
		}
		field := message.Fields().ByNumber(number)
		if field != nil && (field.Message() != nil || field.IsList()) {
			if *count++; *count > maxValues {
				return false
			}
			if value, m := protowire.ConsumeBytes(data); field.Message() != nil && kind == protowire.BytesType && m >= 0 {
				if !countWire(value, field.Message(), count) {
					return false
				}
			}
		}
		data = data[n:]
	}
	return true
}
