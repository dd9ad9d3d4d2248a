package api

import (
	"google.golang.org/grpc/encoding"
	encproto "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/lexilingo/modelgateway/engines/errs"
	"github.com/lexilingo/modelgateway/server/internal/width"
)

// lenientCodec is the protobuf codec, except that it accepts messages that cannot be
// decoded, and does not decode messages with too many values. grpc-go would fail
// such a call with INTERNAL and without details before an interceptor sees it.
// lenientCodec returns an empty message instead, with the cause in an unknown
// field, where unreadable finds it.
type lenientCodec struct{ encoding.CodecV2 }

func newLenientCodec() lenientCodec { return lenientCodec{encoding.GetCodecV2(encproto.Name)} }

// reasonField is a field number that no message of the API uses. A caller that sends
// it only gets the error for its own message.
const reasonField = protowire.MaxValidNumber

// Unmarshal implements encoding.CodecV2.
func (c lenientCodec) Unmarshal(data mem.BufferSlice, v any) error {
	msg, ok := v.(proto.Message)
	if !ok {
		return c.CodecV2.Unmarshal(data, v)
	}
	whole := data.MaterializeToBuffer(mem.DefaultBufferPool())
	defer whole.Free()
	err := width.CheckWire(whole.ReadOnlyData(), msg.ProtoReflect().Descriptor())
	if err == nil {
		err = c.CodecV2.Unmarshal(mem.BufferSlice{whole}, v)
	}
	if err == nil {
		return nil
	}
	proto.Reset(msg)
	reason := protowire.AppendTag(nil, reasonField, protowire.BytesType)
	msg.ProtoReflect().SetUnknown(protowire.AppendString(reason, errs.PlainProtoError(err)))
	return nil
}

// unreadable returns the error of a message that could not be decoded, or nil.
func unreadable(msg proto.Message) error {
	unknown := msg.ProtoReflect().GetUnknown()
	number, kind, n := protowire.ConsumeTag(unknown)
	if n < 0 || number != reasonField || kind != protowire.BytesType {
		return nil
	}
	reason, _ := protowire.ConsumeString(unknown[n:])
	return errs.New(errs.InvalidRequest, "the message cannot be decoded: %s", reason)
}
