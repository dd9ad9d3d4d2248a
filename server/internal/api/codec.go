package api

import (
	"google.golang.org/grpc/encoding"
	encproto "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/lexilingo/modelgateway/engines/errs"
)

// lenientCodec reads and writes protobuf. grpc-go answers a message that cannot
// be read with a bare INTERNAL before any interceptor sees the call. So such a
// message passes as an empty one that carries the reason in an unknown field,
// where unreadable finds it.
type lenientCodec struct{ encoding.CodecV2 }

func newLenientCodec() lenientCodec { return lenientCodec{encoding.GetCodecV2(encproto.Name)} }

// reasonField is a number that no message of the API uses. A caller who sends it
// says that its own message cannot be read.
const reasonField = protowire.MaxValidNumber

// Unmarshal implements encoding.CodecV2.
func (c lenientCodec) Unmarshal(data mem.BufferSlice, v any) error {
	err := c.CodecV2.Unmarshal(data, v)
	msg, ok := v.(proto.Message)
	if err == nil || !ok {
		return err
	}
	proto.Reset(msg)
	reason := protowire.AppendTag(nil, reasonField, protowire.BytesType)
	msg.ProtoReflect().SetUnknown(protowire.AppendString(reason, errs.PlainProtoError(err)))
	return nil
}

// unreadable is the INVALID_REQUEST of a message that could not be read, else
// nil.
func unreadable(msg proto.Message) error {
	unknown := msg.ProtoReflect().GetUnknown()
	number, kind, n := protowire.ConsumeTag(unknown)
	if n < 0 || number != reasonField || kind != protowire.BytesType {
		return nil
	}
	reason, _ := protowire.ConsumeString(unknown[n:])
	return errs.New(errs.InvalidRequest, "the message cannot be read: %s", reason)
}
