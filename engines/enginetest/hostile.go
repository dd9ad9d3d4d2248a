package enginetest

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"

	"github.com/lexilingo/modelgateway/engines"
	"github.com/lexilingo/modelgateway/engines/errs"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// emptyRequests has a request without content for each task.
func emptyRequests() map[enginev1.Task]*enginev1.RunRequest {
	return map[enginev1.Task]*enginev1.RunRequest{
		enginev1.Task_TASK_CHAT:               {Payload: &enginev1.RunRequest_Chat{Chat: &gatewayv1.ChatRequest{}}},
		enginev1.Task_TASK_GRAMMAR:            {Payload: &enginev1.RunRequest_Grammar{Grammar: &gatewayv1.GrammarRequest{}}},
		enginev1.Task_TASK_RESPOND:            {Payload: &enginev1.RunRequest_Respond{Respond: &gatewayv1.RespondRequest{}}},
		enginev1.Task_TASK_EXPLAIN_VIETNAMESE: {Payload: &enginev1.RunRequest_ExplainVietnamese{ExplainVietnamese: &gatewayv1.ExplainVietnameseRequest{}}},
		enginev1.Task_TASK_TRANSCRIBE:         {Payload: &enginev1.RunRequest_Transcribe{Transcribe: &gatewayv1.TranscriptionConfig{}}},
		enginev1.Task_TASK_SYNTHESIZE:         {Payload: &enginev1.RunRequest_Synthesize{Synthesize: &gatewayv1.SynthesizeRequest{}}},
		enginev1.Task_TASK_PRONUNCIATION:      {Payload: &enginev1.RunRequest_Pronunciation{Pronunciation: &gatewayv1.PronunciationRequest{}}},
		enginev1.Task_TASK_INVOKE:             {Payload: &enginev1.RunRequest_Invoke{Invoke: &enginev1.InvokeTask{}}},
	}
}

// emptyRequests: the gateway validates, but an engine survives without it. Each
// ends well or with a reason, INTERNAL excepted: that is a bug of the engine.
func (s *suite) emptyRequests(t *testing.T) {
	w := s.startLoaded(t)
	for task, req := range emptyRequests() {
		_, err := w.run(t.Context(), []*enginev1.RunRequest{req})
		if err != nil && (!typed(err) || errs.ReasonOf(err) == errs.Internal) {
			t.Errorf("an empty %s ended with %v", engines.TaskName(task), err)
		}
	}
	for name, messages := range map[string][]*enginev1.RunRequest{
		"no message":          nil,
		"an empty message":    {{}},
		"audio before config": {{Payload: &enginev1.RunRequest_Audio{Audio: []byte("audio")}}},
	} {
		if _, err := w.run(t.Context(), messages); !slices.Contains([]errs.Reason{errs.InvalidRequest, errs.ConfigNotFirst}, errs.ReasonOf(err)) {
			t.Errorf("%s: the run ended with %v", name, err)
		}
	}
	w.stillWorks(t)
}

// rawCodec sends bytes as they are, under the name of the protobuf codec.
type rawCodec struct{ encoding.CodecV2 }

// Marshal implements encoding.CodecV2.
func (c rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	if raw, ok := v.([]byte); ok {
		return mem.BufferSlice{mem.SliceBuffer(raw)}, nil
	}
	return c.CodecV2.Marshal(v)
}

// garbage: messages that are no protobuf, and text that is no UTF-8, fail
// their call and nothing else.
func (s *suite) garbage(t *testing.T) {
	w := s.startLoaded(t)
	for name, data := range map[string][]byte{
		"no protobuf": bytes.Repeat([]byte{0xff}, 64),
		// RunRequest{grammar: GrammarRequest{text: "\xff\xfe"}}
		"no UTF-8": {0x12, 0x04, 0x0a, 0x02, 0xff, 0xfe},
	} {
		stream, err := w.conn.NewStream(t.Context(), &grpc.StreamDesc{ServerStreams: true, ClientStreams: true},
			enginev1.Engine_Run_FullMethodName, grpc.ForceCodecV2(rawCodec{encoding.GetCodecV2("proto")}))
		if err != nil {
			t.Fatal(err)
		}
		if err := stream.SendMsg(data); err != nil {
			t.Fatal(err)
		}
		if err := stream.CloseSend(); err != nil {
			t.Fatal(err)
		}
		if err := stream.RecvMsg(&enginev1.RunResponse{}); status.Code(err) == codes.OK || status.Code(err) == codes.Unavailable {
			t.Errorf("%s: the run ended with %v", name, err)
		}
	}
	w.stillWorks(t)
}

// hugeWithin is how long a huge request is let run.
const hugeWithin = 5 * time.Second

// huge: the longest text that the API lets in ends well, with a reason, or by
// its deadline; a message beyond all limits is refused.
func (s *suite) huge(t *testing.T) {
	w := s.startLoaded(t)
	one := int32(1)
	long := &gatewayv1.ChatRequest{
		Sampling: &gatewayv1.SamplingOptions{MaxTokens: &one},
		Messages: []*gatewayv1.ChatMessage{{Role: gatewayv1.Role_ROLE_USER, Content: strings.Repeat("The quick brown fox. ", 47_000)}},
	}
	ctx, cancel := context.WithTimeout(t.Context(), hugeWithin)
	defer cancel()
	_, err := w.run(ctx, []*enginev1.RunRequest{{Payload: &enginev1.RunRequest_Chat{Chat: long}}})
	if err != nil && errs.ReasonOf(err) != errs.DeadlineExceeded && (!typed(err) || errs.ReasonOf(err) == errs.Internal) {
		t.Errorf("a message of 1 MB ended with %v", err)
	}
	beyond := &enginev1.RunRequest{Payload: &enginev1.RunRequest_Audio{Audio: make([]byte, engines.MaxMessageBytes+1)}}
	if _, err := w.run(t.Context(), []*enginev1.RunRequest{beyond}); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("a message of %d bytes ended with %v", engines.MaxMessageBytes+1, err)
	}
	w.stillWorks(t)
}
