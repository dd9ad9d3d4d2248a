package server

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// rawCodec sends bytes instead of the message.
type rawCodec struct {
	encoding.CodecV2
	bytes []byte
}

func (c rawCodec) Marshal(any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(c.bytes)}, nil
}

func TestUnreadableMessagesAreTypedErrors(t *testing.T) {
	r := start(t, faultModels)
	ctx := within(t, 20*time.Second)
	for name, bytes := range map[string][]byte{
		"invalid UTF-8":       {0x0a, 0x04, 0x12, 0x02, 0xff, 0xfe}, // messages[0].content
		"invalid wire format": {0x0a, 0xff},
	} {
		raw := grpc.ForceCodecV2(rawCodec{encoding.GetCodecV2(proto.Name), bytes})
		_, err := r.chat.Chat(ctx, &gatewayv1.ChatRequest{}, raw)
		checkStatus(t, err, codes.InvalidArgument, errs.InvalidRequest, false)
		if !strings.Contains(err.Error(), "cannot be decoded") {
			t.Errorf("unary, %s: %v", name, err)
		}
		stream, err := r.chat.StreamChat(ctx, &gatewayv1.StreamChatRequest{}, raw)
		if err != nil {
			t.Fatal(err)
		}
		_, err = stream.Recv()
		checkStatus(t, err, codes.InvalidArgument, errs.InvalidRequest, false)
		if !strings.Contains(err.Error(), "cannot be decoded") {
			t.Errorf("stream, %s: %v", name, err)
		}
	}
}

// The server reads larger messages than it can send to an engine. Audio between
// the two limits is an invalid request, not an internal error.
func TestAudioPieceTooLargeForEngineIsInvalid(t *testing.T) {
	r := start(t, faultModels+"  transcribe: {primary: qwen}\n")
	stream, err := r.chat.Transcribe(within(t, time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range []*gatewayv1.TranscribeRequest{
		{Payload: &gatewayv1.TranscribeRequest_Config{Config: &gatewayv1.TranscriptionConfig{}}},
		{Payload: &gatewayv1.TranscribeRequest_Audio{Audio: make([]byte, 66<<20)}},
	} {
		if err := stream.Send(m); err != nil {
			t.Fatal(err)
		}
	}
	_, err = stream.CloseAndRecv()
	checkStatus(t, err, codes.InvalidArgument, errs.InvalidRequest, false)
}
