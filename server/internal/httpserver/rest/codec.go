package rest

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/server/internal/httpserver/bodies"
	"github.com/lexilingo/modelgateway/server/internal/inflight"
	"github.com/lexilingo/modelgateway/server/internal/width"
)

// The media types of streams.
const (
	// JSONLines has one JSON object per line.
	JSONLines = "application/x-ndjson"
	// EventStream is what a browser's EventSource, or fetch, asks for.
	EventStream = "text/event-stream"
)

// wholeJSON is the codec of bodies that are exactly one message.
type wholeJSON struct{ *runtime.JSONPb }

func newCodec() wholeJSON {
	return wholeJSON{&runtime.JSONPb{
		MarshalOptions:   protojson.MarshalOptions{UseProtoNames: true, EmitDefaultValues: true},
		UnmarshalOptions: protojson.UnmarshalOptions{},
	}}
}

// NewDecoder implements runtime.Marshaler. The error of an empty body is
// io.EOF.
func (c wholeJSON) NewDecoder(r io.Reader) runtime.Decoder {
	return runtime.DecoderFunc(func(v any) error {
		var body inflight.Pieces
		if err := body.Fill(r); err != nil {
			return decodeError{errs.From(bodies.ReadError(err))}
		}
		text := body.Bytes()
		if len(bytes.TrimSpace(bytes.TrimPrefix(text, byteOrderMark))) == 0 {
			return io.EOF
		}
		msg, ok := v.(proto.Message)
		if !ok {
			return c.Unmarshal(text, v)
		}
		// The decoder of JSONPb would ignore what follows the first message.
		if err := UnmarshalJSON(c.UnmarshalOptions, "body", text, msg); err != nil {
			return decodeError{err}
		}
		return nil
	})
}

// decodeError is a typed error without its reason in the text: grpc-gateway makes
// the text the message of a status, beside which the reason stands anyway.
type decodeError struct{ typed *errs.Error }

func (e decodeError) Error() string { return e.typed.Message() }

func (e decodeError) Unwrap() error { return e.typed }

// byteOrderMark may come before a text in UTF-8; Windows programs write it.
var byteOrderMark = []byte("\ufeff")

// UnmarshalJSON reads JSON that comes from a caller; what is the caller's name for
// it.
func UnmarshalJSON(opts protojson.UnmarshalOptions, what string, text []byte, msg proto.Message) *errs.Error {
	text = bytes.TrimPrefix(text, byteOrderMark)
	if bytes.HasPrefix(text, []byte("\xff\xfe")) || bytes.HasPrefix(text, []byte("\xfe\xff")) {
		return errs.New(errs.InvalidRequest, "the %s cannot be read: it is UTF-16; send UTF-8", what)
	}
	err := width.CheckJSON(text)
	if err == nil {
		err = opts.Unmarshal(text, msg)
	}
	if err == nil {
		return nil
	}
	why := errs.PlainMessageError(err, msg.ProtoReflect().Descriptor())
	if strings.Contains(why, "unexpected EOF") && json.Valid(text) { // what protojson says of it
		why = `a string has a \u escape for half of a character (a lone surrogate)`
	}
	return errs.New(errs.InvalidRequest, "the %s cannot be read: %s", what, why).WithCause(err)
}

// jsonLines is the codec whose streams are JSONLines.
type jsonLines struct{ wholeJSON }

// StreamContentType implements runtime.StreamContentType.
func (*jsonLines) StreamContentType(any) string { return JSONLines }

// serverSentEvents writes each message of a stream as "data: {…}" and an empty
// line.
type serverSentEvents struct{ wholeJSON }

// ContentType implements runtime.Marshaler.
func (*serverSentEvents) ContentType(any) string { return EventStream }

// Delimiter implements runtime.Delimited.
func (*serverSentEvents) Delimiter() []byte { return []byte("\n\n") }

// Marshal implements runtime.Marshaler.
func (s *serverSentEvents) Marshal(v any) ([]byte, error) {
	text, err := s.JSONPb.Marshal(v)
	if err != nil {
		return nil, err
	}
	return append([]byte("data: "), text...), nil
}
