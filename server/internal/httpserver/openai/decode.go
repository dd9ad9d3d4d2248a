package openai

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"unicode/utf8"

	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/server/internal/httpserver/bodies"
	"github.com/lexilingo/modelgateway/server/internal/inflight"
	"github.com/lexilingo/modelgateway/server/internal/width"
)

// decode reads a body that is one JSON object. Fields that v lacks are ignored, as in
// OpenAI's API: its clients send new ones before servers know them.
func decode(body io.Reader, v any) error {
	var pieces inflight.Pieces
	if err := pieces.Fill(body); err != nil {
		return bodies.ReadError(err)
	}
	return unmarshal("body", pieces.Bytes(), v)
}

// unmarshal is decode for a text. what is what it is of.
func unmarshal(what string, text []byte, v any) error {
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	if err := width.CheckJSON(text); err != nil {
		return errs.New(errs.InvalidRequest, "the %s cannot be read: %s", what, err)
	}
	if !utf8.Valid(text) {
		return errs.New(errs.InvalidRequest, "the %s cannot be read: it is not UTF-8", what)
	}
	err := json.Unmarshal(text, v)
	var typed *errs.Error
	var kind *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &typed):
		return typed
	case errors.As(err, &kind):
		return invalid(kind.Field, "%s: a %s cannot be used here", kind.Field, kind.Value)
	}
	return errs.New(errs.InvalidRequest, "the %s cannot be read: it is not valid JSON: %s", what, err)
}

// isNull reports whether a field is missing, or null.
func isNull(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }

// oneOrMore is a string, or a list of strings.
type oneOrMore []string

// UnmarshalJSON implements json.Unmarshaler.
func (l *oneOrMore) UnmarshalJSON(text []byte) error {
	if isNull(text) {
		return nil
	}
	if text[0] == '"' {
		*l = make(oneOrMore, 1)
		return json.Unmarshal(text, &(*l)[0])
	}
	return json.Unmarshal(text, (*[]string)(l))
}

// richText is a string, or a list of parts that must be text. Null is empty.
type richText string

// UnmarshalJSON implements json.Unmarshaler.
func (t *richText) UnmarshalJSON(text []byte) error {
	if isNull(text) {
		return nil
	}
	if text[0] != '[' {
		return json.Unmarshal(text, (*string)(t))
	}
	var parts []struct{ Type, Text, Refusal string }
	if err := json.Unmarshal(text, &parts); err != nil {
		return err
	}
	var all []byte
	for i, p := range parts {
		switch p.Type {
		case "text", "input_text", "output_text", "reasoning_text":
		case "refusal":
			p.Text = p.Refusal
		default:
			return invalid("content", "content: parts of the type %q are not supported; send text", p.Type)
		}
		if i > 0 {
			all = append(all, '\n')
		}
		all = append(all, p.Text...)
	}
	*t = richText(all)
	return nil
}
